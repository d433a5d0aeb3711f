"""A pack made of what a project has: installed elsewhere, it gives the same."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils.text import slugify
from django.utils.translation import gettext as _

from apps.accounts import selectors as accounts
from apps.accounts.policies import require
from apps.accounts.types import Actor
from apps.core import yaml_text
from apps.core.errors import NotFound
from apps.packs import archive, contents, policies, reading
from apps.packs.contents import There
from apps.packs.types import MANIFEST, ObjectKind

_DEFAULTS: dict[str, Any] = {
    "description": "",
    "title_template": "",
    "unique_keys": [],
    "needed": [],
    "aliases": {},
    "trust": "review",
    "trust_above": 0.9,
}


def exported(
    viewer: Actor,
    *,
    project_id: UUID,
    name: str,
    version: str,
    title: str,
    summary: str,
    licence: str,
    collections: Iterable[str] = (),
) -> bytes:
    """A ZIP. ``collections``: short names, without any all of them; those that their fields point to come along. It is read like any
    other pack before it leaves, so that nobody gets one that cannot be installed.
    """
    project = accounts.get_project(project_id, viewer)
    require(policies.can_export_packs(viewer, accounts.role_in(viewer, project)))
    found = contents.of_project(viewer, project.pk)
    chosen = _chosen(found, set(collections))
    files = _Writer(chosen).files(
        {
            "pack": 1,
            "name": name,
            "version": version,
            "title": title,
            "summary": summary,
            "licence": licence,
            "languages": [viewer.language or settings.LANGUAGE_CODE],
            "requires": {"parlance": f">={settings.PARLANCE_VERSION}"},
        }
    )
    reading.read(files)
    return archive.as_zip(files)


def _chosen(found: list[There], slugs: set[str]) -> list[There]:
    by_slug = {each.address: each for each in found if each.kind == ObjectKind.COLLECTION}
    if unknown := slugs - by_slug.keys():
        sentence = _("There is no collection “%(slug)s”.") % {"slug": min(unknown)[:80]}
        raise NotFound(sentence)
    if not slugs:
        return found
    waiting = set(slugs)
    while waiting:
        pointed = set().union(*(contents.pointed_to(by_slug[slug].content) for slug in waiting))
        waiting = (pointed & by_slug.keys()) - slugs
        slugs |= waiting
    kinds = (ObjectKind.COLLECTION, ObjectKind.TEMPLATE)
    return [each for each in found if each.kind in kinds and each.address.split("/", 1)[0] in slugs]


class _Writer:
    def __init__(self, chosen: Iterable[There]) -> None:
        self._chosen = list(chosen)
        self._files: dict[str, bytes] = {}
        self._taken: set[str] = set()

    def files(self, manifest: dict[str, Any]) -> dict[str, bytes]:
        for each in self._chosen:
            match each.kind:
                case ObjectKind.COLLECTION:
                    self._collection(manifest, each)
                case ObjectKind.TEMPLATE:
                    self._template(manifest, each)
                case ObjectKind.AGENT:
                    self._agent(manifest, each)
                case ObjectKind.WORKFLOW:
                    self._keep(manifest, "workflows", each.address, each.content["document"])
        return {MANIFEST: yaml_text.write(manifest).encode(), **self._files}

    def _keep(self, manifest: dict[str, Any], folder: str, name: str, value: dict[str, Any]) -> None:
        manifest.setdefault(folder, []).append(name)
        self._files[f"{folder}/{name}.yaml"] = yaml_text.write(value).encode()

    def _collection(self, manifest: dict[str, Any], each: There) -> None:
        said = {name: value for name, value in each.content.items() if _DEFAULTS.get(name, ...) != value}
        self._keep(manifest, "collections", each.address, {**said, "document": said.pop("document")})

    def _template(self, manifest: dict[str, Any], each: There) -> None:
        content = each.content
        suffix = "html" if content["format"] == "html" else "md"
        stem = f"{content['collection']}-{slugify(content['name']).replace('_', '-')}"
        file = f"templates/{self._free(stem)}.{suffix}"
        line = {"name": content["name"], "collection": content["collection"], "file": file}
        if content["is_of_set"]:
            line["of"] = "all"
        manifest.setdefault("templates", []).append(line)
        self._files[file] = content["source"].replace("\r\n", "\n").encode()  # as it will be read

    def _agent(self, manifest: dict[str, Any], each: There) -> None:
        if not each.content["instructions"]:
            return  # the assistant that every project has
        said = {name: value for name, value in each.content.items() if value}
        self._keep(manifest, "agents", self._free(slugify(each.content["name"])[:30] or "agent"), said)

    def _free(self, wanted: str) -> str:
        """A name of a file that nothing else has."""
        stem = wanted.strip("-")[:70] or "one"
        found, number = stem, 2
        while found in self._taken:
            found, number = f"{stem}-{number}", number + 1
        self._taken.add(found)
        return found
