"""Texts that look like an attack: noticed, counted and logged, never changed and never refused.

What a person asks about SQL or HTML looks the same as what an attacker sends; that it harms nobody is the business of bound
parameters, of the one renderer and of generated file names. So these detectors decide nothing. They tell operators that
somebody is trying, where, and how often; never with what words.

Every pattern is linear: no repetition stands inside another, and each has a bounded gap. A text is looked at up to
``LOOKED_AT`` characters, its beginning and its end.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from enum import StrEnum
from itertools import islice
from typing import Any, Final

from django.core.files.uploadedfile import UploadedFile
from django.db import DatabaseError, InterfaceError, connection, transaction
from psycopg_pool import PoolTimeout

from apps.core.events import emit
from apps.core.facts import SuspicionNoted
from apps.core.ids import uuid7
from apps.core.types import SYSTEM, ActorRef, Scope

logger = logging.getLogger(__name__)

LOOKED_AT: Final = 20_000
LOOKED_AT_IN_ALL: Final = 100_000
MOST_TEXTS: Final = 500
DEEPEST: Final = 8


class Suspicion(StrEnum):
    SQL = "sql"
    COMMAND = "command"
    MARKUP = "markup"
    TRAVERSAL = "traversal"


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.IGNORECASE)


# For each kind: what must be there at all (a plain search, which most texts fail), and the patterns themselves.
_DETECTORS: Final[dict[Suspicion, tuple[tuple[str, ...], re.Pattern[str]]]] = {
    Suspicion.SQL: (
        ("'", '"', ";", "--", "/*", "select", "sleep", "waitfor"),
        _any(
            r"['\"]\s{0,4}\b(?:or|and)\b\s{0,4}['\"]?\w{1,20}['\"]?\s{0,4}(?:=|like\b)",
            r"\bunion\s{1,4}(?:all\s{1,4})?select\b",
            r";\s{0,4}(?:drop|alter|truncate|delete\s{1,4}from|insert\s{1,4}into|update\s{1,4}\w{1,40}\s{1,4}set)\b",
            r"['\"]\s{0,4};?\s{0,4}--(?:\s|$)",
            r"\b(?:pg_sleep|benchmark|xp_cmdshell|load_file|extractvalue|updatexml)\s{0,4}\(",
            r"\bwaitfor\s{1,4}delay\b",
            r"\binformation_schema\.\w|\bpg_catalog\.\w",
        ),
    ),
    Suspicion.COMMAND: (
        (";", "|", "`", "$(", "&&", "${"),
        _any(
            r"[;|&`]\s{0,4}(?:cat|wget|curl|nc|bash|sh|rm|chmod|id|whoami|uname|powershell|python\d?)\s{1,4}[-/\w.]",
            r"\$\((?:cat|wget|curl|nc|bash|sh|rm|id|whoami|uname)\b",
            r"`(?:cat|wget|curl|nc|bash|sh|rm|id|whoami|uname)\b[^`\n]{0,80}`",
            r"/dev/tcp/|\$\{jndi:|\$\{ifs\}",
            r"\brm\s{1,4}-rf\s{1,4}[/~*]",
        ),
    ),
    Suspicion.MARKUP: (
        ("<", "javascript:", "vbscript:", "data:text/html", "&lt;", "%3c"),
        _any(
            r"<\s{0,4}(?:script|iframe|object|embed|base|meta|svg|math|form|link)\b",
            r"<[a-z][^<>\n]{0,200}[\s/\"']on[a-z]{3,30}\s{0,4}=",
            r"(?:javascript|vbscript)\s{0,4}:",
            r"data:text/html",
            r"\bsrcdoc\s{0,4}=",
            r"(?:&lt;|%3c)\s{0,4}(?:script|iframe|svg)\b",
        ),
    ),
    Suspicion.TRAVERSAL: (
        ("..", "%2e", "/etc/", "\x00", "%00", "file://", ":\\", "/proc/"),
        _any(
            r"(?:\.\.[/\\]){2}",
            r"(?:^|[/\\=\s\"'])\.\.[/\\]",
            r"(?:%2e|\.){2}(?:%2f|%5c)",
            r"%2e%2e[/\\]",
            r"%c0%af|%252e|%00",
            r"\b/?etc/(?:passwd|shadow|hosts)\b|/proc/self/",
            r"\bfile://",
            r"\b[a-z]:\\windows\\",
        ),
    ),
}


def look(text: str) -> frozenset[Suspicion]:
    """What it looks like. Bounded in time whatever the text is."""
    if len(text) > LOOKED_AT:
        text = f"{text[: LOOKED_AT // 2]}\n{text[-LOOKED_AT // 2 :]}"
    lowered = text.lower()
    return frozenset(
        kind
        for kind, (marks, pattern) in _DETECTORS.items()
        if any(mark in lowered for mark in marks) and pattern.search(lowered)
    )


def texts_in(value: Any, depth: int = 0) -> Iterator[str]:
    """All texts of parsed JSON or of a form, the names of its fields included."""
    match value:
        case str():
            yield value
        case UploadedFile():
            yield value.name or ""
        case dict() if depth < DEEPEST:
            for name, item in value.items():
                yield str(name)
                yield from texts_in(item, depth + 1)
        case list() | tuple() if depth < DEEPEST:
            for item in value:
                yield from texts_in(item, depth + 1)


def look_into(value: Any) -> frozenset[Suspicion]:
    found: set[Suspicion] = set()
    room = LOOKED_AT_IN_ALL
    for text in islice(texts_in(value), MOST_TEXTS):
        if room <= 0:
            break
        found |= look(text)
        room -= min(len(text), LOOKED_AT)
    return frozenset(found)


def notice(request: Any, value: Any) -> None:
    """Look at what a request brought, log and count. Never raises for what it finds, or cannot write."""
    if found := look_into(value):
        match = getattr(request, "resolver_match", None)
        door = f"{request.method} /{match.route.replace('<', '{').replace('>', '}')}" if match else f"{request.method}"
        note(found, door=door, actor=getattr(request, "actor", None))


_COUNT: Final = """
INSERT INTO core_suspicioncount (day, kind, door, actor_id, count, first_at, last_at)
VALUES (current_date, %s, %s, %s, 1, now(), now())
ON CONFLICT (day, kind, door, actor_id) DO UPDATE SET count = core_suspicioncount.count + 1, last_at = now()
RETURNING id, count
"""


def note(found: Iterable[Suspicion], *, door: str, actor: ActorRef | None = None) -> None:
    """One row a day for each kind, door and person; the first of them is an event as well."""
    who = actor or SYSTEM
    for kind in sorted(found):
        logger.warning("suspicious_input", extra={"kind": kind.value, "door": door, "actor": str(who.user_id or "")})
        try:
            with transaction.atomic():
                with connection.cursor() as cursor:
                    cursor.execute(_COUNT, [kind.value, door[:120], who.user_id])
                    _pk, count = cursor.fetchone() or (0, 0)
                if count == 1:
                    fact = SuspicionNoted(kind=kind.value, door=door[:120])
                    scope = Scope(topic=f"suspicions:{who.user_id or 'nobody'}", organization_id=who.organization_id)
                    emit(fact, actor=who, scope=scope, subject=("suspicion", uuid7()))
        except (DatabaseError, InterfaceError, PoolTimeout) as error:
            logger.warning("suspicion_not_counted", extra={"reason": type(error).__name__})
