"""Shapes of teams, denials and service accounts."""

from __future__ import annotations

from rest_framework import serializers

from apps.accounts.explanations import LayerKind
from apps.accounts.types import OrganizationRole, Permission, ProjectRole
from apps.core import rules
from apps.core.api import Serializer
from apps.core.rule_fields import Text


class TeamIn(Serializer):
    organization = serializers.UUIDField()
    name = Text(rules.NAME)
    description = Text(rules.TEXT.of(500), required=False)


class TeamChangeIn(Serializer):
    name = Text(rules.NAME, required=False)
    description = Text(rules.TEXT.of(500), required=False)


class TeamOut(serializers.Serializer):
    id = serializers.UUIDField()
    organization = serializers.UUIDField(source="organization_id")
    name = serializers.CharField()
    description = serializers.CharField()
    version = serializers.IntegerField()
    created_at = serializers.DateTimeField()


class TeamPageOut(serializers.Serializer):
    results = TeamOut(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


class TeamMemberIn(Serializer):
    is_manager = serializers.BooleanField(required=False, help_text="A manager of the team says who else is in it.")


class TeamMemberOut(serializers.Serializer):
    id = serializers.UUIDField(source="user_id")
    name = serializers.CharField(source="user.display_name")
    is_service = serializers.BooleanField(source="user.is_service")
    is_manager = serializers.BooleanField()


class TeamMembersOut(serializers.Serializer):
    results = TeamMemberOut(many=True)


class ProjectTeamOut(serializers.Serializer):
    id = serializers.UUIDField(source="team_id")
    name = serializers.CharField(source="team.name")
    role = serializers.ChoiceField(choices=ProjectRole.choices)


class ProjectTeamsOut(serializers.Serializer):
    results = ProjectTeamOut(many=True)


class AccessDenialIn(Serializer):
    organization = serializers.UUIDField()
    user = serializers.UUIDField(required=False, allow_null=True, help_text="Either a person or a team.")
    team = serializers.UUIDField(required=False, allow_null=True)
    project = serializers.UUIDField(
        required=False, allow_null=True, help_text="Without one: in every project of the organization."
    )
    permission = serializers.ChoiceField(choices=Permission.choices, default=Permission.VIEW)
    reason = Text(rules.TEXT.of(300), required=False)
    expires_at = serializers.DateTimeField(required=False, allow_null=True)


class AccessDenialOut(serializers.Serializer):
    id = serializers.UUIDField()
    organization = serializers.UUIDField(source="organization_id")
    user = serializers.UUIDField(source="user_id", allow_null=True)
    team = serializers.UUIDField(source="team_id", allow_null=True)
    project = serializers.UUIDField(source="project_id", allow_null=True)
    permission = serializers.ChoiceField(choices=Permission.choices)
    reason = serializers.CharField()
    expires_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()


class AccessDenialPageOut(serializers.Serializer):
    results = AccessDenialOut(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


SERVICE_ROLES = [choice for choice in OrganizationRole.choices if choice[0] != OrganizationRole.OWNER]


class ServiceAccountIn(Serializer):
    organization = serializers.UUIDField()
    name = Text(rules.NAME)
    description = Text(rules.TEXT.of(500), required=False)
    role = serializers.ChoiceField(choices=SERVICE_ROLES, default=OrganizationRole.MEMBER)


class ServiceAccountChangeIn(Serializer):
    name = Text(rules.NAME, required=False)
    description = Text(rules.TEXT.of(500), required=False)


class ServiceAccountOut(serializers.Serializer):
    id = serializers.UUIDField()
    organization = serializers.UUIDField(source="organization_id")
    user = serializers.UUIDField(
        source="user_id", help_text="What it acts as: the author, the member, the holder of keys."
    )
    name = serializers.CharField(source="user.name")
    description = serializers.CharField()
    role = serializers.ChoiceField(choices=OrganizationRole.choices)
    disabled_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    version = serializers.IntegerField()


class ServiceAccountPageOut(serializers.Serializer):
    results = ServiceAccountOut(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


# What somebody leaves


class HeirQuery(Serializer):
    heir = serializers.UUIDField(
        required=False, help_text="Who gets what the person leaves: a user. Without it: the caller, else an owner."
    )


class HeirIn(Serializer):
    heir = serializers.UUIDField(
        required=False, allow_null=True, help_text="A user. Without it: the caller, else an owner."
    )


class LeftProjectOut(serializers.Serializer):
    id = serializers.UUIDField()
    name = serializers.CharField()


class BelongingsOut(serializers.Serializer):
    projects = LeftProjectOut(many=True, help_text="Those that nobody else was added to as a manager.")
    things = serializers.DictField(
        child=serializers.IntegerField(), help_text="How many of each kind others see. Private ones are never counted."
    )


class HandedOut(serializers.Serializer):
    handed = serializers.DictField(
        child=serializers.IntegerField(), help_text="How many of each kind have a new owner."
    )


# Why somebody can, or cannot


class AccessQuery(Serializer):
    user = serializers.UUIDField(help_text="About whom: somebody of the organization.")


class LayerOut(serializers.Serializer):
    kind = serializers.ChoiceField(choices=LayerKind.choices)
    name = serializers.CharField(help_text="Whose it is: a team, a place; or the role's own name.", allow_blank=True)
    gives = serializers.CharField(allow_null=True, help_text="A role; in a conversation `view` or `post`.")
    takes = serializers.ChoiceField(
        choices=Permission.choices, allow_null=True, help_text="The least that a denial takes away."
    )
    until = serializers.DateTimeField(allow_null=True)


class AccessOut(serializers.Serializer):
    user = serializers.UUIDField(source="user_id")
    name = serializers.CharField()
    role = serializers.ChoiceField(
        choices=ProjectRole.choices, allow_null=True, help_text="What is left. Null: no access."
    )
    layers = LayerOut(many=True)
