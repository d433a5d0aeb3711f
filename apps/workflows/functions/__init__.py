"""The functions that come with workflows."""

from __future__ import annotations

from apps.core.doors.workflow_functions import workflow_functions


def register() -> None:
    from apps.workflows.functions import agents, asking, models, outside, recording

    for module in (agents, asking, models, recording, outside):
        for function in module.FUNCTIONS:
            workflow_functions.register(function.name, function)
