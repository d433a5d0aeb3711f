"""What the demo reads in a text by rules: people with what is said of them, places, amounts. English and German; linear in the text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from apps.llm.adapters.demo_words import GIVEN, NO_NAMES, OCCUPATIONS, PARTICLES, QUALIFIERS, RELATED

MOST_CHARACTERS = 60_000
_MOST_PEOPLE = 100
_MOST_PLACES = 100
_MOST_KIN = 300
_MOST_SAID = 5
_LONGEST_SENTENCE = 600

_UPPER = r"[A-ZÀ-ÖØ-ÞĀŁŚŠŽ]"
_NAME = re.compile(rf"\b{_UPPER}[^\W\d_]+(?:[-'’]{_UPPER}[^\W\d_]+){{0,2}}")  # noqa: RUF001
_MONTH = "Jan|Feb|Mar|Mär|Apr|May|Mai|Jun|Jul|Aug|Sep|Oct|Okt|Nov|Dec|Dez"
_SENTENCE = re.compile(
    rf"(?<=[.!?])(?<!Dr\.)(?<!Mr\.)(?<!Ms\.)(?<!Mrs\.)(?<!Prof\.)(?:(?<!\d\.)|(?!\s+(?:{_MONTH}|\d)))\s+|\n+"
)
_BETWEEN = re.compile(r" (?:[a-z]{2,3} ){0,2}")
_WORDS_OF_NUMBERS = (
    r"(?:(?:twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)(?:-(?:one|two|three|four|five|six|seven|eight|nine))?"
    r"|(?:six|seven|eigh|nine|four|fif|thir)teen|eleven|twelve|ten|nine|eight|seven|six|five"
    r"|[a-zäöüß]{0,12}(?:zwanzig|dreißig|vierzig|fünfzig|sechzig|siebzig|achtzig|neunzig)|[a-zäöü]{3,8}zehn|zwölf|elf|zehn)"
)
_COUNT = rf"(\d{{1,3}}|{_WORDS_OF_NUMBERS})"
_AGES = re.compile(
    rf"\b{_COUNT}[- ]years?[- ]old\b|\b{_COUNT}[- ]?jährige[rns]?\b|\b{_COUNT} Jahre\b(?: alt)?|\b(?:aged?|Alter:?) {_COUNT}\b"
    rf"|\b(?:is|was|turned|turns|ist|war|wird|wurde) (?:now |about |jetzt |etwa )?{_COUNT}(?=[\s]*(?:[.,;!)]|$| and | und ))"
    rf"|[(,] ?{_COUNT}(?=[,)])",
    re.IGNORECASE,
)
_DATE = re.compile(
    r"\b(?:\d{4}-\d{2}-\d{2}|\d{1,2}\.\s?\d{1,2}\.\s?\d{4}|\d{1,2}/\d{1,2}/\d{4}"
    r"|\d{1,2}(?:st|nd|rd|th|\.)? (?:of )?(?:Jan|Feb|Mar|Mär|Apr|May|Mai|Jun|Jul|Aug|Sep|Oct|Okt|Nov|Dec|Dez)[^\W\d_]{0,7},? \d{4}"
    r"|(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6} \d{1,2}(?:st|nd|rd|th)?,? \d{4})\b"
)
_BORN = re.compile(r"\b(?:born|geboren|birthday|Geburtstag|\*)\b", re.IGNORECASE)
_EMAIL = re.compile(r"\b[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}\b")
_PHONE = re.compile(r"(?<![\w.])(?:\+\d{1,3}[ /-]?)?\(?0?\d{2,5}\)?[ /-]\d{2,8}(?:[ -]\d{2,6}){0,3}(?![\w-])")
_AMOUNT = re.compile(
    r"(?P<before>[€$£]|\b(?:EUR|USD|GBP|CHF) ?) ?(?P<a>\d[\d.,]{0,14}(?:\s?(?:k|million|Mio\.?))?)"
    r"|\b(?P<b>\d[\d.,]{0,14}(?:\s(?:k|thousand|million|Tausend|Mio\.?))?)\s?(?P<after>€|EUR\b|USD\b|GBP\b|CHF\b|euros?\b|dollars?\b|Euro\b|pounds\b)",
    re.IGNORECASE,
)
_CURRENCIES = {
    "€": "EUR",
    "$": "USD",
    "£": "GBP",
    "euro": "EUR",
    "euros": "EUR",
    "dollar": "USD",
    "dollars": "USD",
    "pounds": "GBP",
}
_PLACE = re.compile(
    rf"\b(?:in|from|near|at|to|of|aus|nach|bei|von) (?:the |der |dem |den )?({_UPPER}[^\W\d_]+(?:[ -]{_UPPER}[^\W\d_]+){{0,2}})"
)
_KIN = "|".join(sorted(map(re.escape, RELATED), key=len, reverse=True))
_KINSHIP = re.compile(
    rf"\b(?:(?P<own>her|his|their|my|ihre?n?|seine?n?|meine?n?)|(?P<of>{_UPPER}[^\W\d_]+?)(?:['’]s|['’]|s))\s"  # noqa: RUF001
    rf"(?:(?:older|younger|elder|little|big|twin|late|old|best|ältere[rn]?|jüngere[rn]?|kleine[rn]?|große[rn]?|beste[rn]?)\s)?"
    rf"(?P<kin>{_KIN})(?:,)?\s(?:(?:named|called|namens|is|ist|heißt)\s)?(?P<name>{_UPPER}[^\W\d_]+)",
    re.IGNORECASE,
)
_LIVES = re.compile(
    r"\b(?:lives?|lived|living|resid(?:es?|ed|ing)|based|at home|moved|lebt|lebte|wohnt|wohnte|wohnhaft|zu Hause|zog) (?:\w+ ){0,2}$",
    re.IGNORECASE,
)
_COMES = re.compile(r"\b(?:from|aus)(?: the| der| dem)? $", re.IGNORECASE)
_PREPOSITION = r"(?:in|near|at|to|nach|bei)(?: the| der| dem)? "
#: What leads on to the next: "…, and her brother".
_LEADS_ON = re.compile(
    rf"[\s,;:(]*(?:\b(?:and|or|with|und|oder|mit|while|whose|deren|dessen))?\s*(?:(?:\b(?:her|his|their|my|ihre?n?|seine?n?|meine?n?)|['’]s|['’])\s"  # noqa: RUF001
    rf"(?:[\w-]+\s)?(?:{_KIN}))?(?:\s(?:named|called|namens))?[\s,;:(]*$",
    re.IGNORECASE,
)
_FEWEST_WORDS = 4
_VERB = re.compile(
    r"\s(?:is|was|works|lives|has|had|wants|loves|runs|owns|said|called|turned|lived|worked|comes|grew|ist|war|arbeitet|lebt|wohnt|hat|heißt|will|kommt)\b"
)
_TITLED = re.compile(
    r"\b(?:Mr|Mrs|Ms|Dr|Prof|Herr|Herrn|Frau|named|called|namens|heiße|heißt|name is|I am|I'm|ich bin)\.?\s$",
    re.IGNORECASE,
)
_PRONOUN = re.compile(r"(?:She|He|Her|His|Sie|Er|Ihre?|Seine?)\b")
_WHOSE = {"her", "his", "their", "my", "ihr", "ihre", "sein", "seine"}
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)?")


@dataclass(slots=True)
class Person:
    """``said`` are the words about them, from a name to the next; ``about`` the first of these that tell something."""

    name: str
    said: list[str] = field(default_factory=list)
    about: str = ""
    age: str = ""
    occupation: str = ""
    born: str = ""
    place: str = ""
    home: str = ""
    email: str = ""
    phone: str = ""
    amount: str = ""
    date: str = ""


@dataclass(slots=True)
class Reading:
    """``kin``: index of one person, what the other is to them, index of the other."""

    people: list[Person] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    kin: list[tuple[int, str, int]] = field(default_factory=list)


def read(text: str) -> Reading:
    text = text[:MOST_CHARACTERS]
    found = Reading()
    known: dict[str, int] = {}
    last: int | None = None
    for sentence in sentences(text):
        places = _places(sentence)
        mentions = [each for each in _names(sentence) if _is_person(sentence, each, places, known)]
        if last is not None and (not mentions or mentions[0][0] > 0) and _PRONOUN.match(sentence):
            _tell(found.people[last], sentence[: mentions[0][0] if mentions else len(sentence)], places)
            if not mentions:
                _say(found.people[last], sentence)
        for number, (_start, end, name) in enumerate(mentions):
            place = _person_of(name, known, found)
            if place is None:
                continue
            until = mentions[number + 1][0] if number + 1 < len(mentions) else len(sentence)
            _tell(found.people[place], sentence[end:until], places)
            _say(found.people[place], sentence[_start if number else 0 : until])
        _relate(sentence, known, found, last)
        if mentions and (first := known.get(mentions[0][2].split()[0])) is not None and not _PRONOUN.match(sentence):
            last = first
        people = set(known)
        for each in places:
            if each not in people and each not in found.places and len(found.places) < _MOST_PLACES:
                found.places.append(each)
    return found


def amounts(text: str) -> Iterator[tuple[str, str]]:
    """Number as written, and currency."""
    for each in _AMOUNT.finditer(text):
        sign = (each["before"] or each["after"]).strip()
        yield (each["a"] or each["b"]).rstrip(".,"), _CURRENCIES.get(sign.lower(), sign.upper())


def dates(text: str) -> list[str]:
    return _DATE.findall(text)


def emails(text: str) -> list[str]:
    return _EMAIL.findall(text)


def phones(text: str) -> list[str]:
    return [each for each in _PHONE.findall(text) if not _DATE.search(each)]


def sentences(text: str) -> list[str]:
    """What goes on for long without an end is cut into pieces."""
    whole = (each.strip() for each in _SENTENCE.split(text[:MOST_CHARACTERS]))
    return [each[at : at + _LONGEST_SENTENCE] for each in whole for at in range(0, len(each), _LONGEST_SENTENCE)]


def _names(sentence: str) -> list[tuple[int, int, str]]:
    """Runs of capitalized words, with particles between them."""
    found: list[tuple[int, int, str]] = []
    for each in _NAME.finditer(sentence):
        if each.group() in NO_NAMES or each.group().lower() in RELATED or each.group().lower() in OCCUPATIONS:
            continue
        between = sentence[found[-1][1] : each.start()] if found else "."
        joins = between == " " or (_BETWEEN.fullmatch(between) and set(between.split()) <= PARTICLES)
        if found and joins and found[-1][2].count(" ") < 3:  # noqa: PLR2004
            start = found.pop()[0]
            found.append((start, each.end(), sentence[start : each.end()]))
        else:
            found.append((each.start(), each.end(), each.group()))
    return found


def _is_person(sentence: str, mention: tuple[int, int, str], places: list[str], known: dict[str, int]) -> bool:
    start, end, name = mention
    first = name.split(maxsplit=1)[0]
    if first in known or first in GIVEN or _TITLED.search(sentence[max(0, start - 20) : start]):
        return True
    before = _WORD.findall(sentence[max(0, start - 30) : start])
    if before and before[-1].lower() in RELATED:
        return True
    if name in places:
        return False
    after = sentence[end : end + 60]
    if _AGES.match(after) or re.match(r",? (?:a|an|eine?|der|die) (?:[\w-]+ ){0,2}[\w-]*(?:year|jährige)", after):
        return True
    if re.match(r", (?:a|an|the|eine?) ", after) and _occupation(after):
        return True
    return start == 0 and bool(_VERB.match(after)) and (" " in name or bool(_occupation(after) or _AGES.search(after)))


def _person_of(name: str, known: dict[str, int], found: Reading) -> int | None:
    first = name.split(maxsplit=1)[0]
    place = known.get(first)
    if place is None:
        if len(found.people) >= _MOST_PEOPLE:
            return None
        known[first] = place = len(found.people)
        found.people.append(Person(name))
    elif len(name) > len(found.people[place].name) and name.startswith(found.people[place].name):
        found.people[place].name = name
    return place


def _tell(person: Person, said: str, places: list[str]) -> None:
    """What stands first holds: a later sentence about somebody else's age is no correction."""
    clause = re.split(r"\b(?:and|und) (?:her|his|ihre?|seine?)\b", said, maxsplit=1)[0]
    if not person.age and (age := _AGES.search(clause)):
        person.age = next(group for group in age.groups() if group)
    person.occupation = person.occupation or _occupation(clause)
    if all_dates := dates(clause):
        person.date = person.date or all_dates[0]
        if _BORN.search(clause):
            person.born = person.born or all_dates[0]
    person.email = person.email or next(iter(emails(clause)), "")
    person.phone = person.phone or next(iter(phones(clause)), "")
    person.amount = person.amount or next((number for number, _currency in amounts(clause)), "")
    person.home = person.home or _said_of(clause, places, _LIVES, _PREPOSITION)
    person.place = person.place or person.home or _said_of(clause, places, _COMES)


