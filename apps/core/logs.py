"""Structured logs: one JSON object a line (or plain lines for a terminal), each with the correlation id."""

from __future__ import annotations

import logging
import logging.config
import re
from typing import Any

import structlog

from apps.core.correlation import correlation_id


def _with_correlation(_logger: Any, _method: str, entry: dict[str, Any]) -> dict[str, Any]:
    if found := correlation_id():
        entry.setdefault("correlation_id", found)
    return entry


def _on_one_line(_logger: Any, _method: str, entry: dict[str, Any]) -> dict[str, Any]:
    """For terminals: words that somebody sent begin no line of their own and steer no terminal. JSON escapes by itself."""
    event = str(entry.get("event", ""))
    if not event.isprintable():
        lines = [
            "".join(each if each.isprintable() else repr(each)[1:-1] for each in line) for line in event.split("\n")
        ]
        entry["event"] = "\n    | ".join(lines)
    return entry


# A part of a path as long as the shortest token of ours; ids are no secret and tell where it was.
_TOKEN = re.compile(r"(?<=/)(?![0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b)[^/?#\s]{20,}")


def _without_tokens(_logger: Any, _method: str, entry: dict[str, Any]) -> dict[str, Any]:
    """Django names the path of a request that it refuses or that failed. In ours are links that sign somebody in, and work on."""
    request = entry.pop("request", None)
    if request is not None:
        entry["method"] = getattr(request, "method", None)
        entry["event"] = _TOKEN.sub("…", str(entry.get("event", "")))
    return entry


def _refused_in_a_line(_logger: Any, _method: str, entry: dict[str, Any]) -> dict[str, Any]:
    """A request that Django refuses, such as one for another host, is no fault of ours: nobody needs to see where it was noticed."""
    if str(entry.get("logger", "")).startswith("django.security."):
        entry.pop("exc_info", None)
    return entry


def configure(given: dict[str, Any]) -> None:
    """``given`` is ``{"level", "format": "json" | "text"}``."""
    shared = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        _without_tokens,
        _refused_in_a_line,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _with_correlation,
        structlog.processors.format_exc_info,
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if given["format"] == "json"
        else structlog.dev.ConsoleRenderer(colors=False)
    )
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "structured": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "processors": [
                        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                        *([] if given["format"] == "json" else [_on_one_line]),
                        renderer,
                    ],
                    "foreign_pre_chain": shared,
                }
            },
            "handlers": {"stream": {"class": "logging.StreamHandler", "formatter": "structured"}},
            "root": {"handlers": ["stream"], "level": given["level"]},
            "loggers": {
                "django.request": {"level": "ERROR"},
                "django.server": {"level": "WARNING"},
                "daphne": {"level": "WARNING"},
                "httpx2": {"level": "WARNING"},
                "httpcore2": {"level": "WARNING"},
                "celery.worker.strategy": {"level": "WARNING"},
                "celery.app.trace": {"level": "WARNING"},
            },
        }
    )
