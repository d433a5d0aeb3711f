from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from apps.core.events import event


@event("extraction.collection_created.v1", label=_("Made a collection"))
@dataclass(frozen=True, slots=True)
class CollectionCreated:
    collection_id: UUID


@event("extraction.collection_changed.v1", label=_("Changed a collection"))
@dataclass(frozen=True, slots=True)
class CollectionChanged:
    """``fields`` are names of what changed; ``schema_number`` is the schema from now on."""

    collection_id: UUID
    fields: tuple[str, ...]
    schema_number: int


@event("extraction.collection_deleted.v1", label=_("Deleted a collection"))
@dataclass(frozen=True, slots=True)
class CollectionDeleted:
    collection_id: UUID


@event("extraction.collection_restored.v1", label=_("Brought a collection back"))
@dataclass(frozen=True, slots=True)
class CollectionRestored:
    collection_id: UUID


@event("extraction.collection_privacy_changed.v1", label=_("Changed who sees a collection"))
@dataclass(frozen=True, slots=True)
class CollectionPrivacyChanged:
    """``before`` and ``after``: project (everyone in it) or named (only who is named, and managers)."""

    collection_id: UUID
    before: str
    after: str


@event("extraction.collection_reader_named.v1", label=_("Named somebody to see a collection"))
@dataclass(frozen=True, slots=True)
class CollectionReaderNamed:
    """One person or one team."""

    collection_id: UUID
    user_id: UUID | None = None
    team_id: UUID | None = None


@event("extraction.collection_reader_removed.v1", label=_("Took somebody off those who see a collection"))
@dataclass(frozen=True, slots=True)
class CollectionReaderRemoved:
    collection_id: UUID
    user_id: UUID | None = None
    team_id: UUID | None = None


@event("extraction.collection_erased.v1", label=_("Erased a collection"))
@dataclass(frozen=True, slots=True)
class CollectionErased:
    """It was deleted 30 days before; its records went with it. ``visibility``: who had seen it."""

    collection_id: UUID
    visibility: str


@event("extraction.records_erased.v1", label=_("Erased deleted records"))
@dataclass(frozen=True, slots=True)
class RecordsErased:
    """So many of a project that were deleted 30 days before, with their history."""

    count: int


@event("extraction.record_created.v1", public="record.created")
@dataclass(frozen=True, slots=True)
class RecordCreated:
    """``is_beside_others``: somebody else was adding to the collection in that moment, and neither saw what the other wrote."""

    record_id: UUID
    collection_id: UUID
    version: int
    is_complete: bool
    is_beside_others: bool = False


@event("extraction.record_updated.v1", public="record.updated")
@dataclass(frozen=True, slots=True)
class RecordUpdated:
    """``fields`` are names of what changed, without values. ``became_complete``: it lacked something before."""

    record_id: UUID
    collection_id: UUID
    version: int
    fields: tuple[str, ...]
    is_complete: bool
    became_complete: bool


@event("extraction.record_deleted.v1", label=_("Deleted a record"))
@dataclass(frozen=True, slots=True)
class RecordDeleted:
    record_id: UUID
    collection_id: UUID


@event("extraction.record_restored.v1", label=_("Brought a record back"))
@dataclass(frozen=True, slots=True)
class RecordRestored:
    record_id: UUID
    collection_id: UUID
    version: int


@event("extraction.records_reshaped.v1")
@dataclass(frozen=True, slots=True)
class RecordsReshaped:
    """The collection says since which fields are needed, or what needed fields point to was deleted or came back. So many records became
    complete by it, so many lack something now; told in pieces.
    """

    collection_id: UUID
    became_complete: int
    became_incomplete: int


@event("extraction.view_kept.v1")
@dataclass(frozen=True, slots=True)
class ViewKept:
    """Made or changed."""

    view_id: UUID
    collection_id: UUID
    is_shared: bool


@event("extraction.view_deleted.v1")
@dataclass(frozen=True, slots=True)
class ViewDeleted:
    view_id: UUID
    collection_id: UUID


@event("extraction.comment_added.v1")
@dataclass(frozen=True, slots=True)
class CommentAdded:
    comment_id: UUID
    record_id: UUID


@event("extraction.comment_changed.v1")
@dataclass(frozen=True, slots=True)
class CommentChanged:
    comment_id: UUID
    record_id: UUID


@event("extraction.comment_deleted.v1", label=_("Deleted a comment on a record"))
@dataclass(frozen=True, slots=True)
class CommentDeleted:
    comment_id: UUID
    record_id: UUID


