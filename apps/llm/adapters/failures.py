"""Sorts what providers answer, and fail to answer, into the platform's own errors."""

from __future__ import annotations

import json
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2  # noqa: TID251  (its exceptions; the transport is core.http's)
from django.utils import timezone

from apps.core.http import AddressRefused as UrlRefused
from apps.llm import errors

_CONTEXT_WORDS = (
    "context length",
    "context window",
    "context_length",
    "prompt is too long",
    "too many tokens",
    "maximum context",
)
_CONTENT_WORDS = ("content_policy", "content policy", "content_filter", "content management policy", "safety system")
_QUOTA_WORDS = ("insufficient_quota", "credit balance", "billing")

_BY_STATUS: dict[int, type[errors.ModelError]] = {
    401: errors.ProviderAuthError,
    402: errors.ProviderQuotaReached,
    403: errors.ProviderAuthError,
    404: errors.ModelMissing,
    408: errors.ProviderBusy,
    409: errors.ProviderBusy,
    413: errors.ContextTooLong,
    429: errors.RateLimited,
}


def of_status(status: int, body: Any, headers: Any) -> errors.ModelError:
    """Classify an error answer: what the status says, then what the words say (kinds differ by provider)."""
    said = _words_of(body)
    kind = _BY_STATUS.get(status) or (errors.Overloaded if status >= 500 else None)  # noqa: PLR2004
    if kind in {None, errors.RateLimited}:
        lower = f"{said} {json.dumps(body, default=str)[:2000]}".lower()
        if any(word in lower for word in _QUOTA_WORDS):
            kind = errors.ProviderQuotaReached
        elif kind is None:
            kind = _of_words(status, lower)
    return kind(said, retry_after_seconds=retry_after(headers), provider_status=status)


def _of_words(status: int, lower: str) -> type[errors.ModelError]:
    if any(word in lower for word in _CONTEXT_WORDS):
        return errors.ContextTooLong
    if any(word in lower for word in _CONTENT_WORDS):
        return errors.ContentRefused
    return errors.ProviderProtocolError if status < 400 else errors.ProviderRefused  # noqa: PLR2004


def of_connection(error: BaseException) -> errors.ModelError:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, UrlRefused):
            return errors.AddressRefused("The address is not one that may be called.")
        if isinstance(cause, (httpx2.UnsupportedProtocol, httpx2.InvalidURL)):
            return errors.AddressRefused(type(cause).__name__)
        cause = cause.__cause__
    return errors.NetworkError(type(error.__cause__ or error).__name__)


def of_stream_error(error: Any, *, is_visible: bool) -> errors.ModelError:
    """An error object inside the stream. Once something is shown it is the end of this answer, whatever it says."""
    said = _words_of({"error": error})
    kind = str(error.get("type") or error.get("code") or "") if isinstance(error, dict) else ""
    if is_visible:
        return errors.ProviderProtocolError(said)
    if kind in {"overloaded_error", "api_error", "server_error", "503", "502", "500", "529"}:
        return errors.Overloaded(said)
    if kind in {"rate_limit_error", "rate_limit_exceeded", "429"}:
        return errors.RateLimited(said)
    return errors.ProviderProtocolError(said)


def retry_after(headers: Any) -> float | None:
    """Seconds, from ``retry-after-ms``, or ``Retry-After`` as a number or an HTTP date (RFC 9110, 10.2.3)."""
    try:
        if (milliseconds := headers.get("retry-after-ms")) is not None:
            return max(0.0, float(milliseconds) / 1000)
        if (given := headers.get("retry-after")) is None:
            return None
        try:
            return max(0.0, float(given))
        except ValueError:
            return max(0.0, (parsedate_to_datetime(given) - timezone.now()).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None


def _words_of(body: Any) -> str:
    error = body.get("error", body) if isinstance(body, dict) else body
    if isinstance(error, list) and error:
        error = error[0]
    if isinstance(error, dict):
        error = error.get("message") or error.get("error") or ""
    return str(error or "")[:500]
