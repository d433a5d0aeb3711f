"""The catalogue is whole: every drill on what exists is done somewhere, and what it names exists."""

import re
from pathlib import Path

from tests import services
from tests.addresses import all_addresses
from tests.faults.catalogue import DRILLS, ELSEWHERE, NOT_YET, RESERVED

LAST = 40
NAMED = re.compile(r"^(?:async )?def test_d(\d+)_", re.MULTILINE)


def done_here():
    return {
        int(each) for file in Path(__file__).parent.glob("test_*.py") for each in NAMED.findall(file.read_text("utf-8"))
    }


def test_every_number_is_a_drill_or_waits_for_its_function():
    kinds = [set(DRILLS), set(NOT_YET), RESERVED]

    assert sorted(number for kind in kinds for number in kind) == list(range(1, LAST + 1))


def test_every_drill_is_done():
    assert sorted(DRILLS.keys() - done_here() - ELSEWHERE.keys()) == []


def test_every_test_does_what_the_catalogue_names():
    assert sorted(done_here() - DRILLS.keys()) == []
    assert sorted(ELSEWHERE.keys() - DRILLS.keys()) == []


def test_places_named_elsewhere_exist():
    missing = []
    for place in (each for places in ELSEWHERE.values() for each in places):
        file, _colons, name = place.partition("::")
        path = services.CHECKOUT / file
        if not path.exists() or (name and f"def {name}(" not in path.read_text(encoding="utf-8")):
            missing.append(place)

    assert missing == []


def test_nothing_that_exists_waits_for_its_drill():
    here = [
        (number, address)
        for number, (_function, sign) in NOT_YET.items()
        for address in all_addresses()
        if re.search(sign, address)
    ]

    assert here == []