@event("extraction.records_merged.v1", label=_("Joined two records"))
@dataclass(frozen=True, slots=True)
class RecordsMerged:
    """``record_id`` is the one that stays, ``merged_id`` the one that went into it."""

    merge_id: UUID
    record_id: UUID
    merged_id: UUID
    collection_id: UUID
    version: int


@event("extraction.merge_undone.v1", label=_("Separated two records again"))
@dataclass(frozen=True, slots=True)
class RecordsSeparated:
    merge_id: UUID
    record_id: UUID
    merged_id: UUID
    collection_id: UUID
    version: int


@event("extraction.duplicates_kept_apart.v1")
@dataclass(frozen=True, slots=True)
class DuplicatesKeptApart:
    """Somebody said that two records are two things."""

    record_id: UUID
    other_id: UUID
    collection_id: UUID


@event("extraction.extraction_requested.v1")
@dataclass(frozen=True, slots=True)
class ExtractionRequested:
    run_id: UUID
    collections: tuple[UUID, ...]


@event("extraction.extraction_progressed.v1")
@dataclass(frozen=True, slots=True)
class ExtractionProgressed:
    """``done`` pieces of a long text, of about ``parts``, were read."""

    run_id: UUID
    done: int
    parts: int


@event("extraction.extraction_stopped.v1")
@dataclass(frozen=True, slots=True)
class ExtractionStopped:
    """Somebody wants no more of it read."""

    run_id: UUID


@event("extraction.extraction_completed.v1")
@dataclass(frozen=True, slots=True)
class ExtractionCompleted:
    """``unplaced`` counts the values that fit no field."""

    run_id: UUID
    proposals: int
    unplaced: int


@event("extraction.extraction_failed.v1")
@dataclass(frozen=True, slots=True)
class ExtractionFailed:
    run_id: UUID
    code: str


@event("extraction.proposal_made.v1")
@dataclass(frozen=True, slots=True)
class ProposalMade:
    """A model made it up for an item of an operation; somebody decides."""

    proposal_id: UUID
    run_id: UUID
    operation_id: UUID


@event("extraction.proposal_accepted.v1", label=_("Accepted a suggested record"))
@dataclass(frozen=True, slots=True)
class ProposalAccepted:
    """``edited`` are names of fields that a person changed before."""

    proposal_id: UUID
    run_id: UUID
    record_id: UUID
    edited: tuple[str, ...]


@event("extraction.proposal_rejected.v1", label=_("Rejected a suggested record"))
@dataclass(frozen=True, slots=True)
class ProposalRejected:
    proposal_id: UUID
    run_id: UUID


@event("extraction.questions_asked.v1")
@dataclass(frozen=True, slots=True)
class QuestionsAsked:
    """In a message of the conversation. ``fields`` are names of what the suggestion lacks."""

    follow_up_id: UUID
    proposal_id: UUID
    message_id: UUID
    fields: tuple[str, ...]


@event("extraction.questions_settled.v1")
@dataclass(frozen=True, slots=True)
class QuestionsSettled:
    """``state``: answered, skipped or abandoned."""

    follow_up_id: UUID
    proposal_id: UUID
    fields: tuple[str, ...]
    state: str


@event("extraction.wish_requested.v1")
@dataclass(frozen=True, slots=True)
class WishRequested:
    """Words in a conversation are read as a wish to have records made up, or as the description of a collection."""

    wish_id: UUID


@event("extraction.wish_confirmed.v1", label=_("Had records made up"))
@dataclass(frozen=True, slots=True)
class WishConfirmed:
    wish_id: UUID
    operation_id: UUID


@event("extraction.collection_described.v1", label=_("Made a collection from a description"))
@dataclass(frozen=True, slots=True)
class CollectionDescribed:
    """Somebody accepted what a model proposed for a description in a conversation, as it was or edited."""

    wish_id: UUID
    collection_id: UUID
    is_edited: bool


@event("extraction.wish_dismissed.v1")
@dataclass(frozen=True, slots=True)
class WishDismissed:
    wish_id: UUID


@event("extraction.template_kept.v1", label=_("Kept a template"))
@dataclass(frozen=True, slots=True)
class TemplateKept:
    """Made, or changed: ``number`` is the version that is in force now."""

    template_id: UUID
    collection_id: UUID
    number: int


@event("extraction.template_deleted.v1", label=_("Deleted a template"))
@dataclass(frozen=True, slots=True)
class TemplateDeleted:
    template_id: UUID
    collection_id: UUID
