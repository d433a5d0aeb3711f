"""A small project with everything a page can show: for pictures, for axe and for the flows."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.models import AnonymousUser
from django.db.models import F
from django.test import RequestFactory
from django.utils import timezone

from apps.accounts import audit, second_factor
from apps.accounts.models import Device, IdentityProvider, Organization, User, UserSession
from apps.accounts.services import sessions
from apps.accounts.types import NOBODY, SYSTEM, Actor, OrganizationRole, SessionKind, SignInMethod
from apps.agents import services as agents
from apps.conversations import services
from apps.conversations.models import Conversation, Message, Turn
from apps.conversations.types import Ending, TurnStatus, TurnUsage
from apps.core import errors
from apps.core.eventlog.consumers import logged
from apps.core.handlers import server_error
from apps.core.middleware import error_page
from apps.core.models import Event
from apps.llm import selectors as llm_selectors
from apps.llm import services as llm
from apps.llm.models import AttemptStatus, CallAttempt
from apps.llm.presets import ProviderKind
from apps.llm.types import Purpose
from apps.packs.models import InstalledObject
from tests.accounts.factories import ProjectFactory, UserFactory, actor_of, join
from tests.browser import records_story, rights_story, use_story, workflow_story
from tests.browser.cast import CAREFUL, EMAIL, PASSWORD
from tests.packs import factories as packs

PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 Version/18.1 Mobile/15E148 Safari/604.1"
TABLE = """Three containers were changed more than fifteen minutes after sealing.

| Container | Sealed | Changed | By |
|---|--:|--:|---|
| MSKU 482 117-4 | 23:10 | 00:52 | terminal 7 |
| TGHU 930 556-0 | 22:45 | 01:31 | terminal 7 |
| CAIU 218 043-9 | 23:58 | 02:07 | unknown |

This is the query, should the art department want it on a screen:

