"""Which versions of records a block of writes made: whoever takes them back needs to know what was there before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from uuid import UUID

#: Record → the versions before and after.
Written = dict[UUID, tuple[int, int]]
_noting: ContextVar[Written | None] = ContextVar("records_written", default=None)


@contextmanager
def noting_writes() -> Iterator[Written]:
    """What is written in this block, in the order of the first writes. A block inside another one tells it when it ends well: it goes
    around a savepoint in which one write may be refused after another, and the error that undoes them leaves the block, too.
    """
    found: Written = {}
    token = _noting.set(found)
    try:
        yield found
    finally:
        _noting.reset(token)
    if (outer := _noting.get()) is not None:
        for record_id, (before, after) in found.items():
            outer[record_id] = (outer.get(record_id, (before, before))[0], after)


def note(record_id: UUID, number: int) -> None:
    """This version was written."""
    if (found := _noting.get()) is not None:
        found[record_id] = (found.get(record_id, (number - 1, number))[0], number)


def note_gone(record_id: UUID) -> None:
    """What came and went in one block was there neither before nor after."""
    if (found := _noting.get()) is not None and found.get(record_id, (1, 1))[0] == 0:
        del found[record_id]
