"""What words may be: one named rule for each kind of value, the same in forms, serializers, sockets, imports and commands.

A rule takes what somebody gave and answers with what is kept, or raises ``RuleBroken`` with the rule's one code. It never changes
what a text says: names lose white space around them, tags their capitals, and only file names, which nobody types here, are rewritten.
REST framework and Django forms use rules through ``core.rule_fields``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from apps.core.errors import FieldError, Invalid

# Characters that turn the direction of what follows would let "gpj.exe" read as "exe.jpg".
TURNS_DIRECTION: Final = "\u202a-\u202e\u2066-\u2069"
_HIDDEN: Final = re.compile(f"[\x00-\x1f\x7f-\x9f{TURNS_DIRECTION}]")
_NUL: Final = "\x00"


class RuleBroken(Invalid):
    """``rule_code`` is the field's code in the answer; the problem itself is ``invalid`` like every wrong field."""

    def __init__(self, rule_code: str, detail: str | Promise, *, field: str = "") -> None:
        super().__init__(fields=[FieldError(field, rule_code, str(detail))] if field else ())
        self.rule_code, self.sentence = rule_code, str(detail)


@dataclass(frozen=True, slots=True)
class Rule:
    """``clean`` answers with what is kept or raises ``ValueError``; ``sentence`` tells people what is asked for."""

    code: str
    sentence: str | Promise
    max_length: int
    clean: Callable[[str], str]
    allows_empty: bool = False
    pattern: str = ""  # for schemas; the rule itself is ``clean``

    def of(self, max_length: int) -> Rule:
        """The same rule for another length."""
        return replace(self, max_length=max_length)

    def or_empty(self) -> Rule:
        return replace(self, allows_empty=True)

    def __call__(self, value: str, *, field: str = "") -> str:
        try:
            kept = self.clean(value)
        except ValueError:
            raise RuleBroken(self.code, self.sentence, field=field) from None
        if len(kept) > self.max_length:
            raise RuleBroken("max_length", self.too_long(), field=field)
        if not kept and not self.allows_empty:
            raise RuleBroken("blank", _("This may not be empty."), field=field)
        return kept

    def too_long(self) -> str:
        return ngettext("At most %(number)d character.", "At most %(number)d characters.", self.max_length) % {
            "number": self.max_length
        }


def _line(value: str) -> str:
    """White space is one space; nothing in it is hidden or turns the direction of what follows."""
    kept = " ".join(value.split())
    if _HIDDEN.search(kept):
        raise ValueError
    return kept


def _text(value: str) -> str:
    if _NUL in value:
        raise ValueError
    value.encode("utf-8")  # half a surrogate pair is no text: UnicodeEncodeError is a ValueError
    return value


def _stripped(value: str) -> str:
    return _text(value).strip()


def _matching(pattern: str) -> Callable[[str], str]:
    compiled = re.compile(pattern)

    def clean(value: str) -> str:
        if value and not compiled.fullmatch(value):
            raise ValueError
        return value

    return clean


_is_mail = EmailValidator()


def _mail(value: str) -> str:
    kept = value.strip()
    if kept:
        try:
            _is_mail(kept)
        except ValidationError:
            raise ValueError from None
    return _line(kept)


def _url(value: str) -> str:
    """An address of the web with a host, without a name and password in it. Whether it may be called is for ``core.http``."""
    kept = value.strip()
    if not kept:
        return kept
    parts = urlsplit(kept)
    if _HIDDEN.search(kept) or " " in kept or "\\" in kept:
        raise ValueError
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username is not None:
        raise ValueError
    if parts.port == 0:  # a port that is no number raises ValueError by itself
        raise ValueError
    return kept


def _tag(value: str) -> str:
    return _line(value).lower()


_LABEL: Final = r"[^\W_](?:[\w-]{0,61}[^\W_])?"
_DOMAIN: Final = rf"{_LABEL}(?:\.{_LABEL})+"


def _domain(value: str) -> str:
    return _matching(_DOMAIN)(value.strip().lower().removesuffix("."))


def _header_value(value: str) -> str:
    if value and not (value.isascii() and value.isprintable()):
        raise ValueError
    return value


