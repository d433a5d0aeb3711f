"""How many records a collection has, known without counting them; and what the upkeep still has to look at."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
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


class TargetChange(TenantModel):
    """A record was deleted, or came back: those that point to it are looked at again, in pieces (``services.reshape_records``).

    A plain id, since a foreign key would wait for whoever has the record. ``after`` is the last of those that point there, by id, that was
    looked at; ``held`` are those before it that somebody else had then. The row goes when all were.
    """

    target_id = models.UUIDField(editable=False)
    after = models.UUIDField(null=True, editable=False)
    held = ArrayField(models.UUIDField(), default=list, db_default=[], editable=False)

    class Meta:
        indexes = [models.Index(fields=["updated_at"], name="extraction_targetchange_oldest")]

    def __str__(self) -> str:
        return f"{self.target_id} after {self.after}"
