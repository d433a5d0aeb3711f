"""Text as PostgreSQL keeps it: neither NUL nor halves of surrogate pairs, which the escapes of JSON and XLSX can say."""

from __future__ import annotations

import re
from typing import Any

_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_HALF = re.compile("[\ud800-\udfff]")


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
