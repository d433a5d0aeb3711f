"""One of every door."""

import datetime as dt

from apps.core import coordinator, preferences
from apps.core.doors.answers import AskedAnswers, asked_answers
from apps.core.doors.below_messages import BelowMessages, below_messages
from apps.core.doors.bulk_kinds import bulk_kinds
from apps.core.doors.commands import Command, CommandResult, commands
from apps.core.doors.consumers import Consumer, consumers
from apps.core.doors.context_tabs import ContextTab, context_tabs
from apps.core.doors.erasers import Eraser, erasers
from apps.core.doors.exporters import Exporter, PersonExporter, exporters, person_exporters
from apps.core.doors.file_access import FileAccess, file_access
from apps.core.doors.first_start import first_start_steps
from apps.core.doors.given import Given, given
from apps.core.doors.handovers import Handover, handovers
from apps.core.doors.health import Health, HealthCheck, health_checks
from apps.core.doors.invariants import Invariant, invariants
from apps.core.doors.menu import MenuEntry, menu
from apps.core.doors.message_cards import MessageCard, message_cards
from apps.core.doors.metrics import Gauge, metrics
from apps.core.doors.places import Places, places
from apps.core.doors.project_beginnings import Beginning, Beginnings, project_beginnings
from apps.core.doors.reference_sources import reference_sources
from apps.core.doors.sealed import SealedPlace, sealed_places
from apps.core.doors.search_sources import search_sources
from apps.core.doors.settings import Setting
from apps.core.doors.subject_names import SubjectName, subject_names
from apps.core.doors.tool_limits import ToolLimit, tool_limits
from apps.core.doors.tools import Tool, ToolAnswer, tools
from apps.core.doors.topics import Snapshot, topics
from apps.core.doors.workflow_functions import Gave, WorkflowFunction, workflow_functions
from tests.sampleapp.kinds import sample_kinds
from tests.sampleapp.models import Note

NAME = "sampleapp"


class SampleTopic:
    def is_allowed(self, viewer, object_id):
        return False

    def may_write(self, viewer, object_id):
        return False

    def snapshot(self, viewer, object_id):
        return Snapshot(0, {})

    def render(self, viewer, object_id, events):
        return [{} for _event in events]

    def running_turns(self, object_id):
        return ()


class SampleSearch:
    label = "Notes"

    def search(self, viewer, query):
        return []


class SampleReferences:
    label = "Notes"
    icon = "file-text"

    def suggest(self, viewer, *, project_id, typed, limit):
        return []

    def find(self, viewer, ids, *, project_id=None):
        return {}

    def texts_for_model(self, viewer, ids, *, max_characters):
        return {}


def keep_note(logged):
    if logged.organization_id:
        Note.objects.get_or_create(
            event_id=logged.id, defaults={"organization_id": logged.organization_id, "text": logged.type}
        )


def write_note(work):
    Note.objects.create(organization_id=work.scope.organization_id, text=work.effect_key)


def remove_note(work):
    Note.objects.filter(text=work.effect_key).delete()


def register():
    asked_answers.register(NAME, AskedAnswers(NAME, lambda user, organization, within: 0))
    below_messages.register(
        NAME, BelowMessages(NAME, "check", "Note it", "Note it", "Note it all", lambda *_who: False, lambda *_who: {})
    )
    for kind in sample_kinds(write_note, remove_note, prefix=NAME):
        bulk_kinds.register(kind.name, kind)
    commands.register(NAME, Command(NAME, "Says hello", lambda call: CommandResult("hello")))
    consumers.register(f"{NAME}.notes", Consumer(f"{NAME}.notes", keep_note))
    context_tabs.register(NAME, ContextTab(NAME, "Notes", f"{NAME}/tab.html", lambda *_who: False, lambda *_what: {}))
    erasers.register(NAME, Eraser(NAME, lambda user: 0, lambda organization: Note.objects.count()))
    exporters.register(NAME, Exporter(NAME, lambda scope: iter(())))
    file_access.register(NAME, FileAccess(lambda viewer, ids: set(), lambda ids: set(), lambda ids: None))
    first_start_steps.register(NAME, lambda start: None)
    given.register(NAME, Given(NAME, "Sample notes", lambda organization: {}))
    handovers.register(NAME, Handover(NAME, "Sample notes", lambda organization, user: 0, lambda actor, leaving: 0))
    health_checks.register(NAME, HealthCheck(NAME, lambda: Health(is_healthy=True), is_critical=False))
    invariants.register(f"{NAME}.notes", Invariant(f"{NAME}.notes", "I1", "Notes are notes.", list))
    menu.register(NAME, MenuEntry("Sample notes", "sampleapp_notes", "file-text"))
    message_cards.register(NAME, MessageCard(NAME, "sampleapp/card.html", lambda data: "a note"))
    metrics.register("sampleapp_notes", Gauge("sampleapp_notes", "Notes.", (), lambda: [((), 7.0)]))
    person_exporters.register(NAME, PersonExporter(NAME, lambda user: {}))
    places.register(NAME, Places(NAME, lambda: (0, 0)))
    project_beginnings.register(
        NAME, Beginnings(lambda language: [Beginning("notes", "Sample notes")], lambda actor, project_id, name: None)
    )
    preferences.register(Setting("sampleapp.on", bool, False, "On", owner="tests", remove_by=dt.date(2099, 1, 1)))
    reference_sources.register(NAME, SampleReferences())
    sealed_places.register(NAME, SealedPlace(lambda key: 0, lambda key, limit: 0))
    search_sources.register(NAME, SampleSearch())
    subject_names.register(f"{NAME}.note", SubjectName(f"{NAME}.note", lambda pk: "a note"))
    tool_limits.register(NAME, ToolLimit(NAME, lambda conversation: None))
    tools.register(NAME, Tool(NAME, "Says hello", {"type": "object"}, lambda call: ToolAnswer("hello")))
    topics.register(NAME, SampleTopic())
    workflow_functions.register(NAME, WorkflowFunction(NAME, "Yes", {}, inside=lambda call: Gave("yes")))
    coordinator.register_sweep(NAME, 3600, lambda: None)
