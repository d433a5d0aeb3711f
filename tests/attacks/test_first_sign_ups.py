"""A18 against the real processes: an empty installation, a real issuer, and forty people who all want to be the first."""

import re
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import httpx
import pytest

from tests.issuer import fixtures
from tests.issuer.server import CLIENT_ID, SECRET
from tests.stack import Stack

pytestmark = pytest.mark.timeout(300)

PASSWORD = "correct horse battery"
BY_SSO, BY_LINK, BY_FORM = 20, 10, 10
PEOPLE = """
SELECT u.email, u.is_staff, u.is_superuser, m.role, o.is_home
  FROM accounts_user u
  LEFT JOIN accounts_organizationmember m ON m.user_id = u.id
  LEFT JOIN accounts_organization o ON o.id = m.organization_id
"""


@pytest.fixture(scope="module")
def empty():
    """The stack, its set-up link and the issuer that its environment names."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    env = {
        "PARLANCE_SIGN_UP": "open",
        "PARLANCE_LIMITS": "0",  # all forty come from one address
        "PARLANCE_TIME_SCALE": "5",  # who waits for the same row on a busy machine waits longer
        "PARLANCE_OIDC_ISSUER": f"http://127.0.0.1:{port}",
        "PARLANCE_OIDC_CLIENT_ID": CLIENT_ID,
        "PARLANCE_OIDC_CLIENT_SECRET": SECRET,
    }
    with Stack(interactives=0, jobs=0, env=env) as stack:
        for issuer in fixtures.run("oidc", base=stack.base_url, port=port):
            yield stack, issuer


def form(client, path, **values):
    """A request that only has to be sent: the page was opened, and its token is in it."""
    page = client.get(path)
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
    headers = {"Referer": str(page.url)}
    body = values | {"csrfmiddlewaretoken": token[1] if token else ""}
    return lambda: client.post(path, data=body, headers=headers)


def provider(client, issuer, number):
    """The person is back from the provider: what is left is to open the callback."""
    away = client.get("/accounts/sso/oidc/")
    assert away.status_code == 302, away.text[:2000]
    with closing(issuer.browser(sub=f"sso{number}", email=f"sso{number}@example.org")) as there:
        back = there.get(away.headers["Location"])
    return lambda: client.get(back.headers["Location"])


def all_at_once(acts):
    barrier = threading.Barrier(len(acts))

    def act(send):
        barrier.wait(60)
        return send().status_code

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(act, acts))


def test_a18_forty_first_sign_ups_half_by_sso_give_one_operator(empty, record_property):
    stack, issuer = empty
    link = stack.manage("first_start").removeprefix("link:").strip()
    path = link[link.index("/accounts/") :]
    clients = [httpx.Client(base_url=stack.base_url, timeout=120) for _number in range(BY_SSO + BY_LINK + BY_FORM)]
    try:
        early = [provider(clients[0], issuer, 0)().status_code, _sign_up(clients[1], 0)().status_code]
        assert early == [403, 200]  # not yet: nobody is anybody before the installation has its owner
        assert stack.sql(PEOPLE) == []

        some = iter(clients)
        acts = [provider(next(some), issuer, number) for number in range(BY_SSO)]
        acts += [
            form(next(some), path, name="L", email=f"link{n}@example.org", password=PASSWORD) for n in range(BY_LINK)
        ]
        acts += [_sign_up(next(some), n) for n in range(BY_FORM)]
        statuses = all_at_once(acts)
    finally:
        for client in clients:
            client.close()

    assert max(statuses) < 500, stack.log("web")[-20_000:]
    found = stack.sql(PEOPLE)
    operators = [row for row in found if row[1] or row[2]]
    assert len(operators) == 1, operators
    assert operators[0][0].startswith("link")
    assert operators[0][1:] == (True, True, "owner", True)
    assert [row for row in found if row[4]] == operators  # nobody else belongs to the home organization
    by_sso, by_link, by_form = statuses[:BY_SSO], statuses[BY_SSO : BY_SSO + BY_LINK], statuses[-BY_FORM:]
    assert sorted(by_link) == [302] + [400] * (BY_LINK - 1)
    assert set(by_sso) <= {302, 403}
    assert set(by_form) <= {200, 302}
    assert len(found) == statuses.count(302)
    record_property("got", f"1 operator; {len(found) - 1} of 39 others came in after it, without rights here")


def _sign_up(client, number):
    return form(client, "/accounts/signup/", name="F", email=f"form{number}@example.org", password1=PASSWORD)
