"""Pages of workflows: what a project defines, its runs, one run with its stages and steps, and what people do with it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views import View

from apps.accounts import places
from apps.accounts import selectors as accounts
from apps.conversations import selectors as conversations
from apps.core.api import Order, Page, page_url
from apps.core.errors import Invalid, NotFound
from apps.extraction import reader_selectors as readers
from apps.extraction.pages.values import as_uuid
from apps.workflows import policies, presentation, reaching, schedules, selectors, services, step_selectors
from apps.workflows.documents import stage_titles
from apps.workflows.models import Definition, Run
from apps.workflows.pages.beginning import input_form
from apps.workflows.pages.shown import as_json, refused, said_in, shown_run, shown_step
from apps.workflows.types import FINAL, MAY_UNDO_AGAIN, OPEN, ChoiceClosed, RunState, StepStatus

WINDOW = 50
STEPS = 200
STEP_VIEWS: dict[str, tuple[StepStatus, ...]] = {
    "failed": (StepStatus.FAILED,),
    "open": (StepStatus.RUNNING, StepStatus.WAITING),
    "done": (StepStatus.COMPLETED,),
}
KEPT = 20
MOST_DIGITS = 8  # of the number of a step
VIEWS = ("all", "active", "ended")
ACTS: dict[str, Any] = {
    "pause": services.pause_run,
    "resume": services.resume_run,
    "cancel": services.cancel_run,
    "retry": services.retry_run,
}


BY_ITSELF: dict[str, Any] = {"pause": services.pause_start, "resume": services.resume_start}


class RunListPage(LoginRequiredMixin, View):
    def get(self, request: HttpRequest) -> HttpResponse:
        viewer = request.actor  # type: ignore[attr-defined]
        project = places.find_project(request)
        current = request.GET.get("view", "all")
        rows = selectors.list_runs(viewer, project_id=project.pk if project else None)
        if current == "active":
            rows = rows.filter(status__in=OPEN)
        elif current == "ended":
            rows = rows.filter(status__in=FINAL)
        page = Page.of(rows, order=Order("created_at"), cursor=request.GET.get("cursor"), limit=WINDOW, or_nearest=True)
        labels = {"all": _("All"), "active": _("Under way"), "ended": _("Ended")}
        context = {
            "project": project,
            "runs": page.results,
            "views": [{"name": name, "label": labels[name]} for name in VIEWS],
            "current_view": current if current in VIEWS else "all",
            "next_url": page_url(request, page.next),
            "previous_url": page_url(request, page.previous),
        }
        return render(request, "workflows/runs.html", context)


class RunView(LoginRequiredMixin, View):
    """``found`` answers 404 to strangers and tells the shell which project this is."""

    def found(self, request: HttpRequest, run_id: UUID) -> Run:
        run = selectors.get_run(run_id=run_id, viewer=request.actor)  # type: ignore[attr-defined]
        request.project = accounts.get_project(run.project_id, request.actor)  # type: ignore[attr-defined]
        return run

    def context(self, request: HttpRequest, run: Run) -> dict[str, Any]:
        actor = request.actor  # type: ignore[attr-defined]
        role = accounts.role_in(actor, request.project)  # type: ignore[attr-defined]
        wanted = request.GET.get("status", "")
        rows = selectors.list_steps(run)
        if wanted in STEP_VIEWS:
            rows = rows.filter(status__in=STEP_VIEWS[wanted])
        page = Page.of(rows, order=Order("number"), cursor=request.GET.get("cursor"), limit=STEPS, or_nearest=True)
        address = reverse("workflows:run", args=[run.pk])  # what was no answer is drawn at another one
        titles = stage_titles(run.followed.document)
        return {
            **shown_run(run, actor, role),
            "steps": [(step, shown_step(step, titles)) for step in reversed(page.results)],
            "step_view": wanted if wanted in STEP_VIEWS else "",
            "step_views": [("", _("All")), ("failed", _("Failed")), ("open", _("Under way")), ("done", _("Done"))],
            "next_url": page.next and f"{address}{page_url(request, page.next)}#steps",
            "previous_url": page.previous and f"{address}{page_url(request, page.previous)}#steps",
            "gave": as_json(run.output),
            "kept": presentation.kept_of(run)[:KEPT],
            "is_closed": readers.list_named_for(run.collections) is not None,
            "has_left_undone": run.status in MAY_UNDO_AGAIN and selectors.has_left_undone(run),
        }


class RunPage(RunView):
    def get(self, request: HttpRequest, workflow_run_id: UUID) -> HttpResponse:
        return render(request, "workflows/run.html", self.context(request, self.found(request, workflow_run_id)))


class RunFragment(RunView):
    """What changes while it goes on."""

    def get(self, request: HttpRequest, workflow_run_id: UUID) -> HttpResponse:
        return render(request, "workflows/_run.html", self.context(request, self.found(request, workflow_run_id)))


class RunActPage(RunView):
    def post(self, request: HttpRequest, workflow_run_id: UUID, act: str) -> HttpResponse:
        self.found(request, workflow_run_id)
        actor = request.actor  # type: ignore[attr-defined]
        stage = request.POST.get("stage", "")[:100]
        if act == "advance":
            reason = request.POST.get("reason", "")[:500]
            override = bool(request.POST.get("override"))
            services.advance_stage(actor=actor, run_id=workflow_run_id, stage=stage, override=override, reason=reason)
        elif act == "approve":
            services.approve_stage(actor=actor, run_id=workflow_run_id, stage=stage)
        elif act == "rollback":
            services.roll_back(actor=actor, run_id=workflow_run_id, stage=stage)
        elif act == "fork":
            number = positive(request.POST.get("step", ""))
            return redirect("workflows:run", services.fork_run(actor=actor, run_id=workflow_run_id, number=number).pk)
        elif act in ACTS:
            ACTS[act](actor=actor, run_id=workflow_run_id)
        else:
            raise NotFound
        return redirect("workflows:run", workflow_run_id)


def positive(raw: str) -> int:
    """The number of a step; ``NotFound`` for what is none."""
    if not (raw.isascii() and raw.isdigit() and len(raw) < MOST_DIGITS):
        raise NotFound
    return int(raw)


class ChoosePage(RunView):
    def post(self, request: HttpRequest, workflow_run_id: UUID, choice_id: UUID) -> HttpResponse:
        """What is no answer, or comes too late, comes back with the words, and why."""
        run = self.found(request, workflow_run_id)
        option, text = said_in(request)
        try:
            services.answer_choice(
                actor=request.actor,  # type: ignore[attr-defined]
                run_id=workflow_run_id,
                choice_id=choice_id,
                option=option,
                text=text,
            )
        except Invalid as error:
            context = self.context(request, run)
            context["choices"] = [
                refused(each, error, option=option, text=text) if each["id"] == str(choice_id) else each
                for each in context["choices"]
            ]
            return render(request, "workflows/run.html", context, status=error.status)
        except (ChoiceClosed, RunState) as error:
            context = self.context(request, run) | {"too_late": {"why": error.detail, "text": text}}
            return render(request, "workflows/run.html", context, status=error.status)
        return redirect("workflows:run", workflow_run_id)


class DefinitionListPage(LoginRequiredMixin, View):
    def get(self, request: HttpRequest) -> HttpResponse:
        viewer = request.actor  # type: ignore[attr-defined]
        project = places.find_project(request)
        rows = selectors.list_definitions(viewer, project_id=project.pk if project else None)
        page = Page.of(rows, order=Order("created_at"), cursor=request.GET.get("cursor"), limit=WINDOW, or_nearest=True)
        context = {
            "project": project,
            "definitions": page.results,
            "can_define": project is not None and policies.can_define(viewer, accounts.role_in(viewer, project)),
            "next_url": page_url(request, page.next),
            "previous_url": page_url(request, page.previous),
        }
        return render(request, "workflows/list.html", context)


class DefinitionView(LoginRequiredMixin, View):
    def found(self, request: HttpRequest, workflow_id: UUID) -> Definition:
        definition = selectors.get_definition(definition_id=workflow_id, viewer=request.actor)  # type: ignore[attr-defined]
        request.project = accounts.get_project(definition.project_id, request.actor)  # type: ignore[attr-defined]
        return definition

    def talk(self, request: HttpRequest) -> Any:
        """The conversation that a run is to be begun beside; ``NotFound`` for one that the viewer does not see."""
        if not (said := request.POST.get("conversation") or request.GET.get("conversation", "")):
            return None
        if (conversation_id := as_uuid(said)) is None:
            raise NotFound
        return conversations.get_conversation(conversation_id=conversation_id, viewer=request.actor)  # type: ignore[attr-defined]

    def context(self, request: HttpRequest, definition: Definition) -> dict[str, Any]:
        actor = request.actor  # type: ignore[attr-defined]
        role = accounts.role_in(actor, request.project)  # type: ignore[attr-defined]
        runs = selectors.list_runs(actor, definition_id=definition.pk)
        start = selectors.find_start(definition_id=definition.pk, viewer=actor)
        titles = stage_titles(definition.document)  # type: ignore[attr-defined]
        last_run = selectors.last_runs_of([start]).get(start.pk) if start else None
        return {
            "definition": definition,
            "text": presentation.text_of(definition),
            "runs": list(runs.order_by("-created_at")[:10]),
            "steps": [
                (each, presentation.path_words(each.path, each.kind, titles))
                for each in step_selectors.stats_steps(runs)
            ],
            "newest": step_selectors.NEWEST_RUNS,
            "can_run": policies.can_run(actor, role),
            "can_define": policies.can_define(actor, role),
            "conversation": self.talk(request),
            "start": start,
            "said": schedules.said(start.schedule) if start else "",
            "last_run": last_run,
            "last_says": reaching.words(last_run.error) if last_run and last_run.error else "",
        }


class DefinitionPage(DefinitionView):
    def get(self, request: HttpRequest, workflow_id: UUID) -> HttpResponse:
        definition = self.found(request, workflow_id)
        form = input_form(definition)
        fields = form.fields(definition, request.actor) if form else []  # type: ignore[attr-defined]
        return render(request, "workflows/definition.html", self.context(request, definition) | {"fields": fields})


class ByItselfPage(LoginRequiredMixin, View):
    """Pause what starts it by itself, or switch it on."""

    def post(self, request: HttpRequest, workflow_id: UUID, act: str) -> HttpResponse:
        if act not in BY_ITSELF:
            raise NotFound
        BY_ITSELF[act](actor=request.actor, definition_id=workflow_id)  # type: ignore[attr-defined]
        return redirect("workflows:definition", workflow_id)


class StartPage(DefinitionView):
    """What does not fit is told beside its field, and no run begins."""

    def get(self, request: HttpRequest, workflow_id: UUID) -> HttpResponse:
        """The page of what did not fit is fetched again: it begins anew."""
        return redirect("workflows:definition", self.found(request, workflow_id).pk)

    def post(self, request: HttpRequest, workflow_id: UUID) -> HttpResponse:
        definition = self.found(request, workflow_id)
        form, talk = input_form(definition), self.talk(request)
        title = " ".join(request.POST.get("title", "").split())[:200]
        try:
            data = form.read(request.POST) if form else None
        except Invalid as error:
            assert form is not None
            more = {
                "fields": form.fields(definition, request.actor, request.POST, error),  # type: ignore[attr-defined]
                "problem": next((each.detail for each in error.fields if not each.field), ""),
                "run_title": title,
            }
            context = self.context(request, definition) | more
            return render(request, "workflows/definition.html", context, status=error.status)
        run = services.start_run(
            actor=request.actor,  # type: ignore[attr-defined]
            definition_id=workflow_id,
            data=data,
            title=title,
            conversation_id=talk.pk if talk else None,
        )
        return redirect("workflows:run", run.pk)
