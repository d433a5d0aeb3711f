"""The audit log: one hash chain an organization, written from the event log by an ordered consumer.

The digest of a row is SHA-256 over the digest before it and the row itself, the row as RFC 8785 JSON. People appear under a pseudonym, so that
erasing somebody leaves the chain valid. The newest digests are written hourly, signed, to a file beside the data: a tail
that is cut off in the database is missed there.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Any
from uuid import UUID

import rfc8785
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac

from apps.accounts.models import AuditEntry, Pseudonym, User
from apps.accounts.types import AuditOutcome
from apps.core import crypto
from apps.core.doors.consumers import LoggedEvent
from apps.core.doors.subject_names import subject_names
from apps.core.ids import uuid7

GENESIS = bytes(32)
INSTANCE = UUID(int=0)
LOCK = 0x61756469  # "audi": one writer, also when a replay runs beside the consumer

# Everything about people, rights, secrets, money and settings, what takes content away, does much at once or acts by itself, and what
# lets others in. What is said in conversations is not audited: it is the record itself.
AUDITED_PREFIXES = ("accounts.", "agents.", "core.", "llm.")
AUDITED = frozenset(
    {
        "bulk.operation_started",
        "conversations.conversation_deleted",
        "conversations.conversation_erased",
        "conversations.conversation_handed_over",
        "conversations.conversation_restored",
        "conversations.conversation_privacy_changed",
        "conversations.link_made",
        "conversations.link_renewed",
        "conversations.link_withdrawn",
        "conversations.participant_added",
        "conversations.participant_allowed",
        "conversations.participant_denied",
        "conversations.participant_removed",
        "conversations.conversation_exported",
        "conversations.conversation_imported",
        "conversations.conversation_marked",
        "conversations.message_unmarked",
        "extraction.collection_deleted",
        "extraction.collection_erased",
        "extraction.collection_privacy_changed",
        "extraction.collection_reader_named",
        "extraction.collection_reader_removed",
        "extraction.collection_restored",
        "extraction.records_erased",
        "files.file_deleted",
        "files.file_released",
        "packs.pack_installed",
        "packs.pack_removed",
        "packs.pack_upgraded",
        "workflows.definition_changed",
        "workflows.definition_created",
        "workflows.definition_deleted",
        "workflows.gate_overridden",
        "workflows.secret_deleted",
        "workflows.secret_kept",
        "workflows.start_armed",
        "workflows.start_disarmed",
        "workflows.start_paused",
        "workflows.start_resumed",
    }
)
_PEOPLE = {"user_id", "heir_id"}
LENGTH_OF_ID = 36
MOST_OF_A_NAME = 200
MOST_HEADS = 20_000  # a year of two busy organizations


def is_audited(event_type: str) -> bool:
    return event_type in AUDITED or event_type.startswith(AUDITED_PREFIXES)


@transaction.atomic
def record(event: LoggedEvent) -> None:
    """Add the next link to the chain of the event's organization. Safe to repeat: an event has one entry."""
    _lock()
    if AuditEntry.objects.filter(event_id=event.id).exists():
        return
    organization_id = event.organization_id or INSTANCE
    last = AuditEntry.objects.filter(organization_id=organization_id).order_by("-number").first()
    people = _people_in(event)
    entry = AuditEntry(
        id=uuid7(),
        organization_id=organization_id,
        number=last.number + 1 if last else 1,
        event_id=event.id,
        occurred_at=event.occurred_at,
        action=event.type,
        outcome=AuditOutcome.REFUSED if event.is_refusal else AuditOutcome.DONE,
        actor_kind=event.actor_kind,
        actor=_pseudonym(event.actor_id),
        key_id=event.actor_key_id,
        subject_type=event.subject_type,
        subject_id=_pseudonym(event.subject_id) if event.subject_id in people else event.subject_id,
        details=_name_of(event) | {name: _hide(value, people) for name, value in event.payload.items()},
        correlation_id=event.correlation_id,
        previous=bytes(last.digest) if last else GENESIS,
    )
    entry.digest = digest_of(entry)
    entry.save(force_insert=True)


def _name_of(event: LoggedEvent) -> dict[str, str]:
    """What it was called when it happened, or a moment later: an id tells a reader of the log nothing once the thing is gone."""
    known = subject_names.get(event.subject_type)
    found = known.find(event.subject_id) if known is not None and event.subject_id else None
    return {"name": found[:MOST_OF_A_NAME]} if found else {}


