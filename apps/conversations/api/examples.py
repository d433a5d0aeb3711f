"""What the OpenAPI file shows of documents that are too deep to describe field by field."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample

from apps.conversations.transfer_format import FORMAT, VERSION, digest

_CONVERSATION: dict[str, Any] = {
    "title": "The port",
    "title_source": "typed",
    "tags": ["lisbon"],
    "system_prompt": "",
    "messages": [
        {
            "position": 1,
            "parent": None,
            "role": "user",
            "author": "Inês Duarte",
            "created_at": "2026-11-20T09:30:00.120000Z",
            "status": "completed",
            "model": "",
            "usage": None,
            "parts": [{"type": "text", "text": "Who rewrites the manifests?"}],
        },
        {
            "position": 2,
            "parent": 1,
            "role": "assistant",
            "author": "",
            "created_at": "2026-11-20T09:30:00.121000Z",
            "status": "completed",
            "model": "gpt-5-mini",
            "usage": {
                "provider": "OpenAI",
                "model": "gpt-5-mini",
                "is_fallback": False,
                "input_tokens": 412,
                "output_tokens": 58,
                "cost": "0.00021900",
                "currency": "USD",
                "estimated": False,
                "milliseconds": 1840,
            },
            "parts": [{"type": "text", "text": "Terminal **7**."}],
        },
    ],
}
_DOCUMENT: dict[str, Any] = {
    "format": FORMAT,
    "version": VERSION,
    "digest": digest(_CONVERSATION),
    "conversation": _CONVERSATION,
    "files": {},
    "left_out": [],
    "visibility": "project",
}

EXPORT_EXAMPLES = [
    OpenApiExample("A conversation", value=_DOCUMENT, response_only=True, media_type="application/json"),
]
IMPORT_EXAMPLES = [
    OpenApiExample(
        "A conversation",
        value={"project": "019a9c0e-6a6e-7c3b-8f52-0d4f3a1b2c3d", "conversation": _DOCUMENT},
        request_only=True,
        media_type="application/json",
    ),
]

SENSITIVE_EXAMPLES = [
    OpenApiExample(
        "A sealed message, opened for who may read it",
        value={
            "id": "019a9c0e-6a6e-7c3b-8f52-0d4f3a1b2c40",
            "conversation": "019a9c0e-6a6e-7c3b-8f52-0d4f3a1b2c3e",
            "position": 1,
            "role": "user",
            "author": {"id": "019a9c0e-6a6e-7c3b-8f52-0d4f3a1b2c3f", "name": "Inês Duarte"},
            "agent": None,
            "content": "The code of the vault is in the blue folder.",
            "parts": [{"type": "text", "text": "The code of the vault is in the blue folder."}],
            "parent": None,
            "status": "completed",
            "model": None,
            "is_edit": False,
            "sensitive": True,
            "client_id": None,
            "created_at": "2026-11-21T09:30:00Z",
            "deleted_at": None,
            "turn": None,
            "usage": None,
        },
        response_only=True,
    ),
]

MESSAGE_EXAMPLES = [
    OpenApiExample(
        "A message that names a record",
        value={
            "client_id": "019a9c0e-6a6e-7c3b-8f52-0d4f3a1b2c41",
            "content": "What does #Sarah Almeida want from the inspector?",
            "references": [{"kind": "record", "id": "019a9c0e-6a6e-7c3b-8f52-0d4f3a1b2c42"}],
        },
        request_only=True,
    ),
]
