import time

import pytest

from apps.extraction import schema, similarity
from apps.extraction.schema import Field
from apps.extraction.similarity import Comparer, Kind, Score, Verdict, decide
from benchmarks import duplicates
from benchmarks.people import SCHEMA, people

PEOPLE = Comparer(schema.check(SCHEMA))
NAMED = Comparer(
    schema.check({"type": "object", "properties": {"name": {"type": "string"}, "about": {"type": "string"}}})
)
SARAH = {
    "given_name": "Sarah",
    "surname": "Müller",
    "born": "1990-03-12",
    "email": "sarah.mueller@mail.example",
    "phone": "0151 2345678",
    "street": "Hauptstraße 5",
    "postcode": "50667",
    "city": "Köln",
}


def field(name, kind="string", **options):
    return Field(f"/{name}", name, name, kind, **options)


@pytest.mark.parametrize(
    ("name", "options", "kind"),
    [
        ("name", {}, Kind.NAME),
        ("full_name", {}, Kind.NAME),
        ("first_name", {}, Kind.GIVEN),
        ("Nachname", {}, Kind.SURNAME),
        ("familyName", {}, Kind.SURNAME),
        ("birthday", {"format": "date"}, Kind.DATE),
        ("mail", {"format": "email"}, Kind.EMAIL),
        ("e_mail", {}, Kind.EMAIL),
        ("mobile", {}, Kind.PHONE),
        ("soc_sec_id", {}, Kind.IDENTIFIER),
        ("house_number", {}, Kind.TEXT),
        ("zip", {}, Kind.POSTCODE),
        ("PLZ", {}, Kind.POSTCODE),
        ("Straße", {}, Kind.STREET),
        ("city", {}, Kind.PLACE),
        ("mood", {"enum": ("a",)}, Kind.CHOICE),
        ("description", {}, Kind.TEXT),
    ],
)
def test_kinds_are_told_by_format_and_name(name, options, kind):
    assert similarity.kind_of(field(name, **options)) is kind


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("name", " Dr. Tomás  MÜLLER ", "tomas mueller"),
        ("email", "Sarah+x@Mail.Example", "sarah@mail.example"),
        ("phone", "+49 (151) 234-5678", "1512345678"),
        ("phone", "0151 2345678", "1512345678"),
        ("zip", "D-50667", "d50667"),
        ("street", "Hauptstraße 5", "hauptst 5"),
        ("street", "Hauptstr. 5", "hauptst 5"),
        ("city", "São Paulo", "sao paulo"),
        ("tags", ["b", "A"], "a b"),
        ("name", None, ""),
    ],
)
def test_values_are_normalized_by_kind(name, value, expected):
    assert similarity.normalize(field(name), value) == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Meier", "Mayer"),
        ("Schmidt", "Schmitt"),
        ("Stefan", "Stephan"),
        ("Smith", "Smyth"),
        ("Thomas", "Tomas"),
        ("Müller", "Mueller"),
    ],
)
def test_words_that_sound_alike_have_one_sound(one, other):
    assert similarity.sound(one) == similarity.sound(other)


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ({}, Verdict.SAME),
        ({"surname": "Mueler", "phone": "+49 151 2345678"}, Verdict.SAME),
        ({"given_name": "Müller", "surname": "Sarah"}, Verdict.SAME),
        ({"born": "1990-12-03", "street": None}, Verdict.SAME),
        (
            {"surname": "Keller", "email": None, "street": "Rua Augusta 3", "postcode": "1100", "city": "Lisboa"},
            Verdict.SAME,
        ),
        ({"given_name": "Tom", "born": "1988-01-30", "email": "tom@x.example", "phone": "0170 9999999"}, Verdict.NEW),
        (
            {
                "given_name": "Tom",
                "surname": "Silva",
                "born": "1970-01-01",
                "email": None,
                "phone": None,
                "street": None,
            },
            Verdict.NEW,
        ),
    ],
)
def test_verdicts_about_people(change, verdict):
    other = {name: value for name, value in (SARAH | change).items() if value}

    score = PEOPLE.score(SARAH, other)

    assert decide(score) is verdict, score
    assert PEOPLE.score(other, SARAH).total == pytest.approx(score.total)


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ({"name": "Ångström 2397", "email": "guest2397@mail.example"}, Verdict.NEW),
        ({"name": "Ångström 298", "email": "guest298@mail.example"}, Verdict.NEW),
        ({"name": "ångström 0297"}, Verdict.SAME),
        ({"name": "Ångström"}, Verdict.SAME),
        ({"email": "guest297@post.example"}, Verdict.SAME),
    ],
)
def test_running_numbers_tell_apart_what_is_called_alike(change, verdict):
    comparer = Comparer(
        schema.check(
            {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "email": {"type": "string", "format": "email"},
                    "joined": {"type": "string", "format": "date"},
                    "amount": {"type": "number"},
                },
            }
        )
    )
    one = {"name": "Ångström 297", "email": "guest297@mail.example", "joined": "2025-02-02", "amount": 1.01}

    score = comparer.score(one, one | change)

    assert decide(score) is verdict, score


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Blade Runner 2049", "Blade Runner 2049 (2017)"),
        ("Sensor 1.5", "Sensor 1.50"),
        ("4 Non Blondes", "4 Non Blondes 1992"),
        ("Studio 54", "Studio 54, 254 W 54th"),
    ],
)
def test_a_number_that_only_one_has_sets_nothing_apart(one, other):
    said = NAMED.score({"name": one}, {"name": other}).by_field["name"]
    apart = NAMED.score({"name": f"{one} 7"}, {"name": f"{other} 8"}).by_field["name"]

    assert said > apart


