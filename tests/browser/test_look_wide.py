"""Every page on a wide screen, in two themes. A file for each width: files are shared out among workers."""

from __future__ import annotations

import pytest

from tests.browser import pages, routes
from tests.browser.look import addresses, faults_at, stack

__all__ = ["addresses", "stack"]

pytestmark = pytest.mark.timeout(600)  # some twenty pages each, in two themes

WIDTH = 1440


def test_every_public_page_is_accessible_and_whole(stack, browser, addresses):
    assert faults_at(stack, browser, addresses, width=WIDTH, is_public=True) == []


def test_every_page_is_looked_at(addresses):
    assert routes.faults(pages.views(addresses)) == []


@pytest.mark.parametrize("part", [0, 1, 2])
def test_every_page_of_members_is_accessible_and_whole(stack, browser, addresses, part):
    """In three parts: one would take longer than a test may on a busy machine."""
    assert faults_at(stack, browser, addresses, width=WIDTH, is_public=False, part=part, parts=3) == []
