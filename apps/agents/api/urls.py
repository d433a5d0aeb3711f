from __future__ import annotations

from django.urls import path

from apps.agents.api import views

urlpatterns = [
    path("agents/", views.AgentListView.as_view(), name="agents_list"),
    path("agents/<uuid:agent_id>/", views.AgentView.as_view(), name="agents_detail"),
]
