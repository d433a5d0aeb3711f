from __future__ import annotations

from django.urls import path

from apps.llm.api import views

urlpatterns = [
    path("providers/", views.ProviderListView.as_view(), name="providers_list"),
    path("providers/<uuid:provider_id>/", views.ProviderView.as_view(), name="provider"),
    path("providers/<uuid:provider_id>/test/", views.ProviderTestView.as_view(), name="provider_test"),
    path("providers/<uuid:provider_id>/reset/", views.ProviderResetView.as_view(), name="provider_reset"),
    path("models/", views.ModelListView.as_view(), name="models_list"),
    path("models/defaults/", views.ModelDefaultsView.as_view(), name="model_defaults"),
    path("models/route/", views.ModelRouteView.as_view(), name="models_route"),
    path("models/<uuid:model_id>/", views.ModelView.as_view(), name="model"),
    path("usage/", views.UsageView.as_view(), name="usage"),
    path("budgets/", views.BudgetListView.as_view(), name="budgets_list"),
    path("text/analyze/", views.TextAnalyzeView.as_view(), name="text_analyze"),
]
