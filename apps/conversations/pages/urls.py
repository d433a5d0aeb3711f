from __future__ import annotations

from django.urls import path

from apps.conversations.pages import links, secrecy, shared, views

app_name = "conversations"
urlpatterns = [
    path("conversations/", views.ConversationListPage.as_view(), name="list"),
    path("conversations/commands/", views.NewCommandsFragment.as_view(), name="new_commands"),
    path("conversations/mentions/", views.NewMentionsFragment.as_view(), name="new_mentions"),
    path("conversations/references/", views.NewReferencesFragment.as_view(), name="new_references"),
    path("conversations/import/", views.ImportPage.as_view(), name="import"),
    path("conversations/<uuid:conversation_id>/restore/", views.RestorePage.as_view(), name="restore"),
    path("settings/links/", links.LinksSettings.as_view(), name="settings_links"),
    path("settings/sensitive/", secrecy.SecrecySettings.as_view(), name="settings_sensitive"),
    path("s/<str:token>/", shared.SharedPage.as_view(), name="shared"),
    path("s/<str:token>/files/<uuid:file_id>/", shared.SharedFile.as_view(), name="shared_file"),
    path("s/<str:token>/files/<uuid:file_id>/preview/", shared.SharedPreview.as_view(), name="shared_preview"),
    path("c/<uuid:conversation_id>/", views.ConversationPage.as_view(), name="page"),
    path("c/<uuid:conversation_id>/messages/", views.MessagesFragment.as_view(), name="messages"),
    path("c/<uuid:conversation_id>/messages/<uuid:message_id>/", views.MessageFragment.as_view(), name="message"),
    path("c/<uuid:conversation_id>/context/<slug:tab>/", views.ContextFragment.as_view(), name="context"),
    path("c/<uuid:conversation_id>/save/", views.SavePage.as_view(), name="save"),
    path("c/<uuid:conversation_id>/commands/", views.CommandsFragment.as_view(), name="commands"),
    path("c/<uuid:conversation_id>/mentions/", views.MentionsFragment.as_view(), name="mentions"),
    path("c/<uuid:conversation_id>/references/", views.ReferencesFragment.as_view(), name="references"),
]
