"""One moment is one text, whichever offset it was said with; and a day is that of whoever asks."""

import pytest

from apps.accounts.models import User
from apps.bulk.models import Item
from apps.extraction import services, shape
from apps.extraction.models import FieldSource, Proposal, Record
from apps.extraction.moments import in_utc
from apps.extraction.types import NotUnique
from tests.accounts.factories import bearer, key_of
from tests.bulk.factories import planned
from tests.conversations.factories import say, start
from tests.extraction.factories import read_as, record

pytestmark = pytest.mark.django_db

MOMENT = {"type": "string", "format": "date-time"}
DOCUMENT = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string"},
        "at": MOMENT,
        "breaks": {"type": "array", "items": MOMENT},
        "parts": {"type": "array", "items": {"type": "object", "properties": {"from": MOMENT}}},
        "kept": MOMENT | {"enum": ["2026-01-01T00:00:00+01:00"]},
        "local": MOMENT | {"pattern": "[+]01:00$"},
    },
}


@pytest.fixture
def meetings(me, project):
    return services.create_collection(
        actor=me, project_id=project.pk, name="Meetings", document=DOCUMENT, title_template="{name}"
    )


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("2026-01-01T00:30:00+01:00", "2025-12-31T23:30:00Z"),
        ("2026-01-01t00:30:00z", "2026-01-01T00:30:00Z"),
        ("2026-01-01T00:30:00.120000000+00:00", "2026-01-01T00:30:00.12Z"),
        ("2026-01-01T00:30:00.000-05:00", "2026-01-01T05:30:00Z"),
        ("2016-12-31T23:59:60Z", "2016-12-31T23:59:60Z"),
        ("9999-12-31T23:59:00-05:00", "9999-12-31T23:59:00-05:00"),
        ("2026-01-01T00:30:00", "2026-01-01T00:30:00"),
        ("soon", "soon"),
    ],
)
def test_moment_with_an_offset_is_one_in_utc(said, kept):
    assert in_utc(said) == kept


def test_moments_are_kept_in_utc_wherever_they_stand_but_where_the_schema_wants_them_otherwise(me, meetings):
    said = "2026-01-01T00:00:00+01:00"
    made = record(me, meetings, name="A", at=said, breaks=[said], parts=[{"from": said}], kept=said)
    local = record(me, meetings, name="B", local=said)

    utc = "2025-12-31T23:00:00Z"
    assert made.data == {"name": "A", "at": utc, "breaks": [utc], "parts": [{"from": utc}], "kept": said}
    assert local.data["local"] == said
    same = services.change_record(actor=me, record_id=made.pk, changes={"at": "2025-12-31T18:00:00-05:00"})
    assert same.version == 1, "the same moment changes nothing"


def test_two_spellings_of_a_moment_are_one_value_of_a_unique_key(me, project):
    events = services.create_collection(
        actor=me, project_id=project.pk, name="Events", document=DOCUMENT, unique_keys=[["at"]]
    )
    record(me, events, name="A", at="2026-01-01T00:00:00+01:00")

    with pytest.raises(NotUnique):
        record(me, events, name="B", at="2025-12-31T23:00:00Z")


def test_accepted_moment_keeps_the_words_that_said_it(me, project, meetings):
    words = say(me, start(me, project), "Kickoff on 2026-01-01T00:00:00+01:00").message
    fields = {"name": "Kickoff", "at": "2026-01-01T00:00:00+01:00"}
    read_as(me, project, {"collection": "meetings", "id": "1", "fields": fields}, message_id=words.pk)

    made = services.accept_proposal(actor=me, proposal_id=Proposal.objects.get().pk)

    source = FieldSource.objects.get(record=made, field="/at")
    assert made.data["at"] == "2025-12-31T23:00:00Z"
    assert words.text[source.start : source.end] == "2026-01-01T00:00:00+01:00"


