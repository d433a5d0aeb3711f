"""The same door, spoken to by OpenAI's own client for JavaScript."""

import json
import subprocess
from pathlib import Path

import pytest

from tests import needs
from tests.provider.script import expected_text

FOLDER = Path(__file__).parent / "node"


@pytest.fixture(scope="session")
def node():
    """Node, with OpenAI's client beside it."""
    found = needs.node()
    if not (FOLDER / "node_modules" / "openai").exists():
        subprocess.run(
            ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=FOLDER, check=True, timeout=120
        )
    return found


def test_the_javascript_client_lists_answers_streams_and_calls_tools(node, door, provider):
    provider.script(
        {"tokens": 12},
        {"tokens": 15},
        {"tool": "weather", "arguments": '{"city": "Lisboa"}'},
        {"tokens": 20, "cut": 5},
    )

    done = subprocess.run(
        [node, "client.mjs", door.url, door.key], cwd=FOLDER, capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert json.loads(told["tool"].pop("arguments")) == {"city": "Lisboa"}
    assert told == {
        "models": ["stub/stub-large", "stub/stub-small", "twin/stub-large", "agent/Harbour pilot"],
        "whole": expected_text(12),
        "streamed": expected_text(15),
        "completion_tokens": 15,
        "tool": {"name": "weather"},
        "refused": {
            "status": 400,
            "code": "unsupported_parameter",
            "param": "n",
            "name": "BadRequestError",
        },
        "broken": {"name": "APIError", "code": "provider_disconnected"},
    }
