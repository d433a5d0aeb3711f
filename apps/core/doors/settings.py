"""Settings that people change at run time. Run by ``core.preferences``; deployment settings are environment variables."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any

from django.utils.functional import Promise

from apps.core.doors import Door


class Level(StrEnum):
    """Later levels win."""

    DEFAULT = "default"
    PROFILE = "profile"
    ENVIRONMENT = "environment"
    PLATFORM = "platform"
    ORGANIZATION = "organization"
    PROJECT = "project"
    USER = "user"


STORED = (Level.PLATFORM, Level.ORGANIZATION, Level.PROJECT, Level.USER)


class WrongValue(ValueError):
    """Says what would be right, in English for operators; forms have sentences of their own."""


@dataclass(frozen=True, slots=True)
class Setting:
    """``kind`` is bool, int, float, str or list (of str). ``levels``: where it may be stored.

    ``profiles`` gives other defaults for sizes of installation (``PARLANCE_PROFILE``); ``environment`` names a variable.
    A feature flag is a bool with ``owner`` and ``remove_by``: a test fails once the date has passed.
    """

    key: str
    kind: type
    default: Any
    title: str | Promise
    help: str | Promise = ""
    levels: tuple[Level, ...] = STORED
    choices: tuple[Any, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    profiles: Mapping[str, Any] = field(default_factory=dict)
    environment: str = ""
    owner: str = ""
    remove_by: date | None = None

    @property
    def is_flag(self) -> bool:
        return bool(self.owner)

    def checked(self, value: Any) -> Any:
        """``value`` as this setting takes it; raises ``WrongValue``."""
        if self.kind is float and type(value) is int:
            value = float(value)
        kind: type = type(value)
        if kind is not self.kind:  # a bool is no int here
            message = f"{self.key} takes {self.kind.__name__}, not {kind.__name__}."
            raise WrongValue(message)
        if self.kind is list and not all(isinstance(item, str) for item in value):
            message = f"{self.key} takes a list of texts."
            raise WrongValue(message)
        for item in value if self.kind is list else [value]:
            if self.choices and item not in self.choices:
                message = f"{self.key} takes one of: {', '.join(map(str, self.choices))}."
                raise WrongValue(message)
        if self.kind in (int, float):
            if self.minimum is not None and value < self.minimum:
                message = f"{self.key} is at least {self.minimum}."
                raise WrongValue(message)
            if self.maximum is not None and value > self.maximum:
                message = f"{self.key} is at most {self.maximum}."
                raise WrongValue(message)
        if self.kind is str and len(value) > 10_000:  # noqa: PLR2004
            message = f"{self.key} takes at most 10,000 characters."
            raise WrongValue(message)
        return value

    def parsed(self, raw: str) -> Any:
        """From an environment variable or a command line."""
        if self.kind is bool:
            lowered = raw.strip().lower()
            if lowered not in {"1", "0", "true", "false", "yes", "no", "on", "off"}:
                message = f"{self.key} is 1 or 0."
                raise WrongValue(message)
            return lowered in {"1", "true", "yes", "on"}
        if self.kind is list:
            return self.checked([part.strip() for part in raw.split(",") if part.strip()])
        try:
            return self.checked(self.kind(raw))
        except ValueError as error:
            message = (
                f"{self.key}: {raw!r} is no {self.kind.__name__}." if not isinstance(error, WrongValue) else str(error)
            )
            raise WrongValue(message) from None

    def from_environment(self) -> Any:
        """None when the variable is not set."""
        raw = os.environ.get(self.environment, "").strip() if self.environment else ""
        return self.parsed(raw) if raw else None


settings_door: Door[Setting] = Door("setting")


def check(setting: Setting) -> None:
    """A wrong declaration fails at start, not at the first read."""
    setting.checked(setting.default)
    for value in setting.profiles.values():
        setting.checked(value)
    if setting.is_flag and (setting.kind is not bool or setting.remove_by is None):
        message = f"{setting.key}: a feature flag is a bool with an owner and a date of removal."
        raise ValueError(message)
