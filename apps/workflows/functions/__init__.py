"""The functions that come with workflows."""

from __future__ import annotations

from apps.core.doors.workflow_functions import workflow_functions


def register() -> None:
    from apps.workflows.functions import asking, models, outside, recording

    for module in (asking, models, recording, outside):
        for function in module.FUNCTIONS:
            workflow_functions.register(function.name, function)
