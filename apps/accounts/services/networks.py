"""The operators' list of networks that are known for attacks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_network

from django.db import transaction

from apps.accounts import events, policies
from apps.accounts.models import BlockedNetwork
from apps.accounts.types import Actor, NetworkListRefused
from apps.core.errors import FieldError
from apps.core.events import emit
from apps.core.types import Scope

WIDEST = {4: 8, 6: 16}  # a slip of the pen must not shut out half of the world
MAX_REASON = 200
MAX_ERRORS = 20


@dataclass(frozen=True, slots=True)
class Loaded:
    added: int
    changed: int
    kept: int
    removed: int


def read_list(lines: Iterable[str]) -> dict[str, str]:
    """Network → reason. One network or address a line; what follows ``;`` or ``#`` is the reason (as Spamhaus DROP writes it).

    Raises ``NetworkListRefused`` with the first lines that are none.
    """
    found: dict[str, str] = {}
    errors: list[FieldError] = []
    for number, line in enumerate(lines, start=1):
        mark = min((line.find(each) for each in ";#" if each in line), default=len(line))
        text, reason = line[:mark].strip(), line[mark:].strip(";# \r\n\t")
        if not text:
            continue
        try:
            network = ip_network(text, strict=False)
        except ValueError:
            errors.append(FieldError(f"line {number}", "network", text[:60]))
            continue
        if network.prefixlen < WIDEST[network.version]:
            errors.append(FieldError(f"line {number}", "too_wide", text[:60]))
        found[str(network)] = reason[:MAX_REASON]
    if errors:
        raise NetworkListRefused(fields=errors[:MAX_ERRORS])
    return found


@transaction.atomic
def block_networks(
    *, actor: Actor, networks: dict[str, str], expires_at: datetime | None = None, replaces: bool = False
) -> Loaded:
    """Add what is new and change what is different, all or nothing. ``replaces``: what the list does not hold goes."""
    policies.require(policies.can_operate(actor))
    known = {row.network: row for row in BlockedNetwork.objects.select_for_update()}
    added = [name for name in networks if name not in known]
    changed = [
        row
        for name, reason in networks.items()
        if (row := known.get(name)) and (row.reason, row.expires_at) != (reason, expires_at)
    ]
    gone = [row.pk for name, row in known.items() if replaces and name not in networks]
    BlockedNetwork.objects.bulk_create(
        [BlockedNetwork(network=name, reason=networks[name], expires_at=expires_at) for name in added], batch_size=1000
    )
    for row in changed:
        row.reason, row.expires_at = networks[row.network], expires_at
    BlockedNetwork.objects.bulk_update(changed, ["reason", "expires_at"], batch_size=1000)
    BlockedNetwork.objects.filter(pk__in=gone).delete()
    done = Loaded(len(added), len(changed), len(networks) - len(added) - len(changed), len(gone))
    _announce(actor, done)
    return done


@transaction.atomic
def unblock_networks(*, actor: Actor, networks: list[str]) -> int:
    policies.require(policies.can_operate(actor))
    count, _each = BlockedNetwork.objects.filter(network__in=networks).delete()
    _announce(actor, Loaded(0, 0, 0, count))
    return count


def _announce(actor: Actor, done: Loaded) -> None:
    if done.added or done.changed or done.removed:
        emit(
            events.BlockedNetworksChanged(added=done.added, removed=done.removed, changed=done.changed),
            actor=actor,
            scope=Scope("instance:home"),
            subject=("blocked_networks", None),
        )
