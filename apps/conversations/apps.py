from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ConversationsConfig(AppConfig):
    name = "apps.conversations"
    label = "conversations"
    verbose_name = _("Conversations")

    def ready(self) -> None:
        from apps.conversations import invariants, metrics, portability, resealing, tasks  # noqa: F401  (registers the jobs)
        from apps.conversations.file_access import allowed_files, let_files_go, shown_files, used_files, uses_of_files
        from apps.conversations.receivers import follow_rule, welcome, withdraw_unproved
        from apps.conversations.search import MessageSearch, TitleSearch
        from apps.conversations.selectors.turns import count_asked
        from apps.conversations.services import commands
        from apps.conversations.sweeps import (
            delete_what_nobody_came_back_for,
            erase_what_nobody_restored,
            find_lost_titles,
            find_words_to_seal,
            forget_links_that_ended,
            hint_queued_turns,
            reap_lost_turns,
        )
        from apps.conversations.topics import ConversationTopic
        from apps.conversations.types import ALL_SENSITIVE, KEEP_LEFT_DAYS, SHARE_LINKS
        from apps.conversations.worker import count_places
        from apps.core import preferences
        from apps.core.coordinator import register_lost_hints, register_sweep
        from apps.core.doors.answers import AskedAnswers, asked_answers
        from apps.core.doors.consumers import Consumer, consumers
        from apps.core.doors.file_access import FileAccess, file_access
        from apps.core.doors.menu import MenuEntry, menu
        from apps.core.doors.places import Places, places
        from apps.core.doors.sealed import SealedPlace, sealed_places
        from apps.core.doors.search_sources import search_sources
        from apps.core.doors.settings import Level, Setting
        from apps.core.doors.topics import topics
        from apps.core.leases import RENEW_SECONDS

        register_sweep("lost turns", 5, reap_lost_turns, settle_seconds=3 * RENEW_SECONDS)
        register_sweep("waiting turns", 3, hint_queued_turns)
        register_sweep("deleted conversations", 600, erase_what_nobody_restored)
        register_lost_hints("conversations.write_title", find_lost_titles)
        register_sweep("share links that ended", 3600, forget_links_that_ended)
        register_sweep("conversations of people who left", 3600, delete_what_nobody_came_back_for)
        register_lost_hints("conversations.seal_messages", find_words_to_seal)
        sealed_places.register("conversations.messages", SealedPlace(resealing.count_old, resealing.reseal))
        asked_answers.register("conversations", AskedAnswers("conversations", count_asked))
        places.register("conversations.turns", Places("conversations.turns", count_places))
        commands.register()
        invariants.register()
        metrics.register()
        portability.register()
        consumers.register(
            "conversations.welcome",
            Consumer("conversations.welcome", welcome, types=frozenset({"accounts.instance_claimed"})),
        )
        consumers.register(
            "conversations.sensitive",
            Consumer("conversations.sensitive", follow_rule, types=frozenset({"core.setting_changed"})),
        )
        consumers.register(
            "conversations.unproved_links",
            Consumer("conversations.unproved_links", withdraw_unproved, types=frozenset({"accounts.mailbox_proved"})),
        )
        links = MenuEntry(
            _("Share links"), "conversations:settings_links", "link", place="settings", order=46, group="projects"
        )
        menu.register("conversations.links", links)
        preferences.register(
            Setting(
                SHARE_LINKS,
                bool,
                default=True,
                title=_("Conversations may be shared by link"),
                help=_("Switched off, links that are there open nothing."),
                levels=(Level.PLATFORM, Level.ORGANIZATION),
            )
        )
        preferences.register(
            Setting(
                KEEP_LEFT_DAYS,
                int,
                default=90,
                minimum=1,
                maximum=3650,
                title=_("Days for which private conversations of people who left are kept"),
                help=_("Nobody else reads them meanwhile. Who comes back within that time finds them in the archive."),
                levels=(Level.PLATFORM, Level.ORGANIZATION),
            )
        )
        secrecy_entry = MenuEntry(
            _("Sensitive messages"),
            "conversations:settings_sensitive",
            "shield",
            place="settings",
            order=47,
            group="projects",
        )
        menu.register("conversations.sensitive", secrecy_entry)
        preferences.register(
            Setting(
                ALL_SENSITIVE,
                bool,
                default=False,
                title=_("All messages are sensitive"),
                help=_("Their words are sealed in the database, in no search and behind no share link."),
                levels=(Level.ORGANIZATION, Level.PROJECT),
            )
        )
        topics.register("conversation", ConversationTopic())
        search_sources.register("messages", MessageSearch())
        search_sources.register("titles", TitleSearch())
        file_access.register(
            "conversations", FileAccess(allowed_files, used_files, let_files_go, shown_files, uses_of_files)
        )
