"""How many records a collection has, known without counting them."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import TenantModel
from apps.extraction.models.records import Collection


class RecordTally(TenantModel):
    """So many more, or fewer, records of a collection that are not deleted; the sum of a collection's rows is how many there are.

    Triggers on the table of records write them (migration 0013), however rows come and go; a sweep adds them up. Nobody who writes
    a record waits for somebody else at a counter.
    """

    collection = models.ForeignKey(Collection, on_delete=models.CASCADE, related_name="+")
    number = models.IntegerField()

    class Meta:
        verbose_name = _("record tally")
        verbose_name_plural = _("record tallies")

    def __str__(self) -> str:
        return f"{self.collection_id} {self.number:+d}"
