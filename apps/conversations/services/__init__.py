"""Every write of conversations, by noun. Each is one function in one transaction."""

from apps.conversations.services.asides import annotate_conversation, annotate_message, say_aside
from apps.conversations.services.commands import describe_commands, run_command
from apps.conversations.services.conversations import (
    archive_conversation,
    change_all,
    change_conversation,
    choose_branch,
    delete_conversation,
    mark_read,
    pin_conversation,
    record_export,
    restore_conversation,
    start_conversation,
)
from apps.conversations.services.erasure import erase_conversation, erase_deleted, erase_words
from apps.conversations.services.forking import fork_conversation
from apps.conversations.services.handover import count_shared, delete_left, hand_over
from apps.conversations.services.imports import import_conversation
from apps.conversations.services.links import (
    MadeLink,
    forget_ended_links,
    make_link,
    renew_link,
    withdraw_link,
    withdraw_link_as_operator,
    withdraw_unproved_links,
)
from apps.conversations.services.messages import (
    Posted,
    continue_answer,
    delete_message,
    edit_message,
    post_message,
    regenerate_answer,
    request_turn,
    restore_message,
)
from apps.conversations.services.secrecy import mark_by_rule, mark_message, seal_messages, unmark_message
from apps.conversations.services.sharing import (
    deny_participant,
    invite_participant,
    lift_denial,
    remove_participant,
)
from apps.conversations.services.titles import claim_title, request_title, title_conversation
from apps.conversations.services.transfer import export_archive, export_json, export_markdown
from apps.conversations.services.turns import (
    checkpoint_turns,
    claim_turn,
    finish_turn,
    reap_turn,
    renew_leases,
    requeue_turn,
    stop_turn,
    stop_turn_as_operator,
)
from apps.conversations.services.welcome import welcome_owner

__all__ = [
    "MadeLink",
    "Posted",
    "annotate_conversation",
    "annotate_message",
    "archive_conversation",
    "change_all",
    "change_conversation",
    "checkpoint_turns",
    "choose_branch",
    "claim_title",
    "claim_turn",
    "continue_answer",
    "count_shared",
    "delete_conversation",
    "delete_left",
    "delete_message",
    "deny_participant",
    "describe_commands",
    "edit_message",
    "erase_conversation",
    "erase_deleted",
    "erase_words",
    "export_archive",
    "export_json",
    "export_markdown",
    "finish_turn",
    "forget_ended_links",
    "fork_conversation",
    "hand_over",
    "import_conversation",
    "invite_participant",
    "lift_denial",
    "make_link",
    "mark_by_rule",
    "mark_message",
    "mark_read",
    "pin_conversation",
    "post_message",
    "reap_turn",
    "record_export",
    "regenerate_answer",
    "remove_participant",
    "renew_leases",
    "renew_link",
    "request_title",
    "request_turn",
    "requeue_turn",
    "restore_conversation",
    "restore_message",
    "run_command",
    "say_aside",
    "seal_messages",
    "start_conversation",
    "stop_turn",
    "stop_turn_as_operator",
    "title_conversation",
    "unmark_message",
    "welcome_owner",
    "withdraw_link",
    "withdraw_link_as_operator",
    "withdraw_unproved_links",
]
