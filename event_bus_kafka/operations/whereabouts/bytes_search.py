"""Finds rows in which a column without an index contains given bytes. Each statement scans a part of the table."""

from __future__ import annotations

from collections.abc import Collection
from functools import reduce
from operator import or_
from time import monotonic
from typing import Any

from django.db.models import BinaryField, Case, Count, F, Func, IntegerField, Max, Min, Q, QuerySet, Value, When
from django.db.models.functions import Substr
from django.db.models.lookups import Exact, GreaterThan

_SLICE = 100_000
"""Maximum number of rows that one statement scans."""
_BEHIND_FRAME = 6
"""Position of the Avro bytes in a key, counted from 1. Before it are Confluent's magic byte and the schema id."""


class _Position(Func):
    """SQL function: the position of bytes in a column, counted from 1; 0: the column does not contain the bytes."""

    output_field = IntegerField()
    template = "POSITION(%(expressions)s)"
    arg_joiner = " IN "

    def as_mysql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template="LOCATE(%(expressions)s)", arg_joiner=", ", **context)

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        turned = self.copy()
        turned.set_source_expressions(self.get_source_expressions()[::-1])
        return turned.as_sql(compiler, connection, template="INSTR(%(expressions)s)", arg_joiner=", ", **context)


def contains(column: str, sought: bytes) -> Q:
    """Return the condition that a binary column contains the bytes ``sought``."""
    return Q(GreaterThan(_Position(_value(sought), F(column)), 0))


def has_key(column: str, keys: Collection[bytes]) -> Q:
    """
    Return the condition that a column is equal to one of ``keys``, with or without the five bytes of a frame (magic
    byte and schema id) before the key.
    """
    framed = Substr(column, _BEHIND_FRAME, output_field=BinaryField())
    matches = [Q(Exact(place, _value(key))) for key in keys for place in (framed, F(column))]
    return reduce(or_, matches)


def ids_where(rows: QuerySet[Any], condition: Q, *, until: float) -> tuple[list[int], int | None]:
    """
    Return the ids of the rows that satisfy ``condition``. Also return the id of the last row that was searched before
    the time ``until`` (monotonic); 0: no row was searched; None: all rows were searched.

    The database server evaluates the condition, in the order of ids, and returns only the ids of matching rows.
    """
    found: list[int] = []
    after, is_left = 0, True
    in_order = rows.order_by("pk")
    while is_left:
        if monotonic() >= until:
            return found, after
        looked_at = in_order.filter(pk__gt=after).annotate(hit=Case(When(condition, then="pk"))).values("pk", "hit")
        seen = looked_at[:_SLICE].aggregate(
            count=Count("pk"), last=Max("pk"), first_hit=Min("hit"), last_hit=Max("hit")
        )
        if seen["first_hit"] is not None:
            hits = in_order.filter(condition, pk__range=(seen["first_hit"], seen["last_hit"]))
            found += hits.values_list("pk", flat=True)
        is_left, after = seen["count"] == _SLICE, seen["last"]
    return found, None


def _value(sought: bytes) -> Value:
    return Value(sought, output_field=BinaryField())
