"""Writing JSON: what REST framework writes, by orjson. A page of a hundred messages took a millisecond before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from rest_framework.renderers import JSONRenderer
from rest_framework.utils.encoders import JSONEncoder

_OTHERS = JSONEncoder().default
_LINE_SEPARATORS = (
    b"\xe2\x80\xa8",
    b"\xe2\x80\xa9",
)  # REST framework escapes them, for those who read JSON as a script


class FastJSONRenderer(JSONRenderer):
    """Leaves to REST framework what orjson does not take: huge numbers, keys that are no text, an indent that was asked for."""

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes:
        if data is not None and "indent" not in (accepted_media_type or ""):
            try:
                written = orjson.dumps(data, default=_OTHERS, option=orjson.OPT_PASSTHROUGH_DATETIME)
            except TypeError:
                pass
            else:
                if not any(each in written for each in _LINE_SEPARATORS):
                    return written
        return super().render(data, accepted_media_type, renderer_context)
