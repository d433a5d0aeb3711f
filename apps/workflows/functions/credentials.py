"""What ``http`` says about who asks: Basic (RFC 7617), Bearer (RFC 6750), and a token by client credentials (RFC 6749, 4.4)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from apps.core import http
from apps.workflows import problems

_LIMITS = http.Limits(max_bytes=100_000, total_seconds=20.0)
#: What is shorter stands in too many texts to be looked for.
LEAST = 4
HIDDEN = "•••"


def header_of(policy: Mapping[str, Any], secret: Mapping[str, Any] | None) -> tuple[str, tuple[str, ...]]:
    """The value of ``Authorization``, and the texts that must not be read anywhere. ``secret``: what stands behind the name in ``policy``."""
    ((kind, said),) = policy.items()
    given = secret if secret is not None else said
    try:
        match kind:
            case "basic":
                packed = _packed(given["username"], given["password"])
                return f"Basic {packed}", (packed, str(given["password"]))
            case "bearer":
                return f"Bearer {given['token']}", (str(given["token"]),)
            case _:
                token, kept = _fetched(given)
                return f"Bearer {token}", (token, *kept)
    except KeyError as missing:
        detail = f"The credentials lack {missing}."
        raise problems.problem("authentication", 401, detail, code="credentials_incomplete") from None


def _packed(name: object, word: object) -> str:
    return base64.b64encode(f"{name}:{word}".encode()).decode()


def _fetched(given: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    client = given["client"]
    where = f"{str(given['authority']).rstrip('/')}{given.get('endpoints', {}).get('token', '/oauth2/token')}"
    form = {"grant_type": "client_credentials"}
    if scopes := given.get("scopes"):
        form["scope"] = " ".join(map(str, scopes))
    if audiences := given.get("audiences"):
        form["audience"] = " ".join(map(str, audiences))
    headers = {"Accept": "application/json"}
    if client.get("authentication") == "client_secret_basic":
        headers["Authorization"] = f"Basic {_packed(client['id'], client['secret'])}"
    else:
        form |= {"client_id": str(client["id"]), "client_secret": str(client["secret"])}
    try:
        with http.client(limits=_LIMITS, follow_redirects=False) as asking:
            answer = asking.post(where, data=form, headers=headers)
            answer.read()
        token = answer.json()["access_token"] if answer.is_success else None
    except (*http.FAILURES, ValueError, KeyError, TypeError) as error:
        detail = f"No token was given: {type(error).__name__}."
        raise problems.problem("authentication", 401, detail, code="no_token") from None
    if not isinstance(token, str) or not token:
        detail = f"No token was given: {answer.status_code}."
        raise problems.problem("authentication", 401, detail, code="no_token")
    return token, (str(client["secret"]),)


def hidden(value: Any, kept: tuple[str, ...]) -> Any:
    """Without these texts, wherever the other side repeats them."""
    wanted = [text for text in kept if len(text) >= LEAST]
    if not wanted:
        return value
    if isinstance(value, str):
        for text in wanted:
            value = value.replace(text, HIDDEN)
        return value
    if isinstance(value, Mapping):
        return {hidden(name, kept): hidden(each, kept) for name, each in value.items()}
    return [hidden(each, kept) for each in value] if isinstance(value, list) else value
