from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api import APIView, Order, Page, etag
from apps.workflows import presentation, selectors, services
from apps.workflows.api.run_serializers import (
    AdvanceIn,
    ChooseIn,
    RollbackIn,
    RunForkIn,
    RunIn,
    RunOut,
    RunPageOut,
    RunQuery,
    StageCheckOut,
    StepPageOut,
    StepQuery,
)
from apps.workflows.documents import stage_titles
from apps.workflows.models import Run


def answer(request: Request, run: Run, *, status: int = 200) -> Response:
    data = presentation.run_data(run, request.actor)
    return Response(data, status=status, headers={"ETag": etag(run.version)})


class RunListView(APIView):
    @extend_schema(operation_id="runs_list", parameters=[RunQuery], responses=RunPageOut)
    def get(self, request: Request) -> Response:
        query = RunQuery.parse_query(request)
        rows = selectors.list_runs(
            request.actor,
            project_id=query.get("project"),
            definition_id=query.get("workflow"),
            conversation_id=query.get("conversation"),
            status=query.get("status", ""),
        )
        page = Page.of(rows, order=Order("created_at"), cursor=query.get("cursor"), limit=query["limit"])
        return Response(page.answer(presentation.run_row))

    @extend_schema(
        operation_id="runs_start",
        request=RunIn,
        responses={202: RunOut},
        description="`input_does_not_fit` (400) names in `errors` every place of the input that does not fit `input.schema` of the "
        "workflow, as `input.scenes.0`; no run begins.",
    )
    def post(self, request: Request) -> Response:
        data = RunIn.parse(request)
        run = services.start_run(
            actor=request.actor,
            definition_id=data["workflow"],
            data=data.get("input"),
            title=data["title"],
            conversation_id=data["conversation"],
        )
        return answer(request, run, status=202)


class RunView(APIView):
    @extend_schema(
        operation_id="runs_read",
        responses=RunOut,
        description="`stages` says of each whether it is done, available or blocked, and what is missing.",
    )
    def get(self, request: Request, workflow_run_id: UUID) -> Response:
        return answer(request, selectors.get_run(run_id=workflow_run_id, viewer=request.actor))


class RunStepsView(APIView):
    @extend_schema(operation_id="runs_steps", parameters=[StepQuery], responses=StepPageOut)
    def get(self, request: Request, workflow_run_id: UUID) -> Response:
        query = StepQuery.parse_query(request)
        run = selectors.get_run(run_id=workflow_run_id, viewer=request.actor)
        rows = selectors.list_steps(run, with_history=query["history"])
        order = Order("number", descending=False)
        page = Page.of(rows, order=order, cursor=query.get("cursor"), limit=query["limit"])
        titles = stage_titles(run.followed.document)
        return Response(page.answer(lambda step: presentation.step_data(step, titles)))


class StageCheckView(APIView):
    @extend_schema(
        operation_id="runs_check",
        responses=StageCheckOut,
        description="What a stage requires, and whether it is there now. Nothing changes.",
    )
    def get(self, request: Request, workflow_run_id: UUID, stage: str) -> Response:
        verdicts = services.check_stage(actor=request.actor, run_id=workflow_run_id, stage=stage)
        requires = [presentation.requirement(verdict) for verdict in verdicts]
        return Response({"stage": stage, "is_open": all(each.is_met for each in verdicts), "requires": requires})


class StageApproveView(APIView):
    @extend_schema(operation_id="runs_approve", request=None, responses=RunOut)
    def post(self, request: Request, workflow_run_id: UUID, stage: str) -> Response:
        return answer(request, services.approve_stage(actor=request.actor, run_id=workflow_run_id, stage=stage))


class RunAdvanceView(APIView):
    @extend_schema(
        operation_id="runs_advance",
        request=AdvanceIn,
        responses={202: RunOut},
        description="`gate_closed` (409) says in `missing` what a stage still lacks.",
    )
    def post(self, request: Request, workflow_run_id: UUID) -> Response:
        run = services.advance_stage(actor=request.actor, run_id=workflow_run_id, **AdvanceIn.parse(request))
        return answer(request, run, status=202)


class RunChooseView(APIView):
    @extend_schema(operation_id="runs_choose", request=ChooseIn, responses={202: RunOut})
    def post(self, request: Request, workflow_run_id: UUID) -> Response:
        data = ChooseIn.parse(request)
        services.answer_choice(
            actor=request.actor,
            run_id=workflow_run_id,
            choice_id=data["choice"],
            option=data["option"],
            text=data["text"],
        )
        return answer(request, selectors.get_run(run_id=workflow_run_id, viewer=request.actor), status=202)


class RunRollbackView(APIView):
    @extend_schema(
        operation_id="runs_rollback",
        request=RollbackIn,
        responses=RunOut,
        description="To before a stage. Records that steps wrote since return to what they were; the run is paused then.",
    )
    def post(self, request: Request, workflow_run_id: UUID) -> Response:
        stage = RollbackIn.parse(request)["to"]
        return answer(request, services.roll_back(actor=request.actor, run_id=workflow_run_id, stage=stage))


class RunForkView(APIView):
    @extend_schema(
        operation_id="runs_fork",
        request=RunForkIn,
        responses={202: RunOut},
        description="Another run that came through the same steps up to before this one.",
    )
    def post(self, request: Request, workflow_run_id: UUID) -> Response:
        number = RunForkIn.parse(request)["step"]
        run = services.fork_run(actor=request.actor, run_id=workflow_run_id, number=number)
        return answer(request, run, status=202)


class _Steering(APIView):
    """What takes no words."""

    steer: Any

    def steered(self, request: Request, workflow_run_id: UUID) -> Response:
        return answer(request, type(self).steer(actor=request.actor, run_id=workflow_run_id), status=202)


class RunPauseView(_Steering):
    steer = staticmethod(services.pause_run)

    @extend_schema(operation_id="runs_pause", request=None, responses={202: RunOut})
    def post(self, request: Request, workflow_run_id: UUID) -> Response:
        return self.steered(request, workflow_run_id)


class RunResumeView(_Steering):
    steer = staticmethod(services.resume_run)

    @extend_schema(operation_id="runs_resume", request=None, responses={202: RunOut})
    def post(self, request: Request, workflow_run_id: UUID) -> Response:
        return self.steered(request, workflow_run_id)


class RunCancelView(_Steering):
    steer = staticmethod(services.cancel_run)

    @extend_schema(operation_id="runs_cancel", request=None, responses={202: RunOut})
    def post(self, request: Request, workflow_run_id: UUID) -> Response:
        return self.steered(request, workflow_run_id)


class RunRetryView(_Steering):
    steer = staticmethod(services.retry_run)

    @extend_schema(
        operation_id="runs_retry",
        request=None,
        responses={202: RunOut},
        description="From the step that failed.",
    )
    def post(self, request: Request, workflow_run_id: UUID) -> Response:
        return self.steered(request, workflow_run_id)