def _say(person: Person, clause: str) -> None:
    """Their own clause, without what leads on to somebody else; a name and little more is nothing about them."""
    clause = clause[: _LEADS_ON.search(clause).start()].strip()  # type: ignore[union-attr]
    if len(person.said) < _MOST_SAID and clause:
        person.said.append(clause)
    if not person.about and len(_WORD.findall(clause)) >= _FEWEST_WORDS + len(person.name.split()):
        person.about = clause


def _occupation(clause: str) -> str:
    """The occupation with what goes before it: investigative journalist, taxi driver."""
    words = [(each.group(), each.start()) for each in _WORD.finditer(clause[:400])]
    for at, (word, start) in enumerate(words):
        if word.lower() not in OCCUPATIONS or (at and words[at - 1][0].lower() in _WHOSE):
            continue
        begin = start
        for before, place in reversed(words[:at]):
            if before.lower() not in QUALIFIERS or clause[place + len(before) : begin] != " ":
                break
            begin = place
        return clause[begin : start + len(word)]
    return ""


def _said_of(clause: str, places: list[str], verb: re.Pattern[str], preposition: str = "") -> str:
    """The first place that the clause ties to its person by such a word; one that is only named is not theirs."""
    for each in places:
        before = re.sub(rf"{preposition}$", "", clause[: clause.find(each)]) if each in clause else ""
        if verb.search(before[-60:]):
            return each
    return ""


def _places(sentence: str) -> list[str]:
    found = []
    for each in _PLACE.finditer(sentence):
        words = each.group(1).split()
        if words[0] not in NO_NAMES and words[0] not in GIVEN and words[0].lower() not in OCCUPATIONS | RELATED.keys():
            found.append(each.group(1))
    return found


def _relate(sentence: str, known: dict[str, int], found: Reading, last: int | None) -> None:
    for each in _KINSHIP.finditer(sentence):
        if not each["name"][0].isupper() or each["name"] not in known:
            continue
        other = known[each["name"]]
        if each["of"]:
            owner = next((place for place, one in enumerate(found.people) if each["of"] in one.name.split()), None)
        else:
            before = [place for name, place in known.items() if name in sentence[: each.start()]]
            owner = max(
                before,
                key=lambda place: sentence[: each.start()].rfind(found.people[place].name.split()[0]),
                default=last,
            )
        if owner is not None and owner != other and len(found.kin) < _MOST_KIN:
            found.kin.append((owner, each["kin"].lower(), other))
