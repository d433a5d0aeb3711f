"""Errors of tasks, as the DSL has them: problem details (RFC 9457) that ``try`` can catch."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from apps.core.errors import DomainError

BASE = "https://serverlessworkflow.io/spec/1.0.0/errors/"
#: As the specification's own scenarios call the standard errors.
_OTHER_BASE = "https://serverlessworkflow.io/dsl/errors/types/"
#: An answer of another server that is no success.
ANSWERED = "answered_error"
WORKER_LOST = "worker_lost"
_FILTERED = ("type", "status", "instance", "title", "detail")


class TaskError(Exception):
    """``problem`` is what ``catch`` sees. ``cost``: what was spent before."""

    def __init__(self, problem: dict[str, Any], cost: Decimal = Decimal(0)) -> None:
        super().__init__(problem.get("title", ""))
        self.problem, self.cost = problem, cost


def problem(
    kind: str,
    status: int,
    detail: str,
    *,
    code: str = "",
    instance: str = "",
    cost: Decimal = Decimal(0),
    **more: str,
) -> TaskError:
    """``more``: extension members, as RFC 9457 calls them."""
    found: dict[str, Any] = {"type": BASE + kind, "status": status, "title": kind, "detail": detail[:2000]}
    if code:
        found["code"] = code
    if instance:
        found["instance"] = instance
    return TaskError(found | more, cost)


def workers_lost(instance: str) -> TaskError:
    """Of a call that every worker died of: it is not made again."""
    return problem("runtime", 500, "The workers that made this call died.", code=WORKER_LOST, instance=instance)


def is_effect_unknown(found: Mapping[str, Any]) -> bool:
    """Whether a call that failed so may have had its effect all the same: no answer came, or one that does not say that nothing was done.

    409 is what servers answer while they are at the first of two requests with one key (draft-ietf-httpapi-idempotency-key-header, 2.7).
    """
    if found.get("code") == WORKER_LOST:
        return True
    status = found.get("status", 500)
    is_answer = found.get("code") == ANSWERED
    return found.get("title") == "communication" and (not is_answer or status >= 500 or status == 409)  # noqa: PLR2004


def of_domain_error(error: DomainError, instance: str) -> TaskError:
    kind = {400: "validation", 401: "authentication", 403: "authorization", 404: "authorization"}.get(error.status)
    detail = error.detail
    if error.fields:
        detail += " " + "; ".join(f"{each.field}: {each.detail}" for each in error.fields[:5])
    return problem(kind or "runtime", error.status, detail, code=error.code, instance=instance)


def meets(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """The static filter of ``catch.errors.with``."""
    return all(_known(found.get(name)) == _known(wanted[name]) for name in _FILTERED if name in wanted)


def _known(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(_OTHER_BASE):
        return BASE + value.removeprefix(_OTHER_BASE)
    return value
