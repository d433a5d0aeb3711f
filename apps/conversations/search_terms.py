"""What somebody typed, as PostgreSQL looks for it.

The index was cut by its parser: an address, the name of a file or a number with a point is one piece there, and an identifier
is several. So each piece of what is asked goes through the same parser (``to_tsquery``), beside the single words.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from apps.core.folding import folded

MAX_TERMS = 12
MAX_PIECE = 200
# Words that say nothing about a message; left out unless the query has no others. English and German.
STOP = frozenset(
    [
        "a",
        "an",
        "and",
        "are",
        "as",
        "at",
        "be",
        "but",
        "by",
        "for",
        "from",
        "has",
        "have",
        "he",
        "her",
        "his",
        "how",
        "i",
        "if",
        "in",
        "is",
        "it",
        "its",
        "me",
        "my",
        "not",
        "of",
        "on",
        "or",
        "our",
        "she",
        "so",
        "than",
        "that",
        "the",
        "their",
        "them",
        "then",
        "there",
        "they",
        "this",
        "to",
        "was",
        "we",
        "were",
        "what",
        "when",
        "where",
        "which",
        "who",
        "why",
        "will",
        "with",
        "you",
        "your",
        "aber",
        "als",
        "am",
        "an",
        "auch",
        "auf",
        "aus",
        "bei",
        "das",
        "dass",
        "dem",
        "den",
        "der",
        "des",
        "die",
        "du",
        "ein",
        "eine",
        "einem",
        "einen",
        "einer",
        "er",
        "es",
        "für",
        "haben",
        "hat",
        "ich",
        "ihr",
        "im",
        "in",
        "ist",
        "ja",
        "kann",
        "kein",
        "mit",
        "nach",
        "nicht",
        "noch",
        "nur",
        "oder",
        "sein",
        "sich",
        "sie",
        "sind",
        "so",
        "und",
        "uns",
        "von",
        "war",
        "was",
        "wenn",
        "wer",
        "wie",
        "wir",
        "wird",
        "zu",
        "zum",
        "zur",
    ]
)
_WORD = re.compile(r"\w+")
# Around a piece, not in it: (`report.pdf`), "INV-1234", example.com. A path begins with its slash.
_AROUND = "\"'`´“”„‚‘’«»()[]{}<>,;:!?…*~|."  # noqa: RUF001  (marks as people type them)


def terms(text: str) -> list[str]:
    """First what stands between blanks and is more than a word (the name of a file, an address, a number), then the words."""
    text = unicodedata.normalize("NFC", text).lower()
    pieces = (each.strip(_AROUND) for each in text.split())
    whole = dict.fromkeys(each for each in pieces if _WORD.search(each) and not _WORD.fullmatch(each))
    words = list(dict.fromkeys(_WORD.findall(text)))[: MAX_TERMS * 3]
    telling = [word for word in words if word not in STOP]
    kept = [each for each in whole if len(each) <= MAX_PIECE and each.isprintable()]
    return kept[:MAX_TERMS] + (telling or words)[:MAX_TERMS]


def title_words(text: str) -> list[str]:
    """What stands between blanks, without accents: a title has to hold each, in any order. As in messages, words that say nothing are
    left out unless there are no others.
    """
    pieces = (each.strip(_AROUND) or each for each in unicodedata.normalize("NFC", text).lower().split())
    asked = list(dict.fromkeys(pieces))
    telling = [each for each in asked if each not in STOP] or asked
    return [word for each in telling[:MAX_TERMS] if (word := folded(each).strip())]


def tsquery(asked: Sequence[str]) -> str:
    """``terms`` joined by OR, for ``to_tsquery``, without their accents as the index has them. The last word is a prefix, since it may still be being typed; so is a piece that ends
    with it, but for those with hyphens or underscores, of which each part would be one (``e-mail``: all words with e). What follows a hyphen was
    taken for a negative number (``INV-1234``).
    """
    asked = [folded(each) for each in asked]
    last = asked[-1]
    found = []
    for each in asked:
        is_open = (each is last or (each.endswith(last) and not _WORD.fullmatch(each))) and not {"-", "_"} & set(each)
        found.append(_quoted(each) + (":*" if is_open else ""))
    return " | ".join([*found, *(_quoted(f"-{each}") for each in asked if each.isdecimal())])


def pattern(asked: Sequence[str]) -> str:
    """Where one of the ``terms`` stands in a long text, as PostgreSQL's regular expressions say it: about there an excerpt is taken."""
    found = [re.escape(folded(each)) for each in asked]
    return rf"\m(?:{'|'.join(found)})\M|\m{found[-1]}"


def _quoted(term: str) -> str:
    return "'" + term.replace("'", "''").replace("\\", "\\\\") + "'"
