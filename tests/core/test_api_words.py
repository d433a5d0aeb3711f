"""The OpenAPI file says how to begin, and what each of its parts is for."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from apps.core.api import MAX_PAGE_SIZE, PAGE_SIZE
from config.api_words import INTRODUCTION, TAGS

FILE = Path(__file__).resolve().parents[2] / "docs" / "openapi.yaml"


@pytest.fixture(scope="module")
def described():
    return yaml.load(FILE.read_text(), Loader=yaml.CSafeLoader)


def test_every_part_is_described_and_none_that_is_not_there(described):
    used = {tag for methods in described["paths"].values() for each in methods.values() for tag in each["tags"]}

    assert used == set(TAGS)
    assert [(tag["name"], tag["description"]) for tag in described["tags"]] == list(TAGS.items())


def test_introduction_is_in_the_file_and_names_what_is_there(described):
    assert described["info"]["description"].strip() == INTRODUCTION.strip()
    for path in (
        "conversations/",
        "conversations/{conversation_id}/messages/",
        "turns/{turn_id}/events/",
        "auth/token/",
    ):
        assert f"/api/v1/{path}" in described["paths"]
    assert f"({PAGE_SIZE}, at most {MAX_PAGE_SIZE})" in INTRODUCTION
    for page in ("errors", "live", "events", "limits", "gateway"):
        assert f"docs/{page}.md" in INTRODUCTION
        assert (FILE.parent / f"{page}.md").exists()