def test_trusted_moment_that_is_read_twice_makes_one_record(me, project, meetings):
    services.change_collection(actor=me, collection_id=meetings.pk, changes={"trust": "accept"})
    there = record(me, meetings, name="Kickoff of the garden", at="2025-12-31T23:00:00Z")
    words = say(me, start(me, project), "Kickoff of the garden on 2026-01-01T00:00:00+01:00").message
    fields = {"name": "Kickoff of the garden", "at": "2026-01-01T00:00:00+01:00"}

    read_as(me, project, {"collection": "meetings", "id": "1", "fields": fields}, message_id=words.pk)

    assert (Proposal.objects.get().status, Proposal.objects.get().record_id) == ("accepted", there.pk)
    assert Record.objects.count() == 1


def test_moment_of_before_keeps_its_words_when_another_field_is_changed(me, project, meetings):
    words = say(me, start(me, project), "Kickoff on 2026-01-01T00:00:00+01:00").message
    said = {"name": "Kickoff", "at": "2026-01-01T00:00:00+01:00"}
    read_as(me, project, {"collection": "meetings", "id": "1", "fields": said}, message_id=words.pk)
    made = services.accept_proposal(actor=me, proposal_id=Proposal.objects.get().pk)
    Record.objects.filter(pk=made.pk).update(data=said)
    FieldSource.objects.filter(record=made, field="/at").update(value_digest=shape.value_digest(said["at"]))

    changed = services.change_record(actor=me, record_id=made.pk, changes={"name": "Kick-off"})

    digest = FieldSource.objects.get(record=made, field="/at").value_digest
    assert changed.data["at"] == "2025-12-31T23:00:00Z"
    assert bytes(digest) == shape.value_digest(changed.data["at"])


@pytest.mark.parametrize(("operator", "found"), [("is", ["said"]), ("not", ["other"])])
def test_moment_that_is_kept_as_it_was_said_is_found_so(me, meetings, browser, operator, found):
    record(me, meetings, name="said", local="2026-01-01T00:00:00+01:00")
    record(me, meetings, name="other", local="2026-01-02T00:00:00+01:00")

    where = f"local:{operator}:2026-01-01T00:00:00+01:00"
    page = browser.get(f"/records/{meetings.pk}/", {"where": where}).content.decode()

    assert [row.title for row in Record.objects.order_by("title") if f'/record/{row.pk}/"' in page] == found


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("is:2026-05-01", ["first", "last"]),
        ("not:2026-05-01", ["after", "before", "none"]),
        ("from:2026-05-01", ["after", "first", "last"]),
        ("over:2026-05-01", ["after"]),
        ("under:2026-05-01", ["before"]),
        ("to:2026-05-01", ["before", "first", "last"]),
        ("is:2026-05-01T00:00:00+02:00", ["first"]),
        ("over:2026-05-01T23:00", ["after", "last"]),
    ],
)
def test_day_is_that_of_whoever_asks(owner, project, me, meetings, browser, condition, found):
    """In summer a day in Berlin begins at ten in the evening of UTC."""
    record(me, meetings, name="none")
    for name, at in (
        ("before", "2026-04-30T21:59:59Z"),
        ("first", "2026-04-30T22:00:00Z"),
        ("last", "2026-05-01T21:59:59.5Z"),
        ("after", "2026-05-01T22:00:00.5Z"),
    ):
        record(me, meetings, name=name, at=at)
    User.objects.filter(pk=owner.pk).update(time_zone="Europe/Berlin")
    api = {"headers": bearer(key_of(owner, project.organization))}

    listed = browser.get("/api/v1/records/", {"collection": meetings.pk, "where": f"at:{condition}"}, **api).json()
    page = browser.get(f"/records/{meetings.pk}/", {"where": f"at:{condition}"}).content.decode()
    planned(me, project, "records.delete", collection=str(meetings.pk), where=[f"at:{condition}"], start=False)

    shown = [row.title for row in Record.objects.order_by("title") if f'/record/{row.pk}/"' in page]
    assert sorted(each["title"] for each in listed["results"]) == found
    assert shown == found
    assert sorted(Item.objects.values_list("payload__title", flat=True)) == found, "a worker asks in their zone as well"
