from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class LlmConfig(AppConfig):
    name = "apps.llm"
    label = "llm"
    verbose_name = _("Models")

    def ready(self) -> None:
        from apps.accounts.types import SYSTEM
        from apps.core.coordinator import register_lost_hints, register_sweep
        from apps.core.doors.answers import AskedAnswers, asked_answers
        from apps.core.doors.consumers import Consumer, consumers
        from apps.core.doors.menu import MenuEntry, menu
        from apps.core.doors.subject_names import SubjectName, subject_names
        from apps.llm import erasers, forecast, invariants, metrics, receivers, selectors, services, subject_finders
        from apps.llm import tasks as _tasks  # noqa: F401  (a service may name its jobs only when they are registered)

        consumers.register(
            "llm.organizations",
            Consumer(
                "llm.organizations",
                receivers.bring_up_organization,
                types=frozenset({"accounts.organization_created"}),
            ),
        )
        register_sweep("lost calls", 60, lambda: services.sweep_lost_attempts(actor=SYSTEM))
        register_lost_hints("llm.bring_up_organization", selectors.list_unread_organizations, every_seconds=60)
        asked_answers.register("llm", AskedAnswers("llm", selectors.count_asked))
        subject_names.register("llm.provider", SubjectName("llm.provider", subject_finders.find_name))
        erasers.register()
        forecast.register()
        metrics.register()
        invariants.register()
        for order, (name, label, icon) in enumerate(
            (
                ("providers", _("Providers"), "plug"),
                ("models", _("Models and prices"), "layers"),
                ("budget", _("Budget"), "scale"),
                ("usage", _("Usage"), "chart-column"),
            )
        ):
            entry = MenuEntry(
                label=label, url_name=f"llm:settings_{name}", icon=icon, place="settings", order=50 + order
            )
            menu.register(f"llm.{name}", entry)
