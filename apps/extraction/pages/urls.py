from __future__ import annotations

from django.urls import path

from apps.extraction.pages import (
    access,
    cells,
    collections,
    duplicates,
    forms,
    kept,
    making,
    reading_settings,
    records,
    review,
    tables,
    templates,
    transfers,
    wish_cards,
)

app_name = "extraction"
ALL = "records/<uuid:collection_id>/"
ONE = "record/<uuid:record_id>/"
urlpatterns = [
    path("records/", collections.CollectionListPage.as_view(), name="list"),
    path("records/new/", collections.NewCollectionPage.as_view(), name="new"),
    path(ALL, tables.TablePage.as_view(), name="table"),
    path(f"{ALL}add/", forms.AddRecordPage.as_view(), name="add"),
    path(f"{ALL}choices/", tables.ChoicesView.as_view(), name="choices"),
    path(f"{ALL}deleted/", tables.DeletedPage.as_view(), name="deleted"),
    path(f"{ALL}duplicates/", duplicates.DuplicatesPage.as_view(), name="duplicates"),
    path(f"{ALL}duplicates/<uuid:one_id>/<uuid:other_id>/", duplicates.ComparePage.as_view(), name="compare"),
    path(f"{ALL}joined/<uuid:merge_id>/undo/", duplicates.UndoMergePage.as_view(), name="separate"),
    path(f"{ALL}import/", transfers.ImportPage.as_view(), name="import"),
    path(f"{ALL}import/<uuid:file_id>/", transfers.ImportColumnsPage.as_view(), name="import_columns"),
    path(f"{ALL}export/", transfers.ExportPage.as_view(), name="export"),
    path(f"{ALL}bring-along/", transfers.BringAlongPage.as_view(), name="bring_along"),
    path(f"{ALL}templates/", templates.TemplatesPage.as_view(), name="templates"),
    path(f"{ALL}templates/new/", templates.TemplatePage.as_view(), name="template_new"),
    path(f"{ALL}templates/new/preview/", templates.PreviewFragment.as_view(), name="template_new_preview"),
    path(f"{ALL}templates/<uuid:template_id>/", templates.TemplatePage.as_view(), name="template"),
    path(f"{ALL}templates/<uuid:template_id>/preview/", templates.PreviewFragment.as_view(), name="template_preview"),
    path(f"{ALL}templates/<uuid:template_id>/<slug:act>/", templates.TemplateActPage.as_view(), name="template_act"),
    path(f"{ALL}fields/", collections.FieldsPage.as_view(), name="fields"),
    path(f"{ALL}access/", access.AccessPage.as_view(), name="access"),
    path(f"{ALL}make/", making.MakePage.as_view(), name="make"),
    path(f"{ALL}prompt/", making.PromptPage.as_view(), name="prompt"),
    path(f"{ALL}rows/", tables.RowsPage.as_view(), name="rows"),
    path(f"{ALL}views/", kept.ViewsPage.as_view(), name="views"),
    path(f"{ALL}views/<uuid:view_id>/", kept.ViewPage.as_view(), name="view"),
    path(f"{ALL}act/<slug:act>/", collections.CollectionActPage.as_view(), name="collection_act"),
    path(ONE, records.RecordPage.as_view(), name="record"),
    path(f"{ONE}cell/", cells.CellView.as_view(), name="cell"),
    path(f"{ONE}edit/", forms.EditRecordPage.as_view(), name="edit"),
    path(f"{ONE}history/", records.HistoryPage.as_view(), name="history"),
    path(f"{ONE}comments/<uuid:comment_id>/", records.CommentPage.as_view(), name="comment"),
    path(f"{ONE}act/<slug:act>/", records.RecordActPage.as_view(), name="record_act"),
    path("review/", review.ReviewPage.as_view(), name="review"),
    path("review/runs/<uuid:run_id>/", review.RunFragment.as_view(), name="run"),
    path("review/proposals/<uuid:proposal_id>/", review.ProposalFragment.as_view(), name="proposal"),
    path("review/wishes/<uuid:wish_id>/", wish_cards.WishFragment.as_view(), name="wish"),
    path("settings/reading/", reading_settings.ReadingSettings.as_view(), name="settings_reading"),
]
