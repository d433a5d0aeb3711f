"""What a definition has to be: the published schema of the Serverless Workflow DSL 1.0.3, then our own words, then what neither can say.

Pure, but for the programs of expressions, which a process of their own compiles (``expressions``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
from django.utils.translation import gettext as _

from apps.core.doors.tools import tools
from apps.core.doors.workflow_functions import workflow_functions
from apps.core.errors import FieldError
from apps.core.storable import storable
from apps.workflows import arguments, calling, expressions, schedules, unrunnable, vocabulary
from apps.workflows.documents import (
    DIRECTIVES,
    KINDS,
    compensations,
    escaped,
    kind_of,
    lists_in,
    stage_of,
    stages,
    walk,
)
from apps.workflows.types import MAX_DEPTH, MAX_DOCUMENT_BYTES, MAX_TASKS, DefinitionRejected

VERSIONS = ("1.0.0", "1.0.1", "1.0.2", "1.0.3")
OTHER_PROTOCOLS = frozenset({"asyncapi", "grpc", "openapi", "a2a", "mcp"})
MAX_ERRORS = 50
MAX_NAME = 100
_FOLDER = Path(__file__).parent / "dsl"


def check(document: Any) -> dict[str, Any]:
    """The document as it is kept. ``DefinitionRejected`` names up to fifty places."""
    found = list(_wrong_size(document))
    if not found:
        document = storable(document)
        found = list(_wrong(document))
    if found:
        raise DefinitionRejected(fields=found[:MAX_ERRORS])
    return dict(document)


def _wrong_size(document: Any) -> Iterator[FieldError]:
    if not isinstance(document, Mapping):
        yield FieldError("", "invalid", _("A definition is an object."))
    elif len(json.dumps(document, ensure_ascii=False, default=str).encode("utf-8", "replace")) > MAX_DOCUMENT_BYTES:
        yield FieldError("", "too_large", _("A definition has at most 256 kB."))


def _wrong(document: Mapping[str, Any]) -> Iterator[FieldError]:
    shell = {**document, "do": []} if isinstance(document.get("do"), list) else document
    found = list(_of(_whole(), shell, ""))
    if isinstance(document.get("document"), Mapping):
        found += _own(document["document"], _document_words(), "/document/metadata/parlance")
        dsl = document["document"].get("dsl")
        if isinstance(dsl, str) and dsl not in VERSIONS:
            found.append(FieldError("/document/dsl", "unknown_version", _("Definitions are written in DSL 1.0.3.")))
    if not isinstance(document.get("do"), list):
        yield from found
        return
    count = [0]
    found += _wrong_tasks(document["do"], "/do", 0, count, _functions_of(document), is_top=True)
    if count[0] > MAX_TASKS:
        found.append(FieldError("/do", "too_many", _("A definition has at most 500 tasks.")))
    if not document["do"]:
        found.append(FieldError("/do", "blank", _("There is no task in it.")))
    if not found:  # what looking at each part by itself did not find
        found += list(_of(_whole(), document, ""))
    yield from found or list(_wrong_together(document)) or _wrong_programs(document)


def _functions_of(document: Mapping[str, Any]) -> set[str]:
    use = document.get("use")
    functions = use.get("functions") if isinstance(use, Mapping) else None
    return set(functions) if isinstance(functions, Mapping) else set()


def _wrong_tasks(
    tasks: Any, pointer: str, depth: int, count: list[int], functions: set[str], *, is_top: bool = False
) -> list[FieldError]:
    if not isinstance(tasks, list):
        return [FieldError(pointer, "invalid", _("Tasks are a list."))]
    if depth > MAX_DEPTH:
        return [FieldError(pointer, "too_deep", _("This is nested too deeply."))]
    found: list[FieldError] = []
    names: list[str] = []
    for place, item in enumerate(tasks):
        here = f"{pointer}/{place}"
        if not isinstance(item, Mapping) or len(item) != 1:
            found.append(FieldError(here, "invalid", _("Each entry is one task under its name.")))
            continue
        ((name, body),) = item.items()
        count[0] += 1
        where = f"{here}/{escaped(name)}"
        if not name or len(name) > MAX_NAME or "/" in name or name in DIRECTIVES:
            found.append(FieldError(where, "name", _("A task has a name of up to 100 characters, without slashes.")))
        if name in names:
            found.append(FieldError(where, "twice", _("Another task of this list has that name.")))
        names.append(name)
        found += _wrong_task(body, where, depth, count, functions, is_top=is_top)
    for place, item in enumerate(tasks):
        if isinstance(item, Mapping):
            for name, body in item.items():
                found += _wrong_ways(body, f"{pointer}/{place}/{escaped(name)}", names)
    return found


def _wrong_task(
    body: Any, where: str, depth: int, count: list[int], functions: set[str], *, is_top: bool
) -> list[FieldError]:
    if not (kind := kind_of(body)):
        return [
            FieldError(where, "unknown_kind", _("A task is one of: %(kinds)s.") % {"kinds": ", ".join(sorted(KINDS))})
        ]
    found = list(_of(_kind(kind), _without_lists(kind, body), where))
    metadata = body.get("metadata")
    if isinstance(metadata, Mapping):
        found += _own(body, _task_words(), f"{where}/metadata/parlance")
        own = metadata.get("parlance")
        if isinstance(own, Mapping) and "stage" in own and not is_top:
            place = f"{where}/metadata/parlance/stage"
            found.append(FieldError(place, "not_here", _("Stages are entries of the top list.")))
        if isinstance(own, Mapping):
            found += _wrong_way_back(own.get("compensate"), f"{where}/metadata/parlance/compensate")
    found += _not_runnable(kind, body, where, functions)
    for _part, inside, inner in lists_in(kind, body):
        found += _wrong_tasks(inner, f"{where}/{inside}", depth + 1, count, functions)
    return found


def _without_lists(kind: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
    """So that each task is looked at once, with words for its own kind."""
    empty: list[Any] = []
    match kind:
        case "do" | "for":
            return {**body, "do": empty} if isinstance(body.get("do"), list) else body
        case "fork" if isinstance(body["fork"], Mapping) and isinstance(body["fork"].get("branches"), list):
            return {**body, "fork": {**body["fork"], "branches": empty}}
        case "try":
            caught = body.get("catch")
            if isinstance(caught, Mapping) and isinstance(caught.get("do"), list):
                body = {**body, "catch": {**caught, "do": empty}}
            return {**body, "try": empty} if isinstance(body["try"], list) else body
        case "listen" if isinstance(body.get("foreach"), Mapping) and isinstance(body["foreach"].get("do"), list):
            return {**body, "foreach": {**body["foreach"], "do": empty}}
    return body


def _not_runnable(kind: str, body: Mapping[str, Any], where: str, functions: set[str]) -> Iterator[FieldError]:
    if kind == "run" and isinstance(body["run"], Mapping):
        for name in ("container", "script", "shell"):
            if name in body["run"]:
                detail = _("Programs are not run here: there is no safe place for them. Workflows are.")
                yield FieldError(f"{where}/run/{name}", "not_runnable", detail)
    if kind == "call" and isinstance(called := body["call"], str):
        if called in OTHER_PROTOCOLS:
            yield FieldError(f"{where}/call", "not_runnable", _("This protocol is not spoken here; http is."))
        elif called not in functions and workflow_functions.get(called) is None:
            known = ", ".join(workflow_functions.names())
            detail = _("There is no function “%(name)s”. There are: %(known)s.") % {"name": called[:80], "known": known}
            yield FieldError(f"{where}/call", "unknown_function", detail)


def _wrong_way_back(said: Any, pointer: str) -> Iterator[FieldError]:
    """Of ``compensate``: functions that are done at once."""
    for place, each in enumerate(said if isinstance(said, list) else ()):
        name = each.get("call") if isinstance(each, Mapping) else None
        if isinstance(name, str) and ((function := workflow_functions.get(name)) is None or function.look is not None):
            detail = _("“%(name)s” takes nothing back: here stand functions that are done at once.")
            yield FieldError(f"{pointer}/{place}/call", "unknown_function", detail % {"name": name[:80]})


def _wrong_ways(body: Any, where: str, names: list[str]) -> Iterator[FieldError]:
    if not isinstance(body, Mapping):
        return
    ways = [(f"{where}/then", body.get("then"))]
    if isinstance(body.get("switch"), list):
        for place, case in enumerate(body["switch"]):
            for name, taken in case.items() if isinstance(case, Mapping) else ():
                if isinstance(taken, Mapping):
                    ways.append((f"{where}/switch/{place}/{escaped(name)}/then", taken.get("then")))
    for pointer, way in ways:
        if isinstance(way, str) and way not in DIRECTIVES and way not in names:
            detail = _("There is no task “%(name)s” in this list.") % {"name": way[:100]}
            yield FieldError(pointer, "unknown_task", detail)


def _wrong_together(document: Mapping[str, Any]) -> Iterator[FieldError]:
    """What tasks say of each other."""
    known = {name for name, _stage in stages(document)}
    for place, item in enumerate(document["do"]):
        for name, body in item.items():
            if stage := stage_of(body):
                pointer = f"/do/{place}/{escaped(name)}/metadata/parlance/stage"
                yield from _unknown_stages(stage.get("requires", []), f"{pointer}/requires", known)
                yield from _unknown_tools(stage.get("tools", []), f"{pointer}/tools")
    yield from unrunnable.wrong(document)
    yield from calling.wrong(document)
    yield from arguments.wrong(document)
    yield from schedules.wrong(document.get("schedule"))


def _unknown_tools(names: list[str], pointer: str) -> Iterator[FieldError]:
    for place, name in enumerate(names):
        if tools.get(name) is None:
            known = ", ".join(sorted(tools.names()))
            detail = _("There is no tool “%(name)s”. There are: %(known)s.") % {"name": name[:80], "known": known}
            yield FieldError(f"{pointer}/{place}", "unknown_tool", detail)


def _unknown_stages(gates: list[Any], pointer: str, known: set[str]) -> Iterator[FieldError]:
    for place, gate in enumerate(gates):
        here = f"{pointer}/{place}"
        named = gate.get("stage") or gate.get("approved", {}).get("stage")
        if named is not None and named not in known:
            detail = _("There is no stage “%(name)s”.") % {"name": named[:100]}
            yield FieldError(here, "unknown_stage", detail)
        if "any" in gate:
            yield from _unknown_stages(gate["any"], f"{here}/any", known)
        if "not" in gate:
            yield from _unknown_stages([gate["not"]], f"{here}/not", known)


#: What expressions may always name (DSL reference, "Runtime expression arguments").
VARIABLES = ("context", "input", "output", "workflow", "runtime", "task", "item", "index", "error")
_BARE = frozenset({"if", "while", "in", "when", "exceptWhen", "until", "from", "as"})
_NAMES = ("/for/each", "/for/at", "/foreach/item", "/foreach/at", "/catch/as")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,40}")


def _wrong_programs(document: Mapping[str, Any]) -> Iterator[FieldError]:
    """Jq is asked whether it understands them; what they then give shows when they run."""
    names, programs = list(VARIABLES), []
    for pointer, place, value in _texts(document, "", ""):
        if pointer.endswith(_NAMES) and not expressions.is_expression(value):
            if not _IDENTIFIER.fullmatch(value):
                yield FieldError(pointer, "name", _("A variable is called by letters and digits."))
            names.append(value)
        elif expressions.is_expression(value) or (
            place in _BARE and "/with/" not in pointer and "/set/" not in pointer
        ):
            programs.append((pointer, expressions.program_of(value)))
    programs += [(at, expressions.program_of(text)) for at, text in _texts_of_ways_back(document)]
    if document.get("evaluate", {}).get("mode") == "loose":
        return
    try:
        expressions.compile_all([program for _pointer, program in programs], sorted(set(names)))
    except expressions.ExpressionFailed as failed:
        pointer = next(pointer for pointer, program in programs if program == failed.program)
        yield FieldError(pointer, "unknown_expression", f"jq: {failed.what}"[:300])


def _texts_of_ways_back(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for task in walk(document):
        for number, said in enumerate(compensations(task.body)):
            here = f"{task.pointer}/metadata/parlance/compensate/{number}/with"
            for pointer, _place, text in _texts(said.get("with", {}), here, ""):
                if expressions.is_expression(text):
                    yield pointer, text


def _texts(value: Any, pointer: str, place: str) -> Iterator[tuple[str, str, str]]:
    """All texts of a document but those of its head and of what our own words say: (place, last name, text)."""
    if isinstance(value, str):
        yield pointer, place, value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            if name not in {"metadata", "schema"} and (pointer or name != "document"):
                yield from _texts(inner, f"{pointer}/{escaped(name)}", name)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _texts(inner, f"{pointer}/{number}", "")


def _own(holder: Mapping[str, Any], words: Any, pointer: str) -> list[FieldError]:
    metadata = holder.get("metadata")
    if not isinstance(metadata, Mapping) or "parlance" not in metadata:
        return []
    return list(_of(words, metadata["parlance"], pointer))


def _of(validator: Any, value: Any, pointer: str) -> Iterator[FieldError]:
    for error in validator.iter_errors(value):
        place = "".join(f"/{escaped(str(part))}" for part in error.instance_path)
        yield FieldError(pointer + place, "invalid", str(error.message)[:300])


@cache
def dsl() -> dict[str, Any]:
    """The published schema."""
    with (_FOLDER / "workflow-1.0.3.json").open(encoding="utf-8") as file:
        return dict(json.load(file))


@cache
def _whole() -> Any:
    return jsonschema_rs.validator_for(dsl())


@cache
def _kind(kind: str) -> Any:
    published = dsl()
    part = {"$schema": published["$schema"], "$ref": f"#/$defs/{kind}Task", "$defs": published["$defs"]}
    return jsonschema_rs.validator_for(part)


@cache
def _document_words() -> Any:
    return jsonschema_rs.validator_for(vocabulary.DOCUMENT)


@cache
def _task_words() -> Any:
    return jsonschema_rs.validator_for(vocabulary.TASK)
