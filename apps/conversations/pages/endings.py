"""How an answer ended, in words."""

from __future__ import annotations

from django.utils.translation import gettext as _

from apps.conversations.models import Turn


def reason_text(turn: Turn | None) -> str:
    """What happened, what is safe, what to do next; for every code a turn can end with."""
    code = turn.reason if turn else ""
    texts = {
        "worker_lost": _("The worker that wrote this answer stopped. What you see was kept. Continue, or retry."),
        "shutdown": _("The server was restarted while this was written. What you see was kept. Continue, or retry."),
        "auth": _("The provider refused the key. An admin can enter a new one in the settings."),
        "rate_limited": _(
            "The provider takes no more requests at the moment. Retry in a while, or choose another model."
        ),
        "overloaded": _("The provider is overloaded. Retry in a while, or choose another model."),
        "timeout": _("The model did not begin to answer in time. Retry, or choose another model."),
        "provider_stalled": _("The model fell silent while it was writing. What came is kept."),
        "provider_disconnected": _(
            "The provider closed the connection while the model was writing. What came is kept."
        ),
        "provider_protocol": _("The provider sent something that is no answer. Retry, or choose another model."),
        "empty": _("The model answered with nothing. Nothing was charged. Retry."),
        "without_words": _(
            "The model asked for tools again and again and said nothing. Retry, or choose another model."
        ),
        "content": _("The provider refused to answer this."),
        "context_length": _(
            "This is more than the model can read at once, without earlier messages, too. Choose a model with more context, or send less at once."
        ),
        "network": _("The provider could not be reached. Retry, or choose another model."),
        "budget": _("The budget of the organization is used up for this month. An admin can raise it."),
        "no_model": _("No model is connected. An admin can connect one in the settings."),
        "forbidden": _("Whoever asked may no longer write here, so no model was asked."),
        "internal_error": _("This failed on our side. The question is kept. Retry."),
    }
    return texts.get(code, _("The answer could not be written. The question is kept. Retry, or choose another model."))
