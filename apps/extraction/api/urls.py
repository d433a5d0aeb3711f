from __future__ import annotations

from django.urls import path

from apps.extraction.api import use, views

urlpatterns = [
    path("collections/", views.CollectionListView.as_view(), name="collections_list"),
    path("collections/<uuid:collection_id>/", views.CollectionView.as_view(), name="collections_detail"),
    path(
        "collections/<uuid:collection_id>/restore/", views.CollectionRestoreView.as_view(), name="collections_restore"
    ),
    path(
        "collections/<uuid:collection_id>/schemas/", views.CollectionSchemasView.as_view(), name="collections_schemas"
    ),
    path("collections/<uuid:collection_id>/views/", use.ViewListView.as_view(), name="collection_views"),
    path("collections/<uuid:collection_id>/views/<uuid:view_id>/", use.ViewView.as_view(), name="collection_view"),
    path("records/<uuid:record_id>/comments/", use.CommentListView.as_view(), name="record_comments"),
    path("records/<uuid:record_id>/comments/<uuid:comment_id>/", use.CommentView.as_view(), name="record_comment"),
    path("records/", views.RecordListView.as_view(), name="records_list"),
    path("records/<uuid:record_id>/", views.RecordView.as_view(), name="records_detail"),
    path("records/<uuid:record_id>/restore/", views.RecordRestoreView.as_view(), name="records_restore"),
    path("records/<uuid:record_id>/history/", views.RecordHistoryView.as_view(), name="records_history"),
    path("records/<uuid:record_id>/set-back/", views.RecordSetBackView.as_view(), name="records_set_back"),
    path("records/<uuid:record_id>/sources/", views.RecordSourcesView.as_view(), name="records_sources"),
    path("extractions/", views.ExtractionListView.as_view(), name="extractions_list"),
    path("extractions/<uuid:run_id>/", views.ExtractionView.as_view(), name="extractions_detail"),
    path("extractions/<uuid:run_id>/retry/", views.ExtractionRetryView.as_view(), name="extractions_retry"),
    path("extractions/<uuid:run_id>/accept/", views.ExtractionAcceptView.as_view(), name="extractions_accept"),
    path("proposals/", views.ProposalListView.as_view(), name="proposals_list"),
    path("proposals/<uuid:proposal_id>/", views.ProposalView.as_view(), name="proposals_detail"),
    path("proposals/<uuid:proposal_id>/accept/", views.ProposalAcceptView.as_view(), name="proposals_accept"),
    path("proposals/<uuid:proposal_id>/reject/", views.ProposalRejectView.as_view(), name="proposals_reject"),
]
