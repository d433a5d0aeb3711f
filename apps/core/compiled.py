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
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, Self, TypeVar
from uuid import UUID, uuid4

import psycopg
from django.core.exceptions import EmptyResultSet
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import Model, QuerySet
from django.db.models.base import ModelState
from django.db.models.expressions import RawSQL
from django.db.models.fields.related_descriptors import ForeignKeyDeferredAttribute
from django.db.models.query import ModelIterable, get_related_populators
from django.db.models.signals import post_init, pre_init
from django.db.transaction import TransactionManagementError

from apps.core.db import prepared

Row = TypeVar("Row")
Value = UUID | str | bytes | int | datetime

MOST_PLANS = 500


@dataclass(frozen=True, slots=True)
class _Plan:
    """``slots``: position among the parameters → (name of the value, what the backend wraps it in).

    ``native`` is ``sql`` as PostgreSQL numbers its parameters: the driver need not take it apart at every call.
    """

    database: str
    sql: str
    native: str
    parameters: tuple[Any, ...]
    slots: dict[int, tuple[str, Callable[[Any], Any] | None]]
    needs_transaction: bool
    read: Callable[[Any, list[tuple[Any, ...]]], list[Any]]


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
        plan = self._kept(shape, values)
        return _run(plan, values) if plan is not None else []

    def statement(self, *shape: Hashable, **values: Value) -> tuple[str, list[Any]] | None:
        """SQL and its parameters, as a part of a statement written by hand. None when there is nothing to be found."""
        plan = self._kept(shape, values)
        return (plan.sql, _filled(plan, values)) if plan is not None else None

    def part(self, *shape: Hashable, **values: Value) -> RawSQL | list[Any]:
        """For ``field__in`` of other querysets, which then neither build nor compile it. It must not refer to the query around it."""
        said = self.statement(*shape, **values)
        return RawSQL(*said) if said is not None else []  # noqa: S611  (made by Django out of a queryset of ours)

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

    def _kept(self, shape: tuple[Hashable, ...], values: dict[str, Value]) -> _Plan | None:
        key = (shape, tuple(values))
        try:
            return self._plans[key]
        except KeyError:
            if len(self._plans) >= MOST_PLANS:
                self._plans.clear()
            plan = self._plans[key] = self._plan(shape, values)
            return plan

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
        return _Plan(
            queryset.db,
            sql,
            _numbered(sql),
            tuple(parameters),
            slots,
            bool(queryset.query.select_for_update),
            _reader(queryset, compiler),
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


def _filled(plan: _Plan, values: dict[str, Value]) -> list[Any]:
    parameters = list(plan.parameters)
    for position, (name, wrap) in plan.slots.items():
        parameters[position] = wrap(values[name]) if wrap else values[name]
    return parameters


def _run(plan: _Plan, values: dict[str, Value]) -> list[Any]:
    connection = connections[plan.database]
    if plan.needs_transaction and not connection.in_atomic_block:
        message = "select_for_update cannot be used outside of a transaction."
        raise TransactionManagementError(message)
    parameters = _filled(plan, values)
    with connection.cursor() as cursor:
        if connection.queries_logged:  # the log reads the statement from Django's own kind of cursor
            cursor.execute(plan.sql, parameters)
        else:
            cursor.cursor = _PreparedCursor(connection.connection)
            cursor.execute(plan.native, parameters)
        rows = cursor.fetchall()
    return plan.read(connection, rows) if rows else []


def _reader(queryset: QuerySet[Any], compiler: Any) -> Callable[[Any, list[tuple[Any, ...]]], list[Any]]:
    """Rows of the database → what the queryset gives."""
    if queryset._iterable_class is ModelIterable and not queryset._known_related_objects:  # type: ignore[attr-defined]  # noqa: SLF001
        return _Instances(queryset, compiler)

    def read(connection: Any, rows: list[tuple[Any, ...]]) -> list[Any]:
        own = copy.copy(compiler)
        own.connection = connection
        own.execute_sql = lambda *_args, **_kwargs: [rows]
        fresh = queryset.all()
        fresh.query.get_compiler = lambda *_args, **_kwargs: own  # type: ignore[method-assign]
        return list(fresh)

    return read


class _Instances:
    """Django's ``ModelIterable``, but what it works out anew for every result is worked out once."""

    def __init__(self, queryset: QuerySet[Any], compiler: Any) -> None:
        columns, shape = compiler.select, compiler.klass_info
        places = shape["select_fields"]
        self._database, self._make = queryset.db, _maker(shape["model"])
        self._own = slice(places[0], places[-1] + 1)
        self._names = [column[0].target.attname for column in columns[self._own]]
        self._related = get_related_populators(shape, columns, queryset.db)  # type: ignore[call-arg]
        _hasten(self._related)
        self._annotations = tuple((compiler.annotation_col_map or {}).items())
        self._converters = tuple(compiler.get_converters([column[0] for column in columns]).items())

    def __call__(self, connection: Any, rows: list[tuple[Any, ...]]) -> list[Any]:
        found = []
        for read in rows:
            row = list(read)
            for place, (converters, expression) in self._converters:
                for convert in converters:
                    row[place] = convert(row[place], expression, connection)
            instance = self._make.from_db(self._database, self._names, row[self._own])
            for related in self._related:
                related.populate(row, instance)
            for name, place in self._annotations:
                setattr(instance, name, row[place])
            found.append(instance)
        return found


def _maker(model: Any) -> Any:
    """What makes instances of the model: itself, when it does more about that than Django does by default."""
    is_ordinary = (
        model.__init__ is Model.__init__
        and model.from_db.__func__ is Model.from_db.__func__  # type: ignore[attr-defined]
        and not (pre_init.has_listeners(model) or post_init.has_listeners(model))
        and all(_is_plain(getattr(model, field.attname)) for field in model._meta.concrete_fields)  # noqa: SLF001
    )
    return _Maker(model) if is_ordinary else model


def _is_plain(attribute: Any) -> bool:
    """Setting it puts the value into the instance's dictionary, and no more than that while the instance is new."""
    return isinstance(attribute, ForeignKeyDeferredAttribute) or not hasattr(attribute, "__set__")


class _Maker:
    """Puts what was read where ``Model.__init__`` puts it, field by field; a tenth of the time, for instances read by the hundred."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def from_db(self, database: str, names: Sequence[str], values: Sequence[Any]) -> Any:
        instance = self._model.__new__(self._model)
        state = ModelState()
        state.adding, state.db = False, database
        instance.__dict__.update(zip(names, values, strict=True), _state=state)
        return instance


def _hasten(populators: Iterable[Any]) -> None:
    for each in populators:
        each.model_cls = _maker(each.model_cls)
        _hasten(each.related_populators)


@dataclass(frozen=True, slots=True)
class _Insert:
    """``fields`` are written; ``left`` is what the database fills in, which is read back."""

    fields: tuple[Any, ...]
    left: tuple[Any, ...]
    sql: str


_inserts: dict[tuple[type[Model], int], _Insert] = {}


def insert(rows: Sequence[Model]) -> None:
    """Write new rows of one model in one statement, as ``bulk_create`` does, without building it anew.

    They bring their keys, and nothing for a column whose default the database makes.
    """
    plan = _inserts.get((type(rows[0]), len(rows)))
    if plan is None:
        plan = _inserts[type(rows[0]), len(rows)] = _insert_of(type(rows[0]), len(rows))
    connection = connections[DEFAULT_DB_ALIAS]
    values = [field.get_db_prep_save(field.pre_save(row, True), connection) for row in rows for field in plan.fields]
    with prepared() as cursor:
        cursor.execute(plan.sql, values)
        filled = cursor.fetchall() if plan.left else []
    for row, made in zip(rows, filled, strict=bool(plan.left)):
        for field, value in zip(plan.left, made, strict=True):
            setattr(row, field.attname, value)
    for row in rows:
        row._state.adding, row._state.db = False, DEFAULT_DB_ALIAS  # noqa: SLF001  (Django's documented attribute)


def _insert_of(model: type[Model], many: int) -> _Insert:
    columns = [field for field in model._meta.local_concrete_fields if not field.generated]  # noqa: SLF001  (Django's documented Meta API)
    left = tuple(field for field in columns if field.has_db_default() and not field.has_default())
    fields = tuple(field for field in columns if field not in left)
    quote = connections[DEFAULT_DB_ALIAS].ops.quote_name
    names = ", ".join(quote(str(field.column)) for field in fields)
    one = "(" + ", ".join(["%s"] * len(fields)) + ")"
    returning = f" RETURNING {', '.join(quote(str(field.column)) for field in left)}" if left else ""
    table = quote(model._meta.db_table)  # noqa: SLF001
    sql = f"INSERT INTO {table} ({names}) VALUES {', '.join([one] * many)}{returning}"  # noqa: S608  (names of ours)
    return _Insert(fields, left, sql)
