from __future__ import annotations

from django.urls import path

from apps.workflows.pages import by_link, editor, secrets, views

app_name = "workflows"
ONE = "runs/<uuid:workflow_run_id>/"
urlpatterns = [
    path("runs/", views.RunListPage.as_view(), name="runs"),
    path(ONE, views.RunPage.as_view(), name="run"),
    path(f"{ONE}now/", views.RunFragment.as_view(), name="now"),
    path(f"{ONE}choices/<uuid:choice_id>/", views.ChoosePage.as_view(), name="choose"),
    path(f"{ONE}<slug:act>/", views.RunActPage.as_view(), name="act"),
    path("answer/<str:token>/", by_link.AnswerByLink.as_view(), name="by_link"),
    path("workflows/", views.DefinitionListPage.as_view(), name="list"),
    path("workflows/new/", editor.NewPage.as_view(), name="new"),
    path("workflows/secrets/", secrets.SecretsPage.as_view(), name="secrets"),
    path(
        "workflows/secrets/<uuid:workflow_secret_id>/delete/",
        secrets.DeleteSecretPage.as_view(),
        name="secret_delete",
    ),
    path("workflows/words/", editor.WordsView.as_view(), name="words"),
    path("workflows/<uuid:workflow_id>/edit/", editor.EditPage.as_view(), name="edit"),
    path("workflows/<uuid:workflow_id>/", views.DefinitionPage.as_view(), name="definition"),
    path("workflows/<uuid:workflow_id>/start/", views.StartPage.as_view(), name="start"),
    path("workflows/<uuid:workflow_id>/by-itself/<slug:act>/", views.ByItselfPage.as_view(), name="by_itself"),
]
