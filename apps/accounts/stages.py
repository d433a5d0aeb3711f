"""Steps of allauth between the proof and the session."""

from __future__ import annotations

from allauth.account.internal.flows.login import get_authentication_records
from allauth.account.stages import LoginStage
from django.http import HttpResponse
from django.shortcuts import redirect

from apps.accounts import knocks
from apps.accounts.services import codes
from apps.accounts.types import RiskVerdict


class CodeStage(LoginStage):
    """An unusual sign-in needs a code by mail, unless a second factor of the person's own was given with it.

    Where no mail goes out an attempt of somebody without one is not judged to need it (``attempts.judge``).
    """

    key = "accounts_code"
    urlname = "accounts:sign_in_code"

    def handle(self) -> tuple[HttpResponse | None, bool]:
        attempt = knocks.held_attempt(self.request)
        if attempt is not None and attempt.user_id != self.login.user.pk:
            return self.abort(), True
        if attempt is None or attempt.verdict != RiskVerdict.STEP_UP or self._has_second_factor():
            return None, True
        if not self.state.get("is_sent"):
            codes.send_code(attempt=attempt)
            self.state["is_sent"] = True
        return redirect(self.urlname), True

    def _has_second_factor(self) -> bool:
        records = get_authentication_records(self.request, self.login.user)
        return any(record.get("method") == "mfa" for record in records)
