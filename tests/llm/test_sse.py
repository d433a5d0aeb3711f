from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.llm.adapters.sse import EventParser
from apps.llm.errors import ProviderProtocolError

BODY = b': hello\r\n\r\nevent: a\r\ndata: {"a": 1}\r\n\r\nid: 7\ndata:{"b": 2}\n\nretry: 3\ndata: one\ndata: two\n\n\n\ndata: [DONE]\n\n'
EVENTS = [b'{"a": 1}', b'{"b": 2}', b"one\ntwo", b"[DONE]"]


def test_parse_in_one_chunk():
    assert EventParser().feed(BODY) == EVENTS


@given(st.lists(st.integers(0, len(BODY)), max_size=12))
def test_parse_is_the_same_however_it_is_cut(cuts):
    parser = EventParser()
    places = sorted({0, *cuts, len(BODY)})

    events = [event for a, b in pairwise(places) for event in parser.feed(BODY[a:b])]

    assert events + parser.finish() == EVENTS


def test_last_event_without_its_empty_line():
    parser = EventParser()

    assert parser.feed(b"data: [DONE]") == []
    assert parser.finish() == [b"[DONE]"]


def test_line_beyond_the_limit():
    parser = EventParser(max_event_bytes=1000)
    parser.feed(b"data: " + b"a" * 900)

    with pytest.raises(ProviderProtocolError):
        parser.feed(b"a" * 200)


def test_event_of_many_lines_beyond_the_limit():
    parser = EventParser(max_event_bytes=1000)

    with pytest.raises(ProviderProtocolError):
        parser.feed(b"data: aaaaaaaaaa\n" * 200)
