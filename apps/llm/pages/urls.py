from __future__ import annotations

from django.urls import path

from apps.llm.pages import views

app_name = "llm"
urlpatterns = [
    path("settings/providers/", views.ProvidersPage.as_view(), name="settings_providers"),
    path("settings/providers/<uuid:provider_id>/", views.ProviderPage.as_view(), name="settings_provider"),
    path("settings/models/", views.ModelsPage.as_view(), name="settings_models"),
    path("settings/models/<uuid:model_id>/", views.ModelPage.as_view(), name="settings_model"),
    path("settings/budget/", views.BudgetPage.as_view(), name="settings_budget"),
    path("settings/usage/", views.UsagePage.as_view(), name="settings_usage"),
]
