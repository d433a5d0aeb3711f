import random
import time

import pytest

from apps.extraction import grounding
from apps.extraction.grounding import Method, Text
from apps.extraction.schema import Field

DATE = Field("/d", "d", "D", "string", format="date")
SAID = (
    "😀 Sarah Keller, a twenty-eight-year-old Journalist from São Paulo, was born on 12 March 1997. "
    "Her brother Tomás is 31; call him: 0151 234-5678. The budget is €5,000 and they met 1.234 times "
    "in  the\nold   harbour of Lisbon. Banana. In May 2020 she moved to the Mueller-Straße."
)


def found(value, text=SAID, **options):
    known = Text(text) if isinstance(text, str) else text
    place = grounding.ground(value, known, **options)
    return place and (known.text[place.start : place.end], place.method)


@pytest.mark.parametrize(
    ("value", "words", "method"),
    [
        ("Sarah Keller", "Sarah Keller", Method.EXACT),
        ("sarah keller", "Sarah Keller", Method.NORMALIZED),
        ("journalist", "Journalist", Method.NORMALIZED),
        ("Sao Paulo", "São Paulo", Method.NORMALIZED),
        ("Tomas", "Tomás", Method.NORMALIZED),
        ("in the old harbour", "in  the\nold   harbour", Method.NORMALIZED),
        ("Mueller\u2010Strasse", "Mueller-Straße", Method.NORMALIZED),
        ("28", "twenty-eight", Method.NUMBER_WORD),
        (28, "twenty-eight", Method.NUMBER_WORD),
        (28.0, "twenty-eight", Method.NUMBER_WORD),
        (31, "31", Method.EXACT),
        (5000, "5,000", Method.NORMALIZED),
        (1.234, "1.234", Method.EXACT),
        (1234, "1.234", Method.NORMALIZED),
        ("01512345678", "0151 234-5678", Method.NORMALIZED),
        ("+49 151 2345678", "151 234-5678", Method.NORMALIZED),
        ("1997-03-12", "12 March 1997", Method.DATE),
        ("2020-05-17", "May 2020", Method.DATE),
        ("Sara Keler", "Sarah Keller", Method.FUZZY),
        ("Journalistin", "Journalist", Method.FUZZY),
        ("old harbor of Lisbon", "old   harbour of Lisbon", Method.FUZZY),
        ("Ana", None, None),
        ("2", None, None),
        (29, None, None),
        ("1998-01-01", None, None),
        ("corruption in the port", None, None),
        ("", None, None),
        (True, None, None),
        (None, None, None),
        ({"a": 1}, None, None),
        (float("inf"), None, None),
        ("x" * 3000, None, None),
    ],
)
def test_values_are_found_where_they_were_said(value, words, method):
    assert found(value) == (words and (words, method))


@pytest.mark.parametrize(
    ("value", "text", "words", "method"),
    [
        (28, "Sarah ist achtundzwanzig Jahre alt.", "achtundzwanzig", Method.NUMBER_WORD),
        (235_000, "zweihundertfünfunddreißigtausend Euro", "zweihundertfünfunddreißigtausend", Method.NUMBER_WORD),
        ("1997-03-12", "geboren am 12. März 1997 in Köln", "12. März 1997", Method.DATE),
        ("1997-03-12", "am 12.3.97", "12.3.97", Method.DATE),
        ("1997-03-12", "on the 12th of March", "12th of March", Method.DATE),
        ("Köln", "Koeln oder Ko\u0308ln?", "Ko\u0308ln", Method.NORMALIZED),
        (3_000_000, "3 Mio. Euro", "3 Mio.", Method.NORMALIZED),
        ("12345", "account 12 345", "12 345", Method.NORMALIZED),
    ],
)
def test_german_and_other_spellings(value, text, words, method):
    assert found(value, text) == (words, method)


