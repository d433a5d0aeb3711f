"""A pack goes, and what it brought with it, as far as nobody has anything in it."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from apps.accounts import selectors as accounts
from apps.accounts.policies import require
from apps.accounts.types import Actor
from apps.core.events import emit
from apps.packs import contents, policies, selectors
from apps.packs.events import PackRemoved
from apps.packs.models import PackInstallation
from apps.packs.services.upgrading import take_away
from apps.packs.types import Report


@transaction.atomic
def remove_pack(*, actor: Actor, installation_id: UUID, everything: bool = False) -> Report:
    """What it made, nobody changed and nothing is in goes; ``kept`` says what stays and why. With ``everything`` what was changed and
    what has records goes too: collections can be brought back for 30 days.
    """
    installation = selectors.lock_installation(installation_id=installation_id, viewer=actor)
    project = accounts.lock_project(installation.project_id, actor)
    require(policies.can_manage_packs(actor, accounts.role_in(actor, project)))
    report = Report()
    there = {each.object_id: each for each in contents.of_project(actor, project.pk)}
    rows = selectors.list_objects(installation)
    take_away(actor, installation, rows, there, report, everything=everything)
    fact = PackRemoved(
        installation.pk, installation.version, len(report.removed), len(report.kept), with_data=everything
    )
    PackInstallation.objects.filter(pk=installation.pk).delete()
    emit(fact, actor=actor, scope=installation.scope, subject=("pack_installation", installation.pk))
    return report
