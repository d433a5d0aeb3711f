"""What ``/metrics`` says about providers: read from the ledger, so that it speaks for all processes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from django.db.models import Avg, Count, QuerySet, Sum
from django.db.models.functions import Now
from django.utils.translation import gettext_noop as _

from apps.core.doors.health import Health, HealthCheck, health_checks
from apps.core.doors.metrics import Gauge, metrics
from apps.llm import shared_state
from apps.llm.models import CallAttempt, Provider

WINDOW = timedelta(minutes=5)

Readings = Iterable[tuple[tuple[str, ...], float]]


def _recent() -> QuerySet[CallAttempt]:
    return CallAttempt.objects.filter(started_at__gte=Now() - WINDOW)


def _attempts() -> Readings:
    rows = _recent().values_list("provider_name", "status", "error_code").annotate(n=Count("pk"))
    return [((provider, status, code), n) for provider, status, code, n in rows]


def _first_token() -> Readings:
    rows = _recent().exclude(first_token_ms=None).values_list("provider_name").annotate(ms=Avg("first_token_ms"))
    return [((provider,), ms / 1000) for provider, ms in rows]


def _tokens() -> Readings:
    rows = _recent().values_list("provider_name").annotate(i=Sum("input_tokens"), o=Sum("output_tokens"))
    return [((name, kind), n) for name, i, o in rows for kind, n in (("input", i), ("output", o))]


def _resting() -> Readings:
    return [((), float(len(resting_providers())))]


def resting_providers() -> list[Provider]:
    """Those whose breaker is open or waits for its probe."""
    rows = list(Provider.objects.filter(is_enabled=True, deleted_at=None).only("id", "version", "name")[:1000])
    names = {f"{row.pk}:{row.version}": row for row in rows}
    return [names[breaker] for breaker in shared_state.list_resting(list(names))]


def _check() -> Health:
    resting = resting_providers()
    return Health(is_healthy=not resting, detail=", ".join(sorted({row.name for row in resting})))


def register() -> None:
    for name, says, labels, read in (
        ("llm_attempts_5m", _("Calls of the last five minutes"), ("provider", "status", "code"), _attempts),
        ("llm_first_token_seconds_5m", _("Average time to the first token"), ("provider",), _first_token),
        ("llm_tokens_5m", _("Tokens of the last five minutes"), ("provider", "kind"), _tokens),
        ("llm_resting_providers", _("Providers whose breaker is open"), (), _resting),
    ):
        metrics.register(name, Gauge(name=f"parlance_{name}", help=says, labels=labels, read=read))
    health_checks.register("models", HealthCheck(name="models", check=_check, is_critical=False))
