"""The editor of a workflow: its file as text beside a drawing of it. Checking and saving are the API's; these pages bring the file and the words."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views import View

from apps.accounts import places
from apps.accounts import selectors as accounts
from apps.core.doors.workflow_functions import workflow_functions
from apps.core.errors import NotFound
from apps.core.yaml_text import write
from apps.extraction import selectors as records
from apps.workflows import policies, presentation, selectors, vocabulary
from apps.workflows.checks import dsl

ZERO = UUID(int=0)
WORDS_SECONDS = 3600
MOST_NAMES = 200


class NewPage(LoginRequiredMixin, View):
    def get(self, request: HttpRequest) -> HttpResponse:
        project = places.find_project(request)
        if project is None:
            raise NotFound
        context = _context(request, project) | {"text": _beginning()}
        return render(request, "workflows/editor.html", context)


class EditPage(LoginRequiredMixin, View):
    def get(self, request: HttpRequest, workflow_id: UUID) -> HttpResponse:
        actor = request.actor  # type: ignore[attr-defined]
        definition = selectors.get_definition(definition_id=workflow_id, viewer=actor)
        request.project = accounts.get_project(definition.project_id, actor)  # type: ignore[attr-defined]
        context = _context(request, request.project)  # type: ignore[attr-defined]
        return render(
            request,
            "workflows/editor.html",
            context | {"definition": definition, "text": presentation.text_of(definition)},
        )


def _context(request: HttpRequest, project: Any) -> dict[str, Any]:
    """For who may define; others are told that their role does not allow it."""
    actor = request.actor  # type: ignore[attr-defined]
    policies.require(policies.can_define(actor, accounts.role_in(actor, project)))
    collections = records.list_collections(actor, project_id=project.pk).order_by("slug")
    return {
        "project": project,
        "zero_id": ZERO,
        "names": {"collection": list(collections.values_list("slug", flat=True)[:MOST_NAMES])},
    }


def _beginning() -> str:
    """A file to begin with: one stage that asks something."""
    ask = {"call": "ask", "with": {"question": _("What is it about?"), "type": "text"}}
    stage = {"title": _("Beginning"), "summary": _("What is needed first.")}
    return write(
        {
            "document": {
                "dsl": "1.0.3",
                "namespace": "parlance",
                "name": "my-workflow",
                "version": "1.0.0",
                "title": _("My workflow"),
            },
            "do": [{"beginning": {"metadata": {"parlance": {"stage": stage}}, "do": [{"question": ask}]}}],
        }
    )


class WordsView(LoginRequiredMixin, View):
    """What may stand where: the published schema, our own words, and the functions there are."""

    def get(self, request: HttpRequest) -> HttpResponse:
        said = {
            "dsl": dsl(),
            "document": vocabulary.DOCUMENT,
            "task": vocabulary.TASK,
            "functions": workflow_functions.names(),
        }
        response = JsonResponse(said)
        response["Cache-Control"] = f"private, max-age={WORDS_SECONDS}"
        return response
