"""Reading a wish, or the description of a collection: one call to the organization's default model, which says what is to be made;
people confirm it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from apps.accounts.types import SYSTEM
from apps.core.db import give_connections_back
from apps.core.doors.bulk_kinds import Meter, TryLater
from apps.core.errors import DomainError
from apps.core.leases import scaled
from apps.extraction import repair, services, structured
from apps.extraction.reading_types import Answer
from apps.extraction.wish_types import DESCRIBED_KINDS, KINDS, WISH_CALL_SECONDS, WishKind, WishRead, WishWork
from apps.llm import engine as llm
from apps.llm.types import CompletionRequest, NeutralMessage, Parameters, Purpose, Role

logger = logging.getLogger(__name__)

INSTRUCTIONS = (
    "Somebody may want several records made up. Say whether the words ask for that, how many, and the brief: what they are to be, in "
    "the words of the wish, without the number. Name the collection that fits by its short name; where none fits, leave it empty and "
    "describe a new one: its name and four to eight fields, the first of which is what a record is called. Make nothing up yet."
)
DESCRIBING = (
    "Somebody describes a collection of records that they need. Say whether the words ask for one to be made, its name in the plural, in "
    "one sentence what it is for, and its fields in the language of the description: all that are named, in their order, and those only; "
    "where none is named, four to eight that fit, the first of which is what a record is called. Of each its name as people write it, its "
    "kind, its choices where it is one of a few, whether a record cannot be without it, and whether it holds several values. A field that "
    "names another record is a relation: give the short name of the collection that is there. Make no records up."
)


def _answer(properties: dict[str, Any], fields: dict[str, Any], kinds: Sequence[str]) -> dict[str, Any]:
    """What is to be answered, with the fields of a collection; of each ``fields`` beside name, kind and choices."""
    each = {
        "name": {"type": "string"},
        "kind": {"type": "string", "enum": list(kinds)},
        "choices": {"type": "array", "items": {"type": "string"}},
        **fields,
    }
    return _whole({**properties, "fields": {"type": "array", "items": _whole(each)}})


def _whole(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": [*properties],
        "additionalProperties": False,
    }


SCHEMA = _answer(
    {
        "is_wish": {"type": "boolean"},
        "count": {"type": "integer"},
        "brief": {"type": "string"},
        "collection": {"type": "string"},
        "name": {"type": "string"},
    },
    {},
    KINDS,
)
DESCRIPTION = _answer(
    {"is_wish": {"type": "boolean"}, "name": {"type": "string"}, "purpose": {"type": "string"}},
    {"required": {"type": "boolean"}, "is_list": {"type": "boolean"}, "relation": {"type": "string"}},
    DESCRIBED_KINDS,
)


def read_wish(wish_id: UUID) -> None:
    """Safe to repeat: only the holder of the lease asks, and who comes late writes nothing."""
    work = services.claim_wish(actor=SYSTEM, wish_id=wish_id)
    if work is None:
        return
    give_connections_back()
    try:
        with services.keep_wish(actor=SYSTEM, work=work):
            answer = asyncio.run(_ask(work))
    except (DomainError, TryLater, TimeoutError) as error:
        code = getattr(error, "code", "timeout")
        logger.warning("wish_not_read", extra={"wish": str(wish_id), "code": code})
        services.fail_wish(actor=SYSTEM, wish_id=wish_id, fence=work.fence, code=code)
        return
    read = understood(answer)
    services.propose_wish(actor=SYSTEM, wish_id=wish_id, fence=work.fence, answer=answer, read=read)


async def _ask(work: WishWork) -> Answer:
    there = [f"- {slug}: {name} ({', '.join(fields)})" for slug, name, fields in work.collections]
    said = "\n".join(["Collections:", *(there or ["none"]), "", f"Words: {work.words}"])
    is_described = work.kind == WishKind.COLLECTION
    told, shape = (DESCRIBING, DESCRIPTION) if is_described else (INSTRUCTIONS, SCHEMA)
    request = CompletionRequest(
        organization_id=work.organization_id,
        project_id=work.project_id,
        user_id=work.user_id,
        messages=(NeutralMessage.of_text(Role.SYSTEM, told), NeutralMessage.of_text(Role.USER, said)),
        parameters=Parameters(temperature=0),
        purpose=Purpose.EXTRACTION,
        language=work.language,
        correlation_id=work.correlation_id,
    )
    async with asyncio.timeout(scaled(WISH_CALL_SECONDS)), llm.own_loop():
        return await structured.ask(request, lambda _kind: shape, Meter())


def understood(answer: Answer) -> WishRead:
    """As far as the answer says it; what it lacks is taken from what people say when they edit it."""
    value = repair.read(answer.text).value
    if isinstance(value, list):
        value = next((each for each in value if isinstance(each, dict)), None)
    if not isinstance(value, dict):
        return WishRead(is_wish=False)
    count = value.get("count")
    return WishRead(
        is_wish=value.get("is_wish") is True,
        count=count if type(count) is int else 0,
        brief=_text(value.get("brief")) or _text(value.get("purpose")),
        collection=_text(value.get("collection")),
        name=_text(value.get("name")),
        fields=value["fields"] if isinstance(value.get("fields"), list) else [],
    )


def _text(value: Any) -> str:
    return value.replace("\x00", "") if isinstance(value, str) else ""
