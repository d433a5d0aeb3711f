from __future__ import annotations

from django.urls import path

from apps.accounts.api import activity, audit, keys, organizations, passwords, people, projects, quotas, tokens

urlpatterns = [
    path("auth/token/", tokens.TokenView.as_view(), name="auth_token"),
    path("auth/token/second-factor/", tokens.TokenSecondFactorView.as_view(), name="auth_token_second_factor"),
    path("auth/token/refresh/", tokens.TokenRefreshView.as_view(), name="auth_token_refresh"),
    path("auth/token/revoke/", tokens.TokenRevokeView.as_view(), name="auth_token_revoke"),
    path("auth/password/reset/", passwords.PasswordResetView.as_view(), name="auth_password_reset"),
    path("auth/password/reset/confirm/", passwords.PasswordResetConfirmView.as_view(), name="auth_password_confirm"),
    path("me/", people.MeView.as_view(), name="me"),
    path("me/quotas/", quotas.QuotaListView.as_view(), name="me_quotas"),
    path("me/sessions/", people.SessionListView.as_view(), name="me_sessions"),
    path("me/sessions/<uuid:session_id>/", people.SessionView.as_view(), name="me_session"),
    path("me/devices/", activity.DeviceListView.as_view(), name="me_devices"),
    path("me/devices/<uuid:device_id>/", activity.DeviceView.as_view(), name="me_device"),
    path("me/sign-ins/", activity.SignInListView.as_view(), name="me_sign_ins"),
    path("organizations/", organizations.OrganizationListView.as_view(), name="organizations_list"),
    path("organizations/<uuid:organization_id>/", organizations.OrganizationView.as_view(), name="organization"),
    path("members/", organizations.MemberListView.as_view(), name="members_list"),
    path("members/<uuid:member_id>/", organizations.MemberView.as_view(), name="member"),
    path("invitations/", organizations.InvitationListView.as_view(), name="invitations_list"),
    path("invitations/accept/", organizations.InvitationAcceptView.as_view(), name="invitation_accept"),
    path("invitations/<uuid:invitation_id>/", organizations.InvitationView.as_view(), name="api_invitation"),
    path("projects/", projects.ProjectListView.as_view(), name="projects_list"),
    path("projects/<uuid:project_id>/", projects.ProjectView.as_view(), name="project"),
    path("projects/<uuid:project_id>/archive/", projects.ProjectArchiveView.as_view(), name="project_archive"),
    path("projects/<uuid:project_id>/restore/", projects.ProjectRestoreView.as_view(), name="project_restore"),
    path("projects/<uuid:project_id>/people/", projects.ProjectPeopleView.as_view(), name="project_people"),
    path(
        "projects/<uuid:project_id>/people/<uuid:user_id>/", projects.ProjectPersonView.as_view(), name="project_person"
    ),
    path("audit/export/", audit.AuditExportView.as_view(), name="audit_export"),
    path("audit/", audit.AuditListView.as_view(), name="audit_list"),
    path("api-keys/", keys.KeyListView.as_view(), name="api_keys_list"),
    path("api-keys/<uuid:key_id>/", keys.KeyView.as_view(), name="api_key"),
]
