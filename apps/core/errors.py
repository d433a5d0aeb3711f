"""Domain errors: a class with a stable ``code``, a status and a translated ``detail``.

One handler makes of them problem JSON (RFC 9457), a page or an ``error`` frame (``core.api``, ``core.middleware``, ``live``).
The codes are the contract; ``docs/errors.md`` lists them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

type_text = str | Promise


@dataclass(frozen=True, slots=True)
class FieldError:
    field: str
    code: str
    detail: str


class DomainError(Exception):
    """``fields`` name what is wrong where; ``headers`` go into the answer; ``extra`` are further problem members."""

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 400
    title: ClassVar[type_text] = _("The request was refused")
    default_detail: ClassVar[type_text] = _("The request was refused.")

    def __init__(
        self,
        detail: type_text | None = None,
        *,
        fields: tuple[FieldError, ...] | list[FieldError] = (),
        headers: dict[str, str] | None = None,
        **extra: Any,
    ) -> None:
        self.detail = str(detail if detail is not None else self.default_detail)
        self.fields = tuple(fields)
        self.headers = headers or {}
        self.extra = extra
        super().__init__(self.detail)

    def problem(self, *, request_id: str = "") -> dict[str, Any]:
        """The RFC 9457 members, without ``instance``."""
        body: dict[str, Any] = {
            "type": f"https://parlance.dev/errors#{self.code}",
            "title": str(self.title),
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "request_id": request_id,
            **self.extra,
        }
        if self.fields:
            body["errors"] = [{"field": f.field, "code": f.code, "detail": f.detail} for f in self.fields]
        return body


class Invalid(DomainError):
    code = "invalid"
    status = 400
    title = _("Some values need a change")
    default_detail = _("Some values need a change.")


class Malformed(DomainError):
    code = "malformed"
    status = 400
    title = _("The body could not be read")
    default_detail = _("The body is not the JSON object that this address takes.")


class NotAuthenticated(DomainError):
    code = "not_authenticated"
    status = 401
    title = _("Sign in first")
    default_detail = _("Sign in, or send a key that is in force.")

    def __init__(self, detail: type_text | None = None, **kwargs: Any) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": 'Bearer realm="parlance"'}, **kwargs)


class Forbidden(DomainError):
    code = "forbidden"
    status = 403
    title = _("Not allowed")
    default_detail = _("Your role does not allow this.")


class CsrfRefused(Forbidden):
    code = "csrf"
    default_detail = _("The request did not come from our own page. Reload the page and try again.")


class NotFound(DomainError):
    code = "not_found"
    status = 404
    title = _("Not found")
    default_detail = _("There is nothing here, or it is not shared with you.")


class MethodNotAllowed(DomainError):
    code = "method_not_allowed"
    status = 405
    title = _("Method not allowed")
    default_detail = _("This address does not take that method.")


class Conflict(DomainError):
    code = "conflict"
    status = 409
    title = _("Something else came first")
    default_detail = _("The object has changed in the meantime.")


class VersionMismatch(DomainError):
    """``current`` carries the version that is there now."""

    code = "version_mismatch"
    status = 412
    title = _("It was changed in the meantime")
    default_detail = _("It was changed in the meantime. Read it again, then repeat the change.")


class TooLarge(DomainError):
    code = "too_large"
    status = 413
    title = _("Too large")
    default_detail = _("This is larger than what is taken here.")


class UnsupportedMediaType(DomainError):
    code = "unsupported_media_type"
    status = 415
    title = _("Unsupported content type")
    default_detail = _("This address takes application/json.")


class Unprocessable(DomainError):
    code = "unprocessable"
    status = 422
    title = _("The request contradicts an earlier one")
    default_detail = _("The request contradicts an earlier one.")


class LimitReached(DomainError):
    """One shape for every 429: which ``limit``, how much it holds (``most``), what is left of it, when to come back, and why.

    ``reason``: ``rate`` (too much at once), ``quota`` (what there is for an hour, a day or a month is used up), ``places`` (all are
    taken), ``load`` (the installation is so busy that everybody may do less). The same stands in the headers ``Retry-After`` and
    ``RateLimit-*`` (draft-ietf-httpapi-ratelimit-headers-06), in the error frame of the socket and in the log line of a deferred task.
    """

    code = "limit_reached"
    status = 429
    title = _("Limit reached")
    default_detail = _("The limit is reached. Try again later.")
    limit: ClassVar[str] = ""
    most: ClassVar[int] = 0
    reason: ClassVar[str] = "rate"

    def __init__(
        self,
        detail: type_text | None = None,
        *,
        retry_after_seconds: int = 1,
        limit: str = "",
        most: int | None = None,
        remaining: int = 0,
        reset_seconds: int = 0,
        reason: str = "",
    ) -> None:
        self.retry_after_seconds = max(1, retry_after_seconds)
        members = limit_members(
            retry_after_seconds=self.retry_after_seconds,
            limit=limit or self.limit or self.code,
            most=self.most if most is None else most,
            remaining=remaining,
            reason=reason or self.reason,
        )
        super().__init__(detail, headers=limit_headers(members, reset_seconds), **members)


def limit_members(*, retry_after_seconds: int, limit: str, most: int, remaining: int, reason: str) -> dict[str, Any]:
    """What every 429 says beside its sentence."""
    return {
        "retry_after_seconds": retry_after_seconds,
        "limit": limit,
        "most": most,
        "remaining": remaining,
        "reason": reason,
    }


def limit_headers(members: dict[str, Any], reset_seconds: int = 0) -> dict[str, str]:
    return {
        "Retry-After": str(members["retry_after_seconds"]),
        "RateLimit-Limit": str(members["most"]),
        "RateLimit-Remaining": str(members["remaining"]),
        "RateLimit-Reset": str(max(members["retry_after_seconds"], reset_seconds)),
    }


class InternalError(DomainError):
    code = "internal_error"
    status = 500
    title = _("This failed on our side")
    default_detail = _("This failed on our side and nothing was changed. The id helps to find it in the log.")


class Unavailable(DomainError):
    code = "unavailable"
    status = 503
    title = _("Not available at the moment")
    default_detail = _("A part that this needs is not available. Nothing was changed; try again shortly.")

    def __init__(self, detail: type_text | None = None, *, retry_after_seconds: int = 2, **kwargs: Any) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after_seconds)}, **kwargs)


class TookTooLong(DomainError):
    """The database stopped a statement that ran for as long as one may."""

    code = "took_too_long"
    status = 503
    title = _("This took too long")
    default_detail = _(
        "This took longer than it may and was stopped. Nothing was changed. Ask for less, or more narrowly."
    )


class StorageFull(DomainError):
    code = "storage_full"
    status = 507
    title = _("No space left")
    default_detail = _("The storage is full. Nothing was saved; reading goes on.")


def kinds() -> Iterator[type[DomainError]]:
    """All that have been imported."""

    def below(kind: type[DomainError]) -> Iterator[type[DomainError]]:
        for each in kind.__subclasses__():
            yield each
            yield from below(each)

    return below(DomainError)


@lru_cache(maxsize=1000)
def _sentence_of(code: str) -> type_text:
    named = [each for each in kinds() if vars(each).get("code") == code]
    return min(named, key=lambda each: len(each.__mro__)).default_detail if named else ""


def sentence_of(code: str) -> str:
    """What a code says to people, in the language of now; nothing for one that is no refusal of ours."""
    return str(_sentence_of(code))
