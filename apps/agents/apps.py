from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AgentsConfig(AppConfig):
    name = "apps.agents"
    label = "agents"
    verbose_name = _("Agents")

    def ready(self) -> None:
        from apps.agents import erasers, subject_finders
        from apps.agents.receivers import on_first_start, on_project_created
        from apps.agents.tools import IN_ANSWERS
        from apps.core import preferences
        from apps.core.doors.consumers import Consumer, consumers
        from apps.core.doors.first_start import first_start_steps
        from apps.core.doors.settings import Level, Setting
        from apps.core.doors.subject_names import SubjectName, subject_names

        erasers.register()
        subject_names.register("agent", SubjectName("agent", subject_finders.find_name))
        first_start_steps.register("agents", on_first_start)
        consumers.register(
            "agents.assistant",
            Consumer("agents.assistant", on_project_created, types=frozenset({"accounts.project_created"})),
        )
        preferences.register(
            Setting(
                IN_ANSWERS,
                bool,
                default=True,
                title=_("Models look things up while they answer"),
                help=_(
                    "In conversations of projects that have collections, models that call tools may read records, with the rights of who asks. Each look is another call of the model."
                ),
                levels=(Level.PLATFORM, Level.ORGANIZATION, Level.PROJECT),
            )
        )
