"""Every column that names a person is told to them on request and forgotten when they are erased, or a reason says why not."""

import ast

import pytest
from django.apps import apps

from apps.accounts.models import User
from tests.architecture import tree

ACCOUNTS = ("apps/accounts/services/personal.py", "apps/accounts/services/erasure.py")
FILES = ("apps/files/erasers.py", "apps/files/services.py")
CONVERSATIONS = ("apps/conversations/portability.py", "apps/conversations/portability.py")

AUTHOR = "what they did to others' things: the row stays, and its author is anonymous"
WORDS = "leaves with the conversation it belongs to"
UNUSED = "the table of a library that nothing writes"
LINK = "links them to the audit log, which says so; deleted on erasure"
#: Collections and records belong to their project.
RECORDS = ("extraction.Collection.deleted_by", "extraction.Record.created_by", "extraction.Record.deleted_by")
DECIDED = (
    "extraction.CollectionSchema.made_by",
    "extraction.RecordRevision.author",
    "extraction.RecordMerge.merged_by",
    "extraction.RecordMerge.undone_by",
    "extraction.Duplicate.decided_by",
    "extraction.ExtractionRun.requested_by",
    "extraction.Proposal.decided_by",
    "extraction.Wish.requested_by",
    "extraction.Wish.decided_by",
)

WORKFLOWS = (
    "workflows.Definition.deleted_by",
    "workflows.DefinitionVersion.made_by",
    "workflows.Run.requested_by",
    "workflows.Secret.kept_by",
    "workflows.Start.armed_by",
    "workflows.Choice.decided_by",
    "workflows.ChoiceAnswer.person",
    "workflows.Approval.person",
)

#: Where the rows of a column are read for the person. In words: why they are not.
TOLD: dict[str, str] = {
    **dict.fromkeys(
        [
            "accounts.OrganizationMember.user",
            "accounts.TeamMember.user",
            "accounts.ServiceAccount.user",
            "accounts.ServiceAccount.created_by",
            "accounts.Invitation.invited_by",
            "accounts.Invitation.accepted_by",
            "accounts.ProjectMember.user",
            "accounts.Denial.user",
            "accounts.SignInAttempt.user",
            "accounts.ApiKey.user",
            "accounts.UserSession.user",
            "accounts.SignInLink.user",
            "accounts.SignInLink.used_by",
            "accounts.CodeGuess.user",
            "accounts.Device.user",
            "account.EmailAddress.user",
            "mfa.Authenticator.user",
            "socialaccount.SocialAccount.user",
        ],
        ACCOUNTS[0],
    ),
    "files.File.owner": FILES[0],
    **dict.fromkeys(
        [
            "extraction.CollectionReader.user",
            "extraction.RecordView.owner",
            "extraction.RecordComment.author",
            "extraction.TemplateRevision.author",
            *DECIDED,
        ],
        "apps/extraction/erasers.py",
    ),
    **dict.fromkeys(
        [
            "conversations.Conversation.owner",
            "conversations.Participation.user",
            "conversations.Message.author",
            "conversations.ConversationGrant.user",
            "conversations.ConversationDenial.user",
            "conversations.ShareLink.created_by",
        ],
        CONVERSATIONS[0],
    ),
    "accounts.Denial.denied_by": AUTHOR,
    "bulk.Operation.confirmed_by": AUTHOR,
    "bulk.Operation.requested_by": "apps/bulk/erasers.py",
    "packs.PackInstallation.installed_by": "apps/packs/exporters.py",
    **dict.fromkeys(WORKFLOWS, "apps/workflows/erasers.py"),
    **dict.fromkeys(RECORDS, AUTHOR),
    "conversations.Conversation.deleted_by": AUTHOR,
    "conversations.Message.deleted_by": AUTHOR,
    "conversations.ConversationGrant.granted_by": AUTHOR,
    "conversations.TeamGrant.granted_by": AUTHOR,
    "conversations.ConversationDenial.denied_by": AUTHOR,
    "conversations.ShareLink.revoked_by": AUTHOR,
    "conversations.TitleRequest.requested_by": WORDS,
    "conversations.Turn.requested_by": WORDS,
    "conversations.Turn.stopped_by": WORDS,
    "accounts.Pseudonym.user": LINK,
    "accounts.User_groups.user": UNUSED,
    "accounts.User_user_permissions.user": UNUSED,
    "guardian.UserObjectPermission.user": UNUSED,
    "admin.LogEntry.user": "the audit log is where operators' acts are",
}

