"""What the demo makes up: records of a schema from a brief, by rules and lists of words, so that no two of an operation are alike. Pure.

The words are the demo's own, in both languages, and not in the catalogue.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from apps.llm.adapters import demo_reading, demo_rules

_BRIEF = re.compile(r"^Brief: (.*?)(?=^This is number )", re.DOTALL | re.MULTILINE)
_NUMBER = re.compile(r"^This is number (\d{1,6}) of", re.MULTILINE)
_THERE = re.compile(r"^- (.+)$", re.MULTILINE)
_GERMAN = re.compile(r"\b(?:und|für|eine[rnms]?|mit|aus|der|die|das|im|Figuren|Personen)\b")
_MOST_TRIES = 25
#: More than an operation makes, so that who is in the way of one is not in the way of the next.
_APART = 1000
#: Of a list of objects.
_SEVERAL = 3
_LONGEST = 400
_SAID = 160

_GIVEN = {
    "pt": "Rui Leonor Tiago Beatriz João Catarina Duarte Inês Vasco Matilde Afonso Teresa Gonçalo Joana Nuno Helena Miguel Marta Álvaro Rita Tomás Amália Pedro Sofia Jorge Clara Luís Madalena Simão Filipa",
    "de": "Anna Lukas Greta Jonas Heike Emil Clara Klaus Marlene Otto Lena Felix Petra Theo Monika Karl Ines Paul Frieda Jakob Nora Walter Ida Stefan Martha Hugo Vera Anton Ruth Philipp",
    "en": "Ada Walter Nora Henry Grace Jack Ruth Oscar Helen Vincent Rose Theo Clara Arthur Stella Leo Vera Samuel Iris Frank Alice Victor Jane Daniel Eve Thomas Lily Robert Mary Felix",
}
_SURNAMES = {
    "pt": "Almeida Ferreira Carvalho Nogueira Teixeira Monteiro Pereira Cardoso Moreira Figueira Barros Coelho Duarte Esteves Fonseca Guerra Lacerda Machado Neves Pinto Queiroz Ramalho Salgado Tavares Valente Xavier Brandão Cunha Leitão Morais",
    "de": "Albrecht Brandt Conrad Dietrich Ebert Falk Grimm Hartwig Imhoff Jansen Keller Lorenz Mertens Neumann Ostermann Peters Quandt Reuter Sander Thiele Ullrich Vogt Winter Zeller Bergmann Engel Hoffmann Krause Lindner Seidel",
    "en": "Archer Bellamy Calloway Drake Everett Fairfax Granger Hale Irving Jarvis Kendrick Langley Mercer Nash Oakley Prescott Quinn Rowe Sinclair Thorne Underhill Vance Whitlock Yates Ashford Blackwood Crane Doyle Finch Harlow",
}
_WHERE = {
    "pt": ("lisbon", "lissabon", "lisboa", "porto", "portug", "brazil", "brasil", "fado"),
    "de": ("berlin", "hamburg", "münchen", "munich", "wien", "vienna", "german", "deutsch", "austria", "österreich"),
}
_WORK = {
    "noir": (
        "private detective|fado singer|smuggler|night porter|crime reporter|forger|harbour pilot|widow with debts|police inspector|pawnbroker|bartender|retired boxer",
        "Privatdetektivin|Fadosängerin|Schmuggler|Nachtportier|Kriminalreporterin|Fälscher|Hafenlotse|Kommissarin|Pfandleiher|Barkeeper|Boxer im Ruhestand|Pianist",
    ),
    "": (
        "teacher|engineer|nurse|carpenter|journalist|baker|architect|translator|fisherman|pharmacist|gardener|musician",
        "Lehrerin|Ingenieur|Krankenpfleger|Tischlerin|Journalistin|Bäcker|Architektin|Übersetzer|Fischer|Apothekerin|Gärtnerin|Musiker",
    ),
}
_TRAITS = (
    "keeps a secret from the rest|owes somebody a favour|never says where the money comes from|knows the old quarter by heart|came back after ten years away|trusts nobody who smiles first|writes everything down|has lost something and looks for it|is kinder than they seem|wants out, this time for good",
    "verschweigt den anderen etwas|schuldet jemandem einen Gefallen|sagt nie, woher das Geld kommt|kennt die Altstadt auswendig|ist nach zehn Jahren zurückgekehrt|traut niemandem, der zuerst lächelt|schreibt alles auf|hat etwas verloren und sucht es|ist freundlicher, als es scheint|will aussteigen, diesmal für immer",
)
_WISHES = (
    "to pay a debt before it is called in|to be believed for once|to leave without being followed|to find who gave the order|to keep the house|to make up for an old mistake|to be forgotten",
    "eine Schuld begleichen, ehe sie fällig wird|dass man ihm oder ihr einmal glaubt|gehen, ohne verfolgt zu werden|herausfinden, wer den Auftrag gab|das Haus behalten|einen alten Fehler gutmachen|vergessen werden",
)
_THINGS = (
    "Blue Lantern|Silent Harbour|Paper Crown|Second Light|Amber Key|Long Stair|Glass Bridge|North Gate|Last Ferry|Open Window|Iron Rose|Small Hours",
    "Blaue Laterne|Stiller Hafen|Papierkrone|Zweites Licht|Bernsteinschlüssel|Lange Treppe|Glasbrücke|Nordtor|Letzte Fähre|Offenes Fenster|Eiserne Rose|Frühe Stunde",
)
_PLACES = {
    "pt": "Alfama|Mouraria|Bairro Alto|Cais do Sodré|Graça|Chiado|Belém|Madragoa",
    "de": "Kreuzberg|Altona|Schwabing|Neustadt|Moabit|Sankt Pauli|Prenzlauer Berg|Lindenau",
    "en": "Harbour Street|Old Market|Station Road|Mill Lane|Dock Square|Hill Top|Canal Row|Church Yard",
}


@dataclass(frozen=True, slots=True)
class _Made:
    """``number`` counts on until the name is nobody's that is there."""

    number: int
    region: str
    is_german: bool
    brief: str

    def pick(self, choices: str | Sequence[str], step: int = 1) -> str:
        several = choices.split("|") if isinstance(choices, str) else choices
        return several[(self.number * step + self.number // len(several)) % len(several)]

    def of(self, both: tuple[str, str], step: int = 1) -> str:
        return self.pick(both[self.is_german], step)

    @property
    def name(self) -> str:
        """The first 900 numbers are 900 names; then come double ones."""
        given, surnames = _GIVEN[self.region].split(), _SURNAMES[self.region].split()
        first, rest = self.number % len(given), self.number // len(given)
        last = (rest + 7 * first) % len(surnames)
        double = rest // len(surnames)
        more = f" {surnames[(last + double) % len(surnames)]}" if double else ""
        return f"{given[first]} {surnames[last]}{more}"

    @property
    def thing(self) -> str:
        several = _THINGS[self.is_german].split("|")
        count = self.number // len(several)
        return several[self.number % len(several)] + (f" {count + 1}" if count else "")


def make(text: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """One object in the envelope ``schema``, as the words of the request ask for it."""
    brief = found[1].strip() if (found := _BRIEF.search(text)) else ""
    number = int(found[1]) if (found := _NUMBER.search(text)) else 1
    there = {each.casefold() for each in _THERE.findall(text)}
    slug, fields = next(iter(demo_rules.groups(schema).items()))
    properties = fields.get("properties", {})
    kind = demo_rules.kind_of(slug, properties)
    region = _region(brief)
    is_german = bool(_GERMAN.search(brief))
    made = _Made(number - 1, region, is_german, brief)
    for more in range(_MOST_TRIES):
        made = _Made(number - 1 + more * _APART, region, is_german, brief)
        title = made.name if kind == "people" else made.thing
        if not any(title.casefold() in each for each in there):
            break
    made_fields = _fields(fields, made, kind)
    answer: dict[str, Any] = {"entities": {slug: [{"id": "m1", "fields": made_fields}]}}
    if "links" in schema.get("properties", {}):
        answer["links"] = []
    return answer


def fill(text: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """One object of ``schema`` about what stands in a prompt: what the words say, else what is nearest to hand."""
    number = sum(map(ord, text)) % 997
    made = _Made(number, _region(text), bool(_GERMAN.search(text)), text)
    found: dict[str, Any] = {}
    for name, rule in schema.get("properties", {}).items():
        own = demo_rules.plain(rule)
        choices = [each for each in own.get("enum", ()) if isinstance(each, str)]
        if said := next((each for each in choices if each.casefold() in text.casefold()), None):
            found[name] = said
        elif own.get("type", "string") == "string" and not choices and "format" not in own:
            found[name] = say(text)[: int(own.get("maxLength", _LONGEST))]
        else:
            found[name] = _value(name, rule, made, "things", must=True)
    return found


def say(text: str) -> str:
    words = " ".join(text.split())
    return f"Demo: {words[:_SAID].rstrip()}{'…' if len(words) > _SAID else ''}"


def _region(brief: str) -> str:
    said = brief.lower()
    return next((name for name, words in _WHERE.items() if any(word in said for word in words)), "en")


def _fields(own: Mapping[str, Any], made: _Made, kind: str) -> dict[str, Any]:
    """What there is a rule for; the rest stays empty, but for what has to be there. One field sums up."""
    properties, required = own.get("properties", {}), own.get("required", ())
    found = {name: _value(name, rule, made, kind) for name, rule in properties.items()}
    needed = [name for name in required if name in properties and not demo_rules.may_be_null(properties[name])]
    about = demo_rules.about_field(properties)
    for place, name in enumerate([name for name in needed if found[name] is None] or ([about] if about else [])):
        other = replace(made, number=made.number + place * _APART)
        found[name] = _value(name, properties[name], other, kind, must=True)
    return {name: value for name, value in found.items() if value is not None or name in required}


def _value(name: str, rule: Any, made: _Made, kind: str, *, must: bool = False) -> Any:
    own = demo_rules.plain(rule)
    meaning = demo_rules.meaning_of(name)
    if choices := [each for each in own.get("enum", ()) if each is not None]:
        return choices[made.number % len(choices)]
    match own.get("type", "string"):
        case "object":
            return _fields(own, made, kind)
        case "array":
            items = own.get("items", {})
            if demo_rules.plain(items).get("type") == "object":
                several = [replace(made, number=made.number + place) for place in range(_SEVERAL)]
                return [_value(name.rstrip("s"), items, each, "things") for each in several]
            one = _value(name.rstrip("s"), items, made, "things", must=must)
            return [one] if one not in (None, "") else []
        case "boolean":
            return made.number % 2 == 0
        case "integer" | "number":
            return _number(own, 21 + (made.number * 17) % 50 if meaning == "age" else 1 + (made.number * 37) % 100)
        case _:
            return _text(meaning, own, made, kind, must=must)


def _number(own: Mapping[str, Any], value: int) -> int:
    low = int(own.get("minimum", own.get("exclusiveMinimum", -1) + 1))
    high = int(own.get("maximum", own.get("exclusiveMaximum", max(low, 0) + 1_000_001) - 1))
    return value if low <= value <= high else low + value % max(1, high - low + 1)


def _text(meaning: str, own: Mapping[str, Any], made: _Made, kind: str, *, must: bool) -> str | None:
    year, month, day = 1950 + (made.number * 13) % 55, 1 + made.number % 12, 1 + (made.number * 7) % 28
    match own.get("format"):
        case "date":
            return f"{year if meaning == 'born' else 2026:04d}-{month:02d}-{day:02d}"
        case "date-time":
            return f"2026-{month:02d}-{day:02d}T09:00:00Z"
        case "time":
            return f"{8 + made.number % 12:02d}:30:00"
        case "email":
            return _email(made)
        case "uri":
            return f"https://example.org/{made.number + 1}"
        case "uuid" | "ipv4" | "ipv6" | "hostname" | "duration":
            return None
    given, _space, surname = made.name.partition(" ")
    known = {
        "name": made.name if kind == "people" else made.thing,
        "given": given,
        "surname": surname,
        "email": _email(made),
        "phone": f"+351 21 555 {made.number % 10_000:04d}",
        "occupation": made.of(_WORK["noir" if "noir" in made.brief.lower() else ""], 5),
        "number": str(made.number + 1),
        "place": _place(made),
        "home": _place(made),
        "wish": made.of(_WISHES, 4) if kind == "people" else "",
        "currency": "EUR",
        "born": f"{year}-{month:02d}-{day:02d}",
    }
    said = known.get(meaning) or (_sentence(made, kind) if must else "")
    return said[: int(own.get("maxLength", _LONGEST))] or None


def _email(made: _Made) -> str:
    plain = made.name.lower().translate(str.maketrans("áàâãäéêíóôõöúüç ß", "aaaaaeeioooouuc.s"))
    return f"{plain}@example.org"


def _place(made: _Made) -> str:
    return (
        next(iter(demo_reading.read(made.brief).places), "")
        if made.number % 3 == 0
        else made.pick(_PLACES[made.region])
    )


def _sentence(made: _Made, kind: str) -> str:
    if kind == "people":
        return f"{made.name.split()[0]} {made.of(_TRAITS, 3)}."
    brief = " ".join(made.brief.split())[:120]
    return f"{made.thing}: {brief}" if brief else made.thing
