"""What every operation of the OpenAPI file shares: its errors are problems (RFC 9457)."""

from __future__ import annotations

from typing import Any

from drf_spectacular.plumbing import get_lib_doc_excludes

PROBLEM = {
    "type": "object",
    "description": "RFC 9457. `code` is the contract; docs/errors.md lists the codes.",
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "field": {"type": "string"},
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                },
                "required": ["field", "code", "detail"],
            },
        },
    },
    "required": ["type", "title", "status", "detail", "code", "request_id"],
}
METHODS = {"get", "post", "put", "patch", "delete"}


def add_problems(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:  # noqa: FBT001  (drf-spectacular calls it)
    """A hook of drf-spectacular: whatever is not the documented answer is a problem."""
    result["components"]["schemas"]["Problem"] = PROBLEM
    answer = {
        "description": "Refused, or failed: nothing was changed.",
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for methods in result["paths"].values():
        for method, operation in methods.items():
            if method in METHODS:
                operation["responses"].setdefault("default", answer)
    return result


def whose_words_are_for_developers() -> list[type]:
    """Base classes whose docstrings do not become descriptions of operations."""
    from apps.core.api import APIView, Serializer  # the settings name this module before apps are ready

    return [*get_lib_doc_excludes(), APIView, Serializer]  # type: ignore[no-untyped-call]
