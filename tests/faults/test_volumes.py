"""Full disks: D13, with volumes of their own size under PostgreSQL, Redis and the files."""

from __future__ import annotations

import secrets

import httpx
import pytest

from tests.faults.drill import Talker, by_command, slow, wait_until
from tests.faults.volumes import can_mount
from tests.provider.script import expected_text

pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not can_mount(), reason="needs small volumes: this account may not mount a tmpfs"),
]


def upload(talker: Talker, megabytes: int) -> httpx.Response:
    file = {"file": ("noise.bin", secrets.token_bytes(megabytes * 1_000_000), "application/octet-stream")}
    return talker.client.post("attachments/", data={"project": talker.person["project"]}, files=file)


@by_command
def test_d13_database_volume_is_full(broken, ward, provider, seen):
    """The volume of PostgreSQL is full: 507 or 503 with the reason, reading works; with room again everything works without a restart."""
    stack, talker, examine = broken
    long = "[[stub tokens=3]] " + secrets.token_hex(20_000)
    before = talker.say("[[stub tokens=3]] before")
    talker.until_final(before, 30)

    ward.volumes["postgres"].fill()
    answers = []
    for number in range(200):
        body = {"client_id": f"01900000-0000-7000-8000-{number:012d}", "content": long}
        answers.append(talker.client.post(f"conversations/{talker.conversation}/messages/", json=body))
        if answers[-1].status_code in (503, 507):
            break
        if answers[-1].status_code == 429:  # twenty wait already: another conversation
            talker.conversation = talker.post("conversations/", {"project": talker.person["project"]})["id"]
    refused = answers[-1]
    reads = {talker.client.get(f"messages/{before['message']['id']}/").status_code for _each in range(10)}
    ward.volumes["postgres"].free()

    assert {answer.status_code for answer in answers} <= {202, 429, 503, 507}
    assert refused.status_code in (503, 507)
    assert refused.json()["code"] in ("storage_full", "unavailable")
    assert reads == {200}
    other = Talker(stack, ward.person())
    assert other.until_final(other.say("[[stub tokens=3]] again"), 30)["status"] == "completed"
    other.close()
    examine()
    seen(f"{refused.status_code} `{refused.json()['code']}` at message {len(answers)}, reading went on, all well after")


@by_command
def test_d13_media_volume_is_full(broken, ward, provider, seen):
    """The volume of the files is full: 507 with the reason, the partial upload removed, what is there can be read; works again with room."""
    stack, talker, examine = broken
    kept = upload(talker, 1)
    assert kept.status_code == 201, kept.text

    ward.volumes["media"].fill(leave_bytes=500_000)
    refused = upload(talker, 3)
    left = [path for path in (stack.folder / "data" / "files").rglob("*") if path.is_file() and path.name != "ballast"]
    read = talker.client.get(f"attachments/{kept.json()['id']}/download/")
    ward.volumes["media"].free()

    assert (refused.status_code, refused.json()["code"]) == (507, "storage_full")
    assert sum(path.stat().st_size for path in left) < 1_500_000
    assert (read.status_code, len(read.content)) == (200, 1_000_000)
    assert upload(talker, 3).status_code == 201
    examine()
    seen("507 `storage_full`, nothing left of the upload, reading went on, taken after there was room")


@by_command
def test_d13_redis_volume_is_full(broken, ward, provider, seen):
    """The volume of Redis is full: POST still 202 and answered, no word lost, well again by itself with room."""
    stack, talker, examine = broken
    posted = talker.say(slow(300, 40))
    reading = talker.read(posted)
    wait_until(lambda: reading.seq > 5, 30, "some words")

    ward.volumes["redis"].fill()

    def refuses() -> bool:
        return not httpx.get(f"{stack.base_url}/readyz", timeout=10).json()["checks"]["redis_writes"]["ok"]

    noticed = wait_until(refuses, 20, "Redis refuses writes")
    written = talker.say("[[stub tokens=5]] while the disk is full")
    status = talker.until_final(written, 40)["status"]
    wait_until(lambda: reading.final, 40, "the final event")
    ward.volumes["redis"].free()
    well = wait_until(lambda: not refuses(), 20, "Redis takes writes again")

    assert (status, reading.final) == ("completed", "completed")
    assert reading.message["content"] == talker.answer(posted)["content"] == expected_text(300)
    assert talker.until_final(talker.say("[[stub tokens=3]] again"), 20)["status"] == "completed"
    examine()
    seen(
        f"/readyz named it after {noticed:.1f} s, answers went on from the database, well {well:.1f} s after there was room"
    )
