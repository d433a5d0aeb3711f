"""A definition's document as it is read: its tasks, their kinds and paths, its stages. ``checks`` says whether it can be used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

#: A task is of the kind whose word it has; ``for`` and ``listen`` come before what they contain.
KINDS = ("call", "do", "emit", "for", "fork", "listen", "raise", "run", "set", "switch", "try", "wait")
DIRECTIVES = frozenset({"continue", "exit", "end"})


@dataclass(frozen=True, slots=True)
class Task:
    """One task of a document. ``path`` names it in steps: names and places, joined by slashes."""

    name: str
    kind: str
    body: dict[str, Any]
    path: str
    pointer: str


def kind_of(body: Any) -> str:
    """Empty when it is none, or more than one. A loop has ``do`` beside ``for``."""
    if not isinstance(body, Mapping):
        return ""
    found = [kind for kind in KINDS if kind in body]
    if found == ["do", "for"]:
        return "for"
    return found[0] if len(found) == 1 else ""


def stage_of(body: Mapping[str, Any]) -> dict[str, Any] | None:
    """The stage that a task of the top level is."""
    return body.get("metadata", {}).get("parlance", {}).get("stage")


def input_schema(document: Mapping[str, Any]) -> Any:
    """The JSON schema of what a run is begun with; None where the document says nothing of it."""
    return (document.get("input") or {}).get("schema", {}).get("document")


def compensations(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What takes the effect of a task back, in order."""
    return list(body.get("metadata", {}).get("parlance", {}).get("compensate", []))


def stages(document: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Of a checked document: name and stage, in order."""
    return [
        (name, stage) for item in document["do"] for name, body in item.items() if (stage := stage_of(body)) is not None
    ]


def stage_titles(document: Mapping[str, Any]) -> dict[str, str]:
    """By the names of the stages."""
    return {name: stage["title"] for name, stage in stages(document)}


_FIRST = ("document", "dsl", "namespace", "name", "version", "title", "summary", "metadata", "if", "input", "use")
_LAST = ("do", "output", "export", "then")


def in_order(value: Any) -> Any:
    """As people write it: the database keeps no order of names."""
    if isinstance(value, Mapping):
        return {name: in_order(value[name]) for name in sorted(value, key=_place)}
    return [in_order(each) for each in value] if isinstance(value, list) else value


def _place(name: str) -> int:
    if name in _FIRST:
        return _FIRST.index(name)
    return 100 + _LAST.index(name) if name in _LAST else 50


def lists_in(kind: str, body: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """The lists of tasks inside a task: (name in paths, place in the document, list)."""
    match kind:
        case "do" | "for":
            yield "do", "do", body.get("do")
        case "fork":
            yield "fork", "fork/branches", (body.get("fork") or {}).get("branches")
        case "try":
            yield "try", "try", body.get("try")
            if "do" in (body.get("catch") or {}):
                yield "catch", "catch/do", body["catch"]["do"]
        case "listen":
            if "do" in (body.get("foreach") or {}):
                yield "foreach", "foreach/do", body["foreach"]["do"]


def walk(document: Mapping[str, Any]) -> Iterator[Task]:
    """All tasks of a checked document, those inside others after them."""
    yield from _walk(document["do"], "", "/do")


def _walk(tasks: list[Any], path: str, pointer: str) -> Iterator[Task]:
    for place, item in enumerate(tasks):
        for name, body in item.items():
            here, where = (f"{path}/{name}" if path else name), f"{pointer}/{place}/{escaped(name)}"
            kind = kind_of(body)
            yield Task(name, kind, body, here, where)
            for part, inside, inner in lists_in(kind, body):
                yield from _walk(inner, f"{here}/{part}", f"{where}/{inside}")


def escaped(name: str) -> str:
    """As a part of a JSON pointer."""
    return name.replace("~", "~0").replace("/", "~1")
