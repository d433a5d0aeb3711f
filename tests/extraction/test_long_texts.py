"""A text of 200 pages is read in pieces: nothing of it is lost or read twice, and what is found is known by its place in the whole."""

import asyncio
import itertools
import json
import tracemalloc
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from apps.accounts.types import SYSTEM
from apps.core.doors.bulk_kinds import BulkScope, Work, bulk_kinds
from apps.extraction import engine, gathering, schema, services, walking
from apps.extraction.models import ExtractionPart, ExtractionRun, Proposal
from apps.extraction.reading_types import Found, Part, Piece, Source, Suggested
from apps.extraction.reading_types import Work as Reading
from apps.llm import engine as llm
from apps.llm import routing
from apps.llm.models import CallAttempt
from tests.accounts.factories import actor_of
from tests.conversations.factories import say
from tests.conversations.factories import start as begin
from tests.extraction.factories import PEOPLE, people
from tests.files.factories import upload
from tests.llm.factories import priced, set_defaults, stub_model
from tests.provider.fixtures import provider, running_provider

__all__ = ["provider", "running_provider"]

PERSON = schema.check(PEOPLE)
QUICK = {"delay": 0, "rate": 0}
#: A line of a book, with a letter that takes two units of UTF-16.
FILLER = "The river went on past the mills, and nobody in the boat 🛶 said a word about it for a while. "
PAGES = 200
NAMES = [
    f"{first} {last}"
    for first in ("Ada", "Bruno", "Clara", "Diego", "Ester")
    for last in ("Moreau", "Nakata", "Okoye", "Quint")
]


def book():
    """200 pages; each person is named on two of them, far from each other: with their age, and with the day they were born."""
    pages = [FILLER * 27 + "\n\n" for _page in range(PAGES)]
    for number, name in enumerate(NAMES):
        pages[number * 9] += f"{name} was {20 + number} years old. "
        pages[199 - number * 7] += f"It was known that {name} had been born on {1900 + number}-03-07. "
    return "".join(pages)


BOOK = book()


def heard(text):
    """What a model that reads well finds in a piece."""
    entities = []
    for number, name in enumerate(NAMES):
        age, born = f"{name} was {20 + number} years old", f"{name} had been born on {1900 + number}-03-07"
        fields = {"age": 20 + number} if age in text else {}
        fields |= {"born": f"{1900 + number}-03-07"} if born in text else {}
        if fields:
            entities.append({"collection": "people", "id": f"p{len(entities) + 1}", "fields": {"name": name, **fields}})
    return json.dumps({"entities": entities, "links": []})


def pieces_of(text, size=40_000):
    return [text[start:end] for start, end in walking.spans(text, 0, size)]


@pytest.fixture
def me(owner, project, provider):
    routing.forget()
    set_defaults(stub_model(provider, organization=project.organization, **priced()))
    return actor_of(owner)


def run_to_its_end(run):
    for _piece in range(200):
        run = ExtractionRun.objects.get(pk=run.pk)
        if run.status not in ("queued", "running"):
            return run
        engine.extract(run.pk)
    raise AssertionError(run.status)


# The way through a text


@given(st.text(alphabet="ab .\n🛶", max_size=400), st.integers(20, 90))
def test_pieces_overlap_and_leave_nothing_out(text, size):
    spans = walking.spans(text, 0, size)

    assert [start for start, _end in spans[:1]] == ([0] if text else [])
    assert (spans[-1][1] if spans else 0) == len(text)
    for (_start, end), (following, after) in itertools.pairwise(spans):
        assert following <= end < after
    whole = (Piece(text[:7], 0, offset=3, offset_utf16=5), Piece(text[7:], 7))
    for start, end in spans:
        cut = walking.cut(whole, start, end)
        assert "".join(piece.text for piece in cut) == text[start:end]
        for piece in cut:
            before = text[: start + piece.start] if start + piece.start < 7 else text[7 : start + piece.start]
            added = (3, 5) if start + piece.start < 7 else (0, 0)
            assert piece.offset == len(before) + added[0]
            assert piece.offset_utf16 == len(before.encode("utf-16-le")) // 2 + added[1]


def test_pieces_fit_the_window_of_the_model():
    assert walking.size_for(None, BOOK, PEOPLE) == 40_000
    assert walking.size_for(1_000_000, BOOK, PEOPLE) == 40_000
    small, chinese = walking.size_for(8_192, BOOK, PEOPLE), walking.size_for(8_192, "河" * 50_000, PEOPLE)
    assert 10_000 < small < 20_000
    assert 3_000 < chinese < 6_000  # a letter is a token
    assert walking.size_for(512, BOOK, PEOPLE) == 2_000


# The same thing in several pieces


def one(entity_id, start=None, links=(), **data):
    sources = [
        Source(f"/{name}", "exact", 1.0, start, start + 3) if start is not None else Source(f"/{name}") for name in data
    ]
    return Suggested("people", entity_id, data, tuple(sources), tuple(links), 1.0)


