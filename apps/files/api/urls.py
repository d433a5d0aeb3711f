from __future__ import annotations

from django.urls import path

from apps.files.api import views

urlpatterns = [
    path("attachments/", views.AttachmentListView.as_view(), name="attachments_list"),
    path("attachments/<uuid:attachment_id>/", views.AttachmentView.as_view(), name="attachments_detail"),
    path(
        "attachments/<uuid:attachment_id>/download/",
        views.AttachmentDownloadView.as_view(),
        name="attachments_download",
    ),
    path(
        "attachments/<uuid:attachment_id>/preview/", views.AttachmentPreviewView.as_view(), name="attachments_preview"
    ),
]
