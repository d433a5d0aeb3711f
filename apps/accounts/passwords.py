"""Passwords that are guessed first here, whatever the world's list of common ones says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.password_validation import UserAttributeSimilarityValidator
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

SHORTEST_WORD = 4
#: Of a name: "Leo" and "Ann" are words to guess by. Shorter ones count as a part of the whole name only.
SHORTEST_NAME = 3
#: Letters that a password needs beside these words: "Parlance2026!" is the word and what everybody adds to it.
LETTERS_BESIDE = 6


class LikenessValidator(UserAttributeSimilarityValidator):
    """Django's, for the fields that people have here."""

    def __init__(self) -> None:
        super().__init__(user_attributes=("name", "email"))


class OwnWordsValidator:
    """Refuses a password that is little more than a word of ours (the product's, the address's, the operator's list) or of the
    person's own: their name, and what their e-mail address is made of.
    """

    def validate(self, password: str, user: Any = None) -> None:
        ours, theirs = set(own_words()), set(words_of(user))
        left, found = password.lower(), set()
        for word in sorted(ours | theirs, key=len, reverse=True):
            if word in left:
                found.add(word)
                left = left.replace(word, " ")
        if not found or sum(character.isalpha() for character in left) >= LETTERS_BESIDE:
            return
        if found & theirs:
            raise ValidationError(
                _("This password is too similar to your name or address."), code="password_too_similar"
            )
        raise ValidationError(_("This password is too common."), code="password_too_common")

    def get_help_text(self) -> str:
        return ""


def own_words() -> Iterator[str]:
    labels = (urlsplit(settings.PARLANCE_URL).hostname or "").split(".")
    for word in {*settings.PARLANCE_PASSWORD_WORDS, *labels}:
        if len(word) >= SHORTEST_WORD:
            yield word.lower()


def words_of(user: Any) -> Iterator[str]:
    """The words of the person's name and address, and the name written as one word."""
    name = re.findall(r"\w+", (getattr(user, "name", "") or "").lower())
    address = re.findall(r"[^\W_]+", (getattr(user, "email", "") or "").lower())
    for word in {*name, *address, "".join(name)}:
        if len(word) >= SHORTEST_NAME:
            yield word