#: Where the rows of a column are deleted or emptied. In words: why they stay.
FORGOTTEN: dict[str, str] = {
    **dict.fromkeys(
        [
            "accounts.OrganizationMember.user",
            "accounts.TeamMember.user",
            "accounts.ServiceAccount.user",
            "accounts.Invitation.accepted_by",
            "accounts.ProjectMember.user",
            "accounts.Denial.user",
            "accounts.SignInAttempt.user",
            "accounts.ApiKey.user",
            "accounts.UserSession.user",
            "accounts.SignInLink.user",
            "accounts.CodeGuess.user",
            "accounts.Device.user",
            "accounts.Pseudonym.user",
            "account.EmailAddress.user",
            "mfa.Authenticator.user",
            "socialaccount.SocialAccount.user",
        ],
        ACCOUNTS[1],
    ),
    "files.File.owner": FILES[1],
    "extraction.CollectionReader.user": "apps/extraction/erasers.py",
    "extraction.RecordView.owner": "apps/extraction/erasers.py",
    "extraction.RecordComment.author": AUTHOR,
    "extraction.TemplateRevision.author": AUTHOR,
    **dict.fromkeys(
        [
            "conversations.Conversation.owner",
            "conversations.Participation.user",
            "conversations.ConversationGrant.user",
            "conversations.ConversationDenial.user",
            "conversations.ShareLink.created_by",
        ],
        CONVERSATIONS[1],
    ),
    "accounts.ServiceAccount.created_by": AUTHOR,
    "accounts.Invitation.invited_by": AUTHOR,
    "accounts.SignInLink.used_by": "a link that claimed the installation: when, and by a row that is anonymous",
    "accounts.Denial.denied_by": AUTHOR,
    "bulk.Operation.confirmed_by": AUTHOR,
    "bulk.Operation.requested_by": AUTHOR,
    "packs.PackInstallation.installed_by": AUTHOR,
    **dict.fromkeys(WORKFLOWS, AUTHOR),
    **dict.fromkeys((*RECORDS, *DECIDED), AUTHOR),
    "conversations.Conversation.deleted_by": AUTHOR,
    "conversations.Message.author": AUTHOR,
    "conversations.Message.deleted_by": AUTHOR,
    "conversations.ConversationGrant.granted_by": AUTHOR,
    "conversations.TeamGrant.granted_by": AUTHOR,
    "conversations.ConversationDenial.denied_by": AUTHOR,
    "conversations.ShareLink.revoked_by": AUTHOR,
    "conversations.TitleRequest.requested_by": AUTHOR,
    "conversations.Turn.requested_by": AUTHOR,
    "conversations.Turn.stopped_by": AUTHOR,
    "accounts.User_groups.user": UNUSED,
    "accounts.User_user_permissions.user": UNUSED,
    "guardian.UserObjectPermission.user": UNUSED,
    "admin.LogEntry.user": UNUSED,
}


def columns_of_people():
    return {
        f"{model._meta.label}.{field.name}"
        for model in apps.get_models(include_auto_created=True)
        for field in model._meta.get_fields()
        if field.concrete
        and (field.many_to_one or field.one_to_one)
        and field.related_model is User
        and not model.__module__.startswith("tests.")
    }


@pytest.mark.parametrize("table", [TOLD, FORGOTTEN], ids=["told", "forgotten"])
def test_every_column_that_names_a_person_is_spoken_for(table):
    assert sorted(columns_of_people() - table.keys()) == []
    assert sorted(table.keys() - columns_of_people()) == []


@pytest.mark.parametrize("table", [TOLD, FORGOTTEN], ids=["told", "forgotten"])
def test_the_place_that_is_named_speaks_of_the_table(table):
    """By the name of its model."""
    missing = []
    for column, place in table.items():
        if place.endswith(".py"):
            names = {node.id for node in ast.walk(tree.parsed(tree.ROOT / place)) if isinstance(node, ast.Name)}
            if column.split(".")[1] not in names:
                missing.append((column, place))

    assert missing == []
