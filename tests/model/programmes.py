"""
The actions of a caller in and around transactions, as values: nested blocks, events, hooks, exceptions, failures.

A programme is a list of steps. The caller runs each step like a request: an exception ends only that step.
"""

from __future__ import annotations

from enum import Enum

import attrs
from hypothesis import strategies as st

DEFAULT, OTHER, BARE = ALIASES = ("default", "other", "bare")
"""Aliases of the databases. The last one has no outbox."""
MODES = ("outbox", "on-commit", "immediate")


class Failure(Enum):
    """The way in which the statements of an append fail."""

    REFUSED = "the server refuses them, as after a lock's time-out"
    ROLLED_BACK = "the server ends the whole transaction where it does such a thing, as after a deadlock"
    CLOSED = "the session ends"
    GUARDED = "somebody who stands before the database raises"


@attrs.frozen
class Write:
    """Write a row."""

    alias: str
    by_model: bool = True
    """Whether to write with a model, whose failure makes Django roll back, or with a cursor."""


@attrs.frozen
class Emit:
    mode: str
    failure: Failure | None = None
    of_schema: bool = False
    """Whether the failure affects the row of the writer's schema, if that is written, instead of the event's row."""


@attrs.frozen
class Fail:
    """Raise an exception."""


@attrs.frozen
class Hook:
    """Register a hook for the commit."""

    alias: str
    step: Emit | Fail
    robust: bool = False


@attrs.frozen
class Undo:
    """Mark the block for rollback, without an exception."""

    alias: str


@attrs.frozen
class Close:
    """Close the connection."""

    alias: str


@attrs.frozen
class Attempt:
    """Run steps and swallow their exception."""

    steps: list[Step]


@attrs.frozen
class Block:
    """Run the steps inside ``atomic()``."""

    alias: str
    steps: list[Step]
    savepoint: bool = True
    durable: bool = False
    caught: bool = False
    """Whether the caller catches an exception of the block and continues."""


Step = Write | Emit | Fail | Hook | Undo | Close | Attempt | Block


def _one_of(*weighted: tuple[int, st.SearchStrategy[Step]]) -> st.SearchStrategy[Step]:
    """
    Return a strategy that selects from weighted strategies. It samples their numbers, since Hypothesis merges equal
    strategies.
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