def test_scores_tell_what_each_field_said():
    score = PEOPLE.score(SARAH, SARAH | {"city": "Rom", "phone": "0151 2345679"})

    assert score.by_field["surname"] > 0 > score.by_field["city"]
    assert PEOPLE.score(SARAH, SARAH).by_field["phone"] > score.by_field["phone"] > 0
    assert set(score.by_field) == set(SARAH)


def test_a_name_alone_is_asked_about():
    assert decide(NAMED.score({"name": "Sarah Keller"}, {"name": "Sarah Keller"})) is Verdict.ASK
    assert decide(NAMED.score({"name": "Sarah Keller"}, {"name": "Sara Keller"})) is Verdict.ASK
    assert decide(NAMED.score({"name": "Sarah Keller"}, {"name": "Rui Costa"})) is Verdict.NEW
    assert decide(NAMED.score({}, {"name": "Rui"})) is Verdict.NEW


def test_thresholds_are_the_callers():
    assert decide(Score(0.6, {}), same_from=0.5) is Verdict.SAME
    assert decide(Score(0.6, {}), ask_from=0.7) is Verdict.NEW


def test_blocks_are_shared_by_those_who_may_be_the_same():
    def shared(one, other, comparer=PEOPLE):
        return comparer.blocks(one) & comparer.blocks(other)

    assert shared(SARAH, SARAH | {"surname": "Muller", "phone": "", "email": "", "postcode": "1"})
    assert shared(SARAH, {"given_name": "Müller", "surname": "Sara"})
    assert shared({"phone": "0151 2345678"}, SARAH)
    assert shared({"name": "Sarah"}, {"name": "Sarah Keller"}, NAMED)
    assert shared({"about": "A long story"}, {"about": "a long story"}, NAMED)
    assert not shared(SARAH, {"given_name": "Rui", "surname": "Costa", "born": "1970-01-01"})
    assert NAMED.blocks({}) == set()


@pytest.mark.parametrize("seed", [21, 22])
def test_duplicates_of_perturbed_people_are_found(seed):
    found = duplicates.judged(people(400, seed=seed))

    assert found["true_pairs"] > 200
    assert found["f1"] >= 0.93, found
    assert found["precision"] >= 0.93


def test_the_generator_gives_the_same_people_for_the_same_seed():
    assert people(100, seed=3) == people(100, seed=3)
    assert people(100, seed=3) != people(100, seed=4)


def test_long_values_cost_little():
    one = {"name": "ab " * 50_000, "about": "x " * 50_000}

    spent = time.process_time()
    NAMED.score(one, one | {"name": "ba " * 50_000})
    NAMED.blocks(one)

    assert time.process_time() - spent < 3.0
