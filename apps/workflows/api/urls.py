from __future__ import annotations

from django.urls import path

from apps.workflows.api import run_views, secret_views, start_views, views

ONE = "workflows/<uuid:workflow_id>/"
RUN = "runs/<uuid:workflow_run_id>/"

urlpatterns = [
    path("workflows/", views.DefinitionListView.as_view(), name="workflows_list"),
    path("workflows/validate/", views.DefinitionCheckView.as_view(), name="workflows_validate"),
    path("workflows/starts/", start_views.StartListView.as_view(), name="workflows_starts"),
    path(f"{ONE}start/", start_views.StartView.as_view(), name="workflows_start"),
    path(f"{ONE}start/pause/", start_views.StartPauseView.as_view(), name="workflows_start_pause"),
    path(f"{ONE}start/resume/", start_views.StartResumeView.as_view(), name="workflows_start_resume"),
    path(ONE, views.DefinitionView.as_view(), name="workflows_detail"),
    path(f"{ONE}versions/", views.DefinitionVersionsView.as_view(), name="workflows_versions"),
    path(f"{ONE}versions/<int:number>/", views.DefinitionVersionView.as_view(), name="workflows_version"),
    path("workflow-secrets/", secret_views.WorkflowSecretListView.as_view(), name="workflow_secrets_list"),
    path(
        "workflow-secrets/<uuid:workflow_secret_id>/",
        secret_views.WorkflowSecretView.as_view(),
        name="workflow_secrets_detail",
    ),
    path("runs/", run_views.RunListView.as_view(), name="runs_list"),
    path(RUN, run_views.RunView.as_view(), name="runs_detail"),
    path(f"{RUN}steps/", run_views.RunStepsView.as_view(), name="runs_steps"),
    path(f"{RUN}steps/<str:stage>/check/", run_views.StageCheckView.as_view(), name="runs_check"),
    path(f"{RUN}steps/<str:stage>/approve/", run_views.StageApproveView.as_view(), name="runs_approve"),
    path(f"{RUN}advance/", run_views.RunAdvanceView.as_view(), name="runs_advance"),
    path(f"{RUN}choose/", run_views.RunChooseView.as_view(), name="runs_choose"),
    path(f"{RUN}rollback/", run_views.RunRollbackView.as_view(), name="runs_rollback"),
    path(f"{RUN}fork/", run_views.RunForkView.as_view(), name="runs_fork"),
    path(f"{RUN}pause/", run_views.RunPauseView.as_view(), name="runs_pause"),
    path(f"{RUN}resume/", run_views.RunResumeView.as_view(), name="runs_resume"),
    path(f"{RUN}cancel/", run_views.RunCancelView.as_view(), name="runs_cancel"),
    path(f"{RUN}retry/", run_views.RunRetryView.as_view(), name="runs_retry"),
]
