"""``call: http`` as a document says it: the address, a URI template (RFC 6570) of the task's input, and whose credentials go along.

Which secret goes along is for the document to say, never for data: so policies are looked up before expressions are filled in, and an address
with a secret names its host in letters.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import uritemplate
from django.utils.translation import gettext as _

from apps.core.errors import FieldError
from apps.workflows import problems
from apps.workflows.expressions import is_expression

if TYPE_CHECKING:
    from apps.core.doors.workflow_functions import WorkflowCall
    from apps.workflows.types import StepRow
    from apps.workflows.walker import At, Walker

HTTP = "http"
POLICIES = ("basic", "bearer", "oauth2")
GRANT = "client_credentials"
_HOST = re.compile(r"https?://[A-Za-z0-9.\-]+(:\d{1,5})?(?=[/?#]|$)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,60}")


def named(walker: Walker, at: At) -> tuple[str, dict[str, Any]]:
    """The function's name and arguments, with their expressions."""
    return resolved(walker.document, at.body)


def resolved(document: Mapping[str, Any], body: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """As ``named``. A name of the document's own stands for a call of its own."""
    name, arguments = body["call"], body.get("with", {})
    own = document.get("use", {}).get("functions", {}).get(name)
    if own is not None:
        name, arguments = own.get("call", ""), {**own.get("with", {}), **arguments}
    return name, arguments


def prepared(walker: Walker, at: At, said: Mapping[str, Any], value: Any, **more: Any) -> dict[str, Any]:
    """The arguments as the function takes them. A secret is in them by its name only."""
    endpoint = said.get("endpoint")
    if not isinstance(endpoint, Mapping):
        given: dict[str, Any] = walker.fill(at, said, value, **more)
        found = _located(endpoint, given.get("endpoint"), value, at.variables)
        # An expression may give an endpoint as an object; credentials are not for it to choose.
        return {**given, "endpoint": {"uri": found.get("uri")} if isinstance(found, Mapping) else found}
    bare = {name: each for name, each in endpoint.items() if name != "authentication"}
    given = walker.fill(at, {**said, "endpoint": bare}, value, **more)
    uri = _located(endpoint.get("uri"), given["endpoint"].get("uri"), value, at.variables)
    given["endpoint"] = {**given["endpoint"], "uri": uri}
    if "authentication" in endpoint:
        given["endpoint"]["authentication"] = _policy(walker, at, endpoint["authentication"], value, **more)
    return given


def _located(said: Any, given: Any, value: Any, variables: Mapping[str, Any]) -> Any:
    """What an expression gives is an address already, whatever braces it has."""
    if not isinstance(said, str) or is_expression(said) or "{" not in said:
        return given
    known = {**(value if isinstance(value, Mapping) else {}), **variables}
    return uritemplate.expand(said, {name: _plain(each) for name, each in known.items() if each is not None})


def _plain(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return {name: str(_plain(each)) for name, each in value.items()}
    if isinstance(value, list):
        return [str(_plain(each)) for each in value]
    return str(value)


def _policy(walker: Walker, at: At, said: Any, value: Any, **more: Any) -> dict[str, Any]:
    use = walker.document.get("use", {})
    if "use" in said:
        said = use.get("authentications", {}).get(said["use"], {})
    kind = next((name for name in POLICIES if name in said), "")
    if not kind:
        raise problems.problem("configuration", 400, "There is no such authentication.", instance=at.path)
    if (secret := said[kind].get("use")) is not None:
        if secret not in use.get("secrets", []):
            raise problems.problem("configuration", 400, "This secret is not used here.", instance=at.path)
        return {kind: {"use": secret}}
    return {kind: walker.fill(at, said[kind], value, **more)}


# Keys of effects


def key(run_id: Any, step_id: Any) -> str:
    return f"{run_id}:{step_id}"


def key_of(step: StepRow, run_id: Any) -> str:
    """The step's own, or that of the attempt before, of which nobody knows whether it had an effect."""
    return str(step.state.get("key") or key(run_id, step.step_id))


def asked(call: WorkflowCall, name: str) -> str:
    """What is asked for, as a digest: a key goes with the same call only."""
    return hashlib.sha256(json.dumps([name, call.arguments], sort_keys=True, default=str).encode()).hexdigest()


# Checks of a document


def is_name(name: Any) -> bool:
    """Of a secret."""
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


def wrong(document: Mapping[str, Any]) -> Iterator[FieldError]:
    use = document.get("use", {})
    secrets, policies = use.get("secrets", []), use.get("authentications", {})
    for place, name in enumerate(secrets):
        if not is_name(name):
            detail = _("A secret is called by letters, digits and underscores.")
            yield FieldError(f"/use/secrets/{place}", "name", detail)
    for name, policy in policies.items():
        yield from _wrong_policy(policy, f"/use/authentications/{name}", secrets)
    for pointer, endpoint in _endpoints(document, ""):
        policy = endpoint["authentication"]
        here = f"{pointer}/authentication"
        if not isinstance(policy, Mapping):
            yield FieldError(here, "invalid", _("An authentication is an object."))
            continue
        if "use" in policy:
            if policy["use"] not in policies:
                detail = _("There is no authentication “%(name)s”.") % {"name": str(policy["use"])[:80]}
                yield FieldError(f"{here}/use", "unknown_authentication", detail)
                continue
            policy = policies[policy["use"]]
        else:
            yield from _wrong_policy(policy, here, secrets)
        uses_secret = any(isinstance(each, Mapping) and "use" in each for each in policy.values())
        if uses_secret and not _HOST.match(str(endpoint.get("uri", ""))):
            detail = _("An address that a secret goes to names its host in letters.")
            yield FieldError(f"{pointer}/uri", "host", detail)


def _wrong_policy(policy: Mapping[str, Any], pointer: str, secrets: list[str]) -> Iterator[FieldError]:
    kind = next((name for name in POLICIES if name in policy), "")
    if not kind:
        detail = _("Authentication is one of: %(kinds)s.") % {"kinds": ", ".join(POLICIES)}
        yield FieldError(pointer, "not_runnable", detail)
        return
    said = policy[kind] if isinstance(policy[kind], Mapping) else {}
    if "use" in said and said["use"] not in secrets:
        detail = _("The secret “%(name)s” is not among those of the document.") % {"name": str(said["use"])[:80]}
        yield FieldError(f"{pointer}/{kind}/use", "unknown_secret", detail)
    if kind == "oauth2" and "use" not in said and said.get("grant") != GRANT:
        detail = _("Of OAuth 2 the grant client_credentials is run here.")
        yield FieldError(f"{pointer}/oauth2/grant", "not_runnable", detail)


def _endpoints(value: Any, pointer: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """All addresses of a document that have an authentication."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            here = f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}"
            if name == "endpoint" and isinstance(inner, Mapping) and "authentication" in inner:
                yield here, inner
            yield from _endpoints(inner, here)
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _endpoints(inner, f"{pointer}/{place}")
