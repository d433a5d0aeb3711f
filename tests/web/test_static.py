"""Static files carry the hash of their content, and only the right hash may be kept for ever."""

import asyncio

import httpx
import pytest
from django.conf import settings
from django.templatetags.static import static

from apps.web import static_files
from apps.web.modules import STYLESHEETS, import_map
from apps.web.static_files import StaticFiles

#: Linked by the page itself, and by no other.
ON_ONE_PAGE = ("core/css/api_docs.css",)


async def elsewhere(scope, receive, send):
    await send({"type": "http.response.start", "status": 418, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def fetched(address, method="GET", **headers):
    async def fetch():
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(StaticFiles(elsewhere)), base_url="http://t"
        ) as client:
            return await client.request(method, address, headers=headers)

    return asyncio.run(fetch())


def headers_of(address):
    answer = fetched(address)
    assert answer.status_code == 200
    return answer.headers


def test_address_carries_the_hash_and_may_be_kept_for_ever():
    address = static("core/css/tokens.css")

    headers = headers_of(address)

    assert "?v=" in address
    assert headers["Cache-Control"].endswith("immutable")


def test_wrong_hash_gets_the_file_but_may_not_keep_it():
    headers = headers_of("/static/core/css/tokens.css?v=0000000000")

    assert "immutable" not in headers["Cache-Control"]


def test_import_map_names_every_script_with_its_hash():
    addresses = import_map()["imports"]

    assert addresses["web/main"].startswith("/static/web/main.js?v=")
    assert all("?v=" in address for address in addresses.values())


def test_file_is_framed_and_read_by_no_other_page():
    headers = headers_of("/static/web/main.js")

    assert headers["Content-Security-Policy"] == "frame-ancestors 'none'"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Access-Control-Allow-Origin" not in headers
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_file_comes_whole_and_in_part_and_not_again():
    content = (settings.BASE_DIR / "static" / "web" / "main.js").read_bytes()

    whole = fetched("/static/web/main.js")
    part = fetched("/static/web/main.js", range="bytes=2-9")
    head = fetched("/static/web/main.js", "HEAD")
    again = fetched("/static/web/main.js", **{"if-modified-since": whole.headers["Last-Modified"]})

    assert (whole.status_code, whole.content) == (200, content)
    assert whole.headers["Content-Type"] == 'text/javascript; charset="utf-8"'
    assert (part.status_code, part.content) == (206, content[2:10])
    assert (head.status_code, head.content, head.headers["Content-Length"]) == (200, b"", str(len(content)))
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "address",
    [
        "/static/",
        "/static/web/",
        "/static/web/none.js",
        "/static/../manage.py",
        "/static/%2e%2e/manage.py",
        "/static/web/../../manage.py",
        "/staticweb/main.js",
        "/",
    ],
)
def test_what_is_no_file_goes_on_to_the_pages(address):
    assert fetched(address).status_code == 418


def test_file_is_only_read():
    assert fetched("/static/web/main.js", "POST").status_code == 405


def test_all_sheets_come_as_one_in_their_order():
    address = static("sheet.css")
    folder = settings.BASE_DIR / "static"

    answer = fetched(address)

    assert answer.headers["Cache-Control"].endswith("immutable")
    assert answer.headers["Content-Type"].startswith("text/css")
    assert answer.text == "\n".join((folder / name).read_text() for name in STYLESHEETS)
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*.css")} == {*STYLESHEETS, *ON_ONE_PAGE}


@pytest.mark.parametrize("address", ["/static/sheet.css", "/static/web/main.js"])
def test_file_is_packed_for_who_takes_that(address):
    bare = fetched(address, **{"accept-encoding": "identity"})
    packed = fetched(address, **{"accept-encoding": "gzip, br"})

    assert "Content-Encoding" not in bare.headers
    assert (packed.headers["Content-Encoding"], packed.headers["Vary"]) == ("gzip", "Accept-Encoding")
    assert int(packed.headers["Content-Length"]) < int(bare.headers["Content-Length"])
    assert packed.content == bare.content


def test_another_release_has_a_sheet_of_its_own(settings, tmp_path, monkeypatch):
    settings.DATA_DIR = tmp_path
    ours = static_files._written()
    monkeypatch.setattr(static_files, "STYLESHEETS", STYLESHEETS[:3])
    theirs = static_files._written()

    assert ours != theirs
    assert ours.read_bytes().startswith(theirs.read_bytes())
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["sheet.css", "sheet.css"]
