"""Words, limits, shapes and refusals of packs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.core.errors import Conflict, DomainError, Invalid

MANIFEST = "pack.yaml"
MAX_FILES = 400
MAX_FILE_BYTES = 512 * 1024
MAX_PACK_BYTES = 4 * (1 << 20)
MAX_ARCHIVE_BYTES = 4 * (1 << 20)
MAX_LISTED = 100  # of what clashes or is wrong, told at once


class ObjectKind(models.TextChoices):
    """In the order they are made; they go the other way round."""

    COLLECTION = "collection", _("Collection")
    TEMPLATE = "template", _("Template")
    AGENT = "agent", _("Agent")
    WORKFLOW = "workflow", _("Workflow")


class ObjectState(models.TextChoices):
    """Of what a pack brought, against what is there."""

    AS_BROUGHT = "as_brought", _("As the pack brought it")
    CHANGED = "changed", _("Changed since")
    GONE = "gone", _("Deleted since")


class Origin(models.TextChoices):
    """Where an installed pack came from."""

    SHIPPED = "shipped", _("Comes with the installation")
    UPLOADED = "uploaded", _("Uploaded")


@dataclass(frozen=True, slots=True)
class PackObject:
    """One thing that a pack brings. ``name`` is unique among its kind in the pack; ``content`` is what it says, the same as that of
    the thing once it is there (``contents``). ``place``: the file that it stands in, for what is wrong with it.
    """

    kind: ObjectKind
    name: str
    content: dict[str, Any]
    place: str = ""


@dataclass(frozen=True, slots=True)
class Sample:
    """Words that show what the pack does: to be sent in a conversation."""

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Pack:
    """A pack that was read and checked, in one language. ``digest`` is of all of its files."""

    name: str
    version: str
    title: str
    summary: str
    licence: str
    language: str
    languages: tuple[str, ...]
    requires: str
    digest: str
    objects: tuple[PackObject, ...]
    samples: tuple[Sample, ...] = ()

    def of(self, kind: ObjectKind) -> list[PackObject]:
        return [each for each in self.objects if each.kind == kind]

    @property
    def key(self) -> tuple[int, int, int]:
        return version_key(self.version)


def version_key(version: str) -> tuple[int, int, int]:
    """Of ``1.2.3``, which the format asks for."""
    major, minor, patch = map(int, version.split("."))
    return major, minor, patch


#: Why something stays as it is.
KEPT_REASONS = ("changed", "gone", "has_data", "pointed_to", "in_use", "not_ours", "needed")


@dataclass(frozen=True, slots=True)
class Kept:
    """Something that stays as it is, and why (``KEPT_REASONS``)."""

    kind: ObjectKind
    name: str
    reason: str
    object_id: UUID | None = None


@dataclass(slots=True)
class Report:
    """What an installation, upgrade or removal did. Names are those of the pack."""

    made: list[tuple[ObjectKind, str]] = field(default_factory=list)
    changed: list[tuple[ObjectKind, str]] = field(default_factory=list)
    removed: list[tuple[ObjectKind, str]] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)
    operations: list[UUID] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        named = {
            name: [{"kind": str(kind), "name": each} for kind, each in getattr(self, name)]
            for name in ("made", "changed", "removed")
        }
        kept = [{"kind": str(each.kind), "name": each.name, "reason": each.reason} for each in self.kept]
        return {**named, "kept": kept, "operations": [str(pk) for pk in self.operations]}


class PackRejected(Invalid):
    """``fields`` name the file and the place in it: ``collections/tickets.yaml#/title``."""

    code = "pack_rejected"
    title = _("This pack cannot be used")
    default_detail = _("This pack cannot be used. What is wrong where stands in its list.")


class PackClashes(Conflict):
    """``clashes`` name what the project has of the same name and another content. Nothing was installed."""

    code = "pack_clashes"
    title = _("The project has something of the same name")
    default_detail = _(
        "The project has other things with these names. Rename them, or install the pack under a prefix."
    )


class PackInstalledAlready(Conflict):
    """``installation`` is the one, with its ``version``."""

    code = "pack_installed_already"
    default_detail = _("Another version of this pack is installed in the project. Upgrade that one.")


class PackVersionOlder(Conflict):
    code = "pack_version_older"
    default_detail = _("A newer version of this pack is installed. Packs only go forward.")


class PackNeedsNewer(DomainError):
    """``requires`` is what the pack asks for, ``version`` what this is."""

    code = "pack_needs_newer"
    status = 422
    title = _("This pack is for another version")
    default_detail = _("This pack is for another version of Parlance.")


class PackIsAnother(Conflict):
    code = "pack_is_another"
    default_detail = _("This is another pack than the one that is installed.")
