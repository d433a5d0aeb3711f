from __future__ import annotations

from django.urls import path

from apps.accounts.api import tokens

urlpatterns = [
    path("auth/token/", tokens.TokenView.as_view(), name="auth_token"),
    path("auth/token/refresh/", tokens.TokenRefreshView.as_view(), name="auth_token_refresh"),
    path("auth/token/revoke/", tokens.TokenRevokeView.as_view(), name="auth_token_revoke"),
]
