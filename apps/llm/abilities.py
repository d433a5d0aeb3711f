"""What is known of a model before it is asked for an object of a schema. Reads only; on the loop that will call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from apps.llm import routing
from apps.llm.presets import Wire


@dataclass(frozen=True, slots=True)
class Abilities:
    """``dialect``: the part of JSON Schema that the provider takes. ``enforces`` None: nobody knows whether it keeps to a schema.

    ``mark`` is another one when model or provider are: what was learnt of the old ones says nothing then.
    """

    dialect: Literal["openai", "anthropic"]
    enforces: bool | None
    can_call_tools: bool
    mark: str


async def abilities_of(organization_id: UUID, model_id: UUID | None) -> Abilities:
    """Of the model that is asked first. ``ModelMissing`` where none answers."""
    routes, _seen = await routing.routes_of(organization_id, model_id)
    route = routes.plan(model_id, allow_fallback=True)[0]
    return Abilities(
        dialect="anthropic" if route.provider.preset.wire is Wire.ANTHROPIC else "openai",
        enforces=route.enforces_schemas,
        can_call_tools=route.can_call_tools,
        mark=f"{route.provider.breaker}:{route.id}",
    )