def _lock() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])


def _people_in(event: LoggedEvent) -> set[UUID]:
    """Named so by the event, or found to be somebody: a setting's target, or what was refused, may be a person too."""
    named = {UUID(value) for name, value in event.payload.items() if name in _PEOPLE and value}
    if event.subject_type == "user" and event.subject_id:
        named.add(event.subject_id)
    others = {found for value in event.payload.values() for found in _ids_in(value)} | {event.subject_id}
    return named | set(User.objects.filter(pk__in=others - named - {None}).values_list("pk", flat=True))


def _ids_in(value: Any) -> Iterator[UUID]:
    if isinstance(value, list):
        for each in value:
            yield from _ids_in(each)
    elif isinstance(value, str) and len(value) == LENGTH_OF_ID:
        with suppress(ValueError):
            yield UUID(value)


def _hide(value: Any, people: set[UUID]) -> Any:
    if isinstance(value, list):
        return [_hide(each, people) for each in value]
    found = next(_ids_in(value), None)
    return str(_pseudonym(found)) if found in people else value


def _pseudonym(user_id: UUID | None) -> UUID | None:
    if user_id is None:
        return None
    found = Pseudonym.objects.filter(user=user_id).first()
    return (found or Pseudonym.objects.create(user_id=user_id)).pk


def canonical(entry: AuditEntry) -> bytes:
    return rfc8785.dumps(
        {
            "id": str(entry.id),
            "organization": str(entry.organization_id),
            "number": entry.number,
            "event": str(entry.event_id),
            "occurred_at": entry.occurred_at.astimezone(UTC).isoformat(timespec="microseconds"),
            "action": entry.action,
            "outcome": str(entry.outcome),
            "actor_kind": entry.actor_kind,
            "actor": _text(entry.actor),
            "key": _text(entry.key_id),
            "subject_type": entry.subject_type,
            "subject": _text(entry.subject_id),
            "details": entry.details,
            "correlation": entry.correlation_id,
        }
    )


def _text(value: UUID | None) -> str | None:
    return str(value) if value is not None else None


def digest_of(entry: AuditEntry) -> bytes:
    return hashlib.sha256(bytes(entry.previous) + canonical(entry)).digest()


# Verification


@dataclass(frozen=True, slots=True)
class Broken:
    """The first row of a chain that is not what it was when it was written."""

    organization_id: UUID
    number: int
    reason: str


def verify(organization_id: UUID | None = None) -> tuple[int, list[Broken]]:
    """How many rows were read, and the first bad one of each chain that is broken. Constant memory."""
    rows = AuditEntry.objects.order_by("organization_id", "number")
    heads = {head["organization"]: head for head in read_heads()}
    if organization_id is not None:
        rows = rows.filter(organization_id=organization_id)
        heads = {key: head for key, head in heads.items() if key == str(organization_id)}
    count, seen = 0, {}
    broken = {
        UUID(chain): Broken(UUID(chain), head["number"], "is in a head that was not signed here")
        for chain, head in heads.items()
        if not _is_signed(head)
    }
    if organization_id in {None, INSTANCE} and len(_lines()) > len(read_heads()):
        broken[INSTANCE] = Broken(INSTANCE, 0, "a line of the signed heads cannot be read")
    for chain, row, problem in _links(rows.iterator(chunk_size=1000)):
        count += 1
        seen[str(chain)] = row.number
        head = heads.get(str(chain))
        is_told_otherwise = (
            head is not None and head["number"] == row.number and head["digest"] != bytes(row.digest).hex()
        )
        if problem is not None or is_told_otherwise:
            reason = problem or "is not what the signed head says"
            broken.setdefault(chain, Broken(chain, row.number, reason))
    for chain_text, head in heads.items():
        last = seen.get(chain_text, 0)
        if last < head["number"]:
            cut = Broken(UUID(chain_text), last + 1, "is missing: the tail was cut")
            broken.setdefault(cut.organization_id, cut)
    return count, list(broken.values())


def _links(rows: Iterable[AuditEntry]) -> Iterator[tuple[UUID, AuditEntry, str | None]]:
    chain, number, previous = None, 0, GENESIS
    for row in rows:
        if row.organization_id != chain:
            chain, number, previous = row.organization_id, 0, GENESIS
        number += 1
        problem = None
        if row.number != number:
            problem = f"comes where number {number} is expected"
            number = row.number
        elif bytes(row.previous) != previous:
            problem = "does not follow the row before it"
        elif digest_of(row) != bytes(row.digest):
            problem = "was changed after it was written"
        previous = bytes(row.digest)
        yield chain, row, problem


