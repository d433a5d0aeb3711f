"""A64 in real processes: what the socket sends holds no secret, nor what web, workers and jobs write (little, when all is well)."""

import http.client
import json

import pytest

from tests.browser import duo
from tests.live.client import Client
from tests.stack import Stack

pytestmark = [pytest.mark.attacks, pytest.mark.timeout(300)]

CANARY = "canary-7c1e5f"
NO_SERVER = "127.0.0.1"


@pytest.fixture(scope="module")
def stack():
    env = {
        "EMAIL_HOST": NO_SERVER,
        "EMAIL_PORT": "9",
        "EMAIL_HOST_USER": "mailer",
        "EMAIL_HOST_PASSWORD": f"mail-{CANARY}",
    }
    with Stack(env=env) as running:
        running.cast = duo.hire(running, "http://127.0.0.1:9/v1", signed_in=False)
        yield running


def send(stack, method, path, body=None, token=""):
    connection = http.client.HTTPConnection(stack.base_url.removeprefix("http://"), timeout=30)
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    connection.request(method, f"/api/v1{path}", json.dumps(body) if body is not None else None, headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, json.loads(text) if text else {}


def knock(stack, path):
    connection = http.client.HTTPConnection(stack.base_url.removeprefix("http://"), timeout=30)
    connection.request("POST", path, b"", {"Content-Type": "application/x-www-form-urlencoded"})
    assert connection.getresponse().status in {403, 405}, path
    connection.close()


async def test_a64_no_frame_and_no_log_of_a_process_holds_a_secret(stack, record_property):
    person = {"email": stack.cast["ines_email"], "password": duo.PASSWORD}
    _status, pair = send(stack, "POST", "/auth/token/", person)
    token = pair["access"]
    organization = str(
        stack.sql("SELECT organization_id FROM accounts_project WHERE id = %s", [stack.cast["project"]])[0][0]
    )
    provider = {
        "organization": organization,
        "kind": "openai-compatible",
        "name": "planted",
        "base_url": "https://93.184.216.34/v1",
        "api_key": f"sk-{CANARY}",
        "headers": {"X-Gateway-Token": f"head-{CANARY}"},
    }
    made, planted = send(stack, "POST", "/providers/", provider, token)
    _status, key = send(stack, "POST", "/api-keys/", {"organization": organization, "name": "planted"}, token)
    send(stack, "POST", "/auth/password/reset/", {"email": stack.cast["ines_email"]})
    send(stack, "POST", "/auth/token/", {"email": stack.cast["ines_email"], "password": f"word-{CANARY}"})
    signing_in = stack.manage("create_sign_in_link", stack.cast["ines_email"]).split("/accounts/link/")[1].split("/")[0]
    for path in (
        "accounts/link",
        "accounts/invitation",
        "s",
    ):  # refused before a view looks: Django logs the whole path
        knock(stack, f"/{path}/{signing_in}/")
    _status, talk = send(stack, "POST", "/conversations/", {"project": stack.cast["project"]}, token)
    secrets = [
        CANARY,
        key["key"],
        signing_in,
        token.rpartition(".")[2],
        pair["refresh"].rpartition(".")[2],
        duo.PASSWORD,
    ]

    async with Client(stack.ws_url, {"Authorization": f"Bearer {key['key']}"}) as page:
        for topic in (f"conversation:{talk['id']}", f"user:{stack.cast['ines']}", f"organization:{organization}"):
            await page.follow(topic)
        send(stack, "PATCH", f"/providers/{planted['id']}/", {"api_key": f"sk-new-{CANARY}"}, token)
        send(stack, "POST", f"/conversations/{talk['id']}/messages/", {"content": "Hello"}, token)
        await page.until(lambda: any('"failed"' in frame for frame in page.raw), 60)
        frames = "".join(page.raw)
    logs = {role: stack.log(role) for role in stack.roles}

    assert made == 201
    assert len(frames) > 500
    record_property("got", f"{len(page.raw)} frames, {sum(map(len, logs.values()))} characters of logs")
    assert [secret for secret in secrets if secret in frames] == []
    assert [(role, secret) for role, text in logs.items() for secret in secrets if secret in text] == []
