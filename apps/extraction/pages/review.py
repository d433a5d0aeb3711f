"""What waits for a decision: the queue of a project, and the fragments that cards are drawn from again."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views import View

from apps.accounts import places
from apps.core.api import Order, Page, page_url
from apps.extraction import selectors
from apps.extraction.pages.cards import proposal_cards, run_cards

WINDOW = 25
#: How sure one is of a suggestion: from and below, in the words of the filter.
SURE = {"all": (0.0, 0.0), "sure": (0.9, 0.0), "unsure": (0.0, 0.9), "guess": (0.0, 0.5)}


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
                "next_url": page_url(request, page.next),
                "previous_url": page_url(request, page.previous),
            }
        labels = {
            "all": _("However sure"),
            "sure": _("Nearly sure"),
            "unsure": _("Not quite sure"),
            "guess": _("Rather a guess"),
        }
        context["sureness"] = [{"name": name, "label": labels[name]} for name in SURE]
        context["current_sure"] = sure if sure in SURE else "all"
        context["is_filtered"] = bool(chosen or context["current_sure"] != "all" or request.GET.get("cursor"))
        return render(request, "extraction/review.html", context)


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
