"""Pages of conversations and the fragments that scripts fetch."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views import View

from apps.accounts import places
from apps.accounts import selectors as accounts
from apps.agents.answerers import chosen_answerer, list_answerers
from apps.conversations import policies, selectors, services, turn_order
from apps.conversations.downloads import EXTENSIONS, download
from apps.conversations.models import Conversation
from apps.conversations.pages.below import offered, shown_below
from apps.conversations.pages.completions import list_commands, list_mentions, list_references
from apps.conversations.pages.people import people_context
from apps.conversations.pages.presentation import message_view, message_views
from apps.conversations.pages.tabs import OWN, get_tab, shown_tabs
from apps.conversations.transfer_archive import opened
from apps.conversations.types import ImportRefused, ListFilter, ParentElsewhere
from apps.core.api import Order, Page, page_url
from apps.core.errors import NotFound
from apps.core.events import topic_position
from apps.files.types import EmptyFile, FileRefused, FileTooLarge, QuotaReached

ZERO = UUID(int=0)
WINDOW = 50


class PageView(LoginRequiredMixin, View):
    """``conversation_of`` answers 404 to strangers and tells the shell which project this is."""

    def conversation_of(self, request: HttpRequest, conversation_id: UUID) -> Conversation:
        found = selectors.get_conversation(conversation_id=conversation_id, viewer=request.actor)  # type: ignore[attr-defined]
        # None for who was let into this one conversation: nothing of the project is theirs to see.
        shown = accounts.visible_projects(request.actor).select_related("organization")  # type: ignore[attr-defined]
        request.project = shown.filter(pk=found.project_id).first()  # type: ignore[attr-defined]
        role = accounts.role_in(request.actor, request.project) if request.project else None  # type: ignore[attr-defined]
        request.role = role  # type: ignore[attr-defined]
        request.access = selectors.access_of(found, role)  # type: ignore[attr-defined]
        request.offers = offered(request.actor, role)  # type: ignore[attr-defined]
        return found


class ConversationPage(PageView):
    def get(self, request: HttpRequest, conversation_id: UUID) -> HttpResponse:
        conversation = self.conversation_of(request, conversation_id)
        places.stay_in(request, conversation.project_id)
        context = _page_context(request, conversation)
        services.mark_read(
            actor=request.actor,  # type: ignore[attr-defined]
            conversation_id=conversation.pk,
            number=conversation.last_number,
        )
        return render(request, "conversations/page.html", context)


def _page_context(request: HttpRequest, conversation: Conversation) -> dict[str, Any]:
    viewer = request.actor  # type: ignore[attr-defined]
    position = topic_position(conversation.topic)
    own = selectors.active_leaf(conversation=conversation, user_id=viewer.user_id)
    leaf = _leaf(request, conversation, own)
    window = _window(request, conversation, leaf, before=_wanted(request, conversation))
    project = request.project  # type: ignore[attr-defined]
    rows = window["messages"]
    answerers = list_answerers(viewer, project) if project else []
    access = request.access  # type: ignore[attr-defined]
    mine = selectors.find_participation(conversation=conversation, user_id=viewer.user_id)
    return window | {
        "conversation": conversation,
        "of_project": project,
        "topic_position": position,
        "leaf_id": leaf,
        **_branch(conversation, leaf, own),
        "zero_id": ZERO,
        "can_write": policies.can_post(viewer, conversation, access=access) and conversation.archived_at is None,
        "can_manage": policies.can_change(viewer, conversation, access=access),
        "can_mark_all": (policies.can_share if conversation.is_sensitive else policies.can_change)(
            viewer, conversation, access=access
        ),
        "is_all_sensitive": conversation.is_sensitive,
        "is_sensitive_next": conversation.is_sensitive or bool(rows and rows[-1].is_sensitive),
        "is_pinned": bool(mine and mine.pinned_at),
        "offers": request.offers,  # type: ignore[attr-defined]
        "answerers": answerers,
        "answerer": chosen_answerer(answerers, agent_id=conversation.agent_id, model_id=conversation.model_id),
        "current_conversation": conversation.pk,
        "context_tabs": shown_tabs(viewer, request.role),  # type: ignore[attr-defined]
        "context_tab": "details",
        "context_template": "conversations/_context_details.html",
    }


def _leaf(request: HttpRequest, conversation: Conversation, own: UUID | None) -> UUID | None:
    """``?leaf=`` or ``?message=`` (a search hit, a copied link) names what is shown; otherwise one's own path."""
    try:
        seen = UUID(request.GET.get("leaf") or request.GET.get("message") or "")
        return selectors.end_of_branch(conversation=conversation, viewer=request.actor, seen_id=seen)  # type: ignore[attr-defined]
    except (ValueError, ParentElsewhere):
        return own


