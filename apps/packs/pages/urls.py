from __future__ import annotations

from django.urls import path

from apps.packs.pages import views

app_name = "packs"
urlpatterns = [
    path("settings/packs/", views.PacksPage.as_view(), name="list"),
    path("settings/packs/<uuid:installation_id>/", views.InstallationPage.as_view(), name="installation"),
]
