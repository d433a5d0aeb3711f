"""Words that scripts say. They reach the page as one JSON block, so that scripts are translated like everything else."""

from __future__ import annotations

from functools import lru_cache

from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.utils.translation import ngettext as choose

# A number that stands for each plural category of CLDR; scripts choose with ``Intl.PluralRules``.
CATEGORIES = {"zero": 0, "one": 1, "two": 2, "few": 3, "many": 11, "other": 100}


def ngettext(one: str, other: str) -> dict[str, str]:
    """All forms of a sentence with a number. Called so because ``makemessages`` finds plurals by that name."""
    return {category: choose(one, other, number) for category, number in CATEGORIES.items()}


def strings() -> dict[str, str | dict[str, str]]:
    """Those of the language that is active, put together once."""
    return _strings(get_language())


@lru_cache(maxsize=128)
def _strings(_language: str | None) -> dict[str, str | dict[str, str]]:
    return {
        "sending": _("Sending"),
        "unsent": _("Not sent: you are offline. It is kept here and goes out when you are back."),
        # Why comes from the server as a sentence of its own.
        "goes_at": _("%(why)s It is kept here and goes out at %(time)s."),
        "waiting_worker": _("Waiting for a worker"),
        "waiting_place": ngettext("Waiting, %(count)s before it", "Waiting, %(count)s before it"),
        "waiting_you": _("Waiting for you"),
        "thinking": _("Thinking"),
        "thoughts": _("Thoughts"),
        "writing": _("Writing"),
        "running": _("Running"),
        "done": _("Done"),
        "is_writing": _("%(name)s is writing"),
        "answer_finished": ngettext("Answer finished, %(count)s word", "Answer finished, %(count)s words"),
        "answer_stopped": _("Answer stopped"),
        "answer_failed": _("Answer failed"),
        "typing_one": _("%(name)s is typing"),
        "typing_many": ngettext("%(name)s and %(count)s other are typing", "%(name)s and %(count)s others are typing"),
        "here": _("Here: %(names)s."),
        "away": _("Away: %(names)s."),
        "only_you": _("Here: only you"),
        "more_people": ngettext("%(count)s more", "%(count)s more"),
        "seconds": _("%(seconds)s s"),
        "tokens": ngettext("%(count)s token", "%(count)s tokens"),
        "copied": _("Copied"),
        "copy": _("Copy"),
        "copy_code": _("Copy code"),
        "copy_failed": _("The browser refused the clipboard. Select the text and copy it."),
        "copy_selected": _("The browser refused the clipboard. It is selected: copy it with the keyboard or the menu."),
        "code": _("Code"),
        "table": _("Table"),
        "more_lines": ngettext("Show %(count)s more line", "Show %(count)s more lines"),
        "fewer_lines": _("Show fewer lines"),
        "retry_in": ngettext("Trying again in %(count)s s", "Trying again in %(count)s s"),
        "back_online": _("Back online."),
        "came_in": ngettext("%(count)s message came in.", "%(count)s messages came in."),
        "yours_sent": ngettext("%(count)s of yours was sent.", "%(count)s of yours were sent."),
        "no_matches": _("Nothing found"),
        # Messages, not places in them: that is what the arrows step through.
        "match_of": _("Message %(index)s of %(count)s"),
        "match_of_newest": _("Message %(index)s of the best %(count)s"),
        "results": ngettext("%(count)s result", "%(count)s results"),
        "new_words": _("New words"),
        "over_limit": _("%(count)s characters are more than a message holds (%(limit)s). Attach the text as a file."),
        "pasted_file": _("pasted-text.txt"),
        "uploading": _("Uploading, %(done)s of %(total)s"),
        "file_too_big": _("Larger than %(limit)s"),
        "too_many_files": ngettext("Only %(count)s file fits in a message.", "Only %(count)s files fit in a message."),
        "uploads_failed": _("A file could not be attached. Remove it, then send."),
        "uploads_pending": _("Files are still on their way. Send again when they are there."),
        "remove_file": _("Remove %(name)s"),
        "agents_models": _("Assistants and models"),
        "people": _("People"),
        "commands": _("Commands"),
        "unknown_command": _("There is no command /%(name)s. Type /help for the list."),
        "pinned": _("Pinned."),
        "unpinned": _("No longer pinned."),
        "pin": _("Pin"),
        "unpin": _("Unpin"),
        "message_deleted": _("Message deleted."),
        "not_with_this": _("That cannot be done with this message."),
        "marked_sensitive": _("Sealed. It is in no search and behind no share link."),
        "unmarked_sensitive": _("No longer sensitive."),
        "conversation_deleted": _("Conversation deleted."),
        "renamed": _("Renamed."),
        "saved": _("Saved."),
        "records_new": ngettext("%(count)s new record", "%(count)s new records"),
        "record_deleted": _("Deleted meanwhile"),
        "rows_changed": ngettext("%(count)s row changed", "%(count)s rows changed"),
        "invited": _("%(name)s sees this conversation now."),
        "uninvited": _("%(name)s no longer sees this conversation."),
        "made_private": _("Only the people listed here see it now."),
        "made_shared": _("Everybody in the project sees it now."),
        "made_linkable": _("Whoever has a link can read it now. Make the first one below."),
        "link_renewed": _("Shared again: the link shows what is here now."),
        "link_withdrawn": _("The link opens nothing any more."),
        "kept_out": _("Kept out."),
        "let_in": _("Let in again."),
        "undo": _("Undo"),
        "field_moved": _("Field %(place)s of %(count)s"),
        "field_removed": _("Field taken away."),
        "field_of": _("%(field)s of %(title)s"),
        "take_away": _("Take %(title)s away"),
        "changed_meanwhile": _("Somebody changed this meanwhile. The newest state is shown; try again."),
        "link_copied": _("Link copied."),
        "not_sent": _("Not sent: the server does not answer. It is kept here and goes out when the server is back."),
        "request_failed": _("The server did not answer. Nothing was changed."),
        "signed_out": _("You are signed out. Sign in again in another tab; what you wrote is kept here."),
        "being_read": _("Being read. What is found comes below the words."),
        "selection_not_found": _(
            "These words are not found in the message. Select fewer of them, or take the whole message."
        ),
        "decided_by_other": _("%(name)s decided this meanwhile."),
        "decided_meanwhile": _("Somebody decided this while you were typing. Your values: %(values)s"),
        "your_values": _("Yours were: %(values)s"),
        "some_left": ngettext("%(count)s could not be accepted: %(why)s", "%(count)s could not be accepted: %(why)s"),
        "not_json": _("This is not JSON. Quotes or a bracket may be missing."),
        "draft_kept": _("What you did not save is here. It is kept in this browser until you save it."),
        "draft_behind": _(
            "What you did not save is here. Somebody has saved another version since: compare before you save."
        ),
        "discard": _("Discard"),
        "in_line": _("Line %(line)s: %(text)s"),
        "version_number": _("Version %(number)s"),
        "version_saved": _("Saved as version %(count)s. Runs that begin from now on follow it."),
        "today": _("Today"),
        "stopping": _("Stopping"),
        "new_conversation": _("New conversation"),
        "earlier_loaded": ngettext("%(count)s earlier message", "%(count)s earlier messages"),
    }