NAME: Final = Rule("name", _("A name is one line of visible characters."), 120, _line)
TITLE: Final = Rule("title", _("A title is one line of visible characters."), 200, _line, allows_empty=True)
TAG: Final = Rule("tag", _("A tag is one line of visible characters."), 40, _tag)
TEXT: Final = Rule("text", _("The text holds a character that cannot be kept."), 20_000, _stripped, allows_empty=True)
MESSAGE: Final = Rule("message", _("The text holds a character that cannot be kept."), 100_000, _text)
MAIL: Final = Rule("mail", _("This is no e-mail address."), 254, _mail)
URL: Final = Rule(
    "url", _("An address begins with http:// or https:// and names a host; it holds no password."), 300, _url
)
DOMAIN: Final = Rule("domain", _("The name of a mail domain, such as example.org."), 253, _domain, pattern=_DOMAIN)
SLUG: Final = Rule(
    "slug",
    _("Small letters, digits and single hyphens between them."),
    60,
    _matching(r"[a-z0-9]+(?:-[a-z0-9]+)*"),
    pattern=r"[a-z0-9]+(?:-[a-z0-9]+)*",
)
HANDLE: Final = Rule(
    "handle",
    _("Small letters and digits, with hyphens and underscores after the first letter."),
    31,
    _matching(r"[a-z][a-z0-9_-]{0,30}"),
    pattern=r"[a-z][a-z0-9_-]{0,30}",
)
CURRENCY: Final = Rule(
    "currency", _("Three capital letters, such as EUR."), 3, _matching(r"[A-Z]{3}"), pattern=r"[A-Z]{3}"
)
HEADER_NAME: Final = Rule(
    "header_name", _("Letters, digits and hyphens."), 100, _matching(r"[A-Za-z0-9-]+"), pattern=r"[A-Za-z0-9-]+"
)
HEADER_VALUE: Final = Rule("header_value", _("Visible ASCII characters in one line."), 1000, _header_value)
_VERSION: Final = r"(?:0|[1-9][0-9]{0,5})(?:\.(?:0|[1-9][0-9]{0,5})){2}"
VERSION: Final = Rule(
    "version", _("Three numbers with dots between them, such as 1.0.0."), 20, _matching(_VERSION), pattern=_VERSION
)
TOPIC: Final = Rule(
    "topic", _("A topic is a kind, a colon and an id."), 80, _matching(r"[^:\n]*:[^\n]*"), pattern=r"[^:\n]*:[^\n]*"
)

#: All of them, for the documentation and for tests.
RULES: Final = {
    rule.code: rule
    for rule in (
        NAME, TITLE, TAG, TEXT, MESSAGE, MAIL, URL, DOMAIN, SLUG, HANDLE, CURRENCY, HEADER_NAME, HEADER_VALUE, VERSION, TOPIC,
    )
}  # fmt: skip


def tags(values: Iterable[str], *, most: int = 20, field: str = "tags") -> list[str]:
    """Each once, in their order; what is empty is left out."""
    kept = list(dict.fromkeys(filter(None, (TAG.or_empty()(value, field=field) for value in values))))
    if len(kept) > most:
        raise RuleBroken("too_many", _("These are too many."), field=field)
    return kept


def domains(values: Iterable[str], *, most: int = 100, field: str = "domains") -> list[str]:
    """Each once, in small letters, in their order."""
    kept = list(dict.fromkeys(DOMAIN(value, field=field) for value in values))
    if len(kept) > most:
        raise RuleBroken("too_many", _("These are too many."), field=field)
    return kept


# File names

MAX_FILE_NAME: Final = 180
LONGEST_EXTENSION: Final = 16
DEVICE_NAMES: Final = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}
_DIRECTIONS: Final = re.compile(f"[\u061c\u200e\u200f{TURNS_DIRECTION}]")
_UNSAFE_IN_FILE_NAMES: Final = re.compile(r'[<>:"|?*]')


def file_name(given: str) -> str:
    """The last part of the given name without control and direction characters, at most 180 characters, never empty.

    Percent-encoded separators are left as text: the name is never decoded and never a path.
    """
    name = unicodedata.normalize("NFC", given.encode("utf-8", "replace").decode("utf-8"))
    name = _DIRECTIONS.sub("", name.replace("\\", "/").rpartition("/")[2])
    name = "".join(c for c in name if unicodedata.category(c) not in {"Cc", "Cs", "Co", "Cn"})
    name = _UNSAFE_IN_FILE_NAMES.sub("_", name).strip(" .")
    stem, dot, extension = name.rpartition(".")
    if not dot:
        stem, extension = name, ""
    if stem.partition(".")[0].strip().lower() in DEVICE_NAMES:
        stem = f"_{stem}"
    if len(extension) > LONGEST_EXTENSION:  # longer than any that means something
        stem, dot, extension = f"{stem}{dot}{extension}", "", ""
    stem = stem[: MAX_FILE_NAME - len(dot) - len(extension)]
    return f"{stem}{dot}{extension}".strip(" .") or "file"


# JSON

MAX_JSON_DEPTH: Final = 64


def require_json_depth(text: str, most: int = MAX_JSON_DEPTH) -> None:
    """Raises ``ValueError``. Cheap and before parsing: counts open brackets outside strings only when there are enough to matter."""
    if text.count("[") + text.count("{") <= most:
        return
    depth = 0
    in_string = escaped = False
    for character in text:
        if in_string:
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == '"':
                in_string = False
        elif character == '"':
            in_string = True
        elif character in "[{":
            depth += 1
            if depth > most:
                raise ValueError("depth")
        elif character in "]}":
            depth -= 1


def require_storable(value: Any) -> None:
    """PostgreSQL stores neither NUL nor half a surrogate pair. Raises ``ValueError``."""
    if isinstance(value, str):
        _text(value)
    elif isinstance(value, dict):
        for name, item in value.items():
            require_storable(name)
            require_storable(item)
    elif isinstance(value, list):
        for item in value:
            require_storable(item)
