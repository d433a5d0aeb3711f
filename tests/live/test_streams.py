import asyncio
import json
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.core import redis
from apps.live import bells, streams
from apps.live.parts import PartsBuilder
from apps.live.streams import TurnStream, read_after, rebuild
from apps.live.types import LateWriter
from apps.llm.types import AppendText, OpenPart, PartType, SetPart


def opened(topic="conversation:1", **kwargs):
    turn = kwargs.pop("turn_id", None) or uuid4()
    return TurnStream.open(turn, fence=kwargs.pop("fence", 1), topic=topic, **kwargs)


async def test_append_numbers_entries_without_gaps_and_merges_what_waits():
    stream = opened()

    stream.append([OpenPart(0, PartType.TEXT), AppendText(0, "Hel")])
    for piece in ("lo", " ", "world"):
        stream.append([AppendText(0, piece)])
    assert await stream.drain()

    assert await read_after(stream.turn_id, 0) == [
        {"seq": 1, "part": 0, "type": "text", "text": "Hel"},
        {"seq": 2, "part": 0, "type": "text", "text": "lo world"},
    ]
    assert await read_after(stream.turn_id, 1) == [{"seq": 2, "part": 0, "type": "text", "text": "lo world"}]
    assert stream.text == "Hello world"


async def test_read_of_an_unknown_turn_is_empty():
    assert await read_after(uuid4(), 0) == []


async def test_late_writer_is_refused_and_leaves_the_stream_alone():
    late = opened()
    late.append([AppendText(0, "first")])
    await late.drain()
    owner = opened(turn_id=late.turn_id, fence=2, start_seq=1, parts=late.parts)
    owner.append([AppendText(0, " second")])
    assert await owner.drain()

    late.append([AppendText(0, " too late")])
    with pytest.raises(LateWriter):
        await late.drain()

    with pytest.raises(LateWriter):
        late.append([AppendText(0, "again")])
    assert (await asyncio.to_thread(rebuild, late.turn_id)).text == "first second"


async def test_a_reader_of_an_earlier_fence_gets_the_rest_of_both():
    first = opened()
    first.append([AppendText(0, "a")])
    await first.drain()
    first.append([AppendText(0, "b")])
    await first.drain()
    second = opened(turn_id=first.turn_id, fence=7, start_seq=2)
    second.append([AppendText(0, "c")])
    await second.drain()

    assert [entry["text"] for entry in await read_after(first.turn_id, 1)] == ["b", "c"]


@pytest.mark.parametrize("loss", ["wiped", "cut"])
async def test_lost_stream_is_seeded_again_with_the_whole_parts(loss):
    stream = opened()
    for piece in "abcd":
        stream.append([AppendText(0, piece)])
        await stream.drain()
    client = redis.async_client()
    key = redis.key("turn", stream.turn_id)
    if loss == "wiped":
        await client.delete(key)
    else:
        await client.xdel(key, "1-3", "1-4")
        await client.xtrim(key, minid="1-1")

    stream.append([AppendText(0, "e"), SetPart(1, {"id": "x"})])
    assert await stream.drain()

    entries = await read_after(stream.turn_id, 4)
    assert entries[0]["reset"] is True
    assert entries[0]["seq"] > 4
    found = await asyncio.to_thread(rebuild, stream.turn_id)
    assert found.text == "abcde"
    assert found.parts == stream.parts


async def test_new_owner_after_an_unknown_tail_resets_beyond_every_seq_seen():
    first = opened()
    for piece in "abc":
        first.append([AppendText(0, piece)])
        await first.drain()
    second = opened(turn_id=first.turn_id, fence=2)
    second.append([AppendText(0, "fresh")])
    await second.drain()

    assert await read_after(first.turn_id, 3) == [
        {"seq": 4, "reset": True, "parts": [{"type": "text", "text": "fresh"}]}
    ]


async def test_repeated_call_with_a_lost_answer_does_not_double():
    stream = opened()
    stream.append([AppendText(0, "a")])
    sent = stream._in_flight
    await stream.drain()

    stream._send(sent.first, sent.entries, is_reset=False)
    stream.append([AppendText(0, "b")])
    assert await stream.drain()

    assert [entry["text"] for entry in await read_after(stream.turn_id, 0)] == ["a", "b"]


async def test_long_text_is_cut_into_frames_and_large_flushes_are_announced_by_number():
    pubsub = redis.async_client().pubsub()
    await pubsub.subscribe(bells.channel("conversation:long"))
    stream = opened("conversation:long")

    stream.append([AppendText(0, "ä" * 30_000)])
    await stream.drain()

    entries = await read_after(stream.turn_id, 0)
    assert [len(entry["text"]) for entry in entries] == [8_000, 8_000, 8_000, 6_000]
    heard = []
    while len(heard) < 2:
        heard.append(await pubsub.get_message(timeout=5))
    assert json.loads(heard[1]["data"]) == {"k": "d", "turn": str(stream.turn_id), "from": 1, "seq": 4}
    await pubsub.aclose()


