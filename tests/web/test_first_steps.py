"""The four actions of the welcome fit what the project has and lacks."""

import pytest

from apps.web.first_steps import ProjectFacts, list_steps

SAMPLE = {"title": "Sarah and Tomás", "text": "Sarah, a journalist …"}


def offered(**facts):
    usual = {"has_model": True, "has_conversations": False, "people": 2, "connect_url": "", "invite_url": ""}
    return list_steps(ProjectFacts(**(usual | facts)))


@pytest.mark.parametrize(
    ("facts", "icons"),
    [
        ({}, ["message-square", "file-text", "pencil", "keyboard"]),
        ({"has_model": False, "connect_url": "/settings/"}, ["plug", "message-square", "file-text", "pencil"]),
        ({"has_model": False}, ["message-square", "file-text", "pencil", "keyboard"]),
        ({"connect_url": "/settings/"}, ["message-square", "file-text", "pencil", "keyboard"]),
        ({"people": 1, "invite_url": "/people/"}, ["user-plus", "message-square", "file-text", "pencil"]),
        ({"people": 1}, ["message-square", "file-text", "pencil", "keyboard"]),
        ({"has_conversations": True}, ["search", "message-square", "file-text", "pencil"]),
        ({"samples": [SAMPLE]}, ["layers", "message-square", "file-text", "pencil"]),
        ({"samples": [SAMPLE], "has_conversations": True}, ["search", "message-square", "file-text", "pencil"]),
        (
            {"has_model": False, "connect_url": "/s/", "people": 1, "invite_url": "/p/", "has_conversations": True},
            ["plug", "user-plus", "search", "message-square"],
        ),
    ],
)
def test_what_is_missing_comes_first(facts, icons):
    assert [step.icon for step in offered(**facts)] == icons


def test_sample_says_what_comes_after_it():
    words, command = (
        offered(samples=[SAMPLE | {"text": text}])[0].why for text in (SAMPLE["text"], "/create 3 characters")
    )

    assert words == "Send these words of the pack; then /extract suggests records from them."
    assert command == "Words that show what the pack of this project does."


def test_each_leads_somewhere_or_begins_a_message():
    steps = offered(has_model=False, connect_url="/settings/", samples=[SAMPLE], people=1, invite_url="/people/")

    assert [bool(step.url) != bool(step.text) for step in steps] == [True] * 4
    assert (steps[0].url, steps[1].url, steps[2].text) == ("/settings/", "/people/", SAMPLE["text"])
