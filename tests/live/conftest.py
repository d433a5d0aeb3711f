import pytest

from apps.core import redis


@pytest.fixture(autouse=True)
async def _connections():
    yield
    await redis.close_async()
