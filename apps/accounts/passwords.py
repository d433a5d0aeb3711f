"""Passwords that are guessed first here, whatever the world's list of common ones says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

SHORTEST_WORD = 4
#: Letters that a password needs beside our words: "Parlance2026!" is the word and what everybody adds to it.
LETTERS_BESIDE = 6


class OwnWordsValidator:
    """Refuses a password that is little more than a word of ours: of the product, of the address, or of the operator's list."""

    def validate(self, password: str, user: Any = None) -> None:
        left, has_word = password.lower(), False
        for word in sorted(own_words(), key=len, reverse=True):
            has_word = has_word or word in left
            left = left.replace(word, " ")
        if has_word and sum(character.isalpha() for character in left) < LETTERS_BESIDE:
            raise ValidationError(_("This password is too common."), code="password_too_common")

    def get_help_text(self) -> str:
        return ""


def own_words() -> Iterator[str]:
    labels = (urlsplit(settings.PARLANCE_URL).hostname or "").split(".")
    for word in {*settings.PARLANCE_PASSWORD_WORDS, *labels}:
        if len(word) >= SHORTEST_WORD:
            yield word.lower()
