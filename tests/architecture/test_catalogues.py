"""The catalogues are whole: every attack and drill on what exists is a test somewhere, and what they name exists."""

import re
from dataclasses import dataclass

import pytest

from tests import services
from tests.addresses import all_addresses
from tests.attacks import catalogue as attacks
from tests.faults import catalogue as drills


@dataclass(frozen=True)
class Catalogue:
    """``letter`` and number name the tests of ``folder``: ``test_a61_…``."""

    letter: str
    folder: str
    entries: dict[int, object]
    elsewhere: dict[int, list[str]]
    not_yet: dict[int, tuple[str, str]]
    reserved: set[int]
    last: int

    def done_here(self):
        named = re.compile(rf"^(?:async )?def test_{self.letter}(\d+)_", re.MULTILINE)
        files = (services.CHECKOUT / "tests" / self.folder).glob("test_*.py")
        return {int(each) for file in files for each in named.findall(file.read_text("utf-8"))}


@pytest.fixture(
    params=[
        Catalogue("a", "attacks", attacks.ATTACKS, attacks.ELSEWHERE, attacks.NOT_YET, attacks.RESERVED, attacks.LAST),
        Catalogue("d", "faults", drills.DRILLS, drills.ELSEWHERE, drills.NOT_YET, drills.RESERVED, drills.LAST),
    ],
    ids=lambda each: each.folder,
)
def catalogue(request):
    return request.param


def test_every_number_is_tried_or_waits_for_its_function(catalogue):
    kinds = [set(catalogue.entries), set(catalogue.not_yet), catalogue.reserved]

    assert sorted(number for kind in kinds for number in kind) == list(range(1, catalogue.last + 1))


def test_everything_is_tried_somewhere(catalogue):
    assert sorted(catalogue.entries.keys() - catalogue.done_here() - catalogue.elsewhere.keys()) == []


def test_every_test_tries_what_the_catalogue_names(catalogue):
    assert sorted(catalogue.done_here() - catalogue.entries.keys()) == []
    assert sorted(catalogue.elsewhere.keys() - catalogue.entries.keys()) == []


def test_places_named_elsewhere_exist(catalogue):
    missing = []
    for place in (each for places in catalogue.elsewhere.values() for each in places):
        file, _colons, name = place.partition("::")
        path = services.CHECKOUT / file
        if not path.exists() or (name and f"def {name}(" not in path.read_text(encoding="utf-8")):
            missing.append(place)

    assert missing == []


def test_nothing_that_exists_waits_for_its_test(catalogue):
    here = [
        (number, address)
        for number, (_function, sign) in catalogue.not_yet.items()
        for address in all_addresses()
        if re.search(sign, address)
    ]

    assert here == []
