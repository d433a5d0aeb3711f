"""The process that runs jq programs. It knows nothing of us: no settings, no environment, no database, and little memory.

Started by ``expressions`` as a program. On standard input one JSON line a request, ``{"programs", "names", "loose", "input"}``; on standard
output one line for each: ``{"ok": [[value] or []]}`` or ``{"wrong": sentence, "at": place, "is_syntax"}``.
"""

from __future__ import annotations

import json
import resource
import sys
from functools import lru_cache
from typing import Any

import jq

MEMORY_BYTES = 384 * 1024 * 1024
MOST_ANSWER = 2 * 1024 * 1024


class NotUnderstood(Exception):
    pass


@lru_cache(maxsize=512)
def compiled(program: str, names: tuple[str, ...]) -> Any:
    """``names`` are the variables: their values come with the input, so that one compilation serves all of them."""
    given = "".join(f".a[{json.dumps(name)}] as ${name} | " for name in names)
    try:
        return jq.compile(f"[limit(1; {given}.v | ({program}\n))]")
    except ValueError as error:
        raise NotUnderstood(str(error).replace("\n", " ")[:300]) from None


def answered(request: dict[str, Any]) -> dict[str, Any]:
    names, text, found = tuple(request["names"]), request.get("input"), []
    for place, program in enumerate(request["programs"]):
        try:
            made = compiled(program, names)
            if text is not None:
                found.append(made.input_text(text).first())
        except NotUnderstood as wrong:
            if request["loose"]:
                found.append([program])
                continue
            return {"wrong": str(wrong), "at": place, "is_syntax": True}
        except ValueError as wrong:
            return {"wrong": str(wrong).replace("\n", " ")[:300], "at": place, "is_syntax": False}
    return {"ok": found}


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    for line in sys.stdin.buffer:
        try:
            said = json.dumps(answered(json.loads(line)), separators=(",", ":"), allow_nan=False)
        except (MemoryError, RecursionError, ValueError):
            said = '{"wrong":"It gives more than can be kept.","at":0,"is_syntax":false}'
        if len(said) > MOST_ANSWER:
            said = '{"wrong":"It gives more than can be kept.","at":0,"is_syntax":false}'
        sys.stdout.buffer.write(said.encode() + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
