"""What a new project may begin with, as other apps offer it."""

from __future__ import annotations

from apps.core.doors.project_beginnings import project_beginnings


def list_beginnings(language: str) -> list[tuple[str, str]]:
    """Values, which name the door and the choice behind it, with their titles in the language."""
    return [
        (f"{door}:{each.name}", each.title)
        for door, offered in project_beginnings.items()
        for each in offered.choices(language)
    ]
