"""What a suggestion lacks, and which of the answers in somebody's words belong to which question. Reads rows, writes none."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from apps.extraction import readings, shape
from apps.extraction.models import Collection, FollowUp, Proposal
from apps.extraction.reading_types import Suggested
from apps.extraction.readings import Reading
from apps.extraction.schema import Field, Schema
from apps.extraction.types import OPEN_QUESTIONS, ProposalStatus, QuestionState

_BARE = 60  # characters: an answer that is the value and nothing else
_BARE_WORDS = 6


def title_of(collection: Collection, found: Schema, data: Mapping[str, Any]) -> str:
    return shape.title_of(collection.title_template, found.fields, data)


def label_of(found: Schema, name: str) -> str:
    field = found.named(name)
    return field.title or name if field else name


def subject_of(collection: Collection, title: str, proposal: Proposal) -> bytes:
    """What a follow-up is about: a thing of this name; without a name, this suggestion alone."""
    said = readings.plain(title) or str(proposal.pk)
    return hashlib.sha256(f"{collection.pk} {said}".encode()).digest()


def questions_about(
    collection: Collection, found: Schema, proposal: Proposal, unplaced: Iterable[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Fields that the schema or the collection needs and the suggestion has not; ambiguous: something was said, in several ways."""
    unclear = {
        str(each.get("field")).split("/")[1]
        for each in unplaced
        if each.get("reason") == "ambiguous"
        and each.get("entity") == proposal.entity_id
        and "/" in str(each.get("field"))
    }
    linked = {link["field"].split("/")[1] for link in proposal.links}
    return [
        {
            "field": each.name,
            "cause": "ambiguous" if each.name in unclear else "missing",
            "state": QuestionState.WAITING.value,
            "message": None,
        }
        for each in found.top
        if (each.required or each.name in collection.needed)
        and each.relation is None
        and each.name not in linked
        and shape.is_empty(proposal.data.get(each.name))
    ]


def open_fields(follow_up: FollowUp) -> list[str]:
    return [each["field"] for each in follow_up.questions if each["state"] in OPEN_QUESTIONS]


def waiting_fields(follow_up: FollowUp) -> list[str]:
    return [each["field"] for each in follow_up.questions if each["state"] == QuestionState.WAITING]


def shared_out(follow_up: FollowUp, suggested: Suggested) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """(what answers, what has no place). While the suggestion waits, what else is told of it and was not known goes into it too; a
    value that is not the one which is known is unplaced. Without an answer nothing is taken.
    """
    asked, known = set(open_fields(follow_up)), follow_up.proposal.data
    is_pending = follow_up.proposal.status == ProposalStatus.PENDING
    values = {name: value for name, value in suggested.data.items() if name in asked and not shape.is_empty(value)}
    beside: list[dict[str, Any]] = []
    for name, value in suggested.data.items() if values else ():
        if name in values or known.get(name) == value or name in _named(follow_up, value):
            continue
        if is_pending and shape.is_empty(known.get(name)):
            values[name] = value
        else:
            reason = "twice" if is_pending else "not_asked"
            beside.append({"value": value, "reason": reason, "field": f"/{name}", "entity": suggested.entity_id})
    return values, beside


def _named(follow_up: FollowUp, value: Any) -> set[str]:
    """Fields of the suggestion that say the same more fully: “Sarah” where “Sarah Almeida” is known."""
    said = set(readings.plain(str(value)).split())
    return {
        name
        for name, known in follow_up.proposal.data.items()
        if isinstance(known, str) and said and said <= set(readings.plain(known).split())
    }


def match(follow_ups: Sequence[FollowUp], suggested: Suggested, title: str) -> FollowUp | None:
    """Of the same collection and the same name, or a part of it (“Sarah” of “Sarah Almeida”); without a name the only one there is."""
    same = [each for each in follow_ups if each.collection_id == suggested.collection_id and open_fields(each)]
    said = set(readings.plain(title).split())
    if not said:
        return same[0] if len(same) == 1 else None
    fitting = [each for each in same if _overlaps(said, set(readings.plain(each.title).split()))]
    return fitting[0] if len(fitting) == 1 else None


def _overlaps(said: set[str], known: set[str]) -> bool:
    return bool(known) and (said <= known or known <= said)


def bare_answer(
    follow_ups: Sequence[FollowUp], schemas: Mapping[Any, Schema], text: str, *, language: str
) -> tuple[FollowUp, str, Any] | None:
    """“31.” after “How old is he?”: words that are one value, and fit one question that is open. Free text only where one alone is open."""
    said = text.strip().rstrip(".!")
    if not said or len(said) > _BARE or "?" in said or len(said.split()) > _BARE_WORDS:
        return None
    asked = [
        (each, field)
        for each in follow_ups
        for name in open_fields(each)
        if (field := schemas[each.collection_id].named(name))
    ]
    fitting: list[tuple[FollowUp, str, Any]] = []
    for follow_up, field in asked:
        value = _value(said, field, language)
        if value is not None and (len(asked) == 1 or not _is_free(field)):
            fitting.append((follow_up, field.name, [value] if field.is_list else value))
    return fitting[0] if len(fitting) == 1 else None


def _is_free(field: Field) -> bool:
    return field.type == "string" and not field.enum and field.format != "date"


def _value(said: str, field: Field, language: str) -> Any:
    if field.type in ("object", "any"):
        return None
    reading = readings.read(said, field, language=language)
    return reading.value if isinstance(reading, Reading) and not reading.rest else None


def with_states(
    follow_up: FollowUp, names: Iterable[str], state: QuestionState, message_id: Any = None
) -> list[dict[str, Any]]:
    """The questions after these have become that; others stay as they are."""
    changed = set(names)
    return [
        {**each, "state": state.value, "message": str(message_id) if message_id else each["message"]}
        if each["field"] in changed and each["state"] in OPEN_QUESTIONS
        else each
        for each in follow_up.questions
    ]
