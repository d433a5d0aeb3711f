"""What can go wrong with a call to a model, classified once for every provider."""

from __future__ import annotations

import math
from datetime import timedelta
from decimal import Decimal
from typing import ClassVar

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.core.errors import Conflict, DomainError, LimitReached, limit_headers, limit_members


class ModelError(DomainError):
    """What all of them share; it has no code of its own and is never raised itself.

    ``is_transient``: the same call may succeed soon (tried again before the first visible token only).
    ``allows_fallback``: another model may answer instead. ``trips_breaker``: says something about the provider's health.
    ``retry_after_seconds`` is what the provider asked for; ``provider_status`` its HTTP status, ``said`` its own words,
    shortened, for the ledger and for people who manage providers.
    """

    status = 502
    title = _("The model did not answer")
    default_detail = _("The model did not answer.")
    is_transient: ClassVar[bool] = False
    allows_fallback: ClassVar[bool] = False
    trips_breaker: ClassVar[bool] = False
    limit_reason: ClassVar[str] = "rate"
    #: What the call cost before it failed, in the model's currency.
    cost: Decimal = Decimal(0)

    def __init__(
        self, said: str = "", *, retry_after_seconds: float | None = None, provider_status: int | None = None
    ) -> None:
        super().__init__()
        self.said = said[:500]
        self.retry_after_seconds = retry_after_seconds
        self.provider_status = provider_status
        if self.status == LimitReached.status:
            self._say_when()

    def _say_when(self) -> None:
        """A 429 of the provider's, or of a budget, looks like all others. How much the limit holds is not known to us."""
        wait = self.retry_after_seconds if self.retry_after_seconds is not None else self.usual_wait_seconds()
        members = limit_members(
            retry_after_seconds=max(1, math.ceil(wait)), limit=self.code, most=0, remaining=0, reason=self.limit_reason
        )
        self.extra, self.headers = members, limit_headers(members)

    def usual_wait_seconds(self) -> float:
        return 10


class ProviderAuthError(ModelError):
    code = "auth"
    title = default_detail = _("The provider refused our key.")
    allows_fallback = True


class ProviderQuotaReached(ModelError):
    """The account at the provider is out of money or quota: no wait of ours helps."""

    code = "provider_quota"
    status = 503
    title = default_detail = _("The account at the provider has no credit left.")
    allows_fallback = True


class RateLimited(ModelError):
    code = "rate_limited"
    status = 429
    title = default_detail = _("The provider limits how much we may ask for now.")
    is_transient = allows_fallback = True


class Overloaded(ModelError):
    code = "overloaded"
    status = 503
    title = default_detail = _("The provider is overloaded or broken at the moment.")
    is_transient = allows_fallback = trips_breaker = True


class BreakerOpen(ModelError):
    """Not asked at all: the provider failed often in the last seconds."""

    code = "provider_paused"
    status = 503
    title = default_detail = _("The provider failed several times in a row and rests for half a minute.")
    allows_fallback = True


class FirstByteTimeout(ModelError):
    """Waited for the whole first-byte time already: another try of the same model would double it."""

    code = "timeout"
    status = 504
    title = default_detail = _("The provider did not begin to answer in time.")
    allows_fallback = trips_breaker = True


class ProviderBusy(ModelError):
    """The provider itself reports a time-out or a conflict (408, 409)."""

    code = "timeout"
    status = 504
    title = default_detail = _("The provider did not begin to answer in time.")
    is_transient = allows_fallback = trips_breaker = True


class NetworkError(ModelError):
    code = "network"
    title = default_detail = _("The provider could not be reached.")
    is_transient = allows_fallback = trips_breaker = True


class AddressRefused(ModelError):
    """The address is not one that we may call (private, malformed); trying again cannot help."""

    code = "network"
    title = default_detail = _("The provider could not be reached.")
    allows_fallback = True


class ProviderStalled(ModelError):
    code = "provider_stalled"
    status = 504
    title = default_detail = _("The provider stopped in the middle of the answer.")
    trips_breaker = True


class TotalTimeout(ProviderStalled):
    title = default_detail = _("The answer took longer than the time set for it.")


class ProviderDisconnected(ModelError):
    code = "provider_disconnected"
    title = default_detail = _("The provider closed the connection in the middle of the answer.")
    trips_breaker = True


class ProviderProtocolError(ModelError):
    code = "provider_protocol"
    title = default_detail = _("The provider answered something that is not the protocol.")


class EmptyAnswer(ModelError):
    code = "empty"
    title = default_detail = _("The model answered nothing.")


class ContentRefused(ModelError):
    code = "content"
    status = 422
    title = default_detail = _("The provider's rules for content do not allow this.")


class ContextTooLong(ModelError):
    code = "context_length"
    status = 422
    title = default_detail = _("The conversation is longer than this model can read.")


class ModelMissing(ModelError):
    code = "model_missing"
    status = 422
    title = default_detail = _("This model is not offered any more.")
    allows_fallback = True


class ProviderRefused(ModelError):
    """400 and the like: the request does not suit this model."""

    code = "provider_refused"
    status = 422
    title = default_detail = _("The provider refused the request.")


class BudgetReached(ModelError):
    code = "budget"
    status = 429
    title = default_detail = _("The budget of this month is used up.")
    limit_reason = "quota"

    def usual_wait_seconds(self) -> float:
        """Until the next month (UTC) begins."""
        now = timezone.now()
        following = (now.replace(day=1, hour=0, minute=0, second=0, microsecond=0) + timedelta(days=32)).replace(day=1)
        return (following - now).total_seconds()


class ProviderNameTaken(Conflict):
    code = "provider_name_taken"
    title = default_detail = _("Another provider here has this name.")


class ProviderFromEnvironment(Conflict):
    code = "provider_from_environment"
    title = default_detail = _("This provider is set by the machine's environment and can only be switched on and off.")
