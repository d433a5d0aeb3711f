"""Words, states and refusals of collections and records."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.core.errors import Conflict, Forbidden, Invalid, LimitReached, Unprocessable

MAX_COLLECTIONS_A_PROJECT = 200
MAX_RECORD_BYTES = 200 * 1024
MAX_UNIQUE_KEYS = 5
MAX_SEARCH_TEXT = 50_000
MAX_DUPLICATES = 10
RESTORABLE_DAYS = 30
MAX_COLLECTIONS_A_RUN = 20
MAX_VIEWS_A_COLLECTION = 50  # of one person
MAX_READERS_A_COLLECTION = 200
MAX_COMMENT = 4_000
MAX_TEXT = 1_000_000  # characters of one reading: about 400 pages
PIECE_CHARACTERS = 40_000  # of a longer text: what is read at once, if the model's window holds it
LEAST_PIECE = 2_000
MAX_PIECES = 100
READING_SECONDS = 3600.0  # after this long nothing more of a text is begun
PUT_OFF_SECONDS = 20.0  # until a piece is asked about again
MAX_RUN_ATTEMPTS = 3
MAX_OPEN_RUNS = 20
MAX_ASKED_AT_ONCE = 8
MAX_READ_AN_HOUR = 200  # messages of a project that reads every one of them
MAX_READ_FOR_ANSWERS = 20  # messages of a conversation, after the last question or answer in it
LISTENED_FOR = timedelta(days=7)  # so long a message may be an answer; later the cards take them
EVERY_MESSAGE = "extraction.every_message"  # the setting of a project
ASK_MISSING = "extraction.ask_missing"  # of an organization or a project
RUN_CALL_SECONDS = 120.0
GENERATED = "generated"  # how a value came that a model made up, in an operation
TOO_MANY_PIECES = "too_many_pieces"  # why nothing more of a text is read
STOPPED_BY_PERSON = "person"
CUT_SHORT = "cancelled"  # a run of an operation whose item was ended while it was read


class Visibility(models.TextChoices):
    """Who of a project sees a collection. Whoever manages the project sees all of them."""

    PROJECT = "project", _("Everyone in the project")
    NAMED = "named", _("Only who is named")


class Trust(models.TextChoices):
    """What happens to what a model suggests."""

    REVIEW = "review", _("Always ask a person")
    REVIEW_UNSURE = "review_unsure", _("Ask a person below a confidence")
    ACCEPT = "accept", _("Take it as it is")


class RevisionKind(models.TextChoices):
    CREATED = "created", _("Made")
    CHANGED = "changed", _("Changed")
    RESTORED = "restored", _("Set back to an earlier version")
    MIGRATED = "migrated", _("Brought to a new schema")
    DELETED = "deleted", _("Deleted")
    UNDELETED = "undeleted", _("Brought back")
    MERGED = "merged", _("Joined with another")
    UNMERGED = "unmerged", _("Separated again")


class OnDuplicate(models.TextChoices):
    """What a new record does when one that may be the same thing is there."""

    LIST = "list", _("Take it and list both for review")
    ASK = "ask", _("Take nothing and say which there are")
    MERGE = "merge", _("Put it into the one that is surely the same")
    NEW = "new", _("Take it as another one")
    SKIP = "skip", _("Leave it out when one is surely the same")


class DuplicateStatus(models.TextChoices):
    PENDING = "pending", _("To be decided")
    APART = "apart", _("Two things")
    MERGED = "merged", _("Joined")


class RunStatus(models.TextChoices):
    QUEUED = "queued", _("Waiting")
    RUNNING = "running", _("Being read")
    COMPLETED = "completed", _("Read")
    FAILED = "failed", _("Failed")


class RunCause(models.TextChoices):
    """Why words were read."""

    ASKED = "asked", _("Somebody asked")
    MESSAGE = "message", _("The project reads every message")
    ANSWER = "answer", _("Something was asked in the conversation")


class ProposalStatus(models.TextChoices):
    PENDING = "pending", _("To be decided")
    ACCEPTED = "accepted", _("Accepted")
    REJECTED = "rejected", _("Rejected")


class FollowUpStatus(models.TextChoices):
    """Of what one suggestion lacks."""

    OPEN = "open", _("Open")
    DONE = "done", _("Known, or skipped")
    ABANDONED = "abandoned", _("Given up")


class QuestionState(models.TextChoices):
    """Of one field that is missing. ``waiting``: not asked yet, because others are."""

    WAITING = "waiting", _("Not asked yet")
    ASKED = "asked", _("Asked")
    ANSWERED = "answered", _("Answered")
    SKIPPED = "skipped", _("Skipped")
    ABANDONED = "abandoned", _("Given up")


OPEN_QUESTIONS = (QuestionState.WAITING, QuestionState.ASKED)


class QuestionDecided(Conflict):
    """``state`` is what became of it."""

    code = "question_decided"
    default_detail = _("This is not asked any more.")


class NothingToRead(Unprocessable):
    code = "nothing_to_read"
    title = _("There are no words here")
    default_detail = _("There are no words here that could be read.")


class NoCollections(Unprocessable):
    code = "no_collections"
    title = _("There is nothing to fill")
    default_detail = _("This project has no collections yet. Make one first: it says what records look like.")


class RunNotFailed(Conflict):
    code = "extraction_not_failed"
    default_detail = _("This was read, or is being read. There is nothing to try again.")


class RunEnded(Conflict):
    code = "extraction_ended"
    default_detail = _("This is not being read any more. There is nothing to stop.")


class NothingLeftToRead(Conflict):
    """All was read, it is being read, or what was read by then is kept no more."""

    code = "nothing_left_to_read"
    default_detail = _("There is nothing here to go on with. Ask for it again to have it read anew.")


class WordsAreSensitive(Forbidden):
    """Records are not sealed: what is sealed as a message would lie open in them."""

    code = "words_are_sensitive"
    default_detail = _("This message is marked as sensitive, and records are not sealed. Take the mark away first.")


class TooManyRuns(LimitReached):
    code = "too_many_extractions"
    default_detail = _("Twenty extractions of this project are not done yet. Wait for one of them.")
    limit = "extractions"
    most = MAX_OPEN_RUNS
    reason = "places"


class ExtractionFailed(Unprocessable):
    """``reason`` is the code of what went wrong."""

    code = "extraction_failed"
    title = _("Not read")
    default_detail = _("This could not be read.")


class ProposalDecided(Conflict):
    """``status`` is what was decided."""

    code = "proposal_decided"
    default_detail = _("Somebody decided this already.")


class SchemaRejected(Invalid):
    """``fields`` name the places by JSON pointer into the schema document; the root is the empty pointer."""

    code = "schema_rejected"
    title = _("This schema cannot be used")
    default_detail = _("This schema cannot be used.")


class SlugTaken(Conflict):
    code = "collection_slug_taken"
    default_detail = _("A collection of this project has that short name. Choose another.")


class TooManyCollections(LimitReached):
    code = "too_many_collections"
    default_detail = _("A project holds at most 200 collections.")
    limit = "collections"
    most = MAX_COLLECTIONS_A_PROJECT
    reason = "quota"


class RecordInvalid(Invalid):
    """``errors`` name every field that does not fit the schema."""

    code = "record_invalid"
    default_detail = _("Some fields do not fit the collection.")


class TooManyToSort(Unprocessable):
    """``most`` is how many can be put in order by a field."""

    code = "too_many_to_sort"
    title = _("Too many for this order")
    default_detail = _(
        "At most 20,000 records are put in the order of a field, and these are more. Narrow them down, or sort by title, by when they were added or changed."
    )


class NotUnique(Conflict):
    """``record`` is the one that has these values, ``fields`` the unique key."""

    code = "record_not_unique"
    default_detail = _("Another record of this collection has the same values.")


class ViewNameTaken(Conflict):
    code = "view_name_taken"
    default_detail = _("You have a view with that name here. Choose another.")


class TooManyViews(LimitReached):
    code = "too_many_views"
    default_detail = _("You keep 50 views of this collection already. Delete one first.")
    limit = "views"
    most = MAX_VIEWS_A_COLLECTION
    reason = "quota"


class TooManyReaders(LimitReached):
    code = "too_many_readers"
    default_detail = _("A collection names at most 200 people and teams. Name a team instead of its people.")
    limit = "readers"
    most = MAX_READERS_A_COLLECTION
    reason = "quota"


class MaybeDuplicate(Conflict):
    """``duplicates`` are the records that may be the same thing, with their scores."""

    code = "record_maybe_duplicate"
    title = _("This may be there already")
    default_detail = _("Records of this collection may be the same thing. Say what to do with it.")


class RecordMerged(Conflict):
    """``record`` is the one it was joined into."""

    code = "record_merged"
    default_detail = _("This record was joined into another. Undo that to have it back.")


class MergeUndone(Conflict):
    code = "merge_undone"
    default_detail = _("These records were separated again already.")


class FieldsGone(Conflict):
    """``errors`` name the fields whose values have no place in the schema of today."""

    code = "fields_gone"
    title = _("The fields are other ones by now")
    default_detail = _("Values would be lost in the fields that there are today. Nothing was changed.")


class RecordChangedSince(Conflict):
    code = "record_changed_since"
    default_detail = _("Somebody changed this record since. It stays as it is.")


class FileUnreadable(Invalid):
    code = "table_unreadable"
    title = _("No table in this file")
    default_detail = _("This file could not be read as a table.")


class CollectionInUse(Conflict):
    """``collections`` are those whose fields point here."""

    code = "collection_in_use"
    default_detail = _("Fields of other collections point to this one. Change them first.")


@dataclass(frozen=True, slots=True)
class Change:
    """One field of a record between two versions. A value that was not there is None, and ``had`` says so."""

    field: str
    before: Any
    after: Any
    had: bool
    has: bool


@dataclass(frozen=True, slots=True)
class Candidate:
    """A record that may be the same thing. ``score`` from 0 to 1; ``by_field`` is what each field says for it (above 0) or against it."""

    record_id: UUID
    title: str
    verdict: str
    score: float
    by_field: dict[str, float]

    @property
    def is_same(self) -> bool:
        return self.verdict == "same"

    def as_json(self) -> dict[str, Any]:
        return {
            "record": str(self.record_id),
            "title": self.title,
            "verdict": self.verdict,
            "score": round(self.score, 3),
            "by_field": {name: round(value, 2) for name, value in self.by_field.items()},
        }
