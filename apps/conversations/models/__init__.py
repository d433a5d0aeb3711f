"""Tables of conversations: what is said, and who may see it."""

from apps.conversations.models.conversations import (
    Attachment,
    Conversation,
    Message,
    Participation,
    TitleRequest,
    Turn,
)
from apps.conversations.models.sharing import (
    ConversationDenial,
    ConversationGrant,
    ShareLink,
    TeamGrant,
    members_of,
    places_in,
    teams_in,
    teams_of,
)

__all__ = [
    "Attachment",
    "Conversation",
    "ConversationDenial",
    "ConversationGrant",
    "Message",
    "Participation",
    "ShareLink",
    "TeamGrant",
    "TitleRequest",
    "Turn",
    "members_of",
    "places_in",
    "teams_in",
    "teams_of",
]
