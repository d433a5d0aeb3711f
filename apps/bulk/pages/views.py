"""Pages of operations: the list, one with its counts as they change, and what people do with it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views import View

from apps.accounts import places
from apps.accounts import selectors as accounts
from apps.accounts.types import Actor
from apps.bulk import policies, presentation, samples, selectors, services
from apps.bulk.downloads import CONTENT_TYPES, OF, as_file
from apps.bulk.models import Item, Operation
from apps.bulk.pages.limits import limits_of
from apps.bulk.types import FINAL, ItemStatus, OperationStatus
from apps.core.api import Order, Page, page_url
from apps.core.doors.bulk_kinds import BulkKind, Told, bulk_kinds
from apps.core.errors import NotFound
from apps.core.types import Priority

WINDOW = 50
VIEWS = ("all", "active", "ended")
ACTS: dict[str, Any] = {
    "start": services.start_operation,
    "pause": services.pause_operation,
    "resume": services.resume_operation,
    "cancel": services.cancel_operation,
    "retry": services.retry_failed,
    "undo": services.undo_operation,
}


def label_of(kind: str) -> str:
    found = bulk_kinds.get(kind)
    return str(found.label) if found else kind


def _told(viewer: Actor, kind: BulkKind | None, items: Sequence[Item]) -> list[tuple[Item, Told | None, str]]:
    """Each with its result in words, where its kind has some, and why it failed or was left out."""
    told: Sequence[Told | None] = [None] * len(items)
    if kind is not None and kind.tell is not None:
        told = kind.tell(viewer, [item.result for item in items])
    return list(zip(items, told, map(_why, items), strict=True))


def _why(item: Item) -> str:
    if item.error_code:
        return presentation.words_of(item.error_code)
    skipped = item.result.get("skipped")
    return presentation.words_of_skipped(str(skipped)) if item.status == ItemStatus.SKIPPED and skipped else ""


def _files(items: Iterable[Item]) -> list[dict[str, Any]]:
    """What items made to be downloaded; it belongs to who asked for the operation."""
    return [each.result for each in items if each.result.get("attachment") and each.result.get("name")]


class OperationListPage(LoginRequiredMixin, View):
    def get(self, request: HttpRequest) -> HttpResponse:
        viewer = request.actor  # type: ignore[attr-defined]
        project = places.find_project(request)
        current = request.GET.get("view", "all")
        rows = selectors.list_operations(viewer, project_id=project.pk if project else None)
        if current == "active":
            rows = rows.exclude(status__in=FINAL)
        elif current == "ended":
            rows = rows.filter(status__in=FINAL)
        page = Page.of(rows, order=Order("created_at"), cursor=request.GET.get("cursor"), limit=WINDOW, or_nearest=True)
        labels = {"all": _("All"), "active": _("Under way"), "ended": _("Ended")}
        context = {
            "project": project,
            "operations": [(row, label_of(row.kind)) for row in page.results],
            "views": [{"name": name, "label": labels[name]} for name in VIEWS],
            "current_view": current if current in VIEWS else "all",
            "next_url": page_url(request, page.next),
            "previous_url": page_url(request, page.previous),
        }
        return render(request, "bulk/list.html", context)


class OperationView(LoginRequiredMixin, View):
    """``found`` answers 404 to strangers and tells the shell which project this is."""

    def found(self, request: HttpRequest, operation_id: UUID) -> Operation:
        operation = selectors.get_operation(operation_id=operation_id, viewer=request.actor)  # type: ignore[attr-defined]
        request.project = accounts.get_project(operation.project_id, request.actor)  # type: ignore[attr-defined]
        return operation

    def context(self, request: HttpRequest, operation: Operation) -> dict[str, Any]:
        actor = request.actor  # type: ignore[attr-defined]
        wanted = request.GET.get("status", "")
        status = wanted if wanted in ItemStatus.values else ""
        rows = selectors.list_items(
            operation,
            status=status,
            error_code=request.GET.get("code", "").replace("\x00", "")[:60],
            reason=request.GET.get("reason", "").replace("\x00", "")[:60],
        )
        order = Order("number", descending=False)
        page = Page.of(rows, order=order, cursor=request.GET.get("cursor"), limit=WINDOW, or_nearest=True)
        kind = bulk_kinds.get(operation.kind)
        role = accounts.role_in(actor, request.project)  # type: ignore[attr-defined]
        sees = presentation.reads_items(actor, operation)
        is_final = operation.status in FINAL
        can_retry = (operation.is_retryable or operation.is_half_planned) and not hasattr(operation, "undone_by")
        return {
            "operation": operation,
            "sees": sees,
            "dry_run": samples.dry_run_for(actor, operation) if not operation.started_at else None,
            "label": label_of(operation.kind),
            "place": kind.place(operation.params) if kind and kind.place else "",
            "can_steer": policies.can_steer(actor, operation, role),
            "is_final": is_final,
            "is_moving": operation.status in {"draft", "running", "stopping"},
            "can_undo": is_final
            and bool(kind and kind.undo and operation.succeeded)
            and not operation.undoes_id
            and not hasattr(operation, "undone_by"),
            "can_retry": can_retry,
            "retried": 0 if operation.is_half_planned else sum(getattr(operation, each) for each in operation.retried),
            "can_cancel": not is_final and operation.status != OperationStatus.STOPPING,
            "left": operation.pending,
            "asked": request.GET.get("ask", ""),
            "limits": limits_of(operation) if not is_final and not operation.undoes_id else None,
            "can_raise": not is_final and operation.priority > Priority.HIGH,
            "causes": [
                each | {"words": presentation.words_of(each["code"])}
                for each in presentation.causes_data(operation, actor)
            ],
            "skips": [
                each | {"words": presentation.words_of_skipped(each["reason"])}
                for each in selectors.list_skips(operation)
            ],
            "items": _told(actor, kind if sees else None, page.results),
            "made_files": _files(page.results) if sees and operation.requested_by_id == actor.user_id else [],
            "item_status": status,
            "item_statuses": [(name, label) for name, label in ItemStatus.choices if getattr(operation, name)],
            "next_url": page_url(request, page.next),
            "previous_url": page_url(request, page.previous),
        }


class OperationPage(OperationView):
    def get(self, request: HttpRequest, operation_id: UUID) -> HttpResponse:
        return render(request, "bulk/page.html", self.context(request, self.found(request, operation_id)))


class OperationFragment(OperationView):
    """What changes while it runs."""

    def get(self, request: HttpRequest, operation_id: UUID) -> HttpResponse:
        return render(request, "bulk/_operation.html", self.context(request, self.found(request, operation_id)))


class OperationActPage(OperationView):
    def get(self, request: HttpRequest, operation_id: UUID, act: str) -> HttpResponse:
        """Links of a page that was drawn here, because something in it was refused, lead on to the operation."""
        operation = self.found(request, operation_id)
        if act not in {*ACTS, "limits", "raise"}:
            raise NotFound
        query = f"?{request.GET.urlencode()}" if request.GET else ""
        return redirect(reverse("bulk:page", args=[operation.pk]) + query)

    def post(self, request: HttpRequest, operation_id: UUID, act: str) -> HttpResponse:
        operation = self.found(request, operation_id)
        actor = request.actor  # type: ignore[attr-defined]
        if act == "limits":
            return self.limits(request, operation)
        if act == "raise":
            services.change_pace(actor=actor, operation_id=operation_id, changes={"priority": Priority.HIGH.value})
        elif act in ACTS:
            operation_id = ACTS[act](actor=actor, operation_id=operation_id).pk
        else:
            raise NotFound
        return redirect("bulk:page", operation_id)

    def limits(self, request: HttpRequest, operation: Operation) -> HttpResponse:
        form = limits_of(operation, request.POST)
        if not form.is_valid():
            shown = self.context(request, operation) | {"limits": form}
            return render(request, "bulk/page.html", shown, status=400)
        if changes := form.changes:
            services.change_pace(actor=request.actor, operation_id=operation.pk, changes=changes)  # type: ignore[attr-defined]
        return redirect("bulk:page", operation.pk)


class ResultsPage(OperationView):
    def get(self, request: HttpRequest, operation_id: UUID) -> HttpResponseBase:
        file_format, of = request.GET.get("format", "jsonl"), request.GET.get("of", "all")
        if file_format not in CONTENT_TYPES or of not in OF:
            raise NotFound
        operation = self.found(request, operation_id)
        sees = presentation.reads_items(request.actor, operation)  # type: ignore[attr-defined]
        return as_file(request, operation, file_format=file_format, of=of, sees=sees)
