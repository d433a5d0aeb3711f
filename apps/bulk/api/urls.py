from __future__ import annotations

from django.urls import path

from apps.bulk.api import views

ONE = "bulk-operations/<uuid:operation_id>/"

urlpatterns = [
    path("bulk-operations/", views.OperationListView.as_view(), name="bulk_operations_list"),
    path(ONE, views.OperationView.as_view(), name="bulk_operations_detail"),
    path(f"{ONE}items/", views.OperationItemsView.as_view(), name="bulk_operations_items"),
    path(f"{ONE}results/", views.OperationResultsView.as_view(), name="bulk_operations_results"),
    path(f"{ONE}start/", views.OperationStartView.as_view(), name="bulk_operations_start"),
    path(f"{ONE}pause/", views.OperationPauseView.as_view(), name="bulk_operations_pause"),
    path(f"{ONE}resume/", views.OperationResumeView.as_view(), name="bulk_operations_resume"),
    path(f"{ONE}cancel/", views.OperationCancelView.as_view(), name="bulk_operations_cancel"),
    path(f"{ONE}retry/", views.OperationRetryView.as_view(), name="bulk_operations_retry"),
    path(f"{ONE}undo/", views.OperationUndoView.as_view(), name="bulk_operations_undo"),
    path("jobs/", views.JobListView.as_view(), name="jobs_list"),
    path("jobs/stats/", views.JobStatsView.as_view(), name="jobs_stats"),
]