# Heads outside the database


def heads_path() -> Path:
    return Path(settings.DATA_DIR) / "audit-heads.jsonl"


def write_heads() -> None:
    """Append the newest digest of every chain that has grown, each signed. Safe to repeat.

    What was signed with an older key is signed again, so that the key can be retired; never what is not what we signed, or a
    chain that has become shorter.
    """
    known = {head["organization"]: head for head in read_heads()}
    newest = AuditEntry.objects.order_by("organization_id", "-number").distinct("organization_id")
    lines = []
    for row in newest:
        before = known.get(str(row.organization_id))
        if before is None or before["number"] < row.number or (before["number"] == row.number and _is_aged(before)):
            head = {
                "at": timezone.now().astimezone(UTC).isoformat(timespec="seconds"),
                "organization": str(row.organization_id),
                "number": row.number,
                "digest": bytes(row.digest).hex(),
            }
            lines.append(json.dumps(head | {"signature": _sign(head)}))
    _shorten(list(known.values()))
    if lines:
        _append("".join(f"{line}\n" for line in lines))


def _append(text: str) -> None:
    """A full disk or a kill may cut a write short: what was left of the last line is no head, and nothing is glued to it."""
    path = heads_path()
    path.touch(mode=0o600)
    with path.open("r+b") as file:
        so_far = file.read()
        last = so_far[so_far.rfind(b"\n") + 1 :]
        if _head_of(last.decode("ascii", "replace")) is not None:
            text = f"\n{text}"  # whole but for its end
        elif last:
            file.truncate(file.seek(len(so_far) - len(last)))
        file.write(text.encode("ascii"))
        file.flush()
        os.fsync(file.fileno())


def _shorten(newest: list[dict[str, Any]]) -> None:
    """Beyond ``MOST_HEADS`` lines only the newest of each chain stay: verification asks no others. Whole, or not at all."""
    path = heads_path()
    if not path.exists() or len(path.read_bytes().splitlines()) <= max(MOST_HEADS, 2 * len(newest)):
        return
    beside = path.with_suffix(".new")
    beside.touch(mode=0o600)
    beside.write_text("".join(f"{json.dumps(head)}\n" for head in newest), encoding="ascii")
    beside.replace(path)


def read_heads() -> list[dict[str, Any]]:
    """What can be read. ``verify`` says when a line cannot."""
    return [head for line in _lines() if (head := _head_of(line)) is not None]


def _lines() -> list[str]:
    try:
        text = heads_path().read_text(encoding="ascii", errors="replace")
    except FileNotFoundError:
        return []
    lines = text.split("\n")
    if _head_of(lines[-1]) is None:
        lines.pop()  # empty, or a write that was cut short: the next one takes its place
    return [line for line in lines if line.strip()]


def _head_of(line: str) -> dict[str, Any] | None:
    try:
        head = json.loads(line)
    except ValueError:
        return None
    return head if isinstance(head, dict) and head.keys() >= {"organization", "number", "digest"} else None


HEAD = "accounts.audit-head"


def _sign(head: dict[str, Any]) -> str:
    """Sealed under the key set: authenticated as well as any signature of ours, and PARLANCE_SECRET_KEY may change."""
    return crypto.seal(rfc8785.dumps(head).decode(), bound_to=HEAD)


def _is_signed(head: dict[str, Any]) -> bool:
    plain = rfc8785.dumps({name: value for name, value in head.items() if name != "signature"})
    signature = str(head.get("signature", ""))
    if ":" not in signature:  # of the time when heads were signed with the secret key
        old = salted_hmac("parlance.audit-head", plain, algorithm="sha256").hexdigest()
        return hmac.compare_digest(old, signature)
    try:
        return crypto.unseal(signature, bound_to=HEAD).encode() == plain
    except (crypto.KeysDoNotFit, ValueError):
        return False


def _is_aged(head: dict[str, Any]) -> bool:
    signature = str(head.get("signature", ""))
    is_of_now = ":" in signature and crypto.key_of(signature) == crypto.key_set().current
    return not is_of_now and _is_signed(head)
