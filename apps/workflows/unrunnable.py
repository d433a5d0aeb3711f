"""What the published schema lets a document say and nothing here does, and names that nobody defined: refused when it is saved, not passed over when it runs."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from django.utils.translation import gettext as _

from apps.core.errors import FieldError
from apps.core.events import event_kinds, public_name
from apps.workflows.documents import Task, walk
from apps.workflows.expressions import is_expression

#: So much alike that one of ours was meant: of ten letters one or two are others.
MISSPELT_FROM = 0.85
_VERSION = re.compile(r"\.v\d+$")


def wrong(document: Mapping[str, Any]) -> Iterator[FieldError]:
    """Of a document that the schema lets pass."""
    use = document.get("use", {})
    for name in ("extensions", "catalogs"):
        if use.get(name):
            yield _not_run(f"/use/{name}")
    yield from _schemas(document, "")
    yield from _named(document.get("timeout"), use.get("timeouts", {}), "/timeout")
    for task in walk(document):
        yield from _schemas(task.body, task.pointer)
        yield from _named(task.body.get("timeout"), use.get("timeouts", {}), f"{task.pointer}/timeout")
        yield from _of_kind(task, use)


def _not_run(pointer: str) -> FieldError:
    return FieldError(pointer, "not_runnable", _("This part of the DSL is not run here."))


def _schemas(body: Mapping[str, Any], pointer: str) -> Iterator[FieldError]:
    """Nothing is fetched; and what is exported is held against no schema."""
    for place in ("input", "output"):
        if "resource" in (body.get(place) or {}).get("schema", {}):
            yield _not_run(f"{pointer}/{place}/schema/resource")
    if "schema" in (body.get("export") or {}):
        yield _not_run(f"{pointer}/export/schema")


def _named(said: Any, known: Mapping[str, Any], pointer: str) -> Iterator[FieldError]:
    if isinstance(said, str) and said not in known:
        detail = _("Nothing of the name “%(name)s” is defined under “use”.") % {"name": said[:80]}
        yield FieldError(pointer, "unknown_name", detail)


def _of_kind(task: Task, use: Mapping[str, Any]) -> Iterator[FieldError]:
    match task.kind:
        case "try":
            retry = (task.body.get("catch") or {}).get("retry")
            yield from _named(retry, use.get("retries", {}), f"{task.pointer}/catch/retry")
        case "raise":
            yield from _named(task.body["raise"]["error"], use.get("errors", {}), f"{task.pointer}/raise/error")
        case "listen":
            yield from _heard(task.body["listen"]["to"], f"{task.pointer}/listen/to")
            for name in ("output", "export"):
                if name in (task.body.get("foreach") or {}):
                    yield _not_run(f"{task.pointer}/foreach/{name}")


def _heard(to: Mapping[str, Any], pointer: str) -> Iterator[FieldError]:
    for word in ("one", "any", "all"):
        said = to.get(word)
        for place, each in enumerate(said if isinstance(said, list) else ()):
            yield from wrong_filter(each, f"{pointer}/{word}/{place}")
        if isinstance(said, Mapping):
            yield from wrong_filter(said, f"{pointer}/{word}")
    if isinstance(to.get("until"), Mapping):
        yield from _heard(to["until"], f"{pointer}/until")


def wrong_filter(said: Mapping[str, Any], pointer: str) -> Iterator[FieldError]:
    """Of one kind of event. Whatever documents emit has any name; ours have the public ones."""
    if "correlate" in said:
        yield _not_run(f"{pointer}/correlate")
    name = said.get("with", {}).get("type")
    if not isinstance(name, str) or is_expression(name):
        return
    kinds = {kind.name for kind in event_kinds()}
    public = {public_name(each) for each in kinds}
    plain = _VERSION.sub("", name)
    if plain in kinds:
        if public_name(plain) != name:
            detail = _("This event is called “%(name)s”.") % {"name": public_name(plain)}
            yield FieldError(f"{pointer}/with/type", "unknown_event", detail)
    elif name not in public and difflib.get_close_matches(plain, kinds | public, 1, MISSPELT_FROM):
        yield FieldError(f"{pointer}/with/type", "unknown_event", _("There is no event of that name."))
