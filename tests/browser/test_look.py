"""Every page on a phone and on a wide screen, in two themes. In two files: files are shared out among workers."""

from __future__ import annotations

import pytest

from tests.browser import pages, routes
from tests.browser.look import addresses, faults_at, stack

__all__ = ["addresses", "stack"]

pytestmark = pytest.mark.timeout(600)  # some twenty pages each, in two themes


def test_every_page_is_looked_at(addresses):
    assert routes.faults(pages.views(addresses)) == []


def test_every_public_page_is_accessible_and_whole(stack, browser, addresses):
    assert faults_at(stack, browser, addresses, is_public=True) == []


@pytest.mark.parametrize("part", [0, 1])
def test_every_page_of_members_is_accessible_and_whole(stack, browser, addresses, part):
    """In five parts, two here: one would take longer than a test may on a busy machine."""
    assert faults_at(stack, browser, addresses, is_public=False, part=part, parts=5) == []
