"""Querysets whose SQL is made once.

Django builds and compiles a queryset anew for every request: for the statements that every message meets this costs
more processor time than the database needs to answer them. ``Compiled`` keeps the SQL of each shape and puts in the values;
rows become the same objects by the same code. Why, and what it leans on: docs/adr/0011-queries-compiled-once.md.
"""

from __future__ import annotations

import copy
import itertools
import re
import secrets
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, Self, TypeVar
from uuid import UUID, uuid4

import psycopg
from django.core.exceptions import EmptyResultSet
from django.db import connections
from django.db.models import QuerySet
from django.db.transaction import TransactionManagementError

Row = TypeVar("Row")
Value = UUID | str | bytes | int | datetime

MOST_PLANS = 500


@dataclass(frozen=True, slots=True)
class _Plan:
    """``slots``: position among the parameters → (name of the value, what the backend wraps it in).

    ``native`` is ``sql`` as PostgreSQL numbers its parameters: the driver need not take it apart at every call.
    """

    queryset: QuerySet[Any]
    compiler: Any
    sql: str
    native: str
    parameters: tuple[Any, ...]
    slots: dict[int, tuple[str, Callable[[Any], Any] | None]]
    needs_transaction: bool


class Compiled(Generic[Row]):
    """``build(*shape, **values)`` returns the queryset; ``fetch`` its rows.

    ``shape`` is all that changes the SQL (kinds, flags, what is None); ``values`` are ids, texts, bytes, numbers and times that
    the SQL only carries. A value that does not arrive among the parameters as it is (a pattern, a list) raises ``LookupError`` at the
    first use, inside the first test. ``first()`` and ``exists()`` are ``[:1]`` here.
    """

    def __init__(self, build: Callable[..., QuerySet[Any, Row]]) -> None:
        self._build = build
        self._plans: dict[Hashable, _Plan | None] = {}

    def fetch(self, *shape: Hashable, **values: Value) -> list[Row]:
        key = (shape, tuple(values))
        try:
            plan = self._plans[key]
        except KeyError:
            if len(self._plans) >= MOST_PLANS:
                self._plans.clear()
            plan = self._plans[key] = self._plan(shape, values)
        return _run(plan, values) if plan is not None else []

    def first(self, *shape: Hashable, **values: Value) -> Row | None:
        return next(iter(self.fetch(*shape, **values)), None)

    def fetch_each(self, ids: Iterable[Value], **values: Value) -> list[Row]:
        """For ``build(many, *, id0, id1, …)`` that filters by ``pk__in`` or its like: the rows of a few ids, in no order.

        Sizes go up by doubling, so few plans serve all; the last id stands in for those that are missing.
        """
        wanted = list(ids)
        if not wanted:
            return []
        many = 1 << (len(wanted) - 1).bit_length()
        padded = [*wanted, *[wanted[-1]] * (many - len(wanted))]
        return self.fetch(many, **values, **{f"id{place}": value for place, value in enumerate(padded)})

    def _plan(self, shape: tuple[Hashable, ...], values: dict[str, Value]) -> _Plan | None:
        """None when Django knows without the database that there is nothing."""
        marks = {name: _mark(value) for name, value in values.items()}
        queryset = self._build(*shape, **marks)
        compiler = queryset.query.get_compiler(using=queryset.db)
        try:
            sql, parameters = compiler.as_sql()
        except EmptyResultSet:
            return None
        slots: dict[int, tuple[str, Callable[[Any], Any] | None]] = {}
        for position, parameter in enumerate(parameters):
            inner = getattr(parameter, "obj", parameter)  # the driver wraps bytes, and has its own kinds of int
            for name, mark in marks.items():
                if isinstance(inner, type(mark)) and inner == mark:
                    slots[position] = (name, None if type(parameter) is type(mark) else type(parameter))
        if lost := marks.keys() - {name for name, _wrap in slots.values()}:
            message = f"{', '.join(sorted(lost))} is not a plain parameter of this query."
            raise LookupError(message)
        converters = compiler.get_converters([column[0] for column in compiler.select])
        compiler.get_converters = lambda _columns: (
            converters
        )  # Django asks every column for them again with each result
        return _Plan(
            queryset, compiler, sql, _numbered(sql), tuple(parameters), slots, bool(queryset.query.select_for_update)
        )


_TIMES = psycopg.adapters.get_loader(psycopg.adapters.types["timestamptz"].oid, psycopg.pq.Format.TEXT)


class _PreparedCursor(psycopg.RawCursor[Any]):
    """PostgreSQL plans the statement once a connection, not once a call: a presentation of messages joins seven tables.

    Times are read by the driver's own reader. Django's puts the zone in place of the driver's, which is UTC either way, and
    is written in Python: a page of messages carries three hundred times.
    """

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        super().__init__(connection)
        if _TIMES is not None:
            self.adapters.register_loader("timestamptz", _TIMES)

    def execute(self, query: Any, params: Any = None, **_options: Any) -> Self:
        return super().execute(query, params, prepare=True)


def _numbered(sql: str) -> str:
    """``%s`` → ``$1``, ``$2`` …"""
    numbers = itertools.count(1)
    return re.sub("%[s%]", lambda found: "%" if found[0] == "%%" else f"${next(numbers)}", sql)


def _mark(value: Value) -> Value:
    """What no query holds by chance."""
    match value:
        case UUID():
            return uuid4()
        case str():
            return secrets.token_hex()
        case bytes():
            return secrets.token_bytes()
        case datetime():
            return datetime.fromtimestamp(secrets.randbelow(2**31), tz=UTC)
        case int():
            return 2**30 + secrets.randbelow(2**30)
        case _:
            message = f"A compiled query takes ids, texts, bytes, numbers and times, not {type(value).__name__}."
            raise TypeError(message)


def _run(plan: _Plan, values: dict[str, Value]) -> list[Any]:
    connection = connections[plan.queryset.db]
    if plan.needs_transaction and not connection.in_atomic_block:
        message = "select_for_update cannot be used outside of a transaction."
        raise TransactionManagementError(message)
    parameters = list(plan.parameters)
    for position, (name, wrap) in plan.slots.items():
        parameters[position] = wrap(values[name]) if wrap else values[name]
    compiler = copy.copy(plan.compiler)
    compiler.connection = connection
    with connection.cursor() as cursor:
        if connection.queries_logged:  # the log reads the statement from Django's own kind of cursor
            cursor.execute(plan.sql, parameters)
        else:
            cursor.cursor = _PreparedCursor(connection.connection)
            cursor.execute(plan.native, parameters)
        read = cursor.fetchall()
    compiler.execute_sql = lambda *_args, **_kwargs: [read]
    rows = plan.queryset.all()
    rows.query.get_compiler = lambda *_args, **_kwargs: compiler  # type: ignore[method-assign]
    return list(rows)
