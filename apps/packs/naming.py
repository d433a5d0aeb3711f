"""A pack under a prefix: every name that must be one's own in a project gets it, and what points to such a name follows. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from django.utils.translation import gettext_lazy as _

from apps.core.errors import FieldError
from apps.core.rules import SLUG
from apps.packs.contents import repointed
from apps.packs.types import ObjectKind, Pack, PackObject, PackRejected

MAX_PREFIX = 20
_MAX_SLUG = 60
#: Keys of a workflow whose value names something that a pack brings.
_POINTERS = {
    "collection": ObjectKind.COLLECTION,
    "collections": ObjectKind.COLLECTION,
    "agent": ObjectKind.AGENT,
    "workflow": ObjectKind.WORKFLOW,
}


def under(pack: Pack, prefix: str) -> Pack:
    """The same pack without a prefix. ``PackRejected`` when a name gets too long with it."""
    if not prefix:
        return pack
    prefix = SLUG.of(MAX_PREFIX)(prefix, field="prefix")
    slugs = {each.name: f"{prefix}-{each.name}" for each in pack.of(ObjectKind.COLLECTION)}
    flows = {each.name: f"{prefix}-{each.name}" for each in pack.of(ObjectKind.WORKFLOW)}
    agents = {each.content["name"]: f"{prefix} {each.content['name']}" for each in pack.of(ObjectKind.AGENT)}
    if any(len(name) > _MAX_SLUG for name in (*slugs.values(), *flows.values())):
        raise PackRejected(fields=[FieldError("prefix", "too_long", str(_("Names get too long with this prefix.")))])
    names = {ObjectKind.COLLECTION: slugs, ObjectKind.WORKFLOW: flows, ObjectKind.AGENT: agents}
    return replace(pack, objects=tuple(_named(each, prefix, names) for each in pack.objects))


def _named(each: PackObject, prefix: str, names: Mapping[ObjectKind, Mapping[str, str]]) -> PackObject:
    content, slugs = each.content, names[ObjectKind.COLLECTION]
    match each.kind:
        case ObjectKind.COLLECTION:
            document = repointed(content["document"], slugs)
            called = f"{content['name']} ({prefix})"[:80]
            return replace(each, name=slugs[each.name], content={**content, "name": called, "document": document})
        case ObjectKind.TEMPLATE:
            slug = slugs[content["collection"]]
            name = f"{slug}/{each.name.split('/', 1)[1]}"
            return replace(each, name=name, content={**content, "collection": slug})
        case ObjectKind.AGENT:
            called = names[ObjectKind.AGENT][content["name"]]
            return replace(each, content={**content, "name": called[:80]})
    document = _pointing(content["document"], names)
    document["document"] = {**document["document"], "name": names[ObjectKind.WORKFLOW][each.name]}
    return replace(each, name=names[ObjectKind.WORKFLOW][each.name], content={"document": document})


def _pointing(value: Any, names: Mapping[ObjectKind, Mapping[str, str]]) -> Any:
    if isinstance(value, list):
        return [_pointing(each, names) for each in value]
    if not isinstance(value, dict):
        return value
    found: dict[str, Any] = {}
    for key, each in value.items():
        known = names.get(_POINTERS[key], {}) if key in _POINTERS else {}
        if isinstance(each, str):
            found[key] = known.get(each, each)
        elif isinstance(each, list) and known:
            found[key] = [known.get(one, one) if isinstance(one, str) else _pointing(one, names) for one in each]
        elif key == "workflow" and isinstance(each, dict) and isinstance(each.get("name"), str):  # ``run``
            found[key] = {**_pointing(each, names), "name": known.get(each["name"], each["name"])}
        else:
            found[key] = _pointing(each, names)
    return found
