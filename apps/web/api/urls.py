from __future__ import annotations

from django.urls import path

from apps.web.api.views import SearchView

urlpatterns = [path("search/", SearchView.as_view(), name="search")]
