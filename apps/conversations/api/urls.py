from __future__ import annotations

from django.urls import path

from apps.conversations.api import sharing, streams, views

urlpatterns = [
    path("conversations/", views.ConversationListView.as_view(), name="conversations_list"),
    path("conversations/import/", views.ConversationImportView.as_view(), name="conversations_import"),
    path("conversations/<uuid:conversation_id>/", views.ConversationView.as_view(), name="conversations_detail"),
    path(
        "conversations/<uuid:conversation_id>/messages/", views.MessageListView.as_view(), name="conversations_messages"
    ),
    path(
        "conversations/<uuid:conversation_id>/turns/", views.ConversationTurnsView.as_view(), name="conversations_turns"
    ),
    path("conversations/<uuid:conversation_id>/fork/", views.ConversationForkView.as_view(), name="conversations_fork"),
    path(
        "conversations/<uuid:conversation_id>/branches/",
        views.ConversationBranchesView.as_view(),
        name="conversations_branches",
    ),
    path(
        "conversations/<uuid:conversation_id>/restore/",
        views.ConversationRestoreView.as_view(),
        name="conversations_restore",
    ),
    path("conversations/<uuid:conversation_id>/read/", views.ConversationReadView.as_view(), name="conversations_read"),
    path(
        "conversations/<uuid:conversation_id>/access/",
        sharing.ConversationAccessView.as_view(),
        name="conversations_access",
    ),
    path(
        "conversations/<uuid:conversation_id>/participants/",
        sharing.ParticipantListView.as_view(),
        name="conversations_participants",
    ),
    path(
        "conversations/<uuid:conversation_id>/participants/<uuid:user_id>/",
        sharing.ParticipantView.as_view(),
        name="conversations_participant",
    ),
    path(
        "conversations/<uuid:conversation_id>/participants/teams/<uuid:team_id>/",
        sharing.TeamParticipantView.as_view(),
        name="conversations_participant_team",
    ),
    path(
        "conversations/<uuid:conversation_id>/denials/",
        sharing.DenialListView.as_view(),
        name="conversations_denials",
    ),
    path(
        "conversations/<uuid:conversation_id>/denials/<uuid:denial_id>/",
        sharing.DenialView.as_view(),
        name="conversations_denial",
    ),
    path("conversations/<uuid:conversation_id>/share/", sharing.LinkListView.as_view(), name="conversations_share"),
    path(
        "conversations/<uuid:conversation_id>/share/<uuid:link_id>/",
        sharing.LinkView.as_view(),
        name="conversations_share_link",
    ),
    path(
        "conversations/<uuid:conversation_id>/share/<uuid:link_id>/renew/",
        sharing.LinkRenewView.as_view(),
        name="conversations_share_renew",
    ),
    path("shared/<str:token>/", sharing.SharedView.as_view(), name="shared"),
    path(
        "conversations/<uuid:conversation_id>/commands/",
        views.ConversationCommandsView.as_view(),
        name="conversations_commands",
    ),
    path(
        "conversations/<uuid:conversation_id>/export/",
        views.ConversationExportView.as_view(),
        name="conversations_export",
    ),
    path("messages/<uuid:message_id>/", views.MessageView.as_view(), name="messages_detail"),
    path("messages/<uuid:message_id>/restore/", views.MessageRestoreView.as_view(), name="messages_restore"),
    path("messages/<uuid:message_id>/edit/", views.MessageEditView.as_view(), name="messages_edit"),
    path("messages/<uuid:message_id>/sensitive/", views.MessageSensitiveView.as_view(), name="messages_sensitive"),
    path("messages/<uuid:message_id>/regenerate/", views.MessageRegenerateView.as_view(), name="messages_regenerate"),
    path("messages/<uuid:message_id>/continue/", views.MessageContinueView.as_view(), name="messages_continue"),
    path("turns/<uuid:turn_id>/", views.TurnView.as_view(), name="turns_detail"),
    path("turns/<uuid:turn_id>/stop/", views.TurnStopView.as_view(), name="turns_stop"),
    path("turns/<uuid:turn_id>/events/", streams.TurnEventsView.as_view(), name="turns_events"),
]