@pytest.mark.parametrize(
    ("value", "text", "words"),
    [
        ("23456", "call 0151 2345678", None),
        ("12345", "12 apples, 345 pears", None),
        ("2312345", "account 12345", None),
        ("23456", "12345 6", None),
        ("123456", "account 123457", None),
        ("+4912345", "49 12345", "49 12345"),
        ("01512345678", "+49 151 2345678", "151 2345678"),
        ("01512345678", "+491512345678", "1512345678"),
        ("0049 151 2345678", "0151/2345678", "151/2345678"),
        ("12345", "D-12345 Berlin", "12345"),
    ],
)
def test_digits_are_found_as_a_number_that_was_said(value, text, words):
    assert (found(value, text) or (None,))[0] == words


def test_offsets_count_code_points_and_utf16_units():
    place = grounding.ground("b𝄞c", Text("😀a b𝄞c d"))

    assert (place.start, place.end, place.start_utf16, place.end_utf16) == (3, 6, 4, 8)
    for text, value in [(SAID, "Tomás"), (SAID, "Sarah"), ("x😀y 😀 zz", "zz")]:
        place = grounding.ground(value, Text(text))
        units = text.encode("utf-16-le")
        assert units[2 * place.start_utf16 : 2 * place.end_utf16].decode("utf-16-le") == text[place.start : place.end]


def test_of_several_places_the_closest_or_the_first():
    text = Text("Ana is 30. Rui is 30. Eva is 30.")

    assert grounding.ground(30, text).start == 7
    assert grounding.ground(30, text, near=15).start == 18
    assert grounding.ground(30, text, near=31).start == 29
    assert grounding.ground("Eva", text).start == 22


def test_confidence_falls_from_exact_to_fuzzy():
    text = Text(SAID)
    confidences = [
        grounding.ground(value, text).confidence
        for value in ("Sarah Keller", "sarah keller", "Sara Keler", "2020-05-17")
    ]

    assert confidences == sorted(confidences, reverse=True)
    assert confidences[0] == 1.0
    assert confidences[-1] < 0.7


def test_a_date_field_finds_no_likeness_of_digits():
    assert grounding.ground("1997-03-13", Text(SAID), field=DATE) is None
    assert grounding.ground("1897-07-13", Text(SAID), field=DATE) is None


def pages(count, seed=1):
    rng = random.Random(seed)
    syllables = ["ba", "ko", "li", "ran", "tes", "mu", "for", "den", "sal", "wi", "gor", "pe"]
    words = ["".join(rng.choices(syllables, k=rng.randint(1, 4))) for _ in range(8000)]
    return " ".join(rng.choice(words) + ("." if rng.random() < 0.1 else "") for _ in range(count * 450))


def test_two_hundred_pages_are_searched_quickly():
    text = pages(100) + " Sarah Keller is thirty-one, born 3 May 1990, tel. 0151 2345678. " + pages(100, seed=2)
    assert len(text) > 400_000
    values = [
        "Sarah Keller",
        "sarah keler",
        31,
        "1990-05-03",
        "01512345678",
        "nobody of this name",
        "Korantes Mufordes",
    ] * 10

    spent = time.process_time()
    known = Text(text)
    hits = [grounding.ground(value, known) for value in values]
    spent = time.process_time() - spent

    assert [hit is not None for hit in hits[:6]] == [True, True, True, True, True, False]
    assert spent < 10.0


@pytest.mark.parametrize("piece", ["a", "1", "a ", "1 ", "1.1.", "March ", "two ", "😀", "\u0301", "-", "\n", "ab1"])
def test_texts_made_to_be_slow_are_not(piece):
    text = Text(piece * (400_000 // len(piece)))

    spent = time.process_time()
    for value in ("a" * 100, "Sarah Keller", 11, "111111", "1990-01-01", "a a a a a a", "aaaa aaab"):
        grounding.ground(value, text)

    assert time.process_time() - spent < 12.0
