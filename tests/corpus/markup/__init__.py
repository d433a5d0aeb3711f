"""Texts that both renderers must treat alike: cases with their HTML, and payloads that must never run."""

from pathlib import Path
from typing import NamedTuple

_FOLDER = Path(__file__).parent


class Case(NamedTuple):
    name: str
    text: str
    html: str


def cases() -> list[Case]:
    found = []
    # Not read_text(): it would turn the line ends of other systems, which one case is about, into ours.
    for piece in (_FOLDER / "cases.txt").read_bytes().decode().removeprefix("%% ").split("\n%% "):
        if piece.startswith("html\n"):
            found[-1] = found[-1]._replace(html=piece.removeprefix("html\n"))
        elif piece == "html":
            continue
        else:
            name, _, text = piece.partition("\n")
            found.append(Case(name, text, ""))
    return found


def payloads() -> list[str]:
    return (_FOLDER / "xss.txt").read_text(encoding="utf-8").split("\n%%\n")
