from __future__ import annotations

from rest_framework import serializers

from apps.core import rules
from apps.core.api import PageQuery, Serializer
from apps.core.rule_fields import Text
from apps.workflows.types import ChoiceRule, ChoiceStatus, RunCause, RunStatus, StageState, StepStatus

TASK = "Where it stands, as people call it: titles of stages and names of tasks."


class RunIn(Serializer):
    """``workflow``: its id. The run follows the version in force to its end."""

    workflow = serializers.UUIDField()
    input = serializers.DictField(required=False)
    title = Text(rules.TITLE, required=False, default="")
    conversation = serializers.UUIDField(required=False, allow_null=True, default=None)


class RunQuery(PageQuery):
    project = serializers.UUIDField(required=False)
    workflow = serializers.UUIDField(required=False)
    conversation = serializers.UUIDField(required=False)
    status = serializers.ChoiceField(choices=RunStatus.choices, required=False)


class StepQuery(PageQuery):
    history = serializers.BooleanField(
        required=False, default=True, help_text="Also what was rolled back or tried again."
    )


class AdvanceIn(Serializer):
    """``stage``: which; none: the one that the run waits at. ``override`` takes the manager's right and a ``reason``."""

    stage = serializers.CharField(required=False, default="", max_length=100, allow_blank=True)
    override = serializers.BooleanField(required=False, default=False)
    reason = Text(rules.TEXT.of(500), required=False, default="")


class ChooseIn(Serializer):
    """``option``: a key; or ``text``: one's own words."""

    choice = serializers.UUIDField()
    option = serializers.CharField(required=False, default="", max_length=60, allow_blank=True)
    text = Text(rules.TEXT, required=False, default="")


class RollbackIn(Serializer):
    to = serializers.CharField(max_length=100, help_text="The stage to go back to the beginning of.")


class RunForkIn(Serializer):
    step = serializers.IntegerField(min_value=1, max_value=1_000_000, help_text="The number of the step to do anew.")


class TaskProblemOut(serializers.Serializer):
    type = serializers.CharField()
    status = serializers.IntegerField()
    title = serializers.CharField(required=False)
    detail = serializers.CharField(required=False)
    instance = serializers.CharField(required=False)
    code = serializers.CharField(required=False)


class RunRowOut(serializers.Serializer):
    id = serializers.UUIDField()
    project = serializers.UUIDField()
    workflow = serializers.UUIDField()
    workflow_title = serializers.CharField()
    number = serializers.IntegerField(help_text="The version of the workflow that it follows.")
    title = serializers.CharField(allow_blank=True)
    status = serializers.ChoiceField(choices=RunStatus.choices)
    waits_for = serializers.CharField(allow_blank=True)
    is_unwinding = serializers.BooleanField(
        help_text="It was rolled back: effects elsewhere are taken back, then it is paused."
    )
    stage = serializers.CharField(allow_blank=True)
    cause = serializers.ChoiceField(choices=RunCause.choices)
    conversation = serializers.UUIDField(allow_null=True)
    requested_by = serializers.UUIDField(allow_null=True)
    parent = serializers.UUIDField(allow_null=True)
    forked_from = serializers.UUIDField(allow_null=True)
    steps = serializers.IntegerField()
    cost = serializers.CharField()
    error = TaskProblemOut(allow_null=True)
    version = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)


class RequirementOut(serializers.Serializer):
    says = serializers.CharField()
    is_met = serializers.BooleanField()
    collection = serializers.UUIDField(
        allow_null=True, help_text="Whose records it is about; none where they are for people who are named."
    )


class OverrideOut(serializers.Serializer):
    """A manager let the run pass though something was missing."""

    by = serializers.UUIDField(allow_null=True)
    reason = serializers.CharField(allow_blank=True)


class StageOut(serializers.Serializer):
    name = serializers.CharField()
    title = serializers.CharField()
    summary = serializers.CharField(allow_blank=True)
    state = serializers.ChoiceField(choices=StageState.choices)
    manual = serializers.BooleanField()
    by = serializers.CharField()
    tools = serializers.ListField(child=serializers.CharField())
    is_next = serializers.BooleanField(help_text="The run waits at it.")
    missing = serializers.ListField(child=serializers.CharField())
    requires = RequirementOut(many=True)
    approvals = serializers.IntegerField()
    override = OverrideOut(allow_null=True)


