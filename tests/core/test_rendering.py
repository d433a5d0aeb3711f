"""JSON written by orjson says what REST framework's own renderer says."""

import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest
from django.utils.translation import gettext_lazy
from rest_framework.renderers import JSONRenderer

from apps.conversations.types import MessageStatus
from apps.core.rendering import FastJSONRenderer

VALUES = [
    None,
    {},
    [],
    "",
    'Grüße, 漢字, 🙂, \u0001 " \\ / </script>',
    "line\u2028separator\u2029",
    {"a": [1, -1, 0.5, 1e300, True, None], "b": ("x", "y")},
    {"huge": 2**70, "edge": 2**63 - 1, "negative": -(2**63)},
    {1: "a", "b": 2},
    Decimal("0.000001230"),
    UUID("01890a5d-ac96-774b-bcce-b302099a8057"),
    datetime(2026, 11, 21, 8, 0, 0, 123456, tzinfo=UTC),
    datetime(2026, 11, 21, 8, 0, 0, tzinfo=timezone(timedelta(hours=2))),
    date(2026, 11, 21),
    timedelta(seconds=90),
    {"lazy": gettext_lazy("Conversations"), "choice": MessageStatus.COMPLETED},
    {"nested": [{"deep": [{"deeper": [Decimal(1)]}]}]},
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
@pytest.mark.parametrize("media_type", ["application/json", "application/json; indent=2", None])
def test_same_bytes_as_rest_framework(value, media_type):
    ours = FastJSONRenderer().render(value, media_type, {})
    theirs = JSONRenderer().render(value, media_type, {})

    assert ours == theirs or json.loads(ours) == json.loads(theirs)
    assert (b"\xe2\x80\xa8" in ours) is (b"\xe2\x80\xa8" in theirs)


def test_half_a_surrogate_pair_is_refused_as_before():
    for renderer in (FastJSONRenderer(), JSONRenderer()):
        with pytest.raises(UnicodeEncodeError):
            renderer.render("\ud800", "application/json", {})
