"""A new key for everything that is sealed, in small batches while the installation serves."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.db import connection, models, transaction
from django.db.models.functions import Cast

from apps.core import crypto
from apps.core.doors.sealed import sealed_places
from apps.core.leases import scaled
from apps.core.models import KeyCheck

BATCH = 200
PATIENCE_SECONDS = 60.0
POLL_SECONDS = 0.1
_UNDER_WAY = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend' AND xact_start <= %s
"""


def encrypted_fields() -> Iterator[tuple[type[models.Model], crypto.EncryptedTextField]]:
    for model in apps.get_models():
        for field in model._meta.concrete_fields:  # noqa: SLF001  (Django's documented Meta API)
            if isinstance(field, crypto.EncryptedTextField):
                yield model, field


def check_keys() -> None:
    """Compare the key file with what this database was sealed with; raises ``KeysDoNotFit``.

    The first call on a new database leaves one check value a key.
    """
    keys = crypto.key_set()
    checks = list(KeyCheck.objects.all())
    if not all(_opens(check) for check in checks):
        raise crypto.KeysDoNotFit
    if keys.current not in {check.key_id for check in checks}:
        sealed = crypto.seal(crypto.CHECK_TEXT, bound_to=f"key check:{keys.current}")
        KeyCheck.objects.get_or_create(key_id=keys.current, defaults={"sealed": sealed})


def accept_loss() -> list[str]:
    """Go on with the keys that are there. Returns the ids under which this database was sealed with others, which open no more."""
    lost = [check.key_id for check in KeyCheck.objects.order_by("key_id") if not _opens(check)]
    KeyCheck.objects.filter(key_id__in=lost).delete()
    check_keys()
    return lost


def _opens(check: KeyCheck) -> bool:
    try:
        return crypto.unseal(check.sealed, bound_to=f"key check:{check.key_id}") == crypto.CHECK_TEXT
    except crypto.KeysDoNotFit:
        return False


def count_sealed_with_old_keys() -> int:
    current = crypto.key_set().current
    elsewhere = sum(place.count_old(current) for place in sealed_places)
    return elsewhere + sum(_old(model, field, current).count() for model, field in encrypted_fields())


def _old(model: type[models.Model], field: Any, current: str) -> models.QuerySet[Any]:
    rows = model._base_manager.annotate(stored=Cast(field.name, models.TextField()))  # noqa: SLF001  (hidden rows hold secrets too)
    return rows.filter(stored__gt="").exclude(stored__startswith=f"{crypto.VERSION}:{current}:")


def reseal(model: type[models.Model], field: crypto.EncryptedTextField) -> int:
    """Seal one batch again with the current key; returns how many rows it had. A row that is being written waits for the next batch."""
    current = crypto.key_set().current
    with transaction.atomic():
        rows = list(_old(model, field, current).select_for_update(skip_locked=True).order_by("pk")[:BATCH])
        for row in rows:
            setattr(row, field.attname, getattr(row, field.attname))
            row.save(update_fields=[field.attname])
    return len(rows)


def rotate() -> tuple[str, int]:
    """Add a key, seal everything with it. Returns the key's id and the number of values. Safe to repeat after a crash: ``resume``."""
    key_id = crypto.add_key()
    return key_id, resume()


def resume() -> int:
    check_keys()
    done = 0
    for model, field in encrypted_fields():
        while batch := reseal(model, field):
            done += batch
    for place in sealed_places:
        while batch := place.reseal(crypto.key_set().current, BATCH):
            done += batch
    return done


def _await_those_under_way() -> bool:
    """Until every other transaction that runs now has ended; False when one outlasts our patience."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        (begun,) = cursor.fetchone() or (None,)
        give_up = time.monotonic() + scaled(PATIENCE_SECONDS)
        while time.monotonic() < give_up:
            cursor.execute(
                "SELECT pg_stat_clear_snapshot()"
            )  # else a transaction sees the same activity for as long as it lasts
            cursor.execute(_UNDER_WAY, [begun])
            if cursor.fetchone() == (0,):
                return True
            time.sleep(POLL_SECONDS)
    return False


def retire() -> set[str]:
    """Forget keys that seal nothing any more. Backups made before need them: the operator decides when.

    Counted twice: what a transaction sealed before the first count and committed after it is there by the second. When one of
    these takes longer than a minute nothing is forgotten.
    """
    if count_sealed_with_old_keys() or not _await_those_under_way() or count_sealed_with_old_keys():
        return set()
    keys = crypto.key_set()
    old = set(keys.keys) - {keys.current}
    if old:
        KeyCheck.objects.filter(key_id__in=old).delete()
        crypto.drop_keys(old)
    return old
