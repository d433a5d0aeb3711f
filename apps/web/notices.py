"""Notices that survive a redirect: as Django keeps them, in a cookie that is bound to this host."""

from __future__ import annotations

from django.conf import settings
from django.contrib.messages.storage.cookie import CookieStorage
from django.contrib.messages.storage.fallback import FallbackStorage
from django.contrib.messages.storage.session import SessionStorage


class NoticeCookie(CookieStorage):
    cookie_name = settings.NOTICE_COOKIE_NAME


class NoticeStorage(FallbackStorage):
    storage_classes = (NoticeCookie, SessionStorage)
