"""A definition as a picture: the tasks of its top list from above to below, and where they lead; the page draws it as SVG."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apps.workflows.documents import DIRECTIVES, kind_of, stage_of

WIDTH, BOX, HEIGHT, GAP = 560, 264, 44, 28
_LEFT, _TOP, _LABEL = 16, 12, 28


@dataclass(frozen=True, slots=True)
class Box:
    name: str
    kind: str
    label: str
    y: int
    is_stage: bool
    is_gated: bool
    inside: int
    x: int = _LEFT

    @property
    def text_y(self) -> int:
        return self.y + 27


@dataclass(frozen=True, slots=True)
class Way:
    """From one box to another; the next one below is a straight line, others go around on the right."""

    path: str
    words: str
    x: int
    y: int
    is_straight: bool


@dataclass(frozen=True, slots=True)
class Drawing:
    boxes: tuple[Box, ...]
    ways: tuple[Way, ...]
    height: int
    width: int = WIDTH
    box_width: int = BOX
    box_height: int = HEIGHT


def drawn(document: Mapping[str, Any]) -> Drawing:
    boxes, named = [], {}
    for place, item in enumerate(document["do"]):
        ((name, body),) = item.items()
        stage = stage_of(body)
        title = stage["title"] if stage else name
        box = Box(
            name,
            kind_of(body),
            title if len(title) <= _LABEL else title[: _LABEL - 1] + "…",
            _TOP + place * (HEIGHT + GAP),
            stage is not None,
            bool(stage and (stage.get("requires") or stage.get("manual"))),
            _count(body),
        )
        boxes.append(box)
        named[name] = (place, body)
    ways = []
    for name, (place, body) in named.items():
        for target, words in _ways(name, body, place, boxes):
            ways.append(_way(boxes[place], boxes[target], place, target, words))
    height = _TOP * 2 + len(boxes) * (HEIGHT + GAP)
    return Drawing(tuple(boxes), tuple(ways), height)


def _ways(name: str, body: Mapping[str, Any], place: int, boxes: list[Box]) -> list[tuple[int, str]]:
    places = {box.name: number for number, box in enumerate(boxes)}
    said = [(case.get("then", "continue"), label) for item in body.get("switch", []) for label, case in item.items()]
    if "switch" not in body:
        said = [(body.get("then", "continue"), "")]
    found = []
    for then, label in said:
        if then in DIRECTIVES:
            if then == "continue" and place + 1 < len(boxes):
                found.append((place + 1, label))
        elif then in places:
            found.append((places[then], label))
    return found


def _way(source: Box, target: Box, place: int, goal: int, words: str) -> Way:
    middle = _LEFT + BOX // 2
    if goal == place + 1:
        path = f"M{middle} {source.y + HEIGHT} V{target.y - 5}"
        return Way(path, words, middle + 8, source.y + HEIGHT + 17, is_straight=True)
    right, far = _LEFT + BOX, _LEFT + BOX + 40 + 14 * min(abs(goal - place), 8)
    begin, end = source.y + HEIGHT // 2, target.y + HEIGHT // 2
    path = f"M{right} {begin} C{far} {begin} {far} {end} {right + 5} {end}"
    return Way(path, words, far - 8, (begin + end) // 2, is_straight=False)


def _count(body: Any) -> int:
    """Tasks inside a task."""
    if isinstance(body, Mapping):
        return sum(
            _count(value) + (len(value) if name in {"do", "try", "branches"} and isinstance(value, list) else 0)
            for name, value in body.items()
        )
    if isinstance(body, list):
        return sum(_count(each) for each in body)
    return 0
