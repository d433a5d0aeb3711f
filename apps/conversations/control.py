"""Orders to whoever runs a turn, over Redis. They may be lost: the next renewal of the lease brings the same news."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID

from redis.exceptions import RedisError

from apps.core import redis

STOP = b"stop:"


def channel() -> str:
    return redis.key("turns", "control")


def send_stop(turn_id: UUID) -> None:
    try:
        redis.client().publish(channel(), STOP + str(turn_id).encode())
    except redis.Away:
        return  # the owner sees stop_requested_at at its next renewal


async def takes_hints() -> bool:
    """Does Redis take writes at the moment? Away, silent and full are all the same to who waits for a hint."""
    try:
        await redis.async_client().set(redis.key("turns", "hints"), 1, ex=60)
    except (RedisError, OSError):
        return False
    return True


async def stops() -> AsyncIterator[UUID]:
    """Turn ids to stop, while the connection holds; raises what Redis raises."""
    pubsub = redis.async_client().pubsub(ignore_subscribe_messages=True)
    try:
        await pubsub.subscribe(channel())
        while True:
            message = await pubsub.get_message(timeout=2.0)
            if message is not None and message["data"].startswith(STOP):
                yield UUID(message["data"][len(STOP) :].decode())
    finally:
        await pubsub.aclose()  # type: ignore[no-untyped-call]