def _branch(conversation: Conversation, leaf: UUID | None, own: UUID | None) -> dict[str, Any]:
    """What a page says of the branch it shows: that it is not one's own, or that the conversation goes on on another one."""
    is_own = leaf == own
    return {
        "branch_id": None if is_own else leaf,
        "goes_on_elsewhere": is_own and not conversation.is_linear and own != conversation.head_id,
    }


def _wanted(request: HttpRequest, conversation: Conversation) -> int | None:
    """A link to one message opens the window that holds it."""
    try:
        number = selectors.find_number(conversation=conversation, message_id=UUID(request.GET.get("message", "")))
    except ValueError:
        return None
    return number + WINDOW // 2 if number else None


def _window(
    request: HttpRequest,
    conversation: Conversation,
    leaf: UUID | None,
    *,
    before: int | None = None,
    after: int | None = None,
    limit: int = WINDOW,
) -> dict[str, Any]:
    viewer = request.actor  # type: ignore[attr-defined]
    if before is None and after is None:
        before = conversation.last_number + 1
    rows = selectors.list_path(conversation=conversation, leaf_id=leaf, before=before, after=after, limit=limit + 1)
    has_more = len(rows) > limit
    if has_more:
        rows = rows[-limit:] if before is not None else rows[:limit]
    siblings = selectors.sibling_ids(conversation=conversation, rows=rows)
    views = message_views(
        rows,
        viewer=viewer,
        conversation=conversation,
        access=request.access,  # type: ignore[attr-defined]
        siblings=siblings,
        places=turn_order.places_of([row.turn for row in rows if row.turn is not None]),
        offers=request.offers,  # type: ignore[attr-defined]
        below=shown_below(viewer, rows, siblings),
        readable=selectors.find_in_messages(viewer, rows),
    )
    has_older = has_more if before is not None else bool(rows and rows[0].number > 1)
    started = {"name": conversation.owner.display_name, "at": conversation.created_at}
    return {"messages": views, "has_older": has_older, "started": started}


class MessagesFragment(PageView):
    def get(self, request: HttpRequest, conversation_id: UUID) -> HttpResponse:
        conversation = self.conversation_of(request, conversation_id)
        viewer = request.actor  # type: ignore[attr-defined]
        seen = _uuid(request, "leaf")
        leaf = selectors.end_of_branch(conversation=conversation, viewer=viewer, seen_id=seen)
        own = selectors.active_leaf(conversation=conversation, user_id=viewer.user_id) if seen else leaf
        limit = min(_number(request, "limit") or WINDOW, 100)
        context = _window(
            request, conversation, leaf, before=_number(request, "before"), after=_number(request, "after"), limit=limit
        )
        context |= {"conversation": conversation, **_branch(conversation, leaf, own)}
        return render(request, "conversations/_messages.html", context)


def _number(request: HttpRequest, name: str) -> int | None:
    raw = request.GET.get(name, "")
    return int(raw) if raw.isdecimal() and len(raw) < 10 else None  # noqa: PLR2004


def _uuid(request: HttpRequest, name: str) -> UUID | None:
    try:
        return UUID(request.GET.get(name, ""))
    except ValueError:
        return None


class MessageFragment(PageView):
    def get(self, request: HttpRequest, conversation_id: UUID, message_id: UUID) -> HttpResponse:
        conversation = self.conversation_of(request, conversation_id)
        viewer = request.actor  # type: ignore[attr-defined]
        message = selectors.get_message(message_id=message_id, viewer=viewer)
        if message.conversation_id != conversation.pk:
            raise NotFound
        siblings = selectors.sibling_ids(conversation=conversation, rows=[message])
        view = message_view(
            message,
            viewer=viewer,
            conversation=conversation,
            access=request.access,  # type: ignore[attr-defined]
            siblings=siblings.get(message.pk, ()),
            offers=request.offers,  # type: ignore[attr-defined]
            below=shown_below(viewer, [message], siblings).get(message.pk, ()),
            readable=selectors.find_in_messages(viewer, [message]),
        )
        return render(request, "conversations/_message.html", {"message": view, "conversation": conversation})


class ContextFragment(PageView):
    def get(self, request: HttpRequest, conversation_id: UUID, tab: str) -> HttpResponse:
        conversation = self.conversation_of(request, conversation_id)
        viewer, role = request.actor, request.role  # type: ignore[attr-defined]
        context: dict[str, Any] = {"conversation": conversation}
        if tab not in OWN:
            brought = get_tab(tab, viewer, role)
            context |= brought.read(viewer, conversation.pk, conversation.project_id)
            return render(request, brought.template, context)
        if tab == "people":
            context |= people_context(
                conversation=conversation,
                project=request.project,  # type: ignore[attr-defined]
                viewer=viewer,
                access=request.access,  # type: ignore[attr-defined]
            )
        return render(request, f"conversations/_context_{tab}.html", context)


