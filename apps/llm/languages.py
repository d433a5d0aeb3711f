"""Guesses the language of a text from its commonest words and letters: enough to choose a voice or a model, no more."""

from __future__ import annotations

import re

_WORD = re.compile(r"[^\W\d_]+")
_COMMON = {
    "en": "the and of to is in that it you for was with are this have not but on be as what how can",
    "de": "der die und ist das nicht ein eine zu den mit sich auf für wie auch es ich sie wir von dem im wird bei",
    "fr": "le la les et des est une dans que pour qui pas sur vous nous avec ce du je au par plus comment",
    "es": "el los las que una por con para como pero más del está esto son se su muy qué yo hay en es",
    "it": "il che di non una per sono con come più della questo gli anche ma nel alla ho mi è si lo",
    "pt": "que não uma com para os como mais por dos mas ao são você isso em um as da do é se",
    "nl": "het een van dat niet zijn voor met op aan maar ook dit bij naar wat hoe ik je en de is te",
}
_SCRIPTS = (
    ("ja", re.compile(r"[\u3040-\u30ff]")),
    ("ko", re.compile(r"[\uac00-\ud7af]")),
    ("zh", re.compile(r"[\u4e00-\u9fff]")),
    ("ar", re.compile(r"[\u0600-\u06ff]")),
    ("he", re.compile(r"[\u0590-\u05ff]")),
    ("el", re.compile(r"[\u0370-\u03ff]")),
    ("ru", re.compile(r"[\u0400-\u04ff]")),
    ("hi", re.compile(r"[\u0900-\u097f]")),
    ("th", re.compile(r"[\u0e00-\u0e7f]")),
)
_SETS = {language: frozenset(words.split()) for language, words in _COMMON.items()}
_LOOKED_AT = 5000
_SHARE_OF_SCRIPT = 0.2


def language_of(text: str) -> str | None:
    """ISO 639-1, or None when nothing speaks for one language."""
    beginning = text[:_LOOKED_AT]
    letters = sum(character.isalpha() for character in beginning)
    if not letters:
        return None
    for language, script in _SCRIPTS:
        if len(script.findall(beginning)) > letters * _SHARE_OF_SCRIPT:
            return language
    words = [word.lower() for word in _WORD.findall(beginning)]
    scores = {language: sum(word in common for word in words) for language, common in _SETS.items()}
    best = max(scores, key=lambda language: scores[language])
    others = [score for language, score in scores.items() if language != best]
    return best if scores[best] > max(others) else None
