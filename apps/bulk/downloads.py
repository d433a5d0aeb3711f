"""Results and errors of an operation as a file, made while it is read: memory does not grow with the items."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from django.http import HttpRequest, StreamingHttpResponse

from apps.bulk import presentation, selectors
from apps.bulk.models import Item, Operation
from apps.bulk.types import ItemStatus
from apps.core.csv_lines import as_line
from apps.core.piecewise import streamed

COLUMNS = ("number", "subject", "status", "attempts", "payload", "result", "code", "detail", "seconds", "cost")
CONTENT_TYPES = {"jsonl": "application/x-ndjson", "csv": "text/csv; charset=utf-8"}
OF = {
    "all": tuple(ItemStatus.values),
    "results": (ItemStatus.SUCCEEDED.value, ItemStatus.SKIPPED.value),
    "errors": (ItemStatus.FAILED.value, ItemStatus.EXPIRED.value),
}


def as_file(
    request: HttpRequest, operation: Operation, *, file_format: str, of: str, sees: bool
) -> StreamingHttpResponse:
    """``of``: all, results or errors. An operation that came from a selector; ``sees`` as ``presentation.reads_items`` says."""
    name = f"operation-{operation.pk}-{of}.{file_format}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return streamed(
        request,
        _pieces(operation, file_format, of, sees=sees),
        content_type=CONTENT_TYPES[file_format],
        headers=headers,
    )


def _pieces(operation: Operation, file_format: str, of: str, *, sees: bool) -> Iterator[bytes]:
    if file_format == "csv":
        yield as_line(COLUMNS)
    for items in selectors.iterate_items(operation, OF[of]):
        rows = [_row(each, sees=sees) for each in items]
        if file_format == "csv":
            yield b"".join(as_line(row.values()) for row in rows)
        else:
            yield b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)


def _row(item: Item, *, sees: bool) -> dict[str, Any]:
    said = presentation.item_data(item, sees=sees)
    said |= {"subject": str(item.subject_id) if item.subject_id else None, "seconds": round(item.seconds, 6)}
    return {name: said[name] for name in COLUMNS}
