"""What was read and fits nowhere: the first of it on the card of its run, all of it on a page of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views import View

from apps.core.errors import DomainError
from apps.extraction import selectors, shape
from apps.extraction.models import ExtractionRun
from apps.extraction.pages.reasons import why_unplaced
from apps.extraction.types import RunCause
from apps.files import selectors as files

MOST_ON_CARD = 50
WINDOW = 100
_LONGEST_ON_CARD, _LONGEST = 300, 4_000


@dataclass(frozen=True, slots=True)
class UnplacedCard:
    text: str
    why: str


def count_unplaced(run: ExtractionRun) -> int:
    """As far as the viewer sees them, of a run that came from ``selectors``."""
    return len(_shown(run))


def first_unplaced(run: ExtractionRun) -> tuple[UnplacedCard, ...]:
    return _cards(_shown(run)[:MOST_ON_CARD], _LONGEST_ON_CARD)


def _shown(run: ExtractionRun) -> list[dict[str, Any]]:
    """An answer to a question says much that nobody asked for; what is of a collection that the viewer does not see, nobody knows."""
    return run.unplaced if _shows(run) else []


def _shows(run: ExtractionRun) -> bool:
    return run.cause != RunCause.ANSWER and run.sees_all  # type: ignore[attr-defined, no-any-return]


def _cards(values: Sequence[dict[str, Any]], longest: int) -> tuple[UnplacedCard, ...]:
    return tuple(UnplacedCard(shape.as_text(each.get("value"))[:longest], why_unplaced(each)) for each in values)


class UnplacedPage(LoginRequiredMixin, View):
    def get(self, request: HttpRequest, run_id: UUID) -> HttpResponse:
        viewer = request.actor  # type: ignore[attr-defined]
        run = selectors.get_run(run_id=run_id, viewer=viewer)
        values, said = _shown(run), request.GET.get("from", "")
        start = int(said) if said.isdecimal() and len(said) < 10 else 0  # noqa: PLR2004
        start = min(start, max(0, len(values) - 1) // WINDOW * WINDOW)
        context = {
            "run": run,
            "shows": _shows(run),
            "number": len(values),
            "values": _cards(values[start : start + WINDOW], _LONGEST),
            "file": _file_of(run, viewer),
            "next_url": f"?from={start + WINDOW}" if start + WINDOW < len(values) else "",
            "previous_url": f"?from={max(0, start - WINDOW)}" if start else "",
        }
        return render(request, "extraction/unplaced.html", context)


def _file_of(run: ExtractionRun, viewer: Any) -> Any:
    """What was read, where it is a file that the viewer may read."""
    try:
        return files.get_usable_file(run.file_id, viewer) if run.file_id else None
    except DomainError:
        return None
