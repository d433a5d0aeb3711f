"""Fields as a model or a person names them, as far as they are any; and the schema that they make. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from apps.extraction import schema, schema_forms
from apps.extraction.schema_forms import FieldForm, FieldKind
from apps.extraction.wish_types import DESCRIBED_KINDS, KINDS, MAX_WISH_FIELDS

_MOST_CHOICES = 50
_LONGEST = 80


def tolerated(fields: Any) -> list[dict[str, Any]]:
    """Of records that are made up; without any there is a name."""
    found = [
        {name: each[name] for name in ("name", "title", "kind", "choices")}
        for each in _read(fields, KINDS, relations=())
    ]
    return found or [{"name": "name", "title": "Name", "kind": "text", "choices": []}]


def described(fields: Any, relations: Collection[str]) -> list[dict[str, Any]]:
    """Of a collection that is described. ``relations``: short names that a field may point to. What points elsewhere is text, and keeps
    the ``relation`` that was meant (``lost``).
    """
    return list(_read(fields, DESCRIBED_KINDS, relations))


def lost(fields: Sequence[dict[str, Any]]) -> dict[str, str]:
    """By the names of fields where they were to point to, of those that are text because there is no such collection."""
    return {each["name"]: each["relation"] for each in fields if each["kind"] == "text" and each.get("relation")}


def renamed(fields: Sequence[dict[str, Any]], before: str, after: str) -> list[dict[str, Any]]:
    """What points to the described collection itself goes on to do so under its new short name."""
    return [each | {"relation": after} if each.get("relation") == before else each for each in fields]


def _read(fields: Any, kinds: Sequence[str], relations: Collection[str]) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for place, each in enumerate(fields if isinstance(fields, list) else [], 1):
        if not isinstance(each, dict) or not (name := _name(str(each.get("name", "")), place)):
            continue
        said = each.get("choices")
        given = said if isinstance(said, list) else []
        choices = list(dict.fromkeys(str(one).strip()[:_LONGEST] for one in given if str(one).strip()))[:_MOST_CHOICES]
        relation = str(each.get("relation") or "").replace("\x00", "")[:_LONGEST]
        if each.get("kind") != "relation" or "relation" not in kinds:
            relation = ""
        kind = each.get("kind") if each.get("kind") in kinds else "text"
        if (kind == "choice" and not choices) or (kind == "relation" and relation not in relations):
            kind = "text"
        one = {
            "name": name,
            "title": " ".join(str(each.get("title") or each.get("name")).replace("\x00", "").split())[:_LONGEST],
            "kind": kind,
            "choices": choices if kind == "choice" else [],
            "required": each.get("required") is True,
            "is_list": each.get("is_list") is True,
            "relation": relation,
        }
        found.setdefault(name, one)
    return list(found.values())[:MAX_WISH_FIELDS]


def _name(said: str, place: int) -> str:
    """Words in letters that no property has go by their place."""
    return schema_forms.name_of(said) or (f"field_{place}" if any(map(str.isalnum, said)) else "")


def document_of(fields: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The first field is what each record needs, unless it is said which are."""
    says = any("required" in each for each in fields)
    return schema_forms.from_fields(
        [
            FieldForm(
                name=each["name"],
                kind=FieldKind(each["kind"]),
                title=each["title"] if each["title"] != schema.title_of(each["name"]) else "",
                required=each.get("required", False) if says else place == 0,
                is_list=each.get("is_list", False),
                choices=tuple(each["choices"]),
                relation=each.get("relation", "") if each["kind"] == "relation" else "",
            )
            for place, each in enumerate(fields)
        ]
    )
