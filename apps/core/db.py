"""Database access from event loops, and the database's clock."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, ParamSpec, Self, TypeVar

import psycopg
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.backends.utils import CursorWrapper

P = ParamSpec("P")
R = TypeVar("R")

_executor: ThreadPoolExecutor | None = None


def executor() -> ThreadPoolExecutor:
    """The bounded pool of threads that loop code reaches the database through; below the size of the connection pool."""
    global _executor  # noqa: PLW0603  (one a process, made when first needed, after the fork)
    if _executor is None:
        _executor = ThreadPoolExecutor(max_workers=max(2, settings.DB_POOL_SIZE - 2), thread_name_prefix="db")
    return _executor


def _run(function: Callable[[], R]) -> R:
    try:
        return function()
    finally:
        give_connections_back()


def give_connections_back() -> None:
    """To the pool: a thread that is idle, or waits for somebody else's server, must not keep one. The next query takes one again."""
    if not connection.in_atomic_block:
        for each in connections.all(initialized_only=True):
            each.close()


async def in_thread(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run ``function`` in the bounded executor, with the caller's context. The thread keeps no connection afterwards."""
    context = contextvars.copy_context()
    call = functools.partial(context.run, _run, functools.partial(function, *args, **kwargs))
    return await asyncio.get_running_loop().run_in_executor(executor(), call)


class _PreparedCursor(psycopg.Cursor[Any]):
    def execute(self, query: Any, params: Any = None, **_options: Any) -> Self:
        return super().execute(query, params, prepare=True)


@contextlib.contextmanager
def prepared(using: str = DEFAULT_DB_ALIAS) -> Iterator[CursorWrapper]:
    """A cursor for statements that every message meets: PostgreSQL plans each once a connection, not once a call.

    Values travel beside the statement, so a type that only its text would show needs a cast. ADR 0011.
    """
    connection = connections[using]
    with connection.cursor() as cursor:
        if not connection.queries_logged:  # the log reads the statement from Django's own kind of cursor
            cursor.cursor = _PreparedCursor(connection.connection)
        yield cursor


def database_now() -> datetime:
    """The clock that leases and expiry are judged by."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        row = cursor.fetchone()
    assert row is not None
    return row[0]
