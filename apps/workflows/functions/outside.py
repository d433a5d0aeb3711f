"""``http`` and ``notify``: what leaves the house."""

from __future__ import annotations

import base64
import json
from typing import Any

from django.utils.translation import gettext_lazy

from apps.accounts.types import SYSTEM
from apps.core import http
from apps.core.db import give_connections_back
from apps.core.doors.workflow_functions import Gave, WorkflowCall, WorkflowFunction
from apps.workflows import letters, problems, reaching, selectors, services, sight_selectors
from apps.workflows.functions import credentials
from apps.workflows.types import MAX_DATA_BYTES

HTTP = http.Limits(max_bytes=MAX_DATA_BYTES, total_seconds=30.0)
#: Headers that say who asks, or where the body ends: ours to say.
_OURS = frozenset({"host", "content-length", "transfer-encoding", "connection"})
#: What an answer does not repeat of what was asked.
_UNSHOWN = frozenset({"authorization", "cookie", "proxy-authorization"})


def call_http(call: WorkflowCall) -> Gave:
    """Through the client that reaches no private address. What is not 2xx is an error that ``try`` can catch; with ``redirect`` 3xx is an
    answer as well. Nobody is followed elsewhere: body and headers are for the address that the document names.

    What goes along as credentials is in no answer and no error, though the other side repeats it.
    """
    given = call.arguments
    endpoint = given["endpoint"] if isinstance(given["endpoint"], dict) else {"uri": given["endpoint"]}
    headers = {name: str(value) for name, value in given.get("headers", {}).items() if name.lower() not in _OURS}
    headers.setdefault("Idempotency-Key", call.effect_key)
    body = given.get("body")
    content = None
    if body is not None:
        content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        if not isinstance(body, str):
            headers.setdefault("Content-Type", "application/json")
    policy = endpoint.get("authentication")
    secret = _secret_of(call, policy)
    give_connections_back()
    kept: tuple[str, ...] = ()
    if policy:
        headers = {name: value for name, value in headers.items() if name.lower() != "authorization"}
        headers["Authorization"], kept = credentials.header_of(policy, secret)
    try:
        with http.client(limits=HTTP, follow_redirects=False) as client:
            answer = client.request(
                given["method"].upper(),
                endpoint["uri"],
                headers=headers,
                params=given.get("query") or None,
                content=content,
            )
            answer.read()
    except http.FAILURES as error:
        detail, said = credentials.hidden(list(reaching.told(error, str(endpoint["uri"]))), kept)
        raise problems.problem("communication", 502, detail, code=reaching.CODE, **said) from None
    except (TypeError, ValueError) as error:  # a header that is no ASCII, a port that is no number
        detail = f"This cannot be sent: {type(error).__name__}."
        raise problems.problem("configuration", 400, detail, code="cannot_be_sent") from None
    if not (answer.is_success or (answer.is_redirect and given.get("redirect"))):
        detail = credentials.hidden(answer.text, kept)[:500]
        raise problems.problem("communication", answer.status_code, detail, code=problems.ANSWERED)
    return Gave(_read(answer, given.get("output", "content"), kept))


def _secret_of(call: WorkflowCall, policy: dict[str, Any] | None) -> dict[str, Any] | None:
    name = next((said["use"] for said in (policy or {}).values() if "use" in said), None)
    if name is None:
        return None
    found = selectors.open_secret(project_id=call.project_id, name=name)
    if found is None:
        detail = f"The project has no secret {name}."
        raise problems.problem("authentication", 401, detail, code="secret_missing")
    return found


def _read(answer: Any, wanted: str, kept: tuple[str, ...]) -> Any:
    if wanted == "raw":
        raw = answer.content
        for text in kept:
            raw = raw.replace(text.encode(), credentials.HIDDEN.encode())
        return base64.b64encode(raw).decode()
    content: Any = answer.text
    if "json" in answer.headers.get("content-type", ""):
        try:
            content = answer.json()
        except ValueError:
            content = answer.text
    if wanted == "response":
        asked = answer.request
        shown = {name: value for name, value in asked.headers.items() if name.lower() not in _UNSHOWN}
        content = {
            "request": {"method": asked.method, "uri": str(asked.url), "headers": shown},
            "statusCode": answer.status_code,
            "headers": dict(answer.headers),
            "content": content,
        }
    return credentials.hidden(content, kept)


def notify(call: WorkflowCall) -> Gave:
    """A mail to each, sent by a job after the step is written."""
    run = selectors.get_run(run_id=call.run_id, viewer=SYSTEM)
    to = call.arguments.get("to", "starter")
    if to == "starter":
        ids = [run.requested_by_id] if run.requested_by_id else []
    else:
        ids = sight_selectors.people_with(call.actor, run, to)
    letters.send_word(run=run, people=ids[: services.MOST_MAILS], text=call.arguments["text"])
    return Gave({"people": len(ids[: services.MOST_MAILS])})


_STRING = {"type": "string", "minLength": 1, "maxLength": 20_000}

FUNCTIONS = (
    WorkflowFunction(
        "http",
        gettext_lazy("Calls an address of the web."),
        {
            "type": "object",
            "required": ["method", "endpoint"],
            "properties": {
                "method": {"type": "string", "pattern": "^[A-Za-z]{3,10}$"},
                "endpoint": {
                    "oneOf": [
                        {"type": "string"},
                        {
                            "type": "object",
                            "required": ["uri"],
                            "properties": {"uri": {"type": "string"}, "authentication": {"type": "object"}},
                        },
                    ]
                },
                "headers": {"type": "object", "maxProperties": 50},
                "query": {"type": "object", "maxProperties": 50},
                "output": {"enum": ["raw", "content", "response"]},
                "redirect": {"type": "boolean"},
                "body": {},
            },
        },
        outside=call_http,
    ),
    WorkflowFunction(
        "notify",
        gettext_lazy("Sends people a mail."),
        {
            "type": "object",
            "additionalProperties": False,
            "required": ["text"],
            "properties": {"text": _STRING, "to": {"enum": ["starter", "editor", "manager"]}},
        },
        inside=notify,
    ),
)
