"""Tables of collections, records and extraction; each module's docstring says which."""

from apps.extraction.models.duplicates import Duplicate, RecordBlock, RecordMerge
from apps.extraction.models.follow_ups import FollowUp
from apps.extraction.models.readers import CollectionReader, places_in, teams_in, teams_of
from apps.extraction.models.records import (
    Collection,
    CollectionSchema,
    ExtractionPart,
    ExtractionRun,
    Proposal,
    Record,
    RecordKey,
    RecordLink,
    RecordRevision,
)
from apps.extraction.models.sources import FieldSource
from apps.extraction.models.tallies import RecordTally, TargetChange
from apps.extraction.models.templates import RecordTemplate, TemplateRevision
from apps.extraction.models.use import RecordComment, RecordView
from apps.extraction.models.vectors import RecordVector
from apps.extraction.models.wishes import Wish

__all__ = [
    "Collection",
    "CollectionReader",
    "CollectionSchema",
    "Duplicate",
    "ExtractionPart",
    "ExtractionRun",
    "FieldSource",
    "FollowUp",
    "Proposal",
    "Record",
    "RecordBlock",
    "RecordComment",
    "RecordKey",
    "RecordLink",
    "RecordMerge",
    "RecordRevision",
    "RecordTally",
    "RecordTemplate",
    "RecordVector",
    "RecordView",
    "TargetChange",
    "TemplateRevision",
    "Wish",
    "places_in",
    "teams_in",
    "teams_of",
]
