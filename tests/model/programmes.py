"""
Programmes are values that describe the actions of a caller inside and outside of transactions: nested blocks, events,
hooks, exceptions and failures.

A programme is a list of steps. The caller runs each step like a web request: an exception ends only the step that
raised it.
"""

from __future__ import annotations

from enum import Enum

import attrs
from hypothesis import strategies as st

DEFAULT, OTHER, BARE = ALIASES = ("default", "other", "bare")
"""The aliases of the databases. The database ``bare`` has no outbox."""
MODES = ("outbox", "on-commit", "immediate")


class Failure(Enum):
    """The ways in which the SQL statements of an append to the outbox can fail."""

    REFUSED = "the database refuses the statements, as after a lock timeout"
    ROLLED_BACK = (
        "the database rolls back the whole transaction, as after a deadlock; PostgreSQL only refuses the statements"
    )
    CLOSED = "the session ends"
    GUARDED = "a guard against queries raises an exception"


@attrs.frozen
class Write:
    """A step that writes a row."""

    alias: str
    by_model: bool = True
    """
    Whether a Django model writes the row. Otherwise a cursor writes it. If a write by a model fails, Django marks the
    block for rollback.
    """


@attrs.frozen
class Emit:
    mode: str
    failure: Failure | None = None
    of_schema: bool = False
    """
    Whether the failure affects the row of the writer's schema. Otherwise the failure affects the row of the event. If
    the schema is already stored, no row is written for it.
    """


@attrs.frozen
class Fail:
    """A step that raises an exception."""


@attrs.frozen
class Hook:
    """A step that registers an on-commit hook."""

    alias: str
    step: Emit | Fail
    robust: bool = False


@attrs.frozen
class Undo:
    """A step that marks the block for rollback and raises no exception."""

    alias: str


@attrs.frozen
class Close:
    """A step that closes the connection."""

    alias: str


@attrs.frozen
class Attempt:
    """A step that runs other steps and catches the exception that they raise."""

    steps: list[Step]


@attrs.frozen
class Block:
    """A step that runs other steps inside ``atomic()``."""

    alias: str
    steps: list[Step]
    savepoint: bool = True
    durable: bool = False
    caught: bool = False
    """Whether the caller catches an exception that the block raises, and continues."""


Step = Write | Emit | Fail | Hook | Undo | Close | Attempt | Block


def _one_of(*weighted: tuple[int, st.SearchStrategy[Step]]) -> st.SearchStrategy[Step]:
    """
    Return a strategy that selects one of the weighted strategies. It draws an index, because Hypothesis merges equal
    strategies and would ignore their weights.
    """
    numbers = [number for number, (weight, _) in enumerate(weighted) for _ in range(weight)]
    return st.sampled_from(numbers).flatmap(lambda number: weighted[number][1])


_rarely = st.sampled_from((False, False, False, False, True))
_aliases = st.sampled_from((DEFAULT, DEFAULT, DEFAULT, OTHER, OTHER, BARE))
_emissions = st.builds(
    Emit,
    mode=st.sampled_from(("outbox", "outbox", *MODES)),
    failure=st.sampled_from((None, None, None, None, *Failure)),
    of_schema=_rarely,
)
_writes = st.builds(Write, alias=_aliases, by_model=st.booleans())
_hooks = st.builds(Hook, alias=_aliases, step=_one_of((2, st.builds(Fail)), (1, _emissions)), robust=_rarely)
_ends = st.builds(Undo, _aliases) | st.builds(Close, _aliases) | st.builds(Fail)


def _steps(inner: st.SearchStrategy[Step]) -> st.SearchStrategy[list[Step]]:
    return st.lists(inner, min_size=1, max_size=5)


def _blocks(inner: st.SearchStrategy[Step]) -> st.SearchStrategy[Step]:
    return st.builds(
        Block,
        alias=_aliases,
        steps=_steps(inner),
        savepoint=_rarely.map(lambda is_rare: not is_rare),
        durable=_rarely,
        caught=st.booleans(),
    )


_plain = _one_of((5, _emissions), (1, _writes), (2, _hooks), (1, _ends))


def _within(inner: st.SearchStrategy[Step]) -> st.SearchStrategy[Step]:
    return _one_of((3, _plain), (3, _blocks(inner)), (1, st.builds(Attempt, _steps(inner))))


PROGRAMMES = st.lists(_one_of((4, _blocks(_within(_within(_plain)))), (1, _plain)), min_size=1, max_size=3)