class NewCommandsFragment(PageView):
    """What may follow a slash, before there is a conversation."""

    def get(self, request: HttpRequest) -> JsonResponse:
        return JsonResponse(list_commands(is_new=True), safe=False)


class CommandsFragment(PageView):
    def get(self, request: HttpRequest, conversation_id: UUID) -> JsonResponse:
        self.conversation_of(request, conversation_id)
        return JsonResponse(list_commands(), safe=False)


class NewMentionsFragment(PageView):
    def get(self, request: HttpRequest) -> JsonResponse:
        if (project := places.find_project(request)) is None:
            raise NotFound
        return JsonResponse(list_mentions(project, viewer=request.actor), safe=False)  # type: ignore[attr-defined]


class MentionsFragment(PageView):
    def get(self, request: HttpRequest, conversation_id: UUID) -> JsonResponse:
        conversation = self.conversation_of(request, conversation_id)
        project, viewer = request.project, request.actor  # type: ignore[attr-defined]
        found = list_mentions(project, viewer=viewer, conversation=conversation) if project else []
        return JsonResponse(found, safe=False)


class NewReferencesFragment(PageView):
    """What may follow a ``#``, by what was typed of it."""

    def get(self, request: HttpRequest) -> JsonResponse:
        if (project := places.find_project(request)) is None:
            raise NotFound
        return _references(request, project)


class ReferencesFragment(PageView):
    def get(self, request: HttpRequest, conversation_id: UUID) -> JsonResponse:
        self.conversation_of(request, conversation_id)
        return _references(request, request.project)  # type: ignore[attr-defined]


def _references(request: HttpRequest, project: Any) -> JsonResponse:
    typed = request.GET.get("q", "")[:100]
    found = list_references(project, viewer=request.actor, typed=typed) if project else []  # type: ignore[attr-defined]
    return JsonResponse(found, safe=False)


class ConversationListPage(PageView):
    VIEWS = ("active", "pinned", "archived", "deleted")

    def get(self, request: HttpRequest) -> HttpResponse:
        viewer = request.actor  # type: ignore[attr-defined]
        project = places.find_project(request)
        current = request.GET.get("view", "active")
        if current not in self.VIEWS:
            current = "active"
        q = request.GET.get("q", "")[:200]
        only = ListFilter(
            project_id=project.pk if project else None,
            q=q,
            archived=None if current == "deleted" else current == "archived",
            deleted=current == "deleted",
            pinned=True if current == "pinned" else None,
        )
        rows = selectors.list_conversations(viewer=viewer, only=only).select_related("owner")
        page = Page.of(
            rows, order=Order("last_activity_at"), cursor=request.GET.get("cursor"), limit=WINDOW, or_nearest=True
        )
        labels = {
            "active": _("All"),
            "pinned": _("Pinned"),
            "archived": _("Archived"),
            "deleted": _("Deleted"),
        }
        context = {
            "project": project,
            "conversations": page.results,
            "views": [{"name": name, "label": labels[name]} for name in self.VIEWS],
            "current_view": current,
            "q": q,
            "next_url": page_url(request, page.next),
            "previous_url": page_url(request, page.previous),
        }
        return render(request, "conversations/list.html", context)


class SavePage(PageView):
    """What the API answers to programs, with refusals that people can read and leave."""

    def get(self, request: HttpRequest, conversation_id: UUID) -> HttpResponseBase:
        self.conversation_of(request, conversation_id)
        wanted = request.GET.get("format", "markdown")
        if wanted not in EXTENSIONS:
            raise NotFound
        return download(
            request,
            actor=request.actor,  # type: ignore[attr-defined]
            conversation_id=conversation_id,
            export_format=wanted,
        )


class ImportPage(PageView):
    """A file that was saved as JSON or ZIP, here or elsewhere, becomes a conversation of the project one is in."""

    def post(self, request: HttpRequest) -> HttpResponse:
        if (project := places.find_project(request)) is None:
            raise NotFound
        try:
            if (file := request.FILES.get("file")) is None:
                raise ImportRefused(_("Choose a file that was saved as JSON or ZIP."))
            with opened(file.file) as package:
                made = services.import_conversation(
                    actor=request.actor,  # type: ignore[attr-defined]
                    project_id=project.pk,
                    document=package.document,
                    contents=package.contents,
                )
        except (ImportRefused, EmptyFile, FileRefused, FileTooLarge, QuotaReached) as error:
            messages.error(request, error.detail)
            return redirect("conversations:list")
        return redirect("conversations:page", made.pk)


class RestorePage(PageView):
    def post(self, request: HttpRequest, conversation_id: UUID) -> HttpResponse:
        services.restore_conversation(actor=request.actor, conversation_id=conversation_id)  # type: ignore[attr-defined]
        return HttpResponseRedirect(reverse("conversations:page", kwargs={"conversation_id": conversation_id}))
