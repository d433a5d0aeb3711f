"""The other parts of the members' pages (see test_look)."""

from __future__ import annotations

import pytest

from tests.browser.look import addresses, faults_at, stack

__all__ = ["addresses", "stack"]

pytestmark = pytest.mark.timeout(600)


@pytest.mark.parametrize("part", [2, 3, 4])
def test_every_page_of_members_is_accessible_and_whole(stack, browser, addresses, part):
    assert faults_at(stack, browser, addresses, is_public=False, part=part, parts=5) == []
