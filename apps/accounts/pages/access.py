"""Who can get at what: a page for those who manage the organization, and the same as a table for a spreadsheet."""

from __future__ import annotations

from django.contrib.auth.mixins import LoginRequiredMixin
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views import View

from apps.accounts import access_review, places, rights
from apps.accounts.types import Finding
from apps.core.csv_lines import as_line
from apps.core.errors import NotFound

COLUMNS = ["name", "email", "kind", "role", "last_seen_at", "project", "project_role", "ways", "denied", "findings"]
COLUMNS += ["is_operator", "has_second_factor", "identities", "given"]
SHOWN = 50


class AccessReviewView(LoginRequiredMixin, View):
    """``?finding=`` leaves those who have it; ``?format=csv`` is one line a person and project."""

    def get(self, request: HttpRequest) -> HttpResponse:
        if (organization := places.find_organization(request)) is None:
            raise NotFound
        people = access_review.review(viewer=request.actor, organization_id=organization.pk)  # type: ignore[attr-defined]
        counts = {finding: sum(finding in each.all_findings for each in people) for finding in Finding}
        wanted = request.GET.get("finding", "")
        shown = [each for each in people if not wanted or wanted in each.all_findings]
        if request.GET.get("format") == "csv":
            return _table(shown)
        page = Paginator(shown, SHOWN).get_page(request.GET.get("page"))
        invited = rights.open_invitations(request.actor, organization.pk)  # type: ignore[attr-defined]
        context = {
            "people": [(each, [Finding(code).label for code in each.all_findings]) for each in page],
            "page": page,
            "invitations": Paginator(invited, SHOWN).get_page(request.GET.get("invitations")),
            "total": len(people),
            "findings": [(finding, count) for finding, count in counts.items() if count],
            "wanted": wanted if wanted in Finding.values else "",
        }
        return render(request, "settings/access.html", context)


def _table(people: list[access_review.Reviewed]) -> HttpResponse:
    lines = [as_line(COLUMNS)]
    for each in people:
        kind = "service" if each.is_service else "person"
        who = [each.name, each.email, kind, each.role, each.last_seen_at]
        findings = " ".join(each.all_findings)
        counts = " ".join(f"{one.name}:{one.count}" for one in each.given)
        more = [each.is_operator, each.has_second_factor, " ".join(each.identities), counts]
        rights = [[right.project, right.role, " ".join(right.ways), right.denied] for right in each.projects]
        lines += [as_line([*who, *right, findings, *more]) for right in rights or [[None, None, "", None]]]
    name = f"access-{timezone.localdate().isoformat()}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return HttpResponse(b"".join(lines), content_type="text/csv; charset=utf-8", headers=headers)
