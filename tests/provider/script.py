"""What one request is to meet: given over the control address, or by magic words that open the last user message."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass, field, fields, replace
from typing import Any

WORDS = [
    "amber",
    "basin",
    "cedar",
    "delta",
    "ember",
    "fjord",
    "grove",
    "harbour",
    "island",
    "juniper",
    "kelp",
    "lantern",
    "meadow",
    "north",
    "orchard",
    "pebble",
    "quarry",
    "river",
    "summit",
    "tundra",
    "upland",
    "valley",
    "willow",
    "xenon",
    "yarrow",
    "zephyr",
    "anchor",
    "breeze",
    "candle",
    "drift",
    "echo",
    "falcon",
    "garden",
    "hollow",
    "inlet",
    "jasper",
]
ERRORS = ("error_object", "error_choice", "error_finish")
GARBAGE = (
    "html",
    "json",
    "utf8",
    "no_end",
    *ERRORS,
    "two_ends",
    "tool_arguments",
    "long_line",
    "empty",
)


def word(seed: int, i: int) -> str:
    number = (seed * 7919 + i * 104729 + i * i * 31) % len(WORDS)
    return WORDS[number] if i == 0 else " " + WORDS[number]


def expected_text(tokens: int, seed: int = 1) -> str:
    """The text of an answer of ``tokens`` tokens when nothing else was scripted."""
    return "".join(word(seed, i) for i in range(tokens))


@dataclass(frozen=True)
class Script:
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    message: str = ""  # the provider's words in an error answer
    error_type: str = ""  # its type or code there
    header_delay: float = 0.0  # seconds before the status line
    delay: float = 0.1  # seconds from the request to the first token
    rate: float = 50.0  # tokens a second
    tokens: int = 20
    seed: int = 1
    text: str = ""  # this text instead of seeded words, word by word
    echo: bool = False  # the last user message as the answer
    reasoning: int = 0  # that many reasoning tokens first
    tool: str = ""  # call this tool first, unless the last message is a tool's result
    arguments: str = "{}"
    second: str = ""  # with tool: this one, too, in the same answer (streams only)
    second_arguments: str = "{}"
    unnumbered: str = ""  # of tools, OpenAI's shape: "none" leaves the index out, "zero" says 0 of each, "bare" leaves out the id, too
    beside: str = ""  # with tool: these words before it (streams only)
    together: str = ""  # with tool, OpenAI's shape: the chunk that begins the call brings these words and thoughts, too
    again: bool = False  # with tool: also when the last message is a tool's result, whatever else was asked
    finish: str = ""
    usage: bool = True
    cached: int = 0
    cut: int | None = None  # close the connection after that many tokens
    reset: bool = False  # with cut: a TCP reset instead of a close
    hang: int | None = None  # send nothing more after that many tokens (0: headers only)
    hang_headers: bool = False  # not even the headers
    hold: int | None = (
        None  # send nothing more after that many tokens (0: not the first) until the control address says "release"
    )
    garbage: str = ""
    linger: float = 0.0  # after the end mark, seconds before the body ends
    vectors: dict[str, list[float]] = field(default_factory=dict)  # embeddings: of texts that hold these words
    times: int = 0  # magic words only: so many requests meet this, later ones the default
    name: str = ""

    def with_values(self, values: dict[str, Any]) -> Script:
        known = {f.name: f for f in fields(self)}
        changes: dict[str, Any] = {}
        for key, value in values.items():
            if key not in known:
                raise ValueError(f"No such script value: {key}")
            changes[key] = _typed(str(known[key].type), value)
        script = replace(self, **changes)
        if script.garbage and script.garbage not in GARBAGE:
            raise ValueError(f"No such garbage: {script.garbage}")
        return script

    def words(self, last_user_text: str) -> list[str]:
        text = self.text or (last_user_text if self.echo else "")
        if not text:
            return [word(self.seed, i) for i in range(self.tokens)]
        pieces = text.split(" ")
        return [piece if i == 0 else " " + piece for i, piece in enumerate(pieces)]


def _typed(kind: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if kind.startswith("int"):
        return int(value)
    if kind == "float":
        return float(value)
    if kind == "bool":
        return value.lower() in ("1", "true", "yes")
    if kind.startswith("dict"):
        return json.loads(value)
    return value


def magic(text: str) -> dict[str, Any] | None:
    """``[[stub tokens=50 rate=200 cut=10 text="as it is"]] anything`` → the values; None without magic words."""
    if not text.startswith("[[stub"):
        return None
    inside = text[len("[[stub") :].partition("]]")[0]
    return dict(pair.partition("=")[::2] for pair in shlex.split(inside))
