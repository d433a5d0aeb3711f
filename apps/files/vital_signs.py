"""Is there room for files, and how much do they take?"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable

from django.conf import settings
from django.db.models import Sum
from django.utils.translation import gettext as _

from apps.core.doors.health import Health
from apps.files import storage
from apps.files.models import StorageUse


def check_storage() -> Health:
    """Healthy while the folder can be written and two more files of the largest size fit."""
    folder = storage.incoming()
    if not os.access(folder, os.W_OK):
        return Health(is_healthy=False, detail=_("The folder of files cannot be written."))
    free = shutil.disk_usage(folder).free
    if free < 2 * settings.PARLANCE_MAX_FILE_BYTES:
        return Health(is_healthy=False, detail=_("%(free)s MB are left for files.") % {"free": free >> 20})
    return Health(is_healthy=True, detail="")


def read_used_bytes() -> Iterable[tuple[tuple[str, ...], float]]:
    yield (), float(StorageUse.objects.aggregate(total=Sum("used_bytes"))["total"] or 0)
