"""A workflow of the story with runs in every state that its map can show."""

from __future__ import annotations

from typing import Any

from apps.accounts.models import User
from apps.workflows import letters, services
from apps.workflows.models import Choice
from tests.accounts.factories import actor_of
from tests.workflows.factories import document, stage, walked

NOTHING = {"set": "${ . }"}
ENDINGS = [
    {
        "key": "exposed",
        "title": "The truth comes out, and it costs her what she loves.",
        "category": "recommended",
        "difficulty": "medium",
        "time": "two more scenes",
        "impact": "high",
    },
    {
        "key": "silence",
        "title": "She keeps silent to protect somebody.",
        "category": "alternative",
        "difficulty": "low",
    },
]


def film() -> list[Any]:
    ask = {"call": "ask", "with": {"question": "What is the film about, in one sentence?"}}
    ending = {"call": "choose", "with": {"question": "How does the film end?", "options": ENDINGS, "own": True}}
    places = {"records": {"collection": "places", "at_least": 40}, "says": "Forty places, so that nobody is bored."}
    return [
        {"concept": {"do": [{"logline": ask}], **stage("Concept", summary="What the film is about.")}},
        {"cast": {**NOTHING, **stage("Characters", summary="Who it is about.", manual=True)}},
        {"scenes": {"do": [{"ending": ending}], **stage("Scenes", summary="What happens.", manual=True)}},
        {
            "board": {
                **NOTHING,
                **stage("Storyboard", summary="Which pictures tell it.", manual=True, requires=[places]),
            }
        },
        {
            "package": {
                **NOTHING,
                **stage(
                    "Production package", manual=True, requires=[{"approved": {"stage": "board", "by": "manager"}}]
                ),
            }
        },
        {"told": {"switch": [{"once": {"when": "${ true }", "then": "end"}}, {"again": {"then": "concept"}}]}},
    ]


def tell(ines: User, project: Any, talk: Any) -> dict[str, str]:
    actor = actor_of(ines)
    definition = services.create_definition(actor=actor, project_id=project.pk, document=document(film(), name="film"))
    ended, asked, chosen = (
        walked(services.start_run(actor=actor, definition_id=definition.pk, conversation_id=talk.pk, title=title))
        for title in ("An earlier try", "The trailer", "The port of Lisbon")
    )
    services.cancel_run(actor=actor, run_id=ended.pk)
    choice = Choice.objects.get(run=chosen)
    services.answer_choice(actor=actor, run_id=chosen.pk, choice_id=choice.pk, text="A journalist and the port.")
    walked(chosen)
    for name in ("cast", "scenes"):
        services.advance_stage(actor=actor, run_id=chosen.pk, stage=name)
        walked(chosen)
    open_choice = Choice.objects.get(run=asked)
    services.keep_secret(actor=actor, project_id=project.pk, name="location_office", value={"token": "a token"})
    login = {"username": "parlance", "password": "a password"}
    services.keep_secret(actor=actor, project_id=project.pk, name="studio_calendar", value=login)
    pages = {"definition": f"/workflows/{definition.pk}/", "editor": f"/workflows/{definition.pk}/edit/"}
    return pages | {
        "run": f"/runs/{chosen.pk}/",
        "asked": f"/runs/{asked.pk}/",
        "answer": f"/answer/{letters.token_of(open_choice.pk, ines.pk)}/",
        "list": "/workflows/",
        "runs": "/runs/",
    }
