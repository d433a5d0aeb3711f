"""A pack comes into a project, at once or not at all."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.db import transaction

from apps.accounts import selectors as accounts
from apps.accounts.policies import require
from apps.accounts.types import Actor
from apps.core.events import emit
from apps.packs import contents, naming, policies, selectors
from apps.packs.contents import OWNERS, There
from apps.packs.events import PackInstalled
from apps.packs.models import InstalledObject, PackInstallation
from apps.packs.reading import content_digest
from apps.packs.types import (
    MAX_LISTED,
    ObjectKind,
    Origin,
    Pack,
    PackClashes,
    PackInstalledAlready,
    PackObject,
    Report,
)


@transaction.atomic
def install_pack(
    *, actor: Actor, project_id: UUID, pack: Pack, origin: str = Origin.UPLOADED, prefix: str = ""
) -> tuple[PackInstallation, Report]:
    """``PackClashes`` lists what the project has of the same name with other content; what is equal is taken as it is. The same pack
    again changes nothing; another version of it raises ``PackInstalledAlready``. The project's lock lets one in at a time.
    """
    project = accounts.lock_project(project_id, actor)
    require(policies.can_manage_packs(actor, accounts.role_in(actor, project)))
    named = naming.under(pack, prefix)
    if earlier := selectors.find_installation(actor, project_id=project.pk, name=pack.name, prefix=prefix):
        if earlier.digest == pack.digest:
            return selectors.get_installation(installation_id=earlier.pk, viewer=actor), Report()
        raise PackInstalledAlready(installation=str(earlier.pk), version=earlier.version)
    there = by_address(contents.of_project(actor, project.pk))
    refuse_clashes(named.objects, there)
    installation = PackInstallation.objects.create(
        organization_id=project.organization_id,
        project=project,
        name=pack.name,
        prefix=prefix,
        origin=origin,
        installed_by_id=actor.user_id,
        **said_by(pack),
    )
    report = bring(actor, installation, named.objects, there)
    made = len(report.made)
    found = InstalledObject.objects.filter(installation=installation, is_own=False).count()
    fact = PackInstalled(installation.pk, pack.version, made, found)
    emit(fact, actor=actor, scope=installation.scope, subject=("pack_installation", installation.pk))
    return selectors.get_installation(installation_id=installation.pk, viewer=actor), report


def said_by(pack: Pack) -> dict[str, object]:
    """What an installation keeps of its pack."""
    samples = [{"title": each.title, "text": each.text} for each in pack.samples]
    names = ("version", "title", "summary", "licence", "language", "digest")
    return {name: getattr(pack, name) for name in names} | {"samples": samples}


def by_address(found: Iterable[There]) -> dict[tuple[ObjectKind, str], There]:
    return {(each.kind, each.address): each for each in found}


def place_of(each: PackObject) -> tuple[ObjectKind, str]:
    return each.kind, contents.address_of(each.kind, each.name, each.content)


def refuse_clashes(objects: Iterable[PackObject], there: dict[tuple[ObjectKind, str], There]) -> None:
    clashes = [
        {"kind": str(each.kind), "name": each.name, "id": str(now.object_id)}
        for each in objects
        if (now := there.get(place_of(each))) and now.digest != content_digest(each.content)
    ]
    if clashes:
        raise PackClashes(clashes=clashes[:MAX_LISTED])


def bring(
    actor: Actor,
    installation: PackInstallation,
    objects: Iterable[PackObject],
    there: dict[tuple[ObjectKind, str], There],
) -> Report:
    """Make what is not there; what is there is equal. Collections that point in a circle are made plain, and get their relations last."""
    report = Report()
    later: list[tuple[PackObject, UUID]] = []
    made = {address for kind, address in there if kind == ObjectKind.COLLECTION}
    for each in contents.in_order(objects):
        if now := there.get(place_of(each)):
            note(installation, each, now.object_id, is_own=False)
            continue
        content, ahead = each.content, set[str]()
        if each.kind == ObjectKind.COLLECTION:
            ahead = contents.pointed_to(content) - made - {each.name}
            plain = contents.without_relations(content["document"], ahead)
            content = {**content, "slug": each.name, "document": plain}
            made.add(each.name)
        object_id = OWNERS[each.kind].make(actor, installation.project_id, content)
        note(installation, each, object_id, is_own=True)
        report.made.append((each.kind, each.name))
        if ahead:
            later.append((each, object_id))
    for each, object_id in later:
        OWNERS[each.kind].change(actor, object_id, {"document": each.content["document"]})
    return report


def note(installation: PackInstallation, each: PackObject, object_id: UUID, *, is_own: bool) -> None:
    InstalledObject.objects.create(
        organization_id=installation.organization_id,
        installation=installation,
        kind=each.kind,
        name=each.name,
        object_id=object_id,
        digest=content_digest(each.content),
        is_own=is_own,
    )
