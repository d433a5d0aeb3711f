"""The catalogue is whole: every attack on what exists is tried somewhere, and what it names exists."""

import re
from pathlib import Path

from tests import services
from tests.addresses import all_addresses
from tests.attacks.catalogue import ATTACKS, ELSEWHERE, NOT_YET

#: Numbers of the catalogue that were never given, or given to something else than an attack on a route.
RESERVED = {6, 12, 17, 21, 24, 39, 43, 46, 55, 58, 66}
NAMED = re.compile(r"^(?:async )?def test_a(\d+)_", re.MULTILINE)


def tried_here():
    return {
        int(each) for file in Path(__file__).parent.glob("test_*.py") for each in NAMED.findall(file.read_text("utf-8"))
    }


def test_every_number_is_an_attack_or_waits_for_its_function():
    assert ATTACKS.keys() & NOT_YET.keys() == set()
    assert ATTACKS.keys() | NOT_YET.keys() | RESERVED == set(range(1, 69))


def test_every_attack_is_tried():
    assert sorted(ATTACKS.keys() - tried_here() - ELSEWHERE.keys()) == []


def test_every_test_tries_what_the_catalogue_names():
    assert sorted(tried_here() - ATTACKS.keys()) == []
    assert sorted(ELSEWHERE.keys() - ATTACKS.keys()) == []


def test_places_named_elsewhere_exist():
    missing = []
    for place in (each for places in ELSEWHERE.values() for each in places):
        file, _colons, name = place.partition("::")
        path = services.CHECKOUT / file
        if not path.exists() or (name and f"def {name}(" not in path.read_text(encoding="utf-8")):
            missing.append(place)

    assert missing == []


def test_nothing_that_exists_waits_for_its_attack():
    here = [
        (number, address)
        for number, (_function, sign) in NOT_YET.items()
        for address in all_addresses()
        if re.search(sign, address)
    ]

    assert here == []
