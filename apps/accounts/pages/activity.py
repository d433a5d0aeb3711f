"""Sign-in activity: who tried to get into one's account, from where, what came of it and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.forms import BaseForm
from django.utils.translation import gettext as _

from apps.accounts import policies, sign_in_selectors
from apps.accounts.models import SignInAttempt
from apps.accounts.pages.settings import SettingsView
from apps.accounts.types import RiskVerdict
from apps.accounts.words import device_words, reason_words
from apps.core.api import Order, Page

SHOWN = 25


@dataclass(frozen=True, slots=True)
class AttemptLine:
    at: datetime
    where: str
    device: str
    method: str
    verdict: str
    kind: str
    score: int
    reasons: list[str]


class ActivityView(SettingsView):
    template_name = "settings/activity.html"

    def context(self, form: BaseForm | None = None, **ids: Any) -> dict[str, Any]:
        policies.require(policies.can_change_own_account(self.actor))
        rows = sign_in_selectors.list_own_attempts(self.actor)
        page = Page.of(rows, order=Order("created_at"), cursor=self.request.GET.get("cursor"), limit=SHOWN)
        return {
            "attempts": [attempt_line(row) for row in page.results],
            "next_url": f"?cursor={page.next}" if page.next else "",
            "previous_url": f"?cursor={page.previous}" if page.previous else "",
        }


def attempt_line(attempt: SignInAttempt) -> AttemptLine:
    """Whose proof was wrong has no verdict: nothing was judged."""
    words, kind = outcome_of(attempt)
    return AttemptLine(
        at=attempt.created_at,
        where=" · ".join(filter(None, [attempt.address, attempt.country])) or _("unknown"),
        device=device_words(attempt.user_agent),
        method=attempt.get_method_display(),
        verdict=words,
        kind=kind,
        score=attempt.score,
        reasons=[reason_words(row.signal, row.facts) for row in attempt.signals.all()],
    )


def outcome_of(attempt: SignInAttempt) -> tuple[str, str]:
    if attempt.has_succeeded and attempt.verdict == RiskVerdict.WAIVED:
        return _("Let in, although it was unusual: no mail goes out here that could ask for a code"), "warn"
    if attempt.has_succeeded:
        passed = attempt.verdict == RiskVerdict.STEP_UP
        return (_("Let in after a second step") if passed else _("Let in")), "good"
    if attempt.judged_at is None:
        return _("Not let in: wrong password, or too many attempts"), "bad"
    if attempt.verdict == RiskVerdict.REFUSED:
        return _("Refused: it looked like an attack"), "bad"
    return _("Not finished: a second step was asked"), "warn"
