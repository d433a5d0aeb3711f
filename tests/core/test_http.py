"""Outgoing calls (attacks A44 to A49): what may be reached, and how much it may send."""

import asyncio
import dataclasses
import ssl
import threading
import time

import httpx2
import pytest

from apps.core import addresses, http
from apps.core.addresses import AddressNotListed, AddressRefused, checked_addresses
from apps.core.http import PUBLIC, TRUSTED, BodyTooLarge, Limits
from tests.core.canary import running_canary

REFUSED_HOSTS = [
    "127.0.0.1",
    "127.8.9.10",
    "10.0.0.1",
    "172.16.5.4",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "0.0.0.0",
    "0",
    "224.0.0.1",
    "255.255.255.255",
    "240.0.0.1",
    "198.18.0.1",
    "192.0.2.1",
    "[::1]",
    "[::]",
    "[fc00::1]",
    "[fd00:ec2::254]",
    "[fe80::1]",
    "[ff02::1]",
    # encodings
    "2130706433",
    "0177.0.0.1",
    "0x7f000001",
    "0x7f.1",
    "127.1",
    "[::ffff:7f00:1]",
    "[::ffff:a9fe:a9fe]",
    "[::ffff:0:7f00:1]",
    "[::7f00:1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b::a9fe:a9fe]",
    "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::]",
    "[2001:0:7f00:1::]",
    "127.0.0.1.",
    "localhost.",
    "LOCALHOST",
    "\uff11\uff12\uff17.\uff10.\uff10.\uff11",  # full-width digits
    "①②⑦.⓪.⓪.①",
    "127。0。0。1",
    "metadata.google.internal",
    "metadata.google.internal.",
    "metadata",
]


@pytest.fixture
def canary():
    with running_canary() as found:
        yield found


@pytest.fixture
def open_canary(canary, settings):
    """A canary that counts as public under the name ``open.test``; loopback itself stays forbidden."""
    settings.PARLANCE_ALLOW_PRIVATE_ADDRESSES = ["open.test"]
    return canary


def resolving(names):
    def resolve(host, port):
        answer = names[host]
        return answer.pop(0) if answer and isinstance(answer[0], list) else answer

    return dataclasses.replace(PUBLIC, resolve=resolve)


def to_open():
    return resolving({"open.test": ["127.0.0.1"]})


@pytest.mark.parametrize("host", REFUSED_HOSTS)
def test_private_address_in_any_spelling_is_refused_and_not_reached(host, canary):
    url = f"http://{host}:{canary.port}/secret"

    with pytest.raises(AddressRefused):
        http.check_url(url)
    with http.client() as client, pytest.raises((AddressRefused, httpx2.InvalidURL)):
        client.get(url)

    assert canary.hits == []


@pytest.mark.parametrize("host", REFUSED_HOSTS)
async def test_private_address_in_any_spelling_is_refused_by_the_async_client(host, canary):
    async with http.async_client() as client:
        with pytest.raises((AddressRefused, httpx2.InvalidURL)):
            await client.get(f"http://{host}:{canary.port}/secret")

    assert canary.hits == []


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "gopher://example.com/",
        "ftp://example.com/",
        "//example.com/",
        "http://",
        "http://user:secret@example.com/",
        "http://169.254.169.254\\@example.com/",
        "http://example.com\r\nX: y/",
        "http://exa mple.com/",
        "http://example.com:99999/",
        "http://example.com:0/",
        "http://127.0.0.1%2f@example.com/",
        "javascript:alert(1)",
    ],
)
def test_address_that_is_not_plain_http_is_refused(url):
    with pytest.raises(AddressRefused):
        http.check_url(url)


def test_public_addresses_pass():
    assert checked_addresses("93.184.216.34", 80, PUBLIC) == ["93.184.216.34"]
    assert checked_addresses("2606:4700::1111", 443, PUBLIC) == ["2606:4700::1111"]
    assert checked_addresses("64:ff9b::5db8:d822", 443, PUBLIC) == ["64:ff9b::5db8:d822"]
    assert http.check_url("https://93.184.216.34/x") == "https://93.184.216.34/x"


def test_name_with_one_private_answer_is_refused():
    policy = resolving({"mixed.test": ["93.184.216.34", "::1"]})

    with pytest.raises(AddressRefused):
        checked_addresses("mixed.test", 80, policy)


def test_second_answer_of_a_rebinding_name_is_never_asked_for(canary):
    policy = resolving({"rebind.test": [["93.184.216.34"], ["127.0.0.1"], ["127.0.0.1"]]})
    assert checked_addresses("rebind.test", canary.port, policy) == ["93.184.216.34"]

    with http.client(policy) as client, pytest.raises(AddressRefused):
        client.get(f"http://rebind.test:{canary.port}/")

    assert canary.hits == []


