from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class WorkflowsConfig(AppConfig):
    name = "apps.workflows"
    label = "workflows"
    verbose_name = _("Workflows")

    def ready(self) -> None:
        from apps.accounts.types import SYSTEM
        from apps.core.coordinator import register_lost_hints, register_sweep
        from apps.core.doors.consumers import Consumer, consumers
        from apps.core.doors.menu import MenuEntry, menu
        from apps.core.doors.subject_names import SubjectName, subject_names
        from apps.core.doors.topics import topics
        from apps.workflows import (
            commands,
            erasers,
            exporters,
            functions,
            invariants,
            metrics,
            selectors,
            services,
            stage_tools,
            subject_finders,
        )
        from apps.workflows.pages import panel
        from apps.workflows.receivers import (
            PATIENCE_SECONDS,
            hear,
            hear_starts,
            heard,
            heard_by_starts,
            withdraw_unproved,
        )
        from apps.workflows.topics import RunTopic

        for each in (commands, erasers, exporters, functions, invariants, metrics, panel, stage_tools):
            each.register()
        for name, handle, pick in (("workflows.hear", hear, heard), ("workflows.starts", hear_starts, heard_by_starts)):
            each_event = Consumer(name, handle, from_now=True, pick=pick, patience_seconds=PATIENCE_SECONDS)
            consumers.register(name, each_event)
        proved = frozenset({"accounts.mailbox_proved"})
        unproved = Consumer("workflows.unproved", withdraw_unproved, types=proved, order="parallel")
        consumers.register(unproved.name, unproved)
        register_lost_hints("workflows.go_on", selectors.list_unhinted, every_seconds=1)
        register_sweep("choices out of time", 2, lambda: services.close_overdue(actor=SYSTEM) and None)
        register_sweep("choices without those who left", 5, lambda: services.judge_open(actor=SYSTEM) and None)
        register_sweep("starts of workflows", 1, lambda: services.begin_due_runs(actor=SYSTEM) and None)
        topics.register("run", RunTopic())
        for subject_type, find_name in subject_finders.FINDERS.items():
            subject_names.register(subject_type, SubjectName(subject_type, find_name))
        entry = MenuEntry(_("Workflows"), "workflows:runs", icon="workflow", order=35, also=("/workflows/",))
        menu.register("workflows", entry)
