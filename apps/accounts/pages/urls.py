from __future__ import annotations

from django.urls import path, re_path

from apps.accounts.pages import (
    activity,
    audit,
    codes,
    denials,
    doors,
    erasure,
    limits,
    passkeys,
    security,
    service_accounts,
    settings,
    sign_in_settings,
    sso,
    teams,
    transfer,
)

app_name = "accounts"
urlpatterns = [
    path("accounts/login/code/", codes.SignInCodeView.as_view(), name="sign_in_code"),
    path("accounts/link/<str:token>/", doors.LinkView.as_view(), name="link"),
    path("accounts/invitation/<str:token>/", doors.InvitationView.as_view(), name="invitation"),
    re_path(r"^accounts/password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$", doors.ResetFromKeyView.as_view()),
    path("accounts/login/", doors.SignInView.as_view()),
    path("accounts/sso/<slug:slug>/", sso.start, name="sso"),
    path("accounts/sso/<slug:slug>/callback/", sso.callback, name="sso_callback"),
    path("accounts/2fa/", security.SecondFactorsView.as_view(), name="second_factors"),
    path("accounts/2fa/webauthn/add/", passkeys.AddPasskeyView.as_view()),
    path("accounts/2fa/webauthn/keys/<int:pk>/edit/", passkeys.RenamePasskeyView.as_view()),
    path("accounts/2fa/webauthn/keys/<int:pk>/remove/", passkeys.RemovePasskeyView.as_view()),
    path("settings/security/", security.SecurityView.as_view(), name="settings_security"),
    path("settings/sign-in/", sign_in_settings.SignInSettingsView.as_view(), name="settings_sign_in"),
    path("settings/profile/", settings.ProfileView.as_view(), name="settings_profile"),
    path("settings/sign-in-activity/", activity.ActivityView.as_view(), name="settings_activity"),
    path("settings/erase/", erasure.EraseAccountView.as_view(), name="settings_erase"),
    path("settings/organization/", settings.OrganizationView.as_view(), name="settings_organization"),
    path("settings/people/", settings.PeopleView.as_view(), name="settings_people"),
    path("settings/projects/", settings.ProjectListView.as_view(), name="settings_projects"),
    path("settings/projects/<uuid:project_id>/", settings.ProjectView.as_view(), name="settings_project"),
    path("settings/teams/", teams.TeamListView.as_view(), name="settings_teams"),
    path("settings/teams/<uuid:team_id>/", teams.TeamView.as_view(), name="settings_team"),
    path("settings/denials/", denials.DenialsView.as_view(), name="settings_denials"),
    path("settings/transfer/", transfer.TransferView.as_view(), name="settings_transfer"),
    path(
        "settings/service-accounts/",
        service_accounts.ServiceAccountListView.as_view(),
        name="settings_service_accounts",
    ),
    path(
        "settings/service-accounts/<uuid:service_account_id>/",
        service_accounts.ServiceAccountView.as_view(),
        name="settings_service_account",
    ),
    path("settings/keys/", settings.KeysView.as_view(), name="settings_keys"),
    path("settings/audit/export/", audit.AuditExportView.as_view(), name="settings_audit_export"),
    path("settings/limits/", limits.LimitsView.as_view(), name="settings_limits"),
    path("settings/audit/", audit.AuditView.as_view(), name="settings_audit"),
]
