"""Shapes of the accounts' part of the API."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from django.conf import settings
from rest_framework import serializers

from apps.accounts import geography
from apps.accounts.types import (
    AuditFormat,
    AuditOutcome,
    Finding,
    OrganizationRole,
    Permission,
    ProjectAccess,
    ProjectRole,
    SessionKind,
    SignInMethod,
    Way,
)
from apps.accounts.words import device_words
from apps.core import rules
from apps.core.api import PageQuery, Serializer
from apps.core.rule_fields import Mail, Text


class TimeZoneField(serializers.CharField):
    """An IANA name."""

    default_error_messages = {"unknown_time_zone": "Use a name of the IANA database, such as Europe/Lisbon."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=64, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        name = super().to_internal_value(data)
        if name not in available_timezones():
            self.fail("unknown_time_zone")
        return name


# Oneself


class MeIn(Serializer):
    name = Text(rules.NAME, required=False)
    language = serializers.ChoiceField(choices=[code for code, _name in settings.LANGUAGES], required=False)
    time_zone = TimeZoneField(required=False)


class MyOrganizationOut(serializers.Serializer):
    id = serializers.UUIDField()
    name = serializers.CharField()
    role = serializers.ChoiceField(choices=OrganizationRole.choices)


class MeOut(serializers.Serializer):
    id = serializers.UUIDField()
    email = serializers.EmailField()
    name = serializers.CharField()
    language = serializers.CharField()
    time_zone = serializers.CharField()
    is_operator = serializers.BooleanField(source="is_staff")
    version = serializers.IntegerField()
    organizations = MyOrganizationOut(many=True)


class MeExportOut(serializers.Serializer):
    accounts = serializers.DictField(
        child=serializers.ListField(child=serializers.DictField()),
        help_text="Rows by kind, such as sessions, devices, api_keys. Other apps stand beside it.",
    )


class SessionOut(serializers.Serializer):
    id = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=SessionKind.choices)
    user_agent = serializers.CharField()
    label = serializers.SerializerMethodField(help_text="Browser and system in words.")
    address = serializers.CharField(allow_null=True)
    country = serializers.SerializerMethodField(help_text="ISO 3166 code, or empty.")
    device_id = serializers.UUIDField(allow_null=True)
    method = serializers.ChoiceField(choices=SignInMethod.choices)
    auth_level = serializers.IntegerField(help_text="1: one proof. 2: two, or a passkey.")
    created_at = serializers.DateTimeField()
    last_seen_at = serializers.DateTimeField(allow_null=True)
    is_current = serializers.SerializerMethodField()

    def get_label(self, session: Any) -> str:
        return device_words(session.user_agent)

    def get_country(self, session: Any) -> str:
        return geography.find_place(session.address).country

    def get_is_current(self, session: Any) -> bool:
        return session.pk == self.context["viewer"].session_id


class SessionPageOut(serializers.Serializer):
    results = SessionOut(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


# Organizations and members


class OrganizationIn(Serializer):
    name = Text(rules.NAME)


class OrganizationChangeIn(Serializer):
    name = Text(rules.NAME, required=False)
    time_zone = TimeZoneField(required=False)


class OrganizationOut(serializers.Serializer):
    id = serializers.UUIDField()
    name = serializers.CharField()
    slug = serializers.CharField()
    time_zone = serializers.CharField()
    role = serializers.ChoiceField(choices=OrganizationRole.choices)
    version = serializers.IntegerField()
    created_at = serializers.DateTimeField()


class OrganizationPageOut(serializers.Serializer):
    results = OrganizationOut(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


class InOrganizationQuery(PageQuery):
    organization = serializers.UUIDField(required=False)


class MemberChangeIn(Serializer):
    role = serializers.ChoiceField(choices=OrganizationRole.choices)


class MemberOut(serializers.Serializer):
    id = serializers.UUIDField()
    organization = serializers.UUIDField(source="organization_id")
    user = serializers.UUIDField(source="user_id")
    name = serializers.CharField(source="user.display_name")
    email = serializers.EmailField(source="user.email")
    is_service = serializers.BooleanField(source="user.is_service", help_text="A program: a service account.")
    role = serializers.ChoiceField(choices=OrganizationRole.choices)
    version = serializers.IntegerField()
    created_at = serializers.DateTimeField()


class TransferIn(Serializer):
    member = serializers.UUIDField(help_text="Who owns the organization from now on.")
    password = serializers.CharField(
        max_length=200, trim_whitespace=False, required=False, help_text="One's own, once more; for those who have one."
    )


class MemberPageOut(serializers.Serializer):
    results = MemberOut(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


class InvitationIn(Serializer):
    organization = serializers.UUIDField()
    email = Mail()
    role = serializers.ChoiceField(choices=OrganizationRole.choices, default=OrganizationRole.MEMBER)
    project = serializers.UUIDField(required=False, allow_null=True)
    project_role = serializers.ChoiceField(choices=ProjectRole.choices, default=ProjectRole.EDITOR)


class InvitationOut(serializers.Serializer):
    id = serializers.UUIDField()
    organization = serializers.UUIDField(source="organization_id")
    email = serializers.EmailField()
    role = serializers.ChoiceField(choices=OrganizationRole.choices)
    project = serializers.UUIDField(source="project_id", allow_null=True)
    expires_at = serializers.DateTimeField()
    accepted_at = serializers.DateTimeField(allow_null=True)
    revoked_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()


class InvitedOut(InvitationOut):
    link = serializers.URLField(help_text="Shown this once; it was mailed as well.")


class InvitationPageOut(serializers.Serializer):
    results = InvitationOut(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


class AcceptIn(Serializer):
    token = serializers.CharField(max_length=200)


# Projects


class ProjectIn(Serializer):
    organization = serializers.UUIDField()
    name = Text(rules.NAME)
    description = Text(rules.TEXT.of(500), required=False)
    access = serializers.ChoiceField(choices=ProjectAccess.choices, required=False)
    beginning = Text(
        rules.NAME.of(100), required=False, help_text="What it begins with: `packs:` and the name of a pack."
    )


class ProjectChangeIn(Serializer):
    name = Text(rules.NAME, required=False)
    description = Text(rules.TEXT.of(500), required=False)
    access = serializers.ChoiceField(choices=ProjectAccess.choices, required=False)


class ProjectQuery(InOrganizationQuery):
    archived = serializers.BooleanField(required=False, default=False)


class ProjectOut(serializers.Serializer):
    id = serializers.UUIDField()
    organization = serializers.UUIDField(source="organization_id")
    name = serializers.CharField()
    description = serializers.CharField()
    access = serializers.ChoiceField(choices=ProjectAccess.choices)
    role = serializers.SerializerMethodField()
    archived_at = serializers.DateTimeField(allow_null=True)
    version = serializers.IntegerField()
    created_at = serializers.DateTimeField()

    def get_role(self, project: Any) -> str:
        return self.context["role_in"](project)


class ProjectPageOut(serializers.Serializer):
    results = ProjectOut(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


class ProjectMemberIn(Serializer):
    role = serializers.ChoiceField(choices=ProjectRole.choices)


class ProjectPersonOut(serializers.Serializer):
    id = serializers.UUIDField()
    name = serializers.CharField()
    role = serializers.ChoiceField(choices=ProjectRole.choices)


class ProjectPeopleOut(serializers.Serializer):
    results = ProjectPersonOut(many=True)


# Audit


class AuditFilters(Serializer):
    organization = serializers.UUIDField()
    action = serializers.CharField(required=False, max_length=100)
    outcome = serializers.ChoiceField(choices=AuditOutcome.choices, required=False)
    person = serializers.UUIDField(
        required=False, help_text="Who did it: the id of somebody, not the pseudonym that entries tell as `actor`."
    )
    since = serializers.DateTimeField(required=False)
    until = serializers.DateTimeField(required=False)

    @classmethod
    def filters(cls, query: dict[str, Any]) -> dict[str, Any]:
        """As ``selectors.list_audit`` takes them."""
        kept = {name: query.get(name) for name in ("action", "outcome", "since", "until")}
        return kept | {"organization_id": query["organization"], "person_id": query.get("person")}


class AuditQuery(AuditFilters, PageQuery):
    pass


class AccessReviewQuery(Serializer):
    organization = serializers.UUIDField()


class ProjectRightOut(serializers.Serializer):
    project = serializers.UUIDField(source="project_id")
    name = serializers.CharField(source="project")
    role = serializers.ChoiceField(choices=ProjectRole.choices, allow_null=True)
    ways = serializers.ListField(child=serializers.ChoiceField(choices=Way.choices))
    denied = serializers.ChoiceField(
        choices=Permission.choices, allow_null=True, help_text="The least that a denial takes away, and all above it."
    )


class KeyUseOut(serializers.Serializer):
    id = serializers.UUIDField()
    name = serializers.CharField()
    created_at = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField(allow_null=True)
    expires_at = serializers.DateTimeField(allow_null=True)
    findings = serializers.ListField(child=serializers.ChoiceField(choices=Finding.choices))


class GivenOut(serializers.Serializer):
    name = serializers.CharField(help_text="Stable, for programs.")
    title = serializers.CharField()
    count = serializers.IntegerField()


class ReviewedOut(serializers.Serializer):
    user = serializers.UUIDField(source="user_id")
    name = serializers.CharField()
    email = serializers.CharField()
    is_service = serializers.BooleanField()
    role = serializers.ChoiceField(choices=OrganizationRole.choices)
    last_seen_at = serializers.DateTimeField(allow_null=True)
    projects = ProjectRightOut(many=True)
    keys = KeyUseOut(many=True)
    findings = serializers.ListField(child=serializers.ChoiceField(choices=Finding.choices))
    is_operator = serializers.BooleanField()
    has_second_factor = serializers.BooleanField()
    identities = serializers.ListField(
        child=serializers.CharField(), help_text="Identity providers through which they sign in."
    )
    given = GivenOut(many=True, help_text="What they have beside roles in projects, as far as there is any.")


class AccessReviewOut(serializers.Serializer):
    people = ReviewedOut(many=True)
    invitations = InvitationOut(many=True, help_text="Open ones: who may come, and as what.")


class AuditExportQuery(AuditFilters):
    format = serializers.ChoiceField(choices=AuditFormat.choices, default=AuditFormat.CSV)


class AuditEntryOut(serializers.Serializer):
    id = serializers.UUIDField()
    number = serializers.IntegerField()
    occurred_at = serializers.DateTimeField()
    action = serializers.CharField()
    outcome = serializers.ChoiceField(choices=AuditOutcome.choices)
    actor_kind = serializers.CharField()
    actor = serializers.UUIDField(allow_null=True, help_text="A pseudonym, the same for all entries of a person.")
    actor_name = serializers.SerializerMethodField()
    key = serializers.UUIDField(source="key_id", allow_null=True)
    subject_type = serializers.CharField()
    subject = serializers.UUIDField(source="subject_id", allow_null=True)
    details = serializers.JSONField()
    correlation_id = serializers.CharField()
    digest = serializers.SerializerMethodField()

    def get_actor_name(self, entry: Any) -> str | None:
        person = self.context["people"].get(entry.actor)
        return person.name if person else None

    def get_digest(self, entry: Any) -> str:
        return bytes(entry.digest).hex()


class AuditPageOut(serializers.Serializer):
    results = AuditEntryOut(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)
