import json
from dataclasses import dataclass

import pytest

from tests.provider.fixtures import provider, running_provider

__all__ = ["provider", "running_provider"]


MODEL_BODY = {"model": "stub/stub-small", "messages": [{"role": "user", "content": "Hi"}], "stream": True}


def seeded(stack, provider):
    """Keys and ids of ``tests.gateway.seed``, made by a process of the stack."""
    seed = f"from tests.gateway.seed import seed; seed({provider.url!r})"
    return json.loads(stack.manage("shell", "-v0", "-c", seed).strip().splitlines()[-1])


@dataclass(frozen=True)
class Door:
    """A running web process, keys for it (each of ``ending`` of a member of its own, for one test to end), and its ledger."""

    stack: object
    url: str
    key: str
    models_only: str
    other: str
    ending: list[str]
    organization: str

    def attempts(self):
        """(purpose, status) of each call since the last ``forget``, oldest first."""
        return self.stack.sql("SELECT purpose, status FROM llm_callattempt ORDER BY started_at")

    def forget(self):
        self.stack.sql("DELETE FROM llm_callattempt")


@pytest.fixture(scope="session")
def running_door(running_provider):
    from tests.stack import Stack

    env = {
        "PARLANCE_ALLOW_PRIVATE_ADDRESSES": "127.0.0.1/32",
        "PARLANCE_TIME_SCALE": "0.2",
        "PARLANCE_LIMIT_PERSON": "500/500",
        "PARLANCE_LIMIT_KEY": "500/500",
        "PARLANCE_ANSWERS_AN_HOUR": "1000",
    }
    with Stack(env=env, interactives=0, jobs=0) as stack:
        yield Door(stack=stack, url=f"{stack.base_url}/v1", **seeded(stack, running_provider))


@pytest.fixture
def door(running_door, provider):
    running_door.forget()
    return running_door
