"""A newer version of a pack: what nobody changed follows it, what somebody changed stays and is listed."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from apps.accounts import selectors as accounts
from apps.accounts.policies import require
from apps.accounts.types import Actor
from apps.bulk import services as bulk
from apps.core.events import emit
from apps.extraction import selectors as records
from apps.packs import contents, naming, policies, selectors
from apps.packs.contents import OWNERS, There
from apps.packs.events import PackUpgraded
from apps.packs.models import InstalledObject, PackInstallation
from apps.packs.reading import content_digest
from apps.packs.services.installing import bring, by_address, refuse_clashes, said_by
from apps.packs.types import (
    Kept,
    ObjectKind,
    Origin,
    Pack,
    PackIsAnother,
    PackObject,
    PackVersionOlder,
    Report,
    version_key,
)


def require_manager(*, actor: Actor, installation_id: UUID) -> PackInstallation:
    """Before a pack is read: whoever may not bring it hears nothing of what is wrong with it."""
    found = selectors.get_installation(installation_id=installation_id, viewer=actor)
    require(policies.can_manage_packs(actor, accounts.project_role(actor, found.project_id)))
    return found


@transaction.atomic
def upgrade_pack(
    *, actor: Actor, installation_id: UUID, pack: Pack, origin: str = Origin.UPLOADED
) -> tuple[PackInstallation, Report]:
    """In the report, ``kept`` names what somebody changed or deleted since, or what the pack has no more but somebody uses.

    Records of collections whose fields changed are brought along by operations (``records.migrate``), named in ``operations``.
    """
    installation = selectors.lock_installation(installation_id=installation_id, viewer=actor)
    project = accounts.lock_project(installation.project_id, actor)
    require(policies.can_manage_packs(actor, accounts.role_in(actor, project)))
    if pack.name != installation.name:
        raise PackIsAnother
    if pack.digest == installation.digest:
        return selectors.get_installation(installation_id=installation.pk, viewer=actor), Report()
    if pack.key < version_key(installation.version):
        raise PackVersionOlder(version=installation.version)
    named, old_version = naming.under(pack, installation.prefix), installation.version
    report = _followed(actor, installation, named)
    PackInstallation.objects.filter(pk=installation.pk).update(origin=origin, updated_at=Now(), **said_by(pack))
    fact = PackUpgraded(
        installation.pk,
        old_version,
        pack.version,
        len(report.made),
        len(report.changed),
        len(report.removed),
        len(report.kept),
    )
    emit(fact, actor=actor, scope=installation.scope, subject=("pack_installation", installation.pk))
    return selectors.get_installation(installation_id=installation.pk, viewer=actor), report


def _followed(actor: Actor, installation: PackInstallation, pack: Pack) -> Report:
    rows = {(row.kind, row.name): row for row in selectors.list_objects(installation)}
    found = contents.of_project(actor, installation.project_id)
    by_id = {each.object_id: each for each in found}
    wanted = {(each.kind, each.name): each for each in pack.objects}
    fresh = [each for place, each in wanted.items() if place not in rows]
    refuse_clashes(fresh, by_address(found))
    # New things first: fields of the old ones may point to them.
    report = bring(actor, installation, fresh, by_address(found))
    for each in contents.in_order(each for place, each in wanted.items() if place in rows):
        row = rows[each.kind, each.name]
        _follow(actor, row, each, by_id.get(row.object_id), report)
    dropped = [row for place, row in rows.items() if place not in wanted]
    take_away(actor, installation, dropped, by_id, report, everything=False)
    return report


def _follow(actor: Actor, row: InstalledObject, each: PackObject, now: There | None, report: Report) -> None:
    new = content_digest(each.content)
    if now is None:
        report.kept.append(Kept(each.kind, each.name, "gone"))
        return
    if now.digest == new:
        _keep_digest(row, new)
        return
    if now.digest != row.digest:
        if new != row.digest:  # the pack says something else now, too: which of both, a person decides
            report.kept.append(Kept(each.kind, each.name, "changed", row.object_id))
        return
    OWNERS[each.kind].change(actor, row.object_id, each.content)
    _keep_digest(row, new)
    report.changed.append((each.kind, each.name))
    if each.kind == ObjectKind.COLLECTION and now.content["document"] != each.content["document"]:
        _bring_records(actor, row.object_id, report)


def _keep_digest(row: InstalledObject, digest: str) -> None:
    if row.digest != digest:
        InstalledObject.objects.filter(pk=row.pk).update(digest=digest)


def _bring_records(actor: Actor, collection_id: UUID, report: Report) -> None:
    collection = records.get_collection(collection_id=collection_id, viewer=actor)
    if not records.count_records([collection]).get(collection.pk):
        return
    operation = bulk.create_operation(
        actor=actor,
        project_id=collection.project_id,
        kind="records.migrate",
        params={"collection": str(collection.pk)},
        start=True,
    )
    report.operations.append(operation.pk)


def take_away(
    actor: Actor,
    installation: PackInstallation,
    rows: list[InstalledObject],
    there: dict[UUID, There],
    report: Report,
    *,
    everything: bool,
) -> None:
    """What can go goes, until nothing more does: a collection waits for those that point to it. What stays is named with the reason.
    In the end none of it belongs to the installation.
    """
    others = _also_of_others(rows, installation)
    waiting = sorted(rows, key=lambda row: -ObjectKind.values.index(row.kind))
    reasons: dict[UUID, str] = {}
    while waiting:
        stays = []
        for row in waiting:
            reason = _reason(row, there.get(row.object_id), others, everything=everything)
            kind = ObjectKind(row.kind)
            reason = reason or OWNERS[kind].remove(actor, row.object_id, with_data=everything)
            if reason:
                reasons[row.pk] = reason
                stays.append(row)
            else:
                report.removed.append((kind, row.name))
        if len(stays) == len(waiting):
            break
        waiting = stays
    named = [Kept(ObjectKind(row.kind), row.name, reasons[row.pk], row.object_id) for row in waiting]
    report.kept += [each for each in named if each.reason != "gone"]
    InstalledObject.objects.filter(pk__in=[row.pk for row in rows]).delete()


def _reason(row: InstalledObject, now: There | None, others: set[UUID], *, everything: bool) -> str:
    if now is None:
        return "gone"
    if not row.is_own:
        return "not_ours"
    if row.object_id in others:
        return "in_use"
    if not everything and now.digest != row.digest:
        return "changed"
    return ""


def _also_of_others(rows: list[InstalledObject], installation: PackInstallation) -> set[UUID]:
    """Other packs found these there, equal to their own: they need them."""
    wanted = [row.object_id for row in rows]
    found = InstalledObject.objects.filter(object_id__in=wanted, organization=installation.organization_id)
    return set(found.exclude(installation=installation).values_list("object_id", flat=True))
