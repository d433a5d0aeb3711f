"""Suggested records of the story: a card with everything on it, one that failed, and a queue."""

from __future__ import annotations

from typing import Any

from apps.accounts.models import User
from apps.conversations import services as conversations
from apps.extraction import services
from apps.extraction.models import ExtractionRun, Proposal
from tests.accounts.factories import actor_of
from tests.conversations.factories import answer, say
from tests.extraction.factories import PEOPLE, people, read_as

WORDS = (
    "Our lead is **Sarah**, a 28-year-old journalist who looks into the port of Lisbon, and her brother Tomás. He drives a straddle "
    "carrier on the night shift and keeps pigeons. Teresa is their aunt."
)
SARAH = {"name": "Sarah", "age": 28, "is_alive": True, "tags": ["journalist", "port of Lisbon"], "hobby": "sailing"}
TOMAS = {"name": "Tomás", "tags": ["night shift", "pigeons"], "born": "before the war"}


def tell(ines: User, daniel: User, project: Any) -> str:
    """The address of the conversation with the cards; the queue has one of its own."""
    actor = actor_of(ines)
    document = PEOPLE | {
        "properties": PEOPLE["properties"] | {"siblings": PEOPLE["properties"]["siblings"] | {"x-relation": "cast"}}
    }
    people(actor, project, name="Cast", document=document, needed=["age", "born"], title_template="{name}")
    talk = conversations.start_conversation(actor=actor, project_id=project.pk, title="Who is in it")
    posted = say(actor, talk, WORDS)
    answer(posted, "Three people, and two of them are siblings.")
    entities = [
        {"collection": "cast", "id": f"e{number}", "fields": fields}
        for number, fields in enumerate((SARAH, TOMAS, {"name": "Teresa"}), start=1)
    ]
    links = [{"from": "e2", "field": "siblings", "to": "e1"}]
    run = read_as(actor, project, *entities, links=links, message_id=posted.message.pk, is_demo=True)
    services.reject_proposal(actor=actor_of(daniel), proposal_id=Proposal.objects.get(run=run, number=3).pk)
    failed = services.request_extraction(actor=actor, project_id=project.pk, conversation_id=talk.pk)
    ExtractionRun.objects.filter(pk=failed.pk).update(status="failed", error_code="overloaded")
    return f"/c/{talk.pk}/"
