"""Small packs, as files and installed."""

from __future__ import annotations

import io
import zipfile
from typing import Any
from uuid import uuid4

from apps.core import yaml_text
from apps.packs import reading, services
from apps.packs.models import InstalledObject, PackInstallation
from apps.packs.types import ObjectKind, Pack

MANIFEST: dict[str, Any] = {
    "pack": 1,
    "name": "zoo",
    "version": "1.0.0",
    "title": "Zoo",
    "summary": "Animals and where they live.",
    "licence": "CC0-1.0",
    "languages": ["en"],
    "requires": {"parlance": ">=0.1"},
    "collections": ["animals", "houses"],
    "templates": [{"name": "Sign", "collection": "animals", "file": "templates/sign.md"}],
    "agents": ["keeper"],
}
ANIMALS: dict[str, Any] = {
    "name": "Animals",
    "title_template": "{name}",
    "unique_keys": [["name"]],
    "needed": ["house"],
    "document": {
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": {"type": "string", "title": "Name"},
            "age": {"type": "integer"},
            "house": {"type": "string", "format": "uuid", "x-relation": "houses"},
        },
    },
}
HOUSES: dict[str, Any] = {
    "name": "Houses",
    "document": {"type": "object", "properties": {"name": {"type": "string", "title": "Name"}}},
}
KEEPER = {"name": "Keeper", "instructions": "Feed them."}
SIGN = "# {{ record.name }}\n"


def files(manifest: dict[str, Any] | None = None, **more: Any) -> dict[str, bytes]:
    """Those of the zoo; ``more`` are files by their path with ``__`` for a slash and none of the ending: None leaves one out."""
    found: dict[str, Any] = {
        "pack.yaml": MANIFEST | (manifest or {}),
        "collections/animals.yaml": ANIMALS,
        "collections/houses.yaml": HOUSES,
        "agents/keeper.yaml": KEEPER,
        "templates/sign.md": SIGN,
    }
    for name, value in more.items():
        place = name.replace("__", "/")
        place += ".md" if place.startswith("templates/") else ".yaml"
        found[place] = value
    return {
        name: value.encode() if isinstance(value, str) else yaml_text.write(value).encode()
        for name, value in found.items()
        if value is not None
    }


def pack(manifest: dict[str, Any] | None = None, *, language: str = "", **more: Any) -> Pack:
    return reading.read(files(manifest, **more), language=language)


def installed(actor: Any, project: Any, found: Pack | None = None, **how: Any) -> Any:
    return services.install_pack(actor=actor, project_id=project.pk, pack=found or pack(), **how)[0]


def row(project: Any, prefix: str, *, objects: int) -> PackInstallation:
    """An installation that stands in the list, without what it would have brought."""
    said = {name: MANIFEST[name] for name in ("name", "version", "title", "summary", "licence")}
    found = PackInstallation.objects.create(
        organization=project.organization, project=project, prefix=prefix, language="en", digest="0" * 64, **said
    )
    for number in range(objects):
        InstalledObject.objects.create(
            organization=project.organization,
            installation=found,
            kind=ObjectKind.AGENT,
            name=f"agent-{number}",
            object_id=uuid4(),
            digest="0" * 64,
        )
    return found


def zipped(entries: dict[str, bytes], *, folder: str = "") -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(folder + name, content)
    return sink.getvalue()
