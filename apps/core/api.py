"""What all JSON addresses share: parsing that refuses unknown fields, problem JSON, cursor pages, versions."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self
from uuid import UUID

from django.core import signing
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import DatabaseError, DataError, InterfaceError, OperationalError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParserError
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from psycopg_pool import PoolTimeout
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView as DRFView

from apps.core import errors, idempotency, suspicions
from apps.core.correlation import correlation_id
from apps.core.paging import Order, Window

logger = logging.getLogger(__name__)

PAGE_SIZE = 50
MAX_PAGE_SIZE = 100


class Serializer(serializers.Serializer):
    """Input shape. ``parse`` gives plain validated data, or raises ``Invalid`` naming every wrong field."""

    @classmethod
    def parse(cls, request: Request) -> dict[str, Any]:
        suspicions.notice(request, request.data)
        return cls.parse_data(request.data)

    @classmethod
    def parse_query(cls, request: Request) -> dict[str, Any]:
        asked = {name: request.query_params.get(name) for name in request.query_params}
        suspicions.notice(request, asked)
        return cls.parse_data(asked)

    @classmethod
    def parse_data(cls, data: Any) -> dict[str, Any]:
        if not isinstance(data, Mapping):
            raise errors.Malformed
        place = cls, get_language()
        form = _forms.get(place) or _forms.setdefault(place, cls())
        try:
            return dict(form.run_validation(data))
        except exceptions.ValidationError as error:
            raise errors.Invalid(fields=list(field_errors(error.detail))) from None

    def to_internal_value(self, data: Any) -> Any:
        """Here and not in ``parse``, so that objects inside an object refuse what they do not know too."""
        if isinstance(data, Mapping):
            unknown = [name for name in data if name not in self.fields]
            if unknown:
                found = exceptions.ErrorDetail(_("This field is not known here."), code="unknown_field")
                raise serializers.ValidationError({str(name)[:100]: [found] for name in unknown[:20]})
        return super().to_internal_value(data)


# REST framework copies all fields for each form, which takes as long as a small query. Validating changes nothing about a
# form but this: a sentence with a number in it stays in the language of who saw it first. Hence one form for each language.
_forms: dict[tuple[type[Serializer], str | None], Serializer] = {}


def field_errors(found: Any, prefix: str = "") -> Iterable[errors.FieldError]:
    """Flatten DRF's nested errors to ``field.path`` → code and sentence."""
    if isinstance(found, Mapping):
        for name, inner in found.items():
            path = prefix if name == "non_field_errors" else f"{prefix}.{name}" if prefix else str(name)
            yield from field_errors(inner, path)
    elif isinstance(found, list):
        for position, inner in enumerate(found):
            if isinstance(inner, (Mapping, list)):
                yield from field_errors(inner, f"{prefix}.{position}" if prefix else str(position))
            else:
                yield errors.FieldError(prefix, getattr(inner, "code", "invalid") or "invalid", str(inner))


class Replayed(Exception):
    """Not an error: it carries the kept answer out of ``initial``."""

    def __init__(self, response: HttpResponse) -> None:
        self.response = response


class APIView(DRFView):
    """Views are six lines: parse, call, answer. ``request.actor`` is who asks.

    Every ``POST`` honours ``Idempotency-Key`` (``core.idempotency``).
    """

    request: Request
    schema_tags: ClassVar[list[str]] = []
    _claim: idempotency.Claim | None = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.method == "POST" and idempotency.HEADER in request.headers:
            found = idempotency.begin(request, request.actor)
            if isinstance(found, HttpResponse):
                raise Replayed(found)
            self._claim = found

    def handle_exception(self, exc: Exception) -> Any:
        return exc.response if isinstance(exc, Replayed) else super().handle_exception(exc)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        final = super().finalize_response(request, response, *args, **kwargs)
        if self._claim is not None:
            if hasattr(final, "render"):
                final.render()
            idempotency.end(self._claim, final)
        return final


#: What the database says by its codes (PostgreSQL, appendix A): ``disk_full``, ``query_canceled``.
_OF_DATABASE: Mapping[str, type[errors.DomainError]] = {"53100": errors.StorageFull, "57014": errors.TookTooLong}


def _sqlstate(error: BaseException) -> str:
    return getattr(error.__cause__, "sqlstate", None) or ""


def as_domain_error(error: BaseException) -> errors.DomainError:  # noqa: PLR0911
    """Every exception has one meaning to the caller; what is not known is a 500 with an id."""
    match error:
        case errors.DomainError():
            return error
        case exceptions.NotAuthenticated() | exceptions.AuthenticationFailed():
            return errors.NotAuthenticated()
        case exceptions.PermissionDenied() | PermissionDenied():
            return errors.Forbidden()
        case exceptions.NotFound() | Http404():
            return errors.NotFound()
        case exceptions.MethodNotAllowed():
            return errors.MethodNotAllowed()
        case exceptions.UnsupportedMediaType():
            return errors.UnsupportedMediaType()
        case exceptions.NotAcceptable():
            return errors.Malformed()
        case exceptions.ValidationError():
            return errors.Invalid(fields=list(field_errors(error.detail)))
        case RequestDataTooBig():  # a SuspiciousOperation too, so it comes first
            return errors.TooLarge()
        case exceptions.ParseError() | MultiPartParserError() | SuspiciousOperation() | UnicodeError():
            return errors.Malformed()
        case OSError() if error.errno == errno.ENOSPC:
            return errors.StorageFull()
        case DatabaseError() if _sqlstate(error) in _OF_DATABASE:
            return _OF_DATABASE[_sqlstate(error)]()
        case OperationalError() | InterfaceError() | PoolTimeout():
            return errors.Unavailable()
        case DataError():  # a number or text that no column takes and no serializer stopped
            logger.warning("data_refused_by_database", exc_info=error)
            return errors.Invalid()
        case _:
            return errors.InternalError()


