"""Values as PostgreSQL keeps them: text with neither NUL nor halves of surrogate pairs, which the escapes of JSON and XLSX can say; JSON
without numbers that are none, which Python reads and writes.
"""

from __future__ import annotations

import json
import re
from typing import Any

_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_HALF = re.compile("[\ud800-\udfff]")


def as_json(value: Any) -> str:
    """Its JSON; ``ValueError`` for what JSON has no words for, such as a number that is none (NaN, infinity)."""
    try:
        return json.dumps(storable(value), allow_nan=False)
    except (TypeError, RecursionError) as error:
        raise ValueError(str(error)) from error


def storable(value: Any) -> Any:
    """The same without NUL; two halves become the character they are, a lone one the replacement character. Also inside lists and objects."""
    if isinstance(value, str):
        if "\0" not in value and not _HALF.search(value):
            return value
        whole = _PAIR.sub(lambda pair: pair.group().encode("utf-16", "surrogatepass").decode("utf-16"), value)
        return _HALF.sub("\ufffd", whole.replace("\0", ""))
    if isinstance(value, dict):
        return {storable(key): storable(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [storable(each) for each in value]
    return value
