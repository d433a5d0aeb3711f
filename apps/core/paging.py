"""The rows around a place in an order, without counting what lies before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet


@dataclass(frozen=True, slots=True)
class Order:
    """Sort key and direction. ``field`` is a column; the id breaks ties."""

    field: str
    descending: bool = True


@dataclass(frozen=True, slots=True)
class Window:
    """The ``count`` rows next to ``edge`` (sort key and id; None: the very end), the nearest first.

    ``order`` is the direction of reading: towards older rows, or back.
    """

    order: Order
    count: int
    edge: tuple[Any, UUID] | None = None

    def over(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        field = self.order.field
        if self.edge is not None:
            beyond = "lt" if self.order.descending else "gt"
            value, pk = self.edge
            rows = rows.filter(**{f"{field}__{beyond}e": value})  # where an index begins
            rows = rows.filter(Q(**{f"{field}__{beyond}": value}) | Q(**{field: value, f"pk__{beyond}": pk}))
        mark = "-" if self.order.descending else ""
        return rows.order_by(f"{mark}{field}", f"{mark}pk")[: self.count]
