from __future__ import annotations

from django.urls import path

from apps.accounts.pages import doors

app_name = "accounts"
urlpatterns = [
    path("accounts/link/<str:token>/", doors.LinkView.as_view(), name="link"),
    path("accounts/invitation/<str:token>/", doors.InvitationView.as_view(), name="invitation"),
]