```sql
select container, sealed_at, changed_at, changed_by
from manifest_log
where changed_at > sealed_at + interval '15 minutes'
  and gate = 'Alcântara'  -- the only gate Sarah can watch
order by changed_at desc
limit 50;
```
"""
SCENE = (
    "**Int. harbour police changing room, 05:40.** Strip lights, half of them dead. Sarah has the wrong key in her hand "
    "and the right number on her wrist, in biro. The third locker opens before she touches it.\n\n"
    "Inside, under a folded high-visibility vest: a school exercise book. She knows the handwriting before she knows "
    "what it means."
)


COLUMNS = ("Container", "Sealed at", "Changed at", "Changed by", "Gate", "Carrier", "Weight", "Remark")
WIDE = (
    "| " + " | ".join(COLUMNS) + " |\n" + "|---" * len(COLUMNS) + "|\n"
    "| MSKU 482 117-4 | 23:10 | 00:52 | terminal 7 | Alcântara | straddle carrier 12 | 24,180 kg | seal broken twice |\n\n"
    "```python\n"
    "def rewritten(manifest, *, after=timedelta(minutes=15), gate='Alcântara', carriers=('straddle', 'reach stacker'), only_sealed=True):\n"
    + "".join(
        f"    line_{number} = manifest.entries[{number}].changed_at - manifest.entries[{number}].sealed_at\n"
        for number in range(40)
    )
    + "```\n\nAn address without a place to break: https://port.example/"
    + "manifest-log/" * 12
)


def _ways_in(organization: Organization, ines: User, careful: User) -> None:
    """An identity provider, a phone that is signed in too, and somebody with an authenticator app."""
    Organization.objects.filter(pk=organization.pk).update(is_home=True)
    provider = IdentityProvider.objects.create(
        organization=organization,
        kind="oidc",
        slug="alfama",
        name="Alfama Pictures",
        issuer="https://id.alfama.example",
        client_id="parlance",
        client_secret="a-story-needs-no-real-one",
        domains=["alfama.example"],
        joins_as="member",
    )
    SocialAccount.objects.create(user=ines, provider=provider.slug, uid="ines")
    phone = Device.objects.create(
        user=ines, token_hash=b"a phone", user_agent=PHONE, last_seen_at=timezone.now() - timedelta(hours=3)
    )
    session = sessions.begin_session(
        user=ines,
        kind=SessionKind.COOKIE,
        method=SignInMethod.SSO,
        identity_provider_id=provider.pk,
        device=phone,
        user_agent=PHONE,
        address="203.0.113.24",
    )
    UserSession.objects.filter(pk=session.pk).update(last_seen_at=timezone.now() - timedelta(hours=3))
    sealed = second_factor.seal_for(careful.pk, "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")
    Authenticator.objects.create(user=careful, type=Authenticator.Type.TOTP, data={"secret": sealed})


def tell() -> dict[str, Any]:
    """Make it; the addresses that pages are found by. ``cast`` says who signs in."""
    ines = UserFactory(email=EMAIL, name="Inês Duarte", password=PASSWORD)
    project = ProjectFactory(owner=ines, name="The Port of Lisbon", organization__name="Alfama Pictures")
    openai = llm.create_provider(
        actor=actor_of(ines),
        organization_id=project.organization_id,
        kind=ProviderKind.OPENAI,
        name="OpenAI",
        api_key="sk-a-story-needs-no-real-one",
    )
    models = llm_selectors.list_enabled_models(organization_id=project.organization_id).order_by("rank", "name")
    llm.set_defaults(
        actor=actor_of(ines), organization_id=project.organization_id, default_id=models[0].pk, fallback_id=models[1].pk
    )
    llm.set_budget(actor=actor_of(ines), organization_id=project.organization_id, limit=Decimal(240))
    editor = agents.create_agent(
        actor=actor_of(ines),
        project_id=project.pk,
        name="Script editor",
        instructions="Keep it short.",
        is_default=True,
    )
    llm.note_check(actor=actor_of(ines), provider_id=openai.pk, code="")
    daniel = UserFactory(name="Daniel Okoye", email="daniel@alfama.example")
    join(daniel, project.organization)
    marta = UserFactory(name="Marta Kowalska", email=CAREFUL, password=PASSWORD)
    join(marta, project.organization, role=OrganizationRole.ADMIN)

    _ways_in(project.organization, ines, marta)
    for title in ("Tone: what kind of noir is this?", "Night shift at Alcântara", "Customs glossary for the crew"):
        say(actor_of(daniel), start(actor_of(ines), project, title), "What do we know so far?", "Not much yet.")
    states = _states(ines, daniel, project, editor.pk)
    talk = _talk(ines, daniel, project, editor.pk)
    archived = start(actor_of(ines), project, "Budget for the two crane days")
    services.archive_conversation(actor=actor_of(ines), conversation_id=archived.pk, archived=True)
    services.pin_conversation(actor=actor_of(ines), conversation_id=talk.pk, pinned=True)
    long = start(
        actor_of(ines),
        project,
        "Long lines and wide tables, as a model writes them when nobody stops it",
        agent=editor.pk,
        visibility="link",
    )
    say(actor_of(ines), long, "Everything you have. " + "Alcântara" * 12, WIDE)
    shared = services.make_link(actor=actor_of(ines), conversation_id=long.pk).token
    _ledger(ines, project, models[:2])
    rights = rights_story.tell(ines, daniel, marta, project)
    records = records_story.tell(ines, daniel, project, talk) | use_story.tell(ines, project, talk)
    workflows = workflow_story.tell(ines, project, talk)
    for position, row in enumerate(Event.objects.order_by("insertion"), start=1):
        row.position = position
        if audit.is_audited(row.type):
            audit.record(logged(row))  # as its consumer does; no worker runs beside the pictures
    pages = {name: f"/c/{shown.pk}/" for name, shown in (("talk", talk), ("states", states), ("long", long))}
    pack = packs.row(project, "desk", objects=2)
    InstalledObject.objects.filter(installation=pack, name="agent-0").update(object_id=editor.pk)
    single = {
        "provider": f"/settings/providers/{openai.pk}/",
        "model": f"/settings/models/{models[0].pk}/",
        "pack": f"/settings/packs/{pack.pk}/",
    }
    return pages | {
        "shared": f"/s/{shared}/",
        "answer": workflows.pop("answer"),
        "single": single,
        "errors": _errors(),
        "rights": rights,
        "records": records,
        "workflows": workflows,
    }


def _errors() -> dict[str, str]:
    """Pages of errors by their status, as they are answered to somebody whom nobody knows."""
    request = RequestFactory().get("/looked-at/")
    request.actor, request.session, request.user = NOBODY, {}, AnonymousUser()  # type: ignore[attr-defined, assignment]
    shown: list[type[errors.DomainError]] = [
        errors.NotAuthenticated,
        errors.Forbidden,
        errors.Conflict,
        errors.TooLarge,
        errors.LimitReached,
        errors.Unavailable,
    ]
    pages = {str(error.status): error_page(request, error()) for error in shown} | {"500": server_error(request)}
    return {status: page.content.decode() for status, page in pages.items()}


def _ledger(ines: User, project: Any, models: Any) -> None:
    """What the answers of a month cost, as the engine writes it down."""
    calls = [(models[0], Purpose.CHAT, 41), (models[1], Purpose.CHAT, 118), (models[1], Purpose.TITLE, 36)]
    CallAttempt.objects.bulk_create(
        CallAttempt(
            organization_id=project.organization_id,
            project_id=project.pk,
            user_id=ines.pk,
            provider_id=model.provider_id,
            model_id=model.pk,
            provider_name="OpenAI",
            model_name=model.name,
            purpose=purpose,
            attempt=1,
            status=AttemptStatus.COMPLETED,
            input_tokens=2_310,
            output_tokens=402,
            cost=Decimal("0.0184"),
            started_at=timezone.now(),
        )
        for model, purpose, count in calls
        for _each in range(count)
    )


def _talk(ines: User, daniel: User, project: Any, editor: UUID) -> Conversation:
    talk = start(actor_of(ines), project, "Sarah and the container ledger", tags=["noir", "port"], agent=editor)
    say(
        actor_of(ines),
        talk,
        "Our lead is Sarah, a 28-year-old journalist who is investigating corruption in the port of Lisbon, and her "
        "brother Tomás. He drives a straddle carrier on the night shift at Alcântara. She thinks the manifests are "
        "rewritten after midnight, and that he knows it.",
        "That is a strong pair: she looks for the rewriting, he stands beside it every night. What does he owe, and to whom?",
    )
    asked = say(
        actor_of(daniel),
        talk,
        "The visit notes have an export of the gate log. Which containers were changed after they had been sealed?",
        "I have no access to the log.",
    )
    again = services.regenerate_answer(actor=actor_of(daniel), message_id=asked)
    finish(again.turn, TABLE)
    say(actor_of(ines), talk, "The locker. Draft the moment she opens it, and keep it under a minute.", SCENE)
    return talk


def _states(ines: User, daniel: User, project: Any, editor: UUID) -> Conversation:
    """One answer in every state an answer can end in, and one that waits."""
    found = start(actor_of(ines), project, "Every state", agent=editor)
    actor = actor_of(ines)
    say(
        actor,
        found,
        "Move the ferry scene to dawn.",
        "The ferry leaves at 06:10. On deck, Sarah counts",
        TurnStatus.STOPPED,
    )
    say(actor, found, "How many cranes?", "Eleven cranes, and the twelfth is", TurnStatus.INTERRUPTED, "worker_lost")
    say(actor, found, "Summarize all of it.", "", TurnStatus.FAILED, "context_length")
    gone = services.post_message(actor=actor, conversation_id=found.pk, content="Not this.", client_id=uuid4())
    finish(gone.turn, "Fine.")
    services.delete_message(actor=actor, message_id=gone.message.pk)
    services.post_message(
        actor=actor_of(daniel), conversation_id=found.pk, content="And the last one?", client_id=uuid4()
    )
    return found


def start(actor: Actor, project: Any, title: str, **fields: Any) -> Conversation:
    return services.start_conversation(actor=actor, project_id=project.pk, title=title, **fields)


def say(
    actor: Actor,
    conversation: Conversation,
    content: str,
    answer: str,
    status: TurnStatus = TurnStatus.COMPLETED,
    reason: str = "",
) -> UUID:
    """Post, and answer as a worker would, without a model; the answer's id."""
    posted = services.post_message(actor=actor, conversation_id=conversation.pk, content=content, client_id=uuid4())
    return finish(posted.turn, answer, status, reason)


def finish(turn: Any, text: str, status: TurnStatus = TurnStatus.COMPLETED, reason: str = "") -> UUID:
    held = services.claim_turn(actor=SYSTEM, turn_id=turn.pk, worker="story")
    assert held is not None
    ending = Ending(
        status,
        [{"type": "text", "text": text}] if text else [],
        reason=reason,
        usage=TurnUsage(
            input_tokens=842, output_tokens=len(text) // 4, cost=Decimal(len(text) + 400) / 250_000, currency="USD"
        ),
        provider="openai",
        model="GPT-5 mini",
    )
    services.finish_turn(actor=SYSTEM, turn_id=held.turn_id, fence=held.fence, ending=ending)
    Message.objects.filter(pk=held.message_id).update(answered_by="GPT-5 mini")
    took = timedelta(milliseconds=900 + 9 * len(text))
    Turn.objects.filter(pk=held.turn_id).update(started_at=F("finished_at") - took)
    Conversation.objects.filter(pk=turn.conversation_id).update(
        answer_seconds=F("answer_seconds") + took.total_seconds()
    )
    return held.message_id
