"""The demo's records: what ``demo_reading`` finds in a text, in the form of the schema that was asked for.

The schema is that of an envelope: ``entities`` with a list for every collection, ``links`` with the relations there are. What the text
does not say is null, so that it is asked for; nothing is made up.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from apps.llm.adapters import demo_reading
from apps.llm.adapters.demo_reading import Person, Reading
from apps.llm.adapters.demo_words import (
    ANY_RELATION,
    BOTH_WAYS,
    GROUPS,
    HOME_RELATION,
    MEANINGS,
    PEOPLE_SLUGS,
    PLACE_RELATION,
    PLACE_SLUGS,
    RELATED,
    TRANSLATED,
)

_MOST_THINGS = 50
_CAMEL = re.compile(r"(?<=[a-zäöüß])(?=[A-ZÄÖÜ])")
_ITEM = re.compile(r"\s*(?:[-*•]|\d{1,3}[.)])\s+(.+)")
_QUOTED = re.compile(r"[\"“„«]([^\"”“»]{1,120})[\"”“»]")
_PERSONAL = {"age", "born", "occupation", "given", "surname"}
_LINK_ENDS = {"from", "field", "to"}
_LONGEST_TEXT = 1_000
_FEWEST_SPACES = 2
_ABOUT = next(words for meaning, words in MEANINGS if meaning == "about")


def is_envelope(schema: Mapping[str, Any]) -> bool:
    return bool(groups(schema))


def extract(text: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """An answer that fits the envelope ``schema``, but for what is null where the schema wants a value."""
    reading = demo_reading.read(text)
    entities: dict[str, list[dict[str, Any]]] = {}
    people: dict[int, tuple[str, str]] = {}
    places: dict[str, tuple[str, str]] = {}
    for slug, fields in groups(schema).items():
        properties = fields.get("properties", {})
        kind = kind_of(slug, properties)
        rows: list[dict[str, Any]] = []
        if kind == "people":
            for number, person in enumerate(reading.people):
                name = f"{slug}-{number + 1}"
                people.setdefault(number, (slug, name))
                rows.append({"id": name, "fields": _filled(properties, person, text)})
        elif kind == "places":
            for number, place in enumerate(reading.places):
                name = f"{slug}-{number + 1}"
                places.setdefault(place, (slug, name))
                rows.append({"id": name, "fields": _of_place(properties, place, text)})
        else:
            things = _things(text, properties)
            rows = [{"id": f"{slug}-{number + 1}", "fields": thing} for number, thing in enumerate(things)]
        entities[slug] = rows
    answer: dict[str, Any] = {"entities": entities}
    if relations := _relations(schema):
        answer["links"] = _links(reading, relations, people, places)
    return answer


def groups(schema: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    found = {}
    for slug, group in _inside(schema, "properties", "entities", "properties").items():
        fields = _inside(group, "items", "properties", "fields")
        if fields:
            found[str(slug)] = fields
    return found


def _relations(schema: Mapping[str, Any]) -> list[str]:
    link = _inside(schema, "properties", "links", "items", "properties")
    names = _inside(link, "field").get("enum", []) if set(link) >= _LINK_ENDS else []
    return [str(each) for each in names]


def _inside(schema: Any, *path: str) -> Mapping[str, Any]:
    for step in path:
        schema = schema.get(step) if isinstance(schema, Mapping) else None
    return schema if isinstance(schema, Mapping) else {}


def kind_of(slug: str, properties: Mapping[str, Any]) -> str:
    spoken = _spoken(slug)
    if spoken in PEOPLE_SLUGS or any(word in PEOPLE_SLUGS for word in spoken.split()):
        return "people"
    if spoken in PLACE_SLUGS or any(word in PLACE_SLUGS for word in spoken.split()):
        return "places"
    return "people" if _PERSONAL & {meaning_of(name) for name in properties} else "things"


def _filled(properties: Mapping[str, Any], person: Person, text: str) -> dict[str, Any]:
    words = person.name.split()
    known = {
        "name": person.name,
        "given": words[0],
        "surname": words[-1] if len(words) > 1 else "",
        "age": person.age,
        "occupation": person.occupation,
        "born": person.born,
        "date": person.date if person.date != person.born else "",
        "email": person.email,
        "phone": person.phone,
        "place": person.place,
        "home": person.home,
        "amount": person.amount,
        "about": person.about,
    }
    return _by_meaning(properties, known, " ".join(person.said))


def _of_place(properties: Mapping[str, Any], place: str, text: str) -> dict[str, Any]:
    """What is told of it is told in a sentence that begins with it: who does something there is another matter."""
    begins = re.compile(rf"(?:\w+ ){{0,4}}{re.escape(place)}\b")
    said = [each for each in demo_reading.sentences(text) if begins.match(each)]
    about = next((each for each in said if each.count(" ") > _FEWEST_SPACES + place.count(" ")), "")
    return _by_meaning(properties, {"name": place, "place": place, "about": about}, " ".join(said))


def _things(text: str, properties: Mapping[str, Any]) -> list[dict[str, Any]]:
    """An object for each line of a list, else one for the whole text; one of which only its own words are known is none."""
    items = [found.group(1).strip() for line in text.splitlines() if (found := _ITEM.fullmatch(line))]
    rows = []
    for said in items[:_MOST_THINGS] or [text]:
        quoted = _QUOTED.search(said)
        amount = next(demo_reading.amounts(said), ("", ""))
        first = re.split(r"[:,;.!?(]| [-–] |\n", said, maxsplit=1)[0].strip()  # noqa: RUF001
        said = said[:_LONGEST_TEXT]  # noqa: PLW2901
        place = next(iter(demo_reading.read(said).places), "")
        known = {
            "name": quoted.group(1) if quoted else first if items else "",
            "amount": amount[0],
            "currency": amount[1],
            "date": next(iter(demo_reading.dates(said)), ""),
            "email": next(iter(demo_reading.emails(said)), ""),
            "phone": next(iter(demo_reading.phones(said)), ""),
            "place": place,
            "about": said,
        }
        row = _by_meaning(properties, known, said)
        if any(value not in (None, [], {}) for name, value in row.items() if meaning_of(name) != "about"):
            rows.append(row)
    return rows


def _by_meaning(properties: Mapping[str, Any], known: Mapping[str, str], said: str) -> dict[str, Any]:
    """What was said about it goes into one field, that which sums up; a field for which there is no rule stays empty."""
    found: dict[str, Any] = {}
    about = about_field(properties)
    for name, rule in properties.items():
        own = plain(rule)
        if choices := own.get("enum"):
            found[name] = next((each for each in choices if isinstance(each, str) and _says(said, each)), None)
            continue
        kinds = own.get("type", "string")
        meaning = meaning_of(name)
        value: Any = "" if meaning == "about" and name != about else known.get(meaning, "")[:_LONGEST_TEXT]
        if kinds == "object":
            value = _by_meaning(own.get("properties", {}), known, said)
        elif kinds == "array":
            value = [value] if value else []
        elif kinds in {"integer", "number"}:
            value = _number(value) or _beside(name, said)
        elif kinds == "boolean":
            value = None
        elif own.get("format") == "date":
            value = value if value and demo_reading.dates(value) else known.get("date") or known.get("born")
        found[name] = value or None if kinds != "array" else value
    return found


def about_field(properties: Mapping[str, Any]) -> str:
    """The one field that sums up: a description before notes. Empty: there is none."""
    summing = [name for name, rule in properties.items() if meaning_of(name) == "about" and _takes_words(rule)]
    places = {word: place for place, word in enumerate(_ABOUT)}
    return min(summing, key=lambda name: places.get(_spoken(name), len(places)), default="")


def may_be_null(rule: Any) -> bool:
    if not isinstance(rule, Mapping):
        return True
    each = rule.get("type")
    return each == "null" or (isinstance(each, list) and "null" in each) or any(map(may_be_null, rule.get("anyOf", ())))


def _takes_words(rule: Any) -> bool:
    own = plain(rule)
    return own.get("type", "string") == "string" and not own.get("enum") and "format" not in own


def plain(rule: Any) -> Mapping[str, Any]:
    """Without the null beside it."""
    if not isinstance(rule, Mapping):
        return {}
    if isinstance(rule.get("anyOf"), list):
        rule = next((each for each in rule["anyOf"] if isinstance(each, Mapping) and each.get("type") != "null"), {})
    if isinstance(rule.get("type"), list):
        return {**rule, "type": next((each for each in rule["type"] if each != "null"), "string")}
    return rule


def _number(value: str) -> Any:
    """As a number where it is written as one; in words it goes on as it stands, and is read where types are known."""
    return int(value) if value.isdecimal() else value


def _beside(name: str, said: str) -> Any:
    """``Seats: 12``, ``12 seats``."""
    spoken = re.escape(_spoken(name))
    found = re.search(rf"\b{spoken}\s?[:=]?\s?(\d{{1,9}})\b|\b(\d{{1,9}}) {spoken}\b", said, re.IGNORECASE)
    return int(found[1] or found[2]) if found else None


def _says(said: str, choice: str) -> bool:
    return bool(re.search(rf"\b{re.escape(choice)}\b", said, re.IGNORECASE))


def meaning_of(name: str) -> str:
    spoken = _spoken(name)
    for meaning, words in MEANINGS:
        if spoken in words:
            return meaning
    for meaning, words in MEANINGS:
        if any(re.search(rf"\b{re.escape(word)}\b", spoken) for word in words):
            return meaning
    return spoken


def _spoken(name: str) -> str:
    return " ".join(_CAMEL.sub(" ", name).replace("_", " ").replace("-", " ").lower().split())


def _links(
    reading: Reading,
    relations: list[str],
    people: Mapping[int, tuple[str, str]],
    places: Mapping[str, tuple[str, str]],
) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    for owner, kin, other in reading.kin:
        if owner not in people or other not in people:
            continue
        for one, two, both_ways in ((owner, other, False), (other, owner, True)):
            name = _relation(relations, people[one][0], kin, is_back=both_ways)
            link = {"from": people[one][1], "field": name, "to": people[two][1]}
            if name and link not in found:
                found.append(link)
    for number, person in enumerate(reading.people):
        if number not in people:
            continue
        slug, own = people[number]
        theirs = [each for each in relations if each.startswith(slug + ".")]
        home = next((each for each in theirs if _tail(each) in HOME_RELATION), "")
        somewhere = next((each for each in theirs if _tail(each) in PLACE_RELATION), "")
        for name, place in ((home, person.home), ("" if home and person.home else somewhere, person.place)):
            if name and place:
                found.append({"from": own, "field": name, "to": places[place][1] if place in places else place})
    return found


def _relation(relations: list[str], slug: str, kin: str, *, is_back: bool) -> str:
    """By the very word in either language, else by what kin of that sort are called; back only by what holds both ways."""
    own = {_tail(each): each for each in relations if each.startswith(slug + ".")}
    group = RELATED.get(kin, "")
    very = [kin, TRANSLATED.get(kin, ""), *(german for german, english in TRANSLATED.items() if english == kin)]
    wanted = [] if is_back else [*very, *(f"{each}s" for each in very), *GROUPS.get(group, ()), *ANY_RELATION]
    if is_back and group in BOTH_WAYS:
        wanted = [*GROUPS[group]]
    return next((own[each] for each in wanted if each in own), "")


def _tail(relation: str) -> str:
    return _spoken(relation.partition(".")[2].rpartition("/")[2])