def gathered(*pieces, keys=()):
    found = [Found(tuple(each), (), ()) for each in pieces]
    return gathering.gather(found, {"people": PERSON}, {"people": keys})


def test_who_is_called_the_same_is_one_and_keeps_what_each_piece_said():
    found = gathered(
        [one("p1", 0, name="Sarah Silva", tags=["a", "b"])],
        [one("p1", 90, name="Sarah Silva", age=28, tags=["b", "c"])],
    )

    (sarah,) = found.suggested
    assert (sarah.entity_id, sarah.data) == ("p1", {"name": "Sarah Silva", "tags": ["a", "b", "c"], "age": 28})
    assert {source.pointer: source.start for source in sarah.sources} == {"/name": 0, "/tags": 0, "/age": 90}
    assert found.unplaced == ()


def test_two_of_one_piece_stay_two_and_what_is_said_otherwise_is_told():
    found = gathered(
        [one("p1", 0, name="Sarah Silva", age=28), one("p2", 5, name="Sarah Silva", age=61)],
        [one("p1", 90, name="Sarah Silva", age=28, is_alive=False), one("p2", 95, name="Tomás")],
        [one("p9", 120, name="Sarah Silva", age=29)],
    )

    assert [each.data for each in found.suggested] == [
        {"name": "Sarah Silva", "age": 28, "is_alive": False},
        {"name": "Sarah Silva", "age": 61},
        {"name": "Tomás"},
    ]
    assert [(each["reason"], each["field"], each["value"], each["entity"]) for each in found.unplaced] == [
        ("twice", "/age", 29, "p1")
    ]


def test_a_unique_key_makes_them_one_or_two():
    same = gathered(
        [one("p1", 0, name="S. Silva", born="1990-01-02")],
        [one("p1", 90, name="Sarah", born="1990-01-02")],
        keys=[["born"]],
    )
    other = gathered(
        [one("p1", 0, name="Sarah", born="1990-01-02")],
        [one("p1", 90, name="Sarah", born="1991-01-02")],
        keys=[["born"]],
    )

    assert (len(same.suggested), len(other.suggested)) == (1, 2)
    assert [each.entity_id for each in other.suggested] == ["p1", "p1~2"]


def test_links_lead_to_things_of_other_pieces():
    sibling = {"field": "/siblings", "to": "", "collection": "people", "mention": "Sarah Silva"}
    own = sibling | {"to": "p1", "mention": "p1"}
    found = gathered(
        [one("p1", 0, name="Sarah Silva")],
        [one("p1", 90, name="Tomás"), one("p2", 99, name="Rui", links=[own])],
        [one("p1", 200, name="Tomás", links=[sibling])],
    )

    sarah, tomas, rui = found.suggested
    assert [link["to"] for link in tomas.links] == [sarah.entity_id]
    assert [link["to"] for link in rui.links] == [tomas.entity_id]


# A whole book, over HTTP


@pytest.mark.django_db(transaction=True)
def test_book_of_200_pages_is_read_once_whatever_dies(me, owner, project, provider):
    people(me, project, unique_keys=[["name"]])
    pieces = pieces_of(BOOK)
    assert len(BOOK) > 490_000
    file = upload(owner, project, BOOK.encode(), "book.txt")
    run = services.request_extraction(actor=me, project_id=project.pk, file_id=file.pk)
    assert (run.characters, run.parts, run.unread) == (len(BOOK), len(pieces), [])
    assert Decimal("0.05") < run.expected_cost < Decimal(1)
    answers = [{"text": heard(piece), **QUICK} for piece in pieces]
    # The process that reads the fourth piece dies with its answer in hand.
    provider.script(*answers[:4], answers[3], *answers[4:])
    for _piece in range(3):
        engine.extract(run.pk)
    dying = services.claim_run(actor=SYSTEM, run_id=run.pk)
    lost = asyncio.run(engine._ask_alone(dying))
    engine.extract(run.pk)  # its lease still runs: nobody else begins
    ExtractionRun.objects.update(lease_until=timezone.now() - timedelta(seconds=1))

    run = run_to_its_end(run)

    assert (run.status, run.is_text_cut, run.unread, run.unplaced) == ("completed", False, [], [])
    assert (run.parts_done, run.characters_read) == (len(pieces), len(BOOK))
    assert len(provider.calls) == len(pieces) + 1, "only the piece in flight was read again"
    spent = sum(CallAttempt.objects.values_list("cost", flat=True))
    assert run.cost == spent - Decimal(lost.cost)
    assert not ExtractionPart.objects.exists()
    services.keep_part(actor=SYSTEM, work=dying, answer=lost)  # who comes late writes nothing
    assert not ExtractionPart.objects.exists()
    found = {proposal.data["name"]: proposal for proposal in Proposal.objects.filter(run=run)}
    assert (len(found), Proposal.objects.count()) == (len(NAMES), len(NAMES))
    wide = BOOK.encode("utf-16-le")
    for number, name in enumerate(NAMES):
        proposal = found[name]
        assert proposal.data == {"name": name, "age": 20 + number, "born": f"{1900 + number}-03-07"}
        for source in proposal.sources:
            said = BOOK[source["start"] : source["end"]]
            assert said == {"/name": name, "/age": str(20 + number), "/born": f"{1900 + number}-03-07"}[source["field"]]
            assert wide[source["start_utf16"] * 2 : source["end_utf16"] * 2].decode("utf-16-le") == said
            assert source["attachment"] == str(file.pk)
        age = next(each for each in proposal.sources if each["field"] == "/age")
        assert age["start"] == BOOK.index(f"{name} was") + len(f"{name} was ")
    instructions = provider.bodies[1]["messages"][0]["content"]
    assert f"part 2 of about {len(pieces)}" in instructions


