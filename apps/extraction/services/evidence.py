"""The words behind the fields of a record, as they are kept with it."""

from __future__ import annotations

from apps.extraction import shape
from apps.extraction.models import ExtractionRun, FieldSource, Proposal, Record


def keep_sources(run: ExtractionRun, proposal: Proposal, record: Record, edited: tuple[str, ...]) -> None:
    """What a person wrote over has no source in the words any more."""
    kept = [each for each in proposal.sources if each["field"].split("/")[1] not in edited]
    FieldSource.objects.filter(record=record, field__in=[each["field"] for each in kept]).delete()
    FieldSource.objects.bulk_create(
        FieldSource(
            organization_id=run.organization_id,
            record=record,
            run=run,
            field=each["field"],
            value_digest=shape.value_digest(record.data.get(each["field"].split("/")[1])),
            message_id=each["message"],
            file_id=each["attachment"],
            method=each["method"],
            confidence=each["confidence"],
            start=each["start"],
            end=each["end"],
            start_utf16=each["start_utf16"],
            end_utf16=each["end_utf16"],
        )
        for each in kept
    )
