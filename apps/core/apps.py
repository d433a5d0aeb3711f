from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CoreConfig(AppConfig):
    name = "apps.core"
    label = "core"
    verbose_name = _("Core")

    def ready(self) -> None:
        from importlib import import_module

        from prometheus_client import REGISTRY

        from apps.core import alerts, idempotency, invariant_checks, job_tallies, mail, pressure, vital_signs
        from apps.core.coordinator import register_lost_hints, register_sweep
        from apps.core.doors.sealed import SealedPlace, sealed_places
        from apps.core.health import DoorCollector

        import_module("config.celery")  # hints go through this application, also from processes that are no worker
        vital_signs.register()
        pressure.register()
        invariant_checks.register()
        register_lost_hints(mail.SEND, mail.find_due_mail)
        register_sweep("health", alerts.EVERY_SECONDS, alerts.watch, settle_seconds=alerts.SETTLE_SECONDS)
        register_sweep("alerts", alerts.EVERY_SECONDS, alerts.tell_parked)
        register_sweep("pressure", pressure.EVERY_SECONDS, pressure.watch, settle_seconds=pressure.FRESH_SECONDS)
        register_sweep("old suspicions", 3600, vital_signs.forget_old_suspicions)
        register_sweep("old numbers of jobs", 3600, job_tallies.forget_old)
        register_sweep("old mail", 3600, mail.forget_old_mail)
        register_sweep("expired idempotency keys", 600, idempotency.forget_expired)
        sealed_places.register(
            "core.kept_answers", SealedPlace(idempotency.count_sealed_with_old_keys, idempotency.reseal)
        )
        REGISTRY.register(DoorCollector())
