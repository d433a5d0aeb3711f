from __future__ import annotations

from django.urls import path

from apps.bulk.pages import views

app_name = "bulk"
ONE = "operations/<uuid:operation_id>/"
urlpatterns = [
    path("operations/", views.OperationListPage.as_view(), name="list"),
    path(ONE, views.OperationPage.as_view(), name="page"),
    path(f"{ONE}now/", views.OperationFragment.as_view(), name="now"),
    path(f"{ONE}results/", views.ResultsPage.as_view(), name="results"),
    path(f"{ONE}<slug:act>/", views.OperationActPage.as_view(), name="act"),
]
