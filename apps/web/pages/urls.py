from __future__ import annotations

from django.urls import path

from apps.web.pages import views

app_name = "web"
urlpatterns = [
    path("", views.home, name="home"),
    path("search/", views.search, name="search"),
    path("search/palette/", views.palette, name="palette"),
    path("sidebar/", views.sidebar, name="sidebar"),
    path("project/", views.switch_project, name="switch_project"),
    path("theme/", views.theme, name="theme"),
    path("token/", views.token, name="token"),
    path("settings/", views.settings_index, name="settings"),
]
