"""Issuers for a module of tests: ``issuer`` and a second one that nobody has to trust."""

import json
import subprocess
import sys
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from django.conf import settings

from tests.issuer.server import CLIENT_ID, SECRET

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Issuer:
    url: str
    client_id: str = CLIENT_ID
    secret: str = SECRET

    def browser(self, **person) -> httpx.Client:
        """Somebody who is signed in at the issuer."""
        client = httpx.Client(base_url=self.url, timeout=20)
        client.post("/script", json={"sub": "ada", "email": "ada@sand.example"} | person).raise_for_status()
        return client

    def sign_in(self, client, slug, *, query="", **person):
        """The whole way with Django's test client: to the issuer and back. Gives the answer to the callback."""
        away = client.get(f"/accounts/sso/{slug}/{query}")
        assert away.status_code == 302, away.content.decode()[:2000]
        with closing(self.browser(**person)) as there:
            back = there.get(away["Location"])
        assert back.status_code == 302, back.text[:2000]
        parts = urlsplit(back.headers["Location"])
        assert back.headers["Location"].startswith(f"{settings.PARLANCE_URL}/accounts/sso/{slug}/callback/")
        return client.get(f"{parts.path}?{parts.query}")


def run(*slugs, base=None, port=0):
    """An issuer that sends people back to ``base`` (ours), as the provider of these short names."""
    with tempfile.TemporaryDirectory() as folder:
        redirects = "\n".join(f"{base or settings.PARLANCE_URL}/accounts/sso/{slug}/callback/" for slug in slugs)
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "tests.issuer.server", str(port), folder, redirects],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        try:
            line = process.stdout.readline()
            yield Issuer(f"http://127.0.0.1:{json.loads(line)['port']}")
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


@pytest.fixture(autouse=True)
def nothing_kept_of_providers():
    """What one test's provider published is not another's. Imported inside: conftest files are read before Django is set up."""
    from apps.accounts.identity import published

    published.forget()


@pytest.fixture(scope="module")
def issuer():
    yield from run("sand", "oidc")


@pytest.fixture(scope="module")
def second_issuer():
    yield from run("other", "oidc")
