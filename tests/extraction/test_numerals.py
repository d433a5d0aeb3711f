import time
from decimal import Decimal

import pytest

from apps.extraction import dates, numerals


def words(text):
    return [(int(n.values[0]), text[n.start : n.end]) for n in numerals.in_words(text)]


def digits(text, language="en"):
    return [([str(v) for v in n.values], text[n.start : n.end]) for n in numerals.in_digits(text, language=language)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("she is twenty-eight", [(28, "twenty-eight")]),
        ("twenty eight", [(28, "twenty eight")]),
        ("Two hundred and five thousand and one.", [(205_001, "Two hundred and five thousand and one")]),
        ("one million two hundred thousand", [(1_200_000, "one million two hundred thousand")]),
        ("two, three", [(2, "two"), (3, "three")]),
        ("two three", [(2, "two"), (3, "three")]),
        ("nineteen ninety", [(19, "nineteen"), (90, "ninety")]),
        ("a hundred", [(100, "hundred")]),
        ("two dozen eggs", [(24, "two dozen")]),
        ("no one knows", [(1, "one")]),
        ("achtundzwanzig Jahre", [(28, "achtundzwanzig")]),
        ("Zweihundertfünfunddreißig", [(235, "Zweihundertfünfunddreißig")]),
        ("dreitausend", [(3000, "dreitausend")]),
        ("hunderttausend", [(100_000, "hunderttausend")]),
        ("zweihundertdreitausendvierhundertzwölf", [(203_412, "zweihundertdreitausendvierhundertzwölf")]),
        ("einundzwanzig, hundert, tausend", [(21, "einundzwanzig"), (100, "hundert"), (1000, "tausend")]),
        ("ein Dutzend", [(12, "Dutzend")]),
        ("eine Schwester, ein Haus, Achtung", []),
        ("often, tension, Elfriede, sechste, undzwanzig", []),
    ],
)
def test_numbers_in_words(text, expected):
    assert words(text) == expected


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("28 years", "en", [(["28"], "28")]),
        ("-3 and 4-5", "en", [(["-3"], "-3"), (["4"], "4"), (["5"], "5")]),
        ("1,234", "en", [(["1234", "1.234"], "1,234")]),
        ("1,234", "de", [(["1.234", "1234"], "1,234")]),
        ("1.234", "de", [(["1234", "1.234"], "1.234")]),
        ("1.234.567,89", "en", [(["1234567.89"], "1.234.567,89")]),
        ("1,234,567", "de", [(["1234567"], "1,234,567")]),
        ("3.50", "en", [(["3.5"], "3.50")]),
        (
            "5k, 2.5 million and 3 Mio. Euro",
            "en",
            [(["5000"], "5k"), (["2500000"], "2.5 million"), (["3000000"], "3 Mio.")],
        ),
        ("A4, v2x, R2D2", "en", []),
        ("€5,000", "en", [(["5000", "5"], "5,000")]),
        ("1990", "en", [(["1990"], "1990")]),
    ],
)
def test_numbers_in_digits(text, language, expected):
    assert digits(text, language) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1990-03-12", ("1990-03-12",)),
        ("12.3.1990", ("1990-03-12",)),
        ("12. 3. 1990", ("1990-03-12",)),
        ("12 March 1990", ("1990-03-12",)),
        ("12th of March, 1990", ("1990-03-12",)),
        ("March 12, 1990", ("1990-03-12",)),
        ("Mar. 12 1990", ("1990-03-12",)),
        ("12. März 1990", ("1990-03-12",)),
        ("1. Mai 2020", ("2020-05-01",)),
        ("3/4/1990", ("1990-03-04", "1990-04-03")),
        ("13/4/1990", ("1990-04-13",)),
        ("12.03.90", ("1990-03-12",)),
        ("12.03.04", ("2004-03-12",)),
        ("March 1990", ("1990-03",)),
        ("12 March", ("--03-12",)),
        ("30 February 1990", ()),
        ("2025-13-01", ()),
        ("tomorrow", ()),
        ("born 12 March 1990", ()),
    ],
)
def test_dates(text, expected):
    assert dates.read(text) == expected


def test_slashes_are_read_as_the_language_has_it():
    assert dates.read("3/4/1990", language="de") == ("1990-04-03", "1990-03-04")


def test_dates_are_found_where_they_stand():
    text = "Version 1.2.3.4 of 3 May 2020, then May 2021 and in may; 10.10.10.10"

    assert [(d.values[0], text[d.start : d.end]) for d in dates.find(text)] == [
        ("2020-05-03", "3 May 2020"),
        ("2021-05", "May 2021"),
    ]


@pytest.mark.parametrize(
    "piece",
    [
        "1.1.",
        "1 ",
        "1,111",
        "12 March ",
        "two ",
        "hundert",
        "und",
        "ein",
        "a",
        "-",
        "1990-",
        "zwei",
        "March March ",
        "1 thousand",
        "and ",
    ],
)
def test_long_texts_cost_what_they_are_long(piece):
    text = piece * (300_000 // len(piece))

    before = time.process_time()
    count = sum(1 for search in (numerals.in_words, numerals.in_digits, dates.find) for _each in search(text))
    spent = time.process_time() - before

    assert count >= 0
    assert spent < 3.0


def test_german_and_english_agree_with_digits():
    for number, spoken in [
        (17, "seventeen"),
        (99, "ninety-nine"),
        (340, "three hundred and forty"),
        (7000, "seven thousand"),
    ]:
        assert [n.values for n in numerals.in_words(spoken)] == [(Decimal(number),)]
    for number, spoken in [
        (17, "siebzehn"),
        (99, "neunundneunzig"),
        (340, "dreihundertvierzig"),
        (7000, "siebentausend"),
    ]:
        assert numerals.german(spoken) == number