@pytest.mark.django_db(transaction=True)
def test_what_could_not_be_read_is_said_and_the_rest_is_kept(me, owner, project, provider):
    people(me, project, unique_keys=[["name"]])
    text = BOOK[:150_000]
    spans = walking.spans(text, 0, 40_000)
    file = upload(owner, project, text.encode(), "book.txt")
    refused = {"status": 400, "message": "content management policy", "error_type": "content_filter"}
    provider.script(
        {"text": heard(text[slice(*spans[0])]), **QUICK},
        refused,
        {"text": heard(text[slice(*spans[2])]), **QUICK},
        {"status": 401},
    )
    run = services.request_extraction(actor=me, project_id=project.pk, file_id=file.pk)

    run = run_to_its_end(run)

    assert (run.status, run.is_text_cut, run.stopped_by) == ("completed", True, "auth")
    assert run.unread == [
        {"reason": "content", "start": spans[0][1], "end": spans[1][1], "characters": spans[1][1] - spans[0][1]},
        {"reason": "auth", "start": spans[2][1], "end": len(text), "characters": len(text) - spans[2][1]},
    ]
    assert run.characters_read == len(text) - sum(each["characters"] for each in run.unread)
    assert Proposal.objects.filter(run=run).count() > 0


@pytest.mark.django_db(transaction=True)
def test_what_does_not_fit_is_read_in_smaller_pieces_and_changed_words_anew(me, project, provider):
    people(me, project)
    talk = begin(me, project)
    message = say(me, talk, BOOK[:30_000]).message
    too_long = {"status": 400, "message": "too long", "error_type": "context_length_exceeded"}
    provider.script(too_long)
    provider.default(text=heard(""), **QUICK)
    run = services.request_extraction(actor=me, project_id=project.pk, message_id=message.pk)
    engine.extract(run.pk)
    engine.extract(run.pk)
    assert ExtractionRun.objects.get().parts == 3
    ExtractionPart.objects.update(digest=b"of other words")

    run = run_to_its_end(run)

    assert (run.status, run.parts_done, len(provider.calls)) == ("completed", 3, 5)


@pytest.mark.django_db(transaction=True)
def test_operation_counts_each_piece_of_a_file_once(me, owner, project, provider):
    people(me, project)
    text = BOOK[:90_000]
    file = upload(owner, project, text.encode(), "book.txt")
    provider.default(text=heard(""), **QUICK)
    work = Work(
        BulkScope(file.pk, project.organization_id, project.pk, me, {"attachments": [str(file.pk)], "collections": []}),
        file.pk,
        1,
        {},
        file.pk,
        1,
        "o:1",
    )
    kind = bulk_kinds.get("extraction.from_files")
    run = services.begin_run(actor=me, project_id=project.pk, collections=[], file_id=file.pk, effect_key="o:1")
    engine.extract(run.pk)  # of a process that died before its item ended

    async def call():
        async with llm.own_loop():
            return await kind.call(work)

    done = kind.apply(work, asyncio.run(call()))

    run.refresh_from_db()
    assert (run.status, len(provider.calls), "is_text_cut" in done.result) == ("completed", 3, False)
    assert work.meter.cost == run.cost == sum(CallAttempt.objects.values_list("cost", flat=True))


def test_memory_is_that_of_a_piece_and_what_was_found():
    pieces = pieces_of(BOOK)
    said = [heard(piece) for piece in pieces]
    spans = walking.spans(BOOK, 0, 40_000)
    whole = (Piece(BOOK, 0),)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    work = Reading(
        run_id=None,
        fence=1,
        organization_id=None,
        project_id=None,
        user_id=None,
        model_id=None,
        language="en",
        correlation_id="",
        pieces=whole,
        documents={"people": PEOPLE},
        aliases={},
        keys={"people": [["name"]]},
        parts=tuple(Part(*span, text) for span, text in zip(spans, said, strict=True)),
    )
    found = engine.read(None, work)
    peak = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()

    assert len(found.suggested) == len(NAMES)
    assert peak < 30_000_000
