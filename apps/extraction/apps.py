from __future__ import annotations

from datetime import timedelta

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

HINT_AFTER = timedelta(seconds=5)


class ExtractionConfig(AppConfig):
    name = "apps.extraction"
    label = "extraction"
    verbose_name = _("Records")

    def ready(self) -> None:
        from apps.accounts.types import SYSTEM
        from apps.core import preferences
        from apps.core.coordinator import register_lost_hints, register_sweep
        from apps.core.doors.below_messages import BelowMessages, below_messages
        from apps.core.doors.consumers import Consumer, consumers
        from apps.core.doors.menu import MenuEntry, menu
        from apps.core.doors.search_sources import search_sources
        from apps.core.doors.settings import Level, Setting
        from apps.core.doors.topics import topics
        from apps.extraction import bulk, commands, erasers, exporters, invariants, references, services, tools
        from apps.extraction.meaning import EMBEDDING_MODEL
        from apps.extraction.pages.wish_cards import below
        from apps.extraction.policies import can_write_records
        from apps.extraction.receivers import (
            FORGOTTEN,
            are_pointed_to,
            follow_target,
            forget_words,
            hear_posted,
            look_beside,
            read_posted,
            were_beside_others,
        )
        from apps.extraction.search import RecordSearch
        from apps.extraction.selectors import list_due_runs
        from apps.extraction.topics import CollectionTopic, ExtractionTopic
        from apps.extraction.types import ASK_MISSING, EVERY_MESSAGE
        from apps.extraction.wish_selectors import list_due_wishes
        from apps.extraction.wish_types import WISHES_FROM_WORDS

        for each in (bulk, erasers, exporters, invariants, references, tools):
            each.register()
        search_sources.register("records", RecordSearch())
        register_sweep("deleted records", 600, lambda: services.erase_deleted(actor=SYSTEM))
        register_sweep("decided suggestions", 3600, lambda: services.forget_decided(actor=SYSTEM))
        register_sweep("readings of operations", 60, lambda: services.fail_left_lying(actor=SYSTEM))
        register_sweep("suggestions of older schemas", 30, lambda: services.bring_proposals(actor=SYSTEM))
        register_sweep("shapes of records", 30, lambda: services.reshape_records(actor=SYSTEM))
        register_sweep("numbers of records", 10, lambda: services.add_up_tallies(actor=SYSTEM))
        register_sweep("vectors that are due", 10, lambda: services.hint_vectors(actor=SYSTEM))
        register_sweep("records without vectors", 60, lambda: services.queue_vectors(actor=SYSTEM))
        register_lost_hints("extraction.extract", lambda: list_due_runs(older_than=HINT_AFTER))
        commands.register()
        topics.register("extraction", ExtractionTopic())
        topics.register("collection", CollectionTopic())
        menu.register(
            "extraction", MenuEntry(_("Records"), "extraction:list", icon="table-2", order=30, also=("/record/",))
        )
        menu.register("extraction.review", MenuEntry(_("To review"), "extraction:review", "circle-check", order=31))
        reading = MenuEntry(
            _("Reading for records"),
            "extraction:settings_reading",
            "table-2",
            place="settings",
            order=48,
            group="projects",
        )
        menu.register("extraction.reading", reading)
        below_messages.register(
            "extraction",
            BelowMessages(
                do="extract",
                icon="table-2",
                of_message=_("Suggest records"),
                of_file=_("Suggest records from the file"),
                of_conversation=_("Suggest records from all of it"),
                is_offered=can_write_records,
                read=below,
            ),
        )
        posted = frozenset({"conversations.message_posted"})
        consumers.register("extraction.posted", Consumer("extraction.posted", read_posted, types=posted, from_now=True))
        consumers.register("extraction.forgotten", Consumer("extraction.forgotten", forget_words, types=FORGOTTEN))
        consumers.register("extraction.wishes", Consumer("extraction.wishes", hear_posted, types=posted, from_now=True))
        consumers.register(
            "extraction.beside",
            Consumer(
                "extraction.beside",
                look_beside,
                types=frozenset({"extraction.record_created"}),
                order="parallel",
                from_now=True,
                pick=were_beside_others,
            ),
        )
        consumers.register(
            "extraction.targets",
            Consumer(
                "extraction.targets",
                follow_target,
                types=frozenset({"extraction.record_deleted", "extraction.record_restored"}),
                order="parallel",
                from_now=True,
                pick=are_pointed_to,
            ),
        )
        register_lost_hints("extraction.read_wish", lambda: list_due_wishes(older_than=HINT_AFTER))
        preferences.register(
            Setting(
                WISHES_FROM_WORDS,
                bool,
                default=True,
                title=_("Offer to make records or a collection when somebody asks for them in a conversation"),
                help=_(
                    "Words that sound like it are read by the default model. Nothing is made until somebody confirms it."
                ),
                levels=(Level.ORGANIZATION, Level.PROJECT),
            )
        )
        preferences.register(
            Setting(
                EMBEDDING_MODEL,
                str,
                default="",
                title=_("Model that says which records mean nearly the same"),
                help=_(
                    "As provider/name, of one that has /v1/embeddings; empty: none. What records say is sent to it, which costs, "
                    "and helps to find duplicates."
                ),
                levels=(Level.ORGANIZATION, Level.PROJECT),
            )
        )
        preferences.register(
            Setting(
                EVERY_MESSAGE,
                bool,
                default=False,
                title=_("Suggest records from every message"),
                help=_(
                    "Each message that a person posts is read by the default model, which costs. Sensitive ones are not."
                ),
                levels=(Level.PROJECT,),
            )
        )
        preferences.register(
            Setting(
                ASK_MISSING,
                bool,
                default=True,
                title=_("Ask in the conversation for what a suggested record lacks"),
                help=_("What people answer is read by the default model. Switched off, the cards say what is missing."),
                levels=(Level.ORGANIZATION, Level.PROJECT),
            )
        )
