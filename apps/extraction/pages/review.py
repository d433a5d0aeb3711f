"""What waits for a decision: the queue of a project, and the fragments that cards are drawn from again."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views import View

from apps.accounts import places
from apps.accounts import selectors as accounts
from apps.bulk import services as operations
from apps.core.api import Order, Page, page_url
from apps.core.errors import NotFound
from apps.extraction import policies, selectors
from apps.extraction.bulk_accepting import KIND, SURE, words_of
from apps.extraction.pages.cards import proposal_cards, run_cards
from apps.extraction.pages.values import as_uuid

WINDOW = 25


class ReviewPage(LoginRequiredMixin, View):
    def get(self, request: HttpRequest) -> HttpResponse:
        viewer = request.actor  # type: ignore[attr-defined]
        project = places.find_project(request)
        collections = (
            list(selectors.visible_collections(viewer).filter(project=project).order_by("name")) if project else []
        )
        chosen = next((row for row in collections if str(row.pk) == request.GET.get("collection")), None)
        sure = request.GET.get("sure", "all")
        above, below = SURE.get(sure, SURE["all"])
        context: dict[str, Any] = {"project": project, "collections": collections, "chosen": chosen, "cards": []}
        if project is not None:
            rows = selectors.list_to_review(
                viewer,
                project_id=project.pk,
                collection_id=chosen.pk if chosen else None,
                above=above,
                below=below,
            )
            page = Page.of(
                rows,
                order=Order("created_at"),
                cursor=request.GET.get("cursor"),
                limit=WINDOW,
                or_nearest=True,
            )
            context |= {
                "cards": proposal_cards(viewer, page.results),
                "waiting": rows.count(),
                "can_write": policies.can_write_records(viewer, accounts.project_role(viewer, project.pk)),
                "next_url": page_url(request, page.next),
                "previous_url": page_url(request, page.previous),
            }
        context["sureness"] = [{"name": name, "label": words_of(name)} for name in SURE]
        context["current_sure"] = sure if sure in SURE else "all"
        context["is_filtered"] = bool(chosen or context["current_sure"] != "all" or request.GET.get("cursor"))
        return render(request, "extraction/review.html", context)

    def post(self, request: HttpRequest) -> HttpResponse:
        """All that the filter shows is to be accepted: its page says how many they are, and accepts nothing before it is started there."""
        if (project_id := as_uuid(request.POST.get("project"))) is None:
            raise NotFound
        operation = operations.create_operation(
            actor=request.actor,  # type: ignore[attr-defined]
            project_id=project_id,
            kind=KIND,
            params={"collection": request.POST.get("collection") or None, "sure": request.POST.get("sure", "all")},
        )
        return redirect("bulk:page", operation.pk)


class RunFragment(LoginRequiredMixin, View):
    def get(self, request: HttpRequest, run_id: UUID) -> HttpResponse:
        viewer = request.actor  # type: ignore[attr-defined]
        run = selectors.get_run(run_id=run_id, viewer=viewer)
        return render(request, "extraction/_run_inside.html", {"card": run_cards(viewer, [run])[0]})


class ProposalFragment(LoginRequiredMixin, View):
    def get(self, request: HttpRequest, proposal_id: UUID) -> HttpResponse:
        viewer = request.actor  # type: ignore[attr-defined]
        row = selectors.get_proposal(proposal_id=proposal_id, viewer=viewer)
        return render(request, "extraction/_proposal.html", {"proposal": proposal_cards(viewer, [row])[0]})