def problem_response(error: Exception, context: Mapping[str, Any]) -> Response:
    """DRF's exception handler: RFC 9457."""
    domain_error = as_domain_error(error)
    if domain_error.status >= 500:  # noqa: PLR2004
        logger.exception("request_failed", exc_info=error, extra={"code": domain_error.code})
    request = context.get("request")
    if request is not None:
        record_refusal(request, domain_error)
    return Response(
        domain_error.problem(request_id=correlation_id()),
        status=domain_error.status,
        headers=domain_error.headers,
        content_type="application/problem+json",
    )


_refusal_recorders: list[Callable[[Any, errors.DomainError], None]] = []


def on_refusal(recorder: Callable[[Any, errors.DomainError], None]) -> None:
    """``accounts`` registers what knows the actor; it calls ``emit_refusal`` in a transaction of its own."""
    _refusal_recorders.append(recorder)


def record_refusal(request: Request | HttpRequest, error: errors.DomainError) -> None:
    if error.status >= 500:  # noqa: PLR2004  (a fault of ours is no refusal)
        return
    for recorder in _refusal_recorders:
        try:
            recorder(request, error)
        except (DatabaseError, InterfaceError, PoolTimeout):
            logger.exception("refusal_not_recorded")  # the caller still gets the refusal


def etag(version: int) -> str:
    return f'"{version}"'


def expected_version(request: Request) -> int | None:
    """The version in ``If-Match``, or None when the caller does not care."""
    raw = request.headers.get("If-Match", "").strip()
    if not raw or raw == "*":
        return None
    try:
        return int(raw.removeprefix("W/").strip('"'))
    except ValueError:
        raise errors.Invalid(
            fields=[errors.FieldError("If-Match", "invalid", _("Use the ETag of the last read."))]
        ) from None


class PageQuery(Serializer):
    cursor = serializers.CharField(required=False, max_length=500)
    limit = serializers.IntegerField(required=False, min_value=1, max_value=MAX_PAGE_SIZE, default=PAGE_SIZE)


@dataclass(frozen=True, slots=True)
class Page:
    results: list[Any]
    next: str | None
    previous: str | None

    def answer(self, render: Callable[[Any], Any]) -> dict[str, Any]:
        return {"results": [render(row) for row in self.results], "next": self.next, "previous": self.previous}

    @classmethod
    def of(cls, rows: QuerySet[Any], *, order: Order, cursor: str | None, limit: int, or_nearest: bool = False) -> Self:
        """One query: rows after (or before) an opaque signed cursor over (sort key, id)."""
        return cls.read(
            lambda window: list(window.over(rows)), order=order, cursor=cursor, limit=limit, or_nearest=or_nearest
        )

    @classmethod
    def read(
        cls,
        fetch: Callable[[Window], list[Any]],
        *,
        order: Order,
        cursor: str | None,
        limit: int,
        or_nearest: bool = False,
    ) -> Self:
        """As ``of``, from what knows by itself how to read a window.

        ``or_nearest`` is for pages, whose reader may have taken away the last row of one: where nothing is left after the cursor, the
        last rows there are; where nothing is left before it, the first.
        """
        backwards, edge = _read_cursor(cursor, order) if cursor else (False, None)
        found = fetch(Window(Order(order.field, order.descending != backwards), limit + 1, edge))
        if or_nearest and edge is not None and not found:
            backwards, edge = not backwards, None
            found = fetch(Window(Order(order.field, order.descending != backwards), limit + 1, edge))
        more = len(found) > limit
        found = found[:limit]
        if backwards:
            found.reverse()
        has_next = edge is not None if backwards else more
        has_previous = more if backwards else edge is not None
        return cls(
            found,
            _write_cursor(found[-1], order, "n") if found and has_next else None,
            _write_cursor(found[0], order, "p") if found and has_previous else None,
        )


def page_url(request: HttpRequest, cursor: str | None) -> str:
    """For links of pages: the address one is at, with this cursor. Empty without one."""
    if not cursor:
        return ""
    query = request.GET.copy()
    query["cursor"] = cursor
    return "?" + query.urlencode()


_SALT = "parlance.cursor"


def _write_cursor(row: Any, order: Order, direction: str) -> str:
    value = row
    for name in order.field.split("__"):
        value = getattr(value, name)
    plain = value.isoformat() if hasattr(value, "isoformat") else value
    return signing.dumps([direction, order.field, plain, str(row.pk)], salt=_SALT, compress=True)


def _read_cursor(cursor: str, order: Order) -> tuple[bool, tuple[Any, UUID]]:
    try:
        direction, field, value, pk = signing.loads(cursor, salt=_SALT)
        if field != order.field:
            raise ValueError(field)
        return direction == "p", (value, UUID(pk))
    except (signing.BadSignature, ValueError, TypeError) as error:
        raise errors.Invalid(
            fields=[errors.FieldError("cursor", "invalid", _("Take the cursor from the last answer."))]
        ) from error
