from __future__ import annotations

from django.urls import path

from apps.files.pages import views

app_name = "files"
urlpatterns = [
    path("files/", views.FileListPage.as_view(), name="list"),
    path("files/<uuid:file_id>/", views.file, name="file"),
    path("files/<uuid:file_id>/preview/", views.preview, name="preview"),
]
