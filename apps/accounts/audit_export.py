"""The audit log as a file: whole rows with their digests, so that whoever holds it can check the chain without us."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.utils import timezone

from apps.accounts.audit import canonical
from apps.accounts.models import AuditEntry
from apps.accounts.types import AuditFormat
from apps.core.csv_lines import as_line
from apps.core.piecewise import streamed

BATCH = 500


def as_file(request: HttpRequest, rows: QuerySet[AuditEntry], file_format: AuditFormat) -> StreamingHttpResponse:
    name = f"audit-{timezone.localdate().isoformat()}.{file_format.value}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    content_type = "text/csv; charset=utf-8" if file_format == AuditFormat.CSV else "application/json"
    return streamed(request, pieces(rows, file_format), content_type=content_type, headers=headers)


def pieces(rows: QuerySet[AuditEntry], file_format: AuditFormat) -> Iterator[bytes]:
    """Oldest first, a page of rows at a time: memory does not grow with the log, and no cursor is held open."""
    yield from _as_csv(rows) if file_format == AuditFormat.CSV else _as_json(rows)


def _pages(rows: QuerySet[AuditEntry]) -> Iterator[list[AuditEntry]]:
    last = 0
    while page := list(rows.filter(number__gt=last).order_by("number")[:BATCH]):
        yield page
        last = page[-1].number


def _row(entry: AuditEntry) -> dict[str, Any]:
    """What the digest covers (RFC 8785 form of these names), and the two digests."""
    return json.loads(canonical(entry)) | {
        "previous": bytes(entry.previous).hex(),
        "digest": bytes(entry.digest).hex(),
    }


def _as_json(rows: QuerySet[AuditEntry]) -> Iterator[bytes]:
    opening = "[\n"
    for page in _pages(rows):
        yield (opening + ",\n".join(json.dumps(_row(entry), ensure_ascii=False) for entry in page)).encode()
        opening = ",\n"
    yield b"\n]\n" if opening != "[\n" else b"[]\n"


def _as_csv(rows: QuerySet[AuditEntry]) -> Iterator[bytes]:
    names = [*json.loads(canonical(AuditEntry(occurred_at=datetime.fromtimestamp(0, UTC)))), "previous", "digest"]
    yield as_line(names)
    for page in _pages(rows):
        yield b"".join(as_line([row[name] for name in names]) for row in map(_row, page))