async def test_text_that_no_database_takes_is_made_storable():
    stream = opened()

    stream.append([AppendText(0, "a\x00b\ud800c"), SetPart(1, {"x": "d\x00e", "of\x00": ["\ud800"]})])
    await stream.drain()

    assert stream.text == "a\ufffdb\ufffdc"
    assert stream.parts[1] == {"type": "text", "text": "", "x": "de", "of": ["\ufffd"]}
    assert (await asyncio.to_thread(rebuild, stream.turn_id)).parts == stream.parts


async def test_number_that_is_none_is_not_taken():
    with pytest.raises(ValueError, match="JSON"):
        opened().append([SetPart(0, {"x": float("nan")})])


async def test_status_is_kept_for_late_joiners_until_it_is_final():
    turn = uuid4()
    running = redis.key("running", "conversation:2")

    await bells.publish_status_async("conversation:2", turn, "queued", place=3)
    kept = await redis.async_client().hgetall(running)
    await bells.publish_status_async("conversation:2", turn, "stopped")

    assert {name: json.loads(value) for name, value in kept.items()} == {
        str(turn).encode(): {"state": "queued", "place": 3}
    }
    assert await redis.async_client().hgetall(running) == {}


def test_rebuild_of_nothing_leaves_the_row_as_it_is():
    found = rebuild(uuid4())

    assert (found.seq, found.parts) == (0, [])
    assert found.over([{"type": "text", "text": "kept"}]) == [{"type": "text", "text": "kept"}]


operations = st.lists(
    st.one_of(
        st.builds(AppendText, st.integers(0, 2), st.text(max_size=12)),
        st.builds(SetPart, st.integers(3, 4), st.dictionaries(st.text(max_size=3), st.integers(), max_size=2)),
        st.sampled_from(["drain", "wipe", "pause"]),
    ),
    max_size=30,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=operations, seed=st.randoms(use_true_random=False))
def test_any_reader_ends_with_the_writers_parts(steps, seed):
    """Wipes at any time; a reader that polls at random moments builds, byte for byte, what the writer has."""

    async def run():
        stream = opened()
        builder, known = PartsBuilder(), 0
        stream.append([OpenPart(index, PartType.TEXT if index < 3 else PartType.CARD) for index in range(5)])
        for step in steps:
            match step:
                case "drain":
                    await stream.drain()
                case "wipe":
                    await redis.async_client().delete(redis.key("turn", stream.turn_id))
                case "pause":
                    await asyncio.sleep(0)
                case operation:
                    stream.append([operation])
            if seed.random() < 0.3:
                known = await poll(stream.turn_id, builder, known)
        stream.append([AppendText(0, "."), SetPart(3, {"end": 1}), SetPart(4, {"end": 1})])
        assert await stream.drain()
        known = await poll(stream.turn_id, builder, known)
        await redis.close_async()
        return stream, builder, known

    async def poll(turn_id, builder, known):
        for entry in await read_after(turn_id, known):
            assert entry["seq"] == known + 1 or entry.get("reset")
            builder.apply(entry)
            known = entry["seq"]
        return known

    stream, builder, known = asyncio.run(run())

    assert known == stream.seq
    assert builder.stored() == stream.parts


async def test_stream_flushes_the_first_delta_at_once_and_then_every_forty_milliseconds():
    stream = opened()
    times = []
    original = stream._on_done

    def noted(answer):
        times.append(asyncio.get_running_loop().time())
        original(answer)

    stream._on_done = noted
    begin = asyncio.get_running_loop().time()
    for _ in range(20):
        stream.append([AppendText(0, "x")])
        await asyncio.sleep(0.01)
    await stream.drain()

    assert times[0] - begin < 0.03
    assert 4 <= len(times) <= 8
    assert streams.FLUSH_SECONDS == 0.04


async def test_sealed_stream_leaves_no_word_in_redis_and_reads_as_any_other():
    stream = opened(is_sealed=True, parts=[{"type": "text", "text": "zimt "}])

    stream.append([AppendText(0, "kanarie")])
    assert await stream.drain()

    raw = await redis.async_client().xrange(redis.key("turn", stream.turn_id))
    assert len(raw) > 0
    assert not {b"zimt", b"kanarie"} & {word for _id, row in raw for word in (b"zimt", b"kanarie") if word in row[b"d"]}
    builder = PartsBuilder()
    for entry in await read_after(stream.turn_id, 0):
        builder.apply(entry)
    assert builder.stored() == stream.parts == [{"type": "text", "text": "zimt kanarie"}]
    assert (await asyncio.to_thread(rebuild, stream.turn_id)).parts == stream.parts
