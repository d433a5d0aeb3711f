"""The words behind the fields of a record, as the viewer may read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.accounts.types import Actor
from apps.conversations import selectors as conversations
from apps.extraction import selectors
from apps.extraction.models import FieldSource, Record
from apps.extraction.pointers import steps
from apps.extraction.types import GENERATED
from apps.files import selectors as files

_AROUND = 160
_QUOTE = 60
METHODS = {
    "exact": gettext_lazy("Exact"),
    "normalized": gettext_lazy("The same but for case, accents and signs"),
    "number_word": gettext_lazy("A number in words"),
    "date": gettext_lazy("A date written otherwise"),
    "fuzzy": gettext_lazy("Nearly the same"),
    GENERATED: gettext_lazy("Made by a model"),
}


@dataclass(frozen=True, slots=True)
class Place:
    """A text the viewer may read, with what it is."""

    text: str
    where: str
    url: str = ""
    who: str = ""
    who_id: UUID | None = None
    is_model: bool = False


@dataclass(frozen=True, slots=True)
class Words:
    """Of one field. Without ``place`` the words are closed to the viewer, or gone; without ``method`` there are none."""

    number: int
    field: str
    method: str
    method_words: str
    confidence: float
    read_by: str
    is_demo: bool
    start: int
    end: int
    place: Place | None = None
    before: str = ""
    said: str = ""
    after: str = ""
    operation_id: UUID | None = None

    @property
    def is_generated(self) -> bool:
        return self.method == GENERATED

    @property
    def is_inferred(self) -> bool:
        return not self.method

    @property
    def quote(self) -> str:
        return self.said if len(self.said) <= _QUOTE else self.said[: _QUOTE - 1].rstrip() + "…"

    @property
    def first(self) -> int:
        """People count from one."""
        return self.start + 1


def words_of(record: Record, viewer: Actor, order: Sequence[str]) -> list[Words]:
    """Of the fields that still say what the words said, in the order of the fields."""
    place_of = {name: place for place, name in enumerate(order)}
    sources = selectors.sources_of(record)
    sources.sort(key=lambda source: (place_of.get(steps(source.field)[0], len(place_of)), source.field))
    places = _places(sources, viewer)
    found: list[Words] = []
    for source in sources:
        place = places.get(source.message_id or source.file_id)  # type: ignore[arg-type]
        found.append(_words(len(found) + 1, source, place))
    return found


def _words(number: int, source: FieldSource, place: Place | None) -> Words:
    before = said = after = ""
    if place:
        begin, end = source.start, source.end
        said = place.text[begin:end]
        before = ("…" if begin > _AROUND else "") + place.text[max(0, begin - _AROUND) : begin].lstrip()
        after = place.text[end : end + _AROUND].rstrip() + ("…" if end + _AROUND < len(place.text) else "")
    return Words(
        number=number,
        field=steps(source.field)[0],
        method=source.method,
        method_words=str(METHODS.get(source.method, source.method)),
        confidence=source.confidence,
        read_by=source.read_by,
        is_demo=source.is_by_demo,
        operation_id=source.operation_id,
        start=source.start,
        end=source.end,
        # An edited message no longer says it there: then nothing is marked rather than something else.
        place=place if said else None,
        before=before,
        said=said,
        after=after,
    )


def _places(sources: Sequence[FieldSource], viewer: Actor) -> Mapping[UUID, Place]:
    message_ids = {source.message_id for source in sources if source.message_id}
    file_ids = {source.file_id for source in sources if source.file_id}
    found: dict[UUID, Place] = {}
    for message in conversations.list_readable(ids=message_ids, viewer=viewer) if message_ids else ():
        talk = message.conversation
        found[message.pk] = Place(
            text="" if message.is_sensitive else message.text,
            where=talk.title or _("A conversation"),
            url=f"/c/{talk.pk}/?message={message.pk}",
            who=message.author.display_name if message.author else message.answered_by or _("The model"),
            who_id=message.author_id,
            is_model=message.author_id is None,
        )
    if file_ids and (readable := files.visible_ids(viewer, file_ids)):
        texts = files.text_of(readable)
        found |= {pk: Place(text=texts[pk].text, where=_("A file"), url="") for pk in readable if pk in texts}
    return found
