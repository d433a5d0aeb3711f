"""The two clients of thirty lines against real processes: they ask, show the answer as it comes, and follow the socket."""

import contextlib
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.drill import ENV, Talker, seed, slow, wait_until
from tests.needs import node, node_version
from tests.provider.script import expected_text
from tests.stack import Stack

CLIENTS = Path(__file__).resolve().parents[2] / "clients"


@pytest.fixture(scope="module")
def stack(running_provider):
    running_provider.reset()
    with Stack(env=ENV) as stack:
        yield stack


@pytest.fixture
def talker(stack, provider):
    with contextlib.closing(Talker(stack, seed(stack, provider)[0])) as made:
        yield made


@pytest.fixture(params=["python", "node"])
def client(request, talker):
    """The command line up to the words."""
    program = [sys.executable, str(CLIENTS / "follow.py")] if request.param == "python" else None
    program = program or [node(), str(CLIENTS / "follow.mjs")]
    return [*program, talker.stack.base_url, talker.person["key"], talker.conversation]


def test_client_asks_and_shows_the_whole_answer(client, talker):
    done = subprocess.run([*client, slow(40, 80)], capture_output=True, text=True, timeout=60, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == expected_text(40)
    last = talker.client.get(f"conversations/{talker.conversation}/messages/").json()["results"][-1]
    assert (last["status"], last["content"]) == ("completed", expected_text(40))


def test_client_follows_the_socket_until_it_is_ended(client, talker, tmp_path):
    if client[0] == sys.executable:
        pytest.importorskip("websockets")
    elif node_version(client[0]) < 22:  # the first that has sockets without asking
        client = [client[0], "--experimental-websocket", *client[1:]]
    output = tmp_path / "shown"
    with output.open("w") as file:
        follower = subprocess.Popen(client, stdout=file, stderr=subprocess.STDOUT)
    try:
        wait_until(lambda: "snapshot" in output.read_text(), 20, "the snapshot")

        talker.until_final(talker.say(slow(10, 50)), 30)
        wait_until(lambda: "turn.completed" in output.read_text(), 20, "the end of the answer")
    finally:
        follower.terminate()
        follower.wait(10)
    shown = output.read_text()
    assert all(word in shown for word in expected_text(10).split())
