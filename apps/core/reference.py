"""The contracts of the platform as pages: errors, events and settings, written from the code that keeps them."""

from __future__ import annotations

import pkgutil
from dataclasses import fields
from importlib import import_module
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.utils.translation import override

from apps.core.doors.settings import settings_door
from apps.core.errors import DomainError, kinds
from apps.core.events import EventKind, event_kinds


def load_everything() -> None:
    """Import all modules of our apps, so that every error and event has registered itself."""
    for config in apps.get_app_configs():
        if config.name.startswith("apps."):
            for found in pkgutil.walk_packages([config.path], f"{config.name}."):
                if ".migrations" not in found.name and ".management" not in found.name:
                    import_module(found.name)


def error_classes() -> list[type[DomainError]]:
    """Of the apps themselves, by code; bases without a code of their own are left out."""
    ours = {each for each in kinds() if each.__module__.startswith("apps.") and "code" in vars(each)}
    return sorted(ours, key=lambda each: (each.code, each.__module__, each.__name__))


def own_event_kinds() -> list[EventKind]:
    """Of the apps themselves, by name."""
    return [kind for kind in event_kinds() if kind.fact.__module__.startswith("apps.")]


def errors_page() -> str:
    lines = [
        "# Errors",
        "",
        "Every refusal is `application/problem+json` (RFC 9457) with `type`, `title`, `status`, `detail`, `code`, `request_id` and, where fields",
        "are wrong, `errors: [{field, code, detail}]`. `code` is the contract; `detail` is for people and comes in their language. The same codes are in",
        "`error` frames of the socket and in the `reason` of a turn. Written by `manage.py docs_reference`.",
        "",
        "| Code | Status | Meaning | From |",
        "|---|---|---|---|",
    ]
    by_code: dict[str, list[type[DomainError]]] = {}
    for each in error_classes():
        by_code.setdefault(each.code, []).append(each)
    for code, classes in sorted(by_code.items()):
        first = min(classes, key=lambda each: len(each.__mro__))
        owners = ", ".join(sorted({f"`{each.__module__.split('.')[1]}`" for each in classes}))
        statuses = ", ".join(sorted({str(each.status) for each in classes}))
        lines.append(f"| `{code}` | {statuses} | {first.default_detail} | {owners} |")
    return "\n".join(lines) + "\n"


def _line_of(kind: EventKind) -> str:
    doc = (kind.fact.__doc__ or "").strip().split("\n\n")[0]
    if doc.startswith(f"{kind.fact.__name__}("):  # what a dataclass says when nobody wrote a sentence
        words = "".join(f" {c.lower()}" if c.isupper() else c for c in kind.fact.__name__).strip()
        doc = f"{words.capitalize()}."
    return " ".join(doc.split()).replace("|", "\\|")


def events_page() -> str:
    lines = [
        "# Events",
        "",
        "Every change writes one of these to the event log, in its transaction. Payloads hold ids, enums and numbers, never what people wrote. *Public*",
        "is the stable name that sockets, webhooks and plugins see. Refusals are `core.refused` with `code` and `action`.",
        "Written by `manage.py docs_reference`.",
        "",
        "| Event | Public | Payload | Meaning |",
        "|---|---|---|---|",
    ]
    for kind in own_event_kinds():
        payload = ", ".join(f"`{field.name}`" for field in fields(kind.fact)) or "-"
        public = f"`{kind.public}`" if kind.public else "-"
        lines.append(f"| `{kind.name}.v{kind.version}` | {public} | {payload} | {_line_of(kind)} |")
    return "\n".join(lines) + "\n"


def settings_page() -> str:
    lines = [
        "# Settings",
        "",
        "What people change at run time; later levels win: default < profile < environment < platform < organization < project < user.",
        "`manage.py settings explain <key>` says which level decided. Deployment settings are environment variables (`docs/operations.md`).",
        "Written by `manage.py docs_reference`.",
        "",
        "| Key | Type | Default | Levels | Meaning |",
        "|---|---|---|---|---|",
    ]
    for key in settings_door.names():
        setting = settings_door.get(key)
        assert setting is not None
        levels = ", ".join(level.value for level in setting.levels)
        meaning = f"{setting.title}. {setting.help}".strip()
        if setting.is_flag:
            meaning += f" Flag of {setting.owner}, until {setting.remove_by}."
        lines.append(f"| `{key}` | {setting.kind.__name__} | `{setting.default!r}` | {levels} | {meaning} |")
    return "\n".join(lines) + "\n"


def pages() -> dict[Path, str]:
    load_everything()
    folder = Path(settings.BASE_DIR) / "docs"
    with override("en"):
        return {
            folder / "errors.md": errors_page(),
            folder / "events.md": events_page(),
            folder / "settings.md": settings_page(),
        }
