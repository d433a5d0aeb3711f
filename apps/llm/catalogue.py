"""What is known of models without asking anybody: windows, prices, abilities (``catalogue.json``)."""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from apps.llm.presets import PRESETS, ProviderKind

UNKNOWN_RANK = 1000
# Dated releases (-2024-08-06, -20250929), previews and local tags (:8b, -q4_K_M) are the model they name.
_SUFFIX = re.compile(r"(-\d{4}-\d{2}-\d{2}|-\d{8}|-\d{3,4}|-latest|-preview.*|:.*)$")
# What a provider lists but what cannot hold a conversation.
_NOT_FOR_TALK = re.compile(
    r"embed|whisper|tts|dall-e|image|moderation|rerank|audio|realtime|transcri|speech|sora|imagen|veo|aqa|guard|ocr|"
    r"davinci|babbage|clip|bge-|vision-embed|diffusion|flux",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Known:
    """Prices per million tokens in ``currency``. ``rank``: the catalogue's order of preference, lower first."""

    name: str
    label: str
    rank: int
    context_window: int | None = None
    max_output_tokens: int | None = None
    input: Decimal | None = None
    output: Decimal | None = None
    cached: Decimal | None = None
    currency: str = "USD"
    can_see: bool = False
    can_call_tools: bool = False
    can_reason: bool = False
    can_structure: bool = False


@functools.cache
def _all() -> dict[str, dict[str, Known]]:
    stored = json.loads((Path(__file__).parent / "catalogue.json").read_text(encoding="utf-8"))
    found: dict[str, dict[str, Known]] = {}
    for kind, entries in stored["models"].items():
        found[kind] = {
            entry["name"].lower(): Known(
                name=entry["name"],
                label=entry["label"],
                rank=rank,
                context_window=entry["context_window"],
                max_output_tokens=entry["max_output_tokens"],
                **{name: Decimal(entry[name]) for name in ("input", "output", "cached") if name in entry},
                currency=stored["currency"],
                can_see="see" in entry["can"],
                can_call_tools="tools" in entry["can"],
                can_reason="reason" in entry["can"],
                can_structure="structure" in entry["can"],
            )
            for rank, entry in enumerate(entries)
        }
    return found


def _shelf(kind: ProviderKind) -> dict[str, Known]:
    return _all().get("local" if PRESETS[kind].is_local else kind.value, {})


def list_known(kind: ProviderKind) -> list[Known]:
    """For a provider whose own list cannot be read. Local servers have none: what they have loaded is theirs to say."""
    return [] if PRESETS[kind].is_local else list(_shelf(kind).values())


def find_known(kind: ProviderKind, name: str) -> Known | None:
    """By name, then without date, tag and path (``claude-sonnet-4-5-20250929``, ``llama3.2:3b``)."""
    shelf = _shelf(kind)
    lower = name.lower()
    while True:
        if lower in shelf:
            return shelf[lower]
        shorter = _SUFFIX.sub("", lower)
        if shorter == lower:
            return None
        lower = shorter


@functools.cache
def embedder_price(kind: ProviderKind, name: str) -> Decimal | None:
    """Of a million tokens that a model makes vectors of; None: nobody knows."""
    stored = json.loads((Path(__file__).parent / "catalogue.json").read_text(encoding="utf-8"))
    prices = {entry["name"]: Decimal(entry["input"]) for entry in stored["embedders"].get(kind.value, [])}
    return prices.get(name.lower())


def can_talk(name: str) -> bool:
    return not _NOT_FOR_TALK.search(name)
