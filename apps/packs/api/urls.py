from __future__ import annotations

from django.urls import path

from apps.packs.api import views

ONE = "packs/installations/<uuid:installation_id>/"
urlpatterns = [
    path("packs/", views.PackListView.as_view(), name="packs_list"),
    path("packs/export/", views.ExportView.as_view(), name="packs_export"),
    path("packs/installations/", views.InstallationListView.as_view(), name="pack_installations"),
    path(ONE, views.InstallationView.as_view(), name="pack_installation"),
    path(f"{ONE}upgrade/", views.InstallationUpgradeView.as_view(), name="pack_installation_upgrade"),
    path(f"{ONE}remove/", views.InstallationRemoveView.as_view(), name="pack_installation_remove"),
]
