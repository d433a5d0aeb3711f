from __future__ import annotations

from django.urls import path, re_path

from apps.gateway import views

app_name = "gateway"
urlpatterns = [
    path("v1/models", views.models, name="models"),
    path("v1/models/<path:name>", views.model, name="model"),
    path("v1/chat/completions", views.chat_completions, name="chat_completions"),
    path("v1/<path:rest>", views.unknown, name="unknown"),
    re_path(r"^v1/?$", views.unknown, name="root"),
]
