import pytest


@pytest.fixture(autouse=True)
async def _connections():
    # The settings are read after this file.
    from apps.core import redis
    from apps.live.hub import close_hub
    from apps.live.lobby import close_lobby
    from tests.live import rooms

    rooms.register()
    redis.client().delete(redis.key("denied"))
    yield
    rooms.unregister()
    await close_lobby()
    await close_hub()
    await redis.close_async()
