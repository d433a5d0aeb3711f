"""The scans of `make lint` find what they look for."""

from datetime import UTC, datetime

import pytest

from scripts import advisories, secret_scan

NOW = datetime(2026, 11, 21, tzinfo=UTC)
KEPT = {
    "asked_at": "2026-11-20T08:00:00+00:00",
    "asked": {"pypi:django": "5.2.1", "npm:dompurify": "3.0.0"},
    "found": [{"package": "pypi:django", "version": "5.2.1", "id": "PYSEC-1"}],
}
#: In two pieces, so that the scan of this tree does not find them here.
PLANTED = {
    "AWS Access Key": "AKIA" + "IOSFODNN7EXAMPLE",
    "GitHub Token": "ghp_" + "a1B2c3D4e5F6a1B2c3D4e5F6a1B2c3D4e5F6",
    "Private Key": "-----BEGIN " + "RSA PRIVATE KEY-----",
    "Basic Auth Credentials": "https://ann:" + "secret@host.example/",
}


def test_pin_with_a_known_vulnerability_fails():
    flaws, notes = advisories.judge(KEPT, {"pypi:django": "5.2.1"}, NOW)

    assert (flaws, notes) == (["pypi:django 5.2.1 has PYSEC-1"], [])


def test_mended_pin_passes_and_is_named_as_not_asked_about():
    flaws, notes = advisories.judge(KEPT, {"pypi:django": "5.2.2", "npm:dompurify": "3.0.0"}, NOW)

    assert (flaws, notes) == ([], ["never asked about 1 pins: pypi:django"])


def test_old_answer_is_said_to_be_old():
    _flaws, notes = advisories.judge(KEPT, {}, datetime(2027, 1, 1, tzinfo=UTC))

    assert notes == ["asked 41 days ago: make advisories"]


def test_every_pin_is_read():
    pins = advisories.python_pins() | advisories.node_pins()

    assert {"pypi:django", "pypi:pytest", "npm:dompurify"} <= pins.keys()
    assert all(pins.values())


@pytest.mark.parametrize("kind", PLANTED)
def test_planted_secret_is_found(kind, tmp_path):
    (tmp_path / "notes.txt").write_text(f"first line\nvalue = '{PLANTED[kind]}'\n")

    assert ("notes.txt", 2, kind) in secret_scan.scan(["notes.txt"], root=tmp_path)