def test_socket_goes_to_the_checked_address_and_host_header_keeps_the_name(open_canary):
    with http.client(to_open()) as client:
        answer = client.get(f"http://open.test:{open_canary.port}/page")

    assert answer.text == "ok"
    assert open_canary.hits == [f"open.test:{open_canary.port} /page"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("target", ["http://127.0.0.1:{port}/in", "file:///etc/passwd", "gopher://127.0.0.1:{port}/_"])
def test_redirect_to_a_forbidden_place_is_blocked_at_that_hop(open_canary, status, target):
    with running_canary() as inner:
        open_canary.redirect_to = target.format(port=inner.port)

        with http.client(to_open()) as client, pytest.raises((AddressRefused, httpx2.UnsupportedProtocol)):
            client.get(f"http://open.test:{open_canary.port}/redirect/{status}")

        assert inner.hits == []
    assert len(open_canary.hits) == 1


def test_redirects_end_after_three_hops(open_canary):
    with http.client(to_open()) as client, pytest.raises(httpx2.TooManyRedirects):
        client.get(f"http://open.test:{open_canary.port}/loop/0")

    assert len(open_canary.hits) == 4


def test_trusted_policy_reaches_this_machine_but_follows_nothing_and_never_metadata(canary):
    canary.redirect_to = f"http://127.0.0.1:{canary.port}/elsewhere"

    with http.client(TRUSTED) as client:
        assert client.get(f"http://127.0.0.1:{canary.port}/").text == "ok"
        assert client.get(f"http://127.0.0.1:{canary.port}/redirect/302").status_code == 302
        for host in ("169.254.169.254", "[::ffff:a9fe:a9fe]", "0.0.0.0", "metadata.google.internal"):
            with pytest.raises(AddressRefused):
                client.get(f"http://{host}:{canary.port}/")

    assert len(canary.hits) == 2


def test_operator_may_open_a_network(canary, settings):
    settings.PARLANCE_ALLOW_PRIVATE_ADDRESSES = ["127.0.0.0/8"]

    with http.client() as client:
        assert client.get(f"http://127.0.0.1:{canary.port}/").text == "ok"
        with pytest.raises(AddressRefused):
            client.get(f"http://10.0.0.1:{canary.port}/")


LISTED = ["api.example.com", "*.models.test", "93.184.216.0/24", "2606:2800::/32"]
ANSWERS = {
    "api.example.com": ["1.1.1.1"],
    "eu.models.test": ["1.1.1.1"],
    "a.b.models.test": ["1.1.1.1"],
    "inside.test": ["93.184.216.34", "2606:2800::1"],
}
ELSEWHERE = {
    "other.example.com": ["1.1.1.1"],
    "models.test": ["1.1.1.1"],
    "evilmodels.test": ["1.1.1.1"],
    "api.example.com.evil.test": ["1.1.1.1"],
    "half.test": ["93.184.216.34", "1.1.1.1"],
}


@pytest.mark.parametrize("host", ANSWERS)
def test_listed_host_may_be_called(host, settings):
    settings.PARLANCE_OUTGOING_HOSTS = LISTED

    assert checked_addresses(host.upper() + ".", 443, resolving(ANSWERS)) == ANSWERS[host]


@pytest.mark.parametrize("host", ELSEWHERE)
def test_host_that_is_not_listed_may_not(host, settings):
    settings.PARLANCE_OUTGOING_HOSTS = LISTED

    with pytest.raises(AddressNotListed):
        checked_addresses(host, 443, resolving(ELSEWHERE))


def test_host_that_is_not_listed_is_not_looked_up(settings):
    settings.PARLANCE_OUTGOING_HOSTS = ["api.example.com"]
    asked = []
    policy = dataclasses.replace(TRUSTED, resolve=lambda host, _port: asked.append(host) or ["1.1.1.1"])

    with pytest.raises(AddressNotListed):
        checked_addresses("secret.evil.test", 443, policy)
    with pytest.raises(AddressNotListed) as refused:
        http.check_url("https://secret.evil.test/", resolves=False)

    assert asked == []
    assert refused.value.code == "address_not_listed"


def test_list_opens_nothing_that_is_closed(settings):
    settings.PARLANCE_OUTGOING_HOSTS = ["localhost", "10.0.0.0/8", "169.254.169.254"]

    for url in ("http://localhost/", "http://10.0.0.1/", "http://169.254.169.254/"):
        with pytest.raises(AddressRefused) as refused:
            http.check_url(url)
        assert refused.value.code == "address_refused"


def test_listed_name_of_this_machine_is_called_by_whom_the_operator_trusts(canary, settings):
    settings.PARLANCE_OUTGOING_HOSTS = ["localhost"]

    with http.client(TRUSTED) as client:
        assert client.get(f"http://localhost:{canary.port}/").text == "ok"
        with pytest.raises(AddressNotListed):
            client.get(f"http://127.0.0.1:{canary.port}/")
    assert http.check_url(f"http://localhost:{canary.port}/", TRUSTED)


def test_redirect_to_what_is_not_listed_stops_there(open_canary, settings):
    settings.PARLANCE_OUTGOING_HOSTS = ["open.test"]
    open_canary.redirect_to = f"http://elsewhere.test:{open_canary.port}/"
    names = resolving({"open.test": ["127.0.0.1"], "elsewhere.test": ["127.0.0.1"]})

    with http.client(names) as client, pytest.raises(AddressNotListed):
        client.get(f"http://open.test:{open_canary.port}/redirect/302")

    assert len(open_canary.hits) == 1


@pytest.mark.parametrize("path", ["endless", "bomb"])
def test_body_stops_at_ten_megabytes_unpacked(open_canary, path):
    started = time.monotonic()

    with http.client(to_open()) as client, pytest.raises(BodyTooLarge):
        client.get(f"http://open.test:{open_canary.port}/{path}")

    assert time.monotonic() - started < 15


@pytest.mark.parametrize("path", ["endless", "bomb"])
async def test_body_stops_at_ten_megabytes_unpacked_for_the_async_client(open_canary, path):
    async with http.async_client(to_open()) as client:
        with pytest.raises(BodyTooLarge):
            await client.get(f"http://open.test:{open_canary.port}/{path}")


def test_packed_answer_is_unpacked_once(open_canary):
    with http.client(to_open()) as client:
        assert client.get(f"http://open.test:{open_canary.port}/packed").text == "hello " * 1000


@pytest.mark.parametrize("path", ["drip", "headers"])
def test_slow_answer_ends_with_the_total_time(open_canary, path):
    started = time.monotonic()

    with (
        http.client(to_open(), limits=Limits(total_seconds=1.0)) as client,
        pytest.raises(httpx2.ReadTimeout),
    ):
        client.get(f"http://open.test:{open_canary.port}/{path}")

    assert time.monotonic() - started < 3


@pytest.mark.parametrize("path", ["drip", "headers"])
async def test_slow_answer_ends_with_the_total_time_for_the_async_client(open_canary, path):
    started = time.monotonic()

    async with http.async_client(to_open(), limits=Limits(total_seconds=1.0)) as client:
        with pytest.raises(httpx2.ReadTimeout):
            await client.get(f"http://open.test:{open_canary.port}/{path}")

    assert time.monotonic() - started < 3


async def test_resolver_that_hangs_holds_neither_loop_nor_caller():
    def resolve(host, port):
        time.sleep(2)
        return ["93.184.216.34"]

    policy = dataclasses.replace(PUBLIC, resolve=resolve)
    started = time.monotonic()

    async with http.async_client(policy, timeout=httpx2.Timeout(5, connect=0.3)) as client:
        request = asyncio.create_task(client.get("http://slow.test/"))
        with pytest.raises(httpx2.ConnectTimeout):
            await request

    assert time.monotonic() - started < 1.5


def test_second_address_is_tried_when_the_first_does_not_answer(open_canary):
    policy = resolving({"open.test": ["127.0.0.2", "127.0.0.1"]})

    with http.client(policy) as client:
        assert client.get(f"http://open.test:{open_canary.port}/").text == "ok"


def test_check_url_waits_for_a_silent_resolver_no_longer_than_it_says(monkeypatch):
    monkeypatch.setattr(addresses, "RESOLVE_SECONDS", 0.2)
    is_over = threading.Event()
    policy = dataclasses.replace(PUBLIC, resolve=lambda host, port: is_over.wait(10) and ["10.0.0.1"])
    began = time.monotonic()

    kept = http.check_url("https://silent.example/v1", policy)
    took = time.monotonic() - began
    is_over.set()

    assert kept == "https://silent.example/v1"
    assert took < 5
    with pytest.raises(AddressRefused):
        http.check_url("https://silent.example/v1", policy)


def test_clients_of_a_process_share_the_certificates_they_trust():
    with http.client() as one, http.client(TRUSTED) as other:
        contexts = [each._transport._pool._ssl_context for each in (one, other)]

    assert contexts == [http.tls_context()] * 2
    assert http.tls_context().verify_mode is ssl.CERT_REQUIRED
    assert http.tls_context().check_hostname
