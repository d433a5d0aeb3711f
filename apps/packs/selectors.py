"""Every shared read of installed packs. Strangers get the same ``NotFound`` as for a random id."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from apps.accounts import selectors as accounts
from apps.accounts.policies import can_manage_project
from apps.accounts.types import Actor
from apps.core.errors import NotFound
from apps.packs import contents, policies
from apps.packs.models import InstalledObject, PackInstallation
from apps.packs.types import ObjectKind, ObjectState, Origin


@dataclass(frozen=True, slots=True)
class BroughtObject:
    """A thing that a pack brought, and what became of it. ``title`` is what it is called now."""

    row: InstalledObject
    state: ObjectState
    title: str


def visible_to(viewer: Actor) -> QuerySet[PackInstallation]:
    """Everyone who sees the project sees which packs are in it."""
    if not policies.has_read_scope(viewer):
        return PackInstallation.objects.none()
    return PackInstallation.objects.filter(accounts.project_filter(viewer, field="project"))


def list_installations(viewer: Actor, *, project_id: UUID | None = None) -> QuerySet[PackInstallation]:
    """With ``object_count``."""
    of_it = InstalledObject.objects.filter(installation=OuterRef("pk")).order_by().values("installation")
    rows = visible_to(viewer).annotate(object_count=Coalesce(Subquery(of_it.annotate(n=Count("pk")).values("n")), 0))
    return rows.filter(project_id=project_id) if project_id else rows


def get_installation(*, installation_id: UUID, viewer: Actor) -> PackInstallation:
    if (found := list_installations(viewer).filter(pk=installation_id).first()) is None:
        raise NotFound
    return found


def lock_installation(*, installation_id: UUID, viewer: Actor) -> PackInstallation:
    if (found := visible_to(viewer).select_for_update(of=("self",)).filter(pk=installation_id).first()) is None:
        raise NotFound
    return found


def find_installation(viewer: Actor, *, project_id: UUID, name: str, prefix: str = "") -> PackInstallation | None:
    return visible_to(viewer).filter(project=project_id, name=name, prefix=prefix).first()


def list_samples(viewer: Actor, *, project_id: UUID) -> list[dict[str, str]]:
    """Of the pack that came first; words to try it with."""
    rows = visible_to(viewer).filter(project=project_id).exclude(samples=[]).order_by("created_at", "pk")
    found: list[dict[str, str]] = rows.values_list("samples", flat=True).first() or []
    return found


def list_objects(installation: PackInstallation) -> list[InstalledObject]:
    """Of an installation the caller may see, in the order that kinds are made."""
    rows = InstalledObject.objects.filter(installation=installation)
    return sorted(rows, key=lambda row: (ObjectKind.values.index(row.kind), row.name))


def brought_by(installation: PackInstallation, viewer: Actor) -> list[BroughtObject]:
    """What it brought, each with what became of it. What is gone is told to managers alone: to others it may be closed only."""
    is_manager = can_manage_project(viewer, accounts.project_role(viewer, installation.project_id))
    there = {each.object_id: each for each in contents.of_project(viewer, installation.project_id)}
    found = []
    for row in list_objects(installation):
        now = there.get(row.object_id)
        if now is None and not is_manager:
            continue
        state = ObjectState.GONE if now is None else state_of(row, now)
        found.append(BroughtObject(row, state, _title(now) if now else row.name))
    return found


def state_of(row: InstalledObject, now: contents.There) -> ObjectState:
    return ObjectState.AS_BROUGHT if now.digest == row.digest else ObjectState.CHANGED


def _title(now: contents.There) -> str:
    if now.kind == ObjectKind.WORKFLOW:
        said = now.content["document"]["document"]
        return str(said.get("title") or said["name"])
    return str(now.content["name"])


def stats_installed() -> dict[str, int]:
    """Of the whole installation, by origin."""
    rows = PackInstallation.objects.order_by().values_list("origin").annotate(Count("pk"))
    return dict.fromkeys(Origin.values, 0) | dict(rows)
