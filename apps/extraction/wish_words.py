"""Which words are worth asking a model whether they are a wish. English and German; pure."""

from __future__ import annotations

import re

_VERB = r"create|make(?: up)?|generate|invent|write|give me|come up with|erstell\w*|erzeug\w*|erfind\w*|mach\w*|schreib\w*|denk\w*|gib mir"
_NUMBERS = "two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|fifty|a hundred|a dozen|zwei|drei|vier|fünf|sechs|sieben|acht|neun|zehn|elf|zwölf|zwanzig|hundert|ein dutzend"
_SOUNDS = re.compile(rf"\b(?:{_VERB})\b.{{0,40}}?\b(?:\d{{1,4}}|{_NUMBERS})\b\s+\w", re.IGNORECASE)
_LONGEST = 1_000


def sounds_like_a_wish(text: str) -> bool:
    """A verb of making, soon a number, then a word: only then a model is asked whether it is one."""
    return len(text) <= _LONGEST and bool(_SOUNDS.search(text))
