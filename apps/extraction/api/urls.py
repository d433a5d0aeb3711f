from __future__ import annotations

from django.urls import path

from apps.extraction.api import duplicates, follow_ups, readers, schema_trials, templates, use, views, wishes

TEMPLATES = "collections/<uuid:collection_id>/templates/"
TEMPLATE = f"{TEMPLATES}<uuid:template_id>/"
urlpatterns = [
    path(TEMPLATES, templates.TemplateListView.as_view(), name="collection_templates"),
    path(TEMPLATE, templates.TemplateView.as_view(), name="collection_template"),
    path(f"{TEMPLATE}revisions/", templates.TemplateRevisionsView.as_view(), name="collection_template_revisions"),
    path(f"{TEMPLATE}render/", templates.TemplateRenderView.as_view(), name="collection_template_render"),
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
    path("collections/<uuid:collection_id>/readers/", readers.ReaderListView.as_view(), name="collection_readers"),
    path(
        "collections/<uuid:collection_id>/readers/<uuid:reader_id>/",
        readers.ReaderView.as_view(),
        name="collection_reader",
    ),
    path("records/<uuid:record_id>/comments/", use.CommentListView.as_view(), name="record_comments"),
    path("records/<uuid:record_id>/comments/<uuid:comment_id>/", use.CommentView.as_view(), name="record_comment"),
    path(
        "collections/<uuid:collection_id>/schema-changes/",
        schema_trials.SchemaChangesView.as_view(),
        name="collections_schema_changes",
    ),
    path("records/", views.RecordListView.as_view(), name="records_list"),
    path("records/<uuid:record_id>/", views.RecordView.as_view(), name="records_detail"),
    path("records/<uuid:record_id>/restore/", views.RecordRestoreView.as_view(), name="records_restore"),
    path("records/<uuid:record_id>/history/", views.RecordHistoryView.as_view(), name="records_history"),
    path("records/<uuid:record_id>/set-back/", views.RecordSetBackView.as_view(), name="records_set_back"),
    path("records/<uuid:record_id>/sources/", views.RecordSourcesView.as_view(), name="records_sources"),
    path("records/<uuid:record_id>/duplicates/", duplicates.RecordDuplicatesView.as_view(), name="records_duplicates"),
    path("records/<uuid:record_id>/merge/", duplicates.RecordMergeView.as_view(), name="records_merge"),
    path("records/<uuid:record_id>/merges/", duplicates.RecordMergesView.as_view(), name="records_merges"),
    path("records/<uuid:record_id>/apart/", duplicates.RecordApartView.as_view(), name="records_apart"),
    path("record-merges/<uuid:merge_id>/undo/", duplicates.MergeUndoView.as_view(), name="record_merges_undo"),
    path("duplicates/", duplicates.DuplicateListView.as_view(), name="duplicates_list"),
    path("extractions/", views.ExtractionListView.as_view(), name="extractions_list"),
    path("extractions/<uuid:run_id>/", views.ExtractionView.as_view(), name="extractions_detail"),
    path("extractions/<uuid:run_id>/retry/", views.ExtractionRetryView.as_view(), name="extractions_retry"),
    path("extractions/<uuid:run_id>/stop/", views.ExtractionStopView.as_view(), name="extractions_stop"),
    path("extractions/<uuid:run_id>/resume/", views.ExtractionResumeView.as_view(), name="extractions_resume"),
    path("extractions/<uuid:run_id>/accept/", views.ExtractionAcceptView.as_view(), name="extractions_accept"),
    path("proposals/", views.ProposalListView.as_view(), name="proposals_list"),
    path("proposals/<uuid:proposal_id>/", views.ProposalView.as_view(), name="proposals_detail"),
    path("proposals/<uuid:proposal_id>/accept/", views.ProposalAcceptView.as_view(), name="proposals_accept"),
    path("proposals/<uuid:proposal_id>/reject/", views.ProposalRejectView.as_view(), name="proposals_reject"),
    path("wishes/", wishes.WishListView.as_view(), name="wishes_list"),
    path("wishes/<uuid:wish_id>/", wishes.WishView.as_view(), name="wishes_detail"),
    path("wishes/<uuid:wish_id>/confirm/", wishes.WishConfirmView.as_view(), name="wishes_confirm"),
    path("wishes/<uuid:wish_id>/dismiss/", wishes.WishDismissView.as_view(), name="wishes_dismiss"),
    path("follow-ups/", follow_ups.FollowUpListView.as_view(), name="follow_ups_list"),
    path("follow-ups/<uuid:follow_up_id>/", follow_ups.FollowUpView.as_view(), name="follow_ups_detail"),
    path("follow-ups/<uuid:follow_up_id>/answer/", follow_ups.FollowUpAnswerView.as_view(), name="follow_ups_answer"),
    path("follow-ups/<uuid:follow_up_id>/skip/", follow_ups.FollowUpSkipView.as_view(), name="follow_ups_skip"),
    path(
        "follow-ups/<uuid:follow_up_id>/abandon/", follow_ups.FollowUpAbandonView.as_view(), name="follow_ups_abandon"
    ),
]