class OptionOut(serializers.Serializer):
    key = serializers.CharField()
    title = serializers.CharField()
    category = serializers.CharField(required=False)
    description = serializers.CharField(required=False)
    difficulty = serializers.CharField(required=False)
    time = serializers.CharField(required=False)
    impact = serializers.CharField(required=False)


class OwnAnswerOut(serializers.Serializer):
    option = serializers.CharField(allow_blank=True)
    text = serializers.CharField(allow_blank=True)


class ChoiceAnswerOut(OwnAnswerOut):
    person = serializers.UUIDField()
    name = serializers.CharField()


class ChoicePersonOut(serializers.Serializer):
    person = serializers.UUIDField()
    name = serializers.CharField()


class ChoiceOut(serializers.Serializer):
    id = serializers.UUIDField()
    question = serializers.CharField()
    options = OptionOut(many=True)
    answer_type = serializers.CharField(allow_blank=True)
    rule = serializers.ChoiceField(choices=ChoiceRule.choices)
    quorum = serializers.IntegerField()
    own = serializers.BooleanField()
    to = serializers.CharField()
    deadline = serializers.DateTimeField(allow_null=True)
    status = serializers.ChoiceField(choices=ChoiceStatus.choices)
    option = serializers.CharField(allow_blank=True)
    text = serializers.CharField(allow_blank=True)
    decided_by = serializers.UUIDField(allow_null=True)
    decided_at = serializers.DateTimeField(allow_null=True)
    answers = ChoiceAnswerOut(many=True)
    mine = OwnAnswerOut(allow_null=True)
    asked_count = serializers.IntegerField(
        help_text="How many can answer it now, while it is open and wants several answers; of others, 0."
    )
    left_count = serializers.IntegerField(help_text="How many of these have not answered.")
    left = ChoicePersonOut(many=True, help_text="Of those the first 20, by name.")


class StayingOut(serializers.Serializer):
    """What could not be taken back. ``count``: of an operation, so many of its items."""

    what = serializers.ChoiceField(choices=["record", "operation", "reading", "run"])
    id = serializers.UUIDField()
    code = serializers.CharField()
    count = serializers.IntegerField()
    says = serializers.CharField()


class RunStayingOut(StayingOut):
    step = serializers.IntegerField()
    path = serializers.CharField()
    task = serializers.CharField(help_text=TASK)


class RunOut(RunRowOut):
    input = serializers.JSONField()
    output = serializers.JSONField(allow_null=True)
    collections = serializers.ListField(
        child=serializers.UUIDField(),
        help_text="Of which it may hold words: to who does not see all of them the run is not there.",
    )
    kept = RunStayingOut(
        many=True, help_text="What its ways back could not take back, the newest steps first; at most 100."
    )
    stages = StageOut(many=True)
    choices = ChoiceOut(many=True)


class RunPageOut(serializers.Serializer):
    results = RunRowOut(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


class StepOut(serializers.Serializer):
    id = serializers.UUIDField()
    number = serializers.IntegerField()
    path = serializers.CharField()
    task = serializers.CharField(help_text=TASK)
    visit = serializers.IntegerField()
    kind = serializers.CharField()
    status = serializers.ChoiceField(choices=StepStatus.choices)
    input = serializers.JSONField(allow_null=True)
    output = serializers.JSONField(allow_null=True)
    error = TaskProblemOut(allow_null=True)
    attempts = serializers.IntegerField()
    seconds = serializers.FloatField(allow_null=True)
    cost = serializers.CharField()
    kept = StayingOut(many=True, help_text="What of it could not be taken back.")
    override = OverrideOut(allow_null=True)
    records = serializers.ListField(child=serializers.UUIDField())
    started_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)


class StepPageOut(serializers.Serializer):
    results = StepOut(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


class StageCheckOut(serializers.Serializer):
    stage = serializers.CharField()
    is_open = serializers.BooleanField()
    requires = RequirementOut(many=True)
