"""Tabs that other apps add to the panel beside a conversation. Run by ``conversations``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils.functional import Promise

from apps.core.doors import Door
from apps.core.types import ActorRef


@dataclass(frozen=True, slots=True)
class ContextTab:
    """``is_shown`` gets the viewer's role in the project of the conversation, None for who has none, and reads nothing.

    ``read(viewer, conversation_id, project_id)`` gives what ``template`` is drawn with, once the tab is opened; the template gets
    the ``conversation`` as well. ``order``: small numbers stand first; people and details stand at 80 and 90.
    """

    name: str
    label: str | Promise
    template: str
    is_shown: Callable[[ActorRef, Any], bool]
    read: Callable[[ActorRef, UUID, UUID], dict[str, Any]]
    order: int = 50


context_tabs: Door[ContextTab] = Door("context tab")
