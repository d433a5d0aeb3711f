"""People and their doubles with the errors people make, as Febrl (Christen, 2008) makes them: the same seed gives the same people."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, timedelta

SCHEMA = {
    "type": "object",
    "title": "Person",
    "properties": {
        "given_name": {"type": "string"},
        "surname": {"type": "string"},
        "born": {"type": "string", "format": "date"},
        "email": {"type": "string", "format": "email"},
        "phone": {"type": "string"},
        "street": {"type": "string"},
        "postcode": {"type": "string"},
        "city": {"type": "string"},
    },
    "additionalProperties": False,
}


def _words(text: str) -> list[str]:
    return text.split()


GIVEN = _words(
    """
    Anna Ana Maria Marie Sarah Sara Laura Julia Lena Hannah Emma Emily Olivia Sophie Sofia Charlotte Grace Alice Clara Ines Ingrid
    Greta Beatriz Joana Catarina Helena Isabel Teresa Rita Eva Nina Paula Petra Sabine Ursula Monika Karin Heike Thomas Tomas
    Michael Michel Peter Pedro Paul Paulo John Johann Jonas Lukas Lucas Leon Noah Finn Ben Felix Maximilian Alexander Stefan
    Stephan Stephen Christian Christoph Daniel David Robert Richard William James George Henry Heinrich Karl Carlos Manuel Miguel
    Rui Joao Jose Antonio Francisco Luis Jürgen Günther Klaus Wolfgang Hans Dieter Uwe Matthias Mathias Sebastian Florian Tobias
    Martin Oliver Frank Ralf Björn Sven Lars
    """
)
SURNAMES = _words(
    """
    Müller Schmidt Schmitt Schneider Fischer Weber Meyer Maier Meier Wagner Becker Schulz Schulze Hoffmann Hofmann Schäfer Koch
    Bauer Richter Klein Wolf Schröder Neumann Schwarz Zimmermann Braun Krüger Hartmann Lange Werner Krause Lehmann Köhler Herrmann
    König Walter Huber Kaiser Fuchs Peters Lang Scholz Möller Weiß Jung Hahn Keller Vogel Friedrich Smith Smyth Johnson Williams
    Brown Browne Jones Miller Davis Taylor Anderson Thompson Thomson White Harris Clark Clarke Lewis Robinson Walker Young King
    Wright Hill Scott Green Adams Baker Nelson Silva Santos Ferreira Pereira Oliveira Costa Rodrigues Martins Jesus Sousa
    Fernandes Gonçalves Gomes Lopes Marques Alves Almeida Ribeiro Pinto Carvalho Teixeira Moreira Correia Mendes Nunes Soares
    Vieira Monteiro Cardoso Rocha Neves Coelho Cruz Cunha Pires Ramos Reis
    """
)
STREETS = _words(
    """
    Hauptstraße Bahnhofstraße Gartenstraße Schulstraße Dorfstraße Bergstraße Lindenstraße Kirchstraße Waldstraße Ringstraße
    Goethestraße Schillerstraße Mozartstraße Rosenweg Wiesenweg Mühlweg Parkallee Marktplatz High-Street Church-Street Main-Street
    Park-Road Station-Road London-Road Victoria-Road Green-Lane Mill-Lane King-Street Queen-Street Rua-Augusta Rua-Direita
    Rua-Garrett Avenida-Central
    """
)
CITIES = _words(
    """
    Berlin Hamburg München Köln Frankfurt Stuttgart Leipzig Dresden Bremen Hannover Nürnberg Bonn London Leeds Bristol Oxford York
    Bath Lisboa Porto Braga Coimbra Faro Wien Graz Linz Zürich Basel Bern
    """
)
KEYS = {
    "a": "sq",
    "b": "vn",
    "c": "xv",
    "d": "sf",
    "e": "wr",
    "f": "dg",
    "g": "fh",
    "h": "gj",
    "i": "uo",
    "j": "hk",
    "k": "jl",
    "l": "k",
    "m": "n",
}
KEYS |= {
    "n": "bm",
    "o": "ip",
    "p": "o",
    "q": "wa",
    "r": "et",
    "s": "ad",
    "t": "ry",
    "u": "yi",
    "v": "cb",
    "w": "qe",
    "x": "zc",
    "y": "tu",
    "z": "x",
}
SOUNDS = [
    ("ph", "f"),
    ("f", "ph"),
    ("ck", "k"),
    ("th", "t"),
    ("ie", "y"),
    ("y", "i"),
    ("ei", "ai"),
    ("ß", "ss"),
    ("ü", "ue"),
    ("ö", "oe"),
]
SOUNDS += [
    ("ä", "ae"),
    ("z", "s"),
    ("c", "k"),
    ("dt", "t"),
    ("nn", "n"),
    ("mm", "m"),
    ("ll", "l"),
    ("tt", "t"),
    ("v", "w"),
    ("j", "y"),
]
SCANNED = [
    ("m", "rn"),
    ("rn", "m"),
    ("0", "O"),
    ("1", "l"),
    ("5", "S"),
    ("8", "B"),
    ("cl", "d"),
    ("e", "c"),
    ("h", "b"),
    ("i", "l"),
]


@dataclass(frozen=True)
class Person:
    """``who`` is the label: records with the same are the same person."""

    who: int
    record: dict[str, str]


def people(count: int = 1000, *, seed: int = 1, most_doubles: int = 4) -> list[Person]:
    """About half are doubles. One in twelve originals is of the family of an earlier one: same name, street and city, another person."""
    rng = random.Random(seed)
    found: list[Person] = []
    who = 0
    while len(found) < count:
        relative = rng.choice(found).record if found and rng.random() < 1 / 12 else None
        original = _person(rng, relative)
        found.append(Person(who, original))
        doubles = rng.choices(range(most_doubles + 1), weights=[45, 30, 14, 7, 4][: most_doubles + 1])[0]
        found += [Person(who, _double(rng, original)) for _ in range(min(doubles, count - len(found)))]
        who += 1
    rng.shuffle(found)
    return found


def _frequent_first(rng: random.Random, names: list[str]) -> str:
    return (
        names[min(int(rng.paretovariate(0.6)) - 1, rng.randrange(len(names)))]
        if rng.random() < 0.3
        else rng.choice(names)
    )


def _person(rng: random.Random, relative: dict[str, str] | None) -> dict[str, str]:
    given, surname = _frequent_first(rng, GIVEN), _frequent_first(rng, SURNAMES)
    record = {
        "given_name": given,
        "surname": surname,
        "born": (date(1940, 1, 1) + timedelta(days=rng.randrange(24_000))).isoformat(),
        "email": f"{given}.{surname}{rng.choice(['', '', rng.randrange(1, 99)])}@{rng.choice(['mail', 'web', 'post'])}.example".lower(),
        "phone": f"0{rng.randrange(150, 180)} {rng.randrange(1_000_000, 9_999_999)}",
        "street": f"{rng.choice(STREETS).replace('-', ' ')} {rng.randrange(1, 150)}",
        "postcode": f"{rng.randrange(10_000, 99_999)}",
        "city": rng.choice(CITIES),
    }
    if relative:
        record |= {name: relative[name] for name in ("surname", "street", "postcode", "city") if name in relative}
        record["email"] = f"{given}.{record.get('surname', surname)}@mail.example".lower()
    for name in ("email", "phone", "street", "born"):
        if rng.random() < 0.12:
            del record[name]
    return record


def _double(rng: random.Random, original: dict[str, str]) -> dict[str, str]:
    """One to five changes: at most two in a field."""
    record = dict(original)
    touched: dict[str, int] = {}
    for _ in range(rng.choices([1, 2, 3, 4, 5], weights=[25, 30, 22, 14, 9])[0]):
        names = [name for name in record if touched.get(name, 0) < 2]
        weights = [{"given_name": 3, "surname": 3, "street": 3}.get(name, 2) for name in names]
        name = rng.choices(names, weights=weights)[0]
        touched[name] = touched.get(name, 0) + 1
        change = rng.random()
        if change < 0.05 and "given_name" in record and "surname" in record:
            record["given_name"], record["surname"] = record["surname"], record["given_name"]
        elif change < 0.17 and name not in {"given_name", "surname"}:
            del record[name]
        else:
            record[name] = _changed(rng, name, record[name], change)
    return record


def _changed(rng: random.Random, name: str, value: str, change: float) -> str:
    if name == "born":
        return _date_changed(rng, value)
    if name in {"email", "phone", "street", "city", "postcode"} and change > 0.85:
        moved = _person(rng, None)
        return moved.get(name, value)
    if name == "phone" and change > 0.65:
        return "+49 " + value[1:].replace(" ", "-")
    if name == "given_name" and change > 0.88:
        return value[0]
    if name in {"given_name", "surname", "street", "city"}:
        if change > 0.6:
            return _replaced(rng, value, SOUNDS)
        if change > 0.5:
            return _replaced(rng, value, SCANNED)
    return _typed(rng, value)


def _date_changed(rng: random.Random, value: str) -> str:
    year, month, day = value.split("-")
    kind = rng.random()
    if kind < 0.25 and int(day) <= 12:
        return f"{year}-{day}-{month}"
    if kind < 0.5:
        return f"{int(year) + rng.choice([-1, 1, -10, 10])}-{month}-{day}"
    if kind < 0.75:
        return f"{year}-{rng.randrange(1, 13):02}-{day if int(day) < 29 else '28'}"
    return f"{year}-{month}-{rng.randrange(1, 29):02}"


def _replaced(rng: random.Random, value: str, pairs: list[tuple[str, str]]) -> str:
    fitting = [(old, new) for old, new in pairs if old in value]
    if not fitting:
        return _typed(rng, value)
    old, new = rng.choice(fitting)
    return value.replace(old, new, 1)


def _typed(rng: random.Random, value: str) -> str:
    """A letter left out, doubled, beside the right key, or two in the wrong order."""
    if len(value) < 2:
        return value
    at = rng.randrange(len(value) - 1)
    letter = value[at].lower()
    near = rng.choice(KEYS.get(letter, str(rng.randrange(10)) if letter.isdigit() else letter))
    kind = rng.random()
    if kind < 0.25:
        return value[:at] + value[at + 1 :]
    if kind < 0.45:
        return value[:at] + value[at] + value[at:]
    if kind < 0.75:
        return value[:at] + near + value[at + 1 :]
    return value[:at] + value[at + 1] + value[at] + value[at + 2 :]
