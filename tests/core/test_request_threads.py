"""The handler between an ASGI server and Django, driven as a server drives it."""

import asyncio
import json
import threading

import pytest
from asgiref.testing import ApplicationCommunicator
from django.db import connection
from django.http import Http404, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path, reverse

from apps.core.request_threads import RequestHandler

ended = []


def ordinary(request, number):
    return JsonResponse(
        {
            "number": number,
            "thread": threading.current_thread().name,
            "body": request.body.decode(),
            "own": reverse("ordinary", args=[number]),
            "route": request.resolver_match.route,
        }
    )


async def coroutine(request):
    await asyncio.sleep(0)
    return JsonResponse({"thread": threading.current_thread().name})


def endless(request):
    connection.ensure_connection()

    async def pieces():
        try:
            while True:
                yield b"more"
                await asyncio.sleep(0.01)
        finally:
            ended.append(threading.current_thread().name)

    return StreamingHttpResponse(pieces())


def short(request):
    async def pieces():
        yield b"a"
        yield b"b"

    return StreamingHttpResponse(pieces())


def broken(request):
    async def pieces():
        yield b"a"
        raise LookupError("in the stream")

    return StreamingHttpResponse(pieces())


def missing(request):
    raise Http404


urlpatterns = [
    path("ordinary/<int:number>/", ordinary, name="ordinary"),
    path("coroutine/", coroutine),
    path("endless/", endless),
    path("short/", short),
    path("broken/", broken),
    path("missing/", missing),
    path("empty/", lambda _request: HttpResponse(status=204)),
]


@pytest.fixture(autouse=True)
def _addresses(settings):
    settings.ROOT_URLCONF = __name__


def ask(address, *, body=b"", root_path="", method="GET"):
    scope = {
        "type": "http",
        "method": method,
        "path": root_path + address,
        "root_path": root_path,
        "query_string": b"",
        "headers": [(b"host", b"localhost"), (b"content-length", str(len(body)).encode())],
    }
    return ApplicationCommunicator(RequestHandler(), scope)


async def answer(communicator, *pieces):
    for place, piece in enumerate(pieces or [b""], start=1):
        await communicator.send_input({"type": "http.request", "body": piece, "more_body": place < len(pieces)})
    start = await communicator.receive_output(5)
    whole = b""
    while True:
        message = await communicator.receive_output(5)
        whole += message.get("body", b"")
        if not message.get("more_body"):
            await communicator.wait(5)
            return start, whole


async def json_of(communicator, *pieces):
    start, whole = await answer(communicator, *pieces)
    return start["status"], json.loads(whole)


@pytest.mark.django_db
async def test_ordinary_view_runs_on_a_thread_of_the_pool():
    status, said = await json_of(ask("/ordinary/7/", body=b"one two", method="GET"), b"one ", b"two")

    assert said.pop("thread").startswith("request")
    assert (status, said) == (
        200,
        {"number": 7, "body": "one two", "own": "/ordinary/7/", "route": "ordinary/<int:number>/"},
    )


@pytest.mark.django_db
async def test_prefix_of_the_server_is_no_part_of_the_address():
    status, said = await json_of(ask("/ordinary/7/", root_path="/parlance"))

    assert (status, said["own"]) == (200, "/parlance/ordinary/7/")


@pytest.mark.django_db
async def test_coroutine_runs_on_the_loop():
    status, said = await json_of(ask("/coroutine/"))

    assert (status, said) == (200, {"thread": threading.current_thread().name})


@pytest.mark.django_db
@pytest.mark.parametrize(("address", "status"), [("/empty/", 204), ("/missing/", 404), ("/nowhere/", 404)])
async def test_every_answer_carries_the_headers_of_the_middleware(address, status):
    start, _body = await answer(ask(address))

    names = {name.lower() for name, _value in start["headers"]}
    assert start["status"] == status
    assert {b"x-request-id", b"content-security-policy", b"permissions-policy"} <= names


@pytest.mark.django_db(transaction=True)
async def test_stream_holds_no_thread_and_ends_when_its_reader_goes():
    ended.clear()
    held = [ask("/endless/") for _each in range(40)]
    for communicator in held:
        await communicator.send_input({"type": "http.request", "body": b""})
    for communicator in held:
        assert (await communicator.receive_output(5))["status"] == 200
        assert (await communicator.receive_output(5))["body"] == b"more"

    for communicator in held:
        await communicator.send_input({"type": "http.disconnect"})
        await communicator.wait(5)

    assert ended == [threading.current_thread().name] * 40


@pytest.mark.django_db
async def test_stream_that_ends_is_sent_whole():
    _start, whole = await answer(ask("/short/"))

    assert whole == b"ab"


@pytest.mark.django_db
async def test_fault_in_a_stream_reaches_the_server():
    communicator = ask("/broken/")
    await communicator.send_input({"type": "http.request", "body": b""})
    await communicator.receive_output(5)

    with pytest.raises(LookupError, match="in the stream"):
        await communicator.wait(5)


async def test_reader_that_goes_before_its_body_came_is_forgotten():
    communicator = ask("/ordinary/7/", body=b"one two")
    await communicator.send_input({"type": "http.disconnect"})

    await communicator.wait(5)

    assert communicator.output_queue.empty()
