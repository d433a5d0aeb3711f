"""Records and their relations as a picture: who stands where is computed here, the page draws it as SVG."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from apps.accounts.types import Actor
from apps.extraction import selectors
from apps.extraction.models import Record, RecordLink
from apps.extraction.schema import title_of

WIDTH = 880
HEIGHTS = ((4, 260), (12, 400), (60, 560))  # a few need less room: up to so many nodes, so high
MOST_NODES = 60
_MARGIN_X, _MARGIN_Y = 90, 34
_LABEL = 20
_GOLDEN = math.pi * (3 - math.sqrt(5))


@dataclass(frozen=True, slots=True)
class Node:
    id: str
    title: str
    x: int
    y: int
    is_centre: bool = False
    is_outside: bool = False  # of another collection than the one that is shown

    @property
    def label(self) -> str:
        return self.title if len(self.title) <= _LABEL else self.title[: _LABEL - 1].rstrip() + "…"

    @property
    def label_y(self) -> int:
        return self.y + 22


@dataclass(frozen=True, slots=True)
class Edge:
    """``field`` of ``source`` points to ``target``; the line ends where the circles begin."""

    source: Node
    target: Node
    field: str
    x1: int
    y1: int
    x2: int
    y2: int

    @property
    def words(self) -> str:
        return title_of(self.field).lower()


@dataclass(frozen=True, slots=True)
class Graph:
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    alone: int = 0  # records without a relation: they are not drawn
    is_cut: bool = False
    width: int = WIDTH

    @property
    def height(self) -> int:
        return height_for(len(self.nodes))


def height_for(count: int) -> int:
    return next((height for most, height in HEIGHTS if count <= most), HEIGHTS[-1][1])


def of_records(records: Sequence[Record], viewer: Actor) -> Graph:
    """The records of one page that are tied to others, and whom they are tied to."""
    links = list(selectors.list_links_of(viewer, [row.pk for row in records], limit=4 * MOST_NODES))
    own = {row.pk for row in records}
    graph = _drawn(links, own, centre=None)
    tied = {link.source_id for link in links} | {link.target_id for link in links}
    return Graph(graph.nodes, graph.edges, alone=len(own - tied), is_cut=graph.is_cut)


def around(record: Record, viewer: Actor) -> Graph:
    """The record, whom it is tied to, and whom those are tied to."""
    near = list(selectors.list_links_of(viewer, [record.pk], limit=2 * MOST_NODES))
    ring = {link.source_id for link in near} | {link.target_id for link in near}
    far = list(selectors.list_links_of(viewer, ring - {record.pk}, limit=2 * MOST_NODES)) if ring else []
    links = list({link.pk: link for link in [*near, *far]}.values())
    own = {end.pk for link in links for end in (link.source, link.target) if end.collection_id == record.collection_id}
    return _drawn(links, own | {record.pk}, centre=record.pk)


def _drawn(links: Iterable[RecordLink], own: set[UUID], *, centre: UUID | None) -> Graph:
    titles: dict[UUID, str] = {}
    pairs: list[tuple[UUID, UUID, str]] = []
    is_cut = False
    for link in links:
        ends = (link.source, link.target)
        if sum(end.pk not in titles for end in ends) + len(titles) > MOST_NODES:
            is_cut = True
            continue
        titles.update({end.pk: end.title or str(end.pk) for end in ends})
        pairs.append((link.source_id, link.target_id, link.field))
    ids = list(titles)
    number = {pk: place for place, pk in enumerate(ids)}
    spots = places(len(ids), [(number[a], number[b]) for a, b, _field in pairs], number.get(centre) if centre else None)
    nodes = {
        pk: Node(str(pk), titles[pk], *spots[number[pk]], is_centre=pk == centre, is_outside=pk not in own)
        for pk in ids
    }
    edges = tuple(_edge(nodes[a], nodes[b], field) for a, b, field in pairs if a != b)
    return Graph(tuple(nodes.values()), edges, is_cut=is_cut)


def _edge(source: Node, target: Node, field: str) -> Edge:
    far = math.hypot(target.x - source.x, target.y - source.y) or 1
    dx, dy = (target.x - source.x) / far, (target.y - source.y) / far
    begin, end = min(9, far / 3), min(14, far / 3)
    return Edge(
        source,
        target,
        field,
        round(source.x + dx * begin),
        round(source.y + dy * begin),
        round(target.x - dx * end),
        round(target.y - dy * end),
    )


def places(count: int, pairs: Sequence[tuple[int, int]], centre: int | None = None) -> list[tuple[int, int]]:
    """Where each of ``count`` nodes stands: springs along the pairs, everything else pushes apart (Fruchterman and Reingold 1991).

    The same graph is always drawn the same. The effort is bounded: at most 60 nodes, 60 rounds.
    """
    if not count:
        return []
    spots = [complex(math.cos(i * _GOLDEN), math.sin(i * _GOLDEN)) * math.sqrt((i + 0.5) / count) for i in range(count)]
    if centre is not None:
        spots[centre] = 0j
    ideal = 1.3 / math.sqrt(count)
    rounds = 60 if count <= MOST_NODES else 0
    for turn in range(rounds):
        heat = 0.25 * (1 - turn / rounds)
        push = _pushed(spots, ideal)
        for a, b in pairs:
            gap = spots[a] - spots[b]
            pull = gap * abs(gap) / ideal
            push[a] -= pull
            push[b] += pull
        for i, force in enumerate(push):
            if i != centre:
                spots[i] += force / (abs(force) or 1) * min(abs(force), heat) - spots[i] * 0.02
    return _fitted(spots)


def _pushed(spots: Sequence[complex], ideal: float) -> list[complex]:
    push = [0j] * len(spots)
    for i, here in enumerate(spots):
        for j in range(i):
            gap = here - spots[j]
            strength = gap * (ideal * ideal / max(abs(gap) ** 2, 1e-4))
            push[i] += strength
            push[j] -= strength
    return push


def _fitted(spots: Sequence[complex]) -> list[tuple[int, int]]:
    """As large as the picture is, each direction by itself."""
    if len(spots) == 1:
        return [(WIDTH // 2, height_for(1) // 2)]

    def spread(values: list[float], size: int, margin: int) -> list[int]:
        low, high = min(values), max(values)
        scale = (size - 2 * margin) / (high - low) if high - low > 1e-6 else 0  # noqa: PLR2004
        return [round(margin + (value - low) * scale) if scale else size // 2 for value in values]

    across = spread([spot.real for spot in spots], WIDTH, _MARGIN_X)
    down = spread([spot.imag for spot in spots], height_for(len(spots)), _MARGIN_Y)
    return list(zip(across, down, strict=True))
