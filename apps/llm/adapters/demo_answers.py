"""What the demo says: rules over the messages, in English or German. Pure functions.

The texts are the demo's own words, not labels of the page, so they are kept here in both languages and not in the catalogue.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from apps.core.markup import plain_line
from apps.llm.adapters import demo_rules
from apps.llm.types import KnowledgeContent, NeutralMessage, Role, ToolResultContent, ToolSpec

_WORDS = {
    "en": {
        "who": "This is the **demo**: no model is connected, so these words come from rules and not from a model.",
        "asked": "You wrote: “{text}”",
        "next": "**What comes next:** write `/extract`. Then records are suggested from these words, each value with the words it comes from, and you decide about each.",
        "can": "What you can try here:",
        "items": (
            "ask for `code` or for a `table` and see how they look",
            "stop this answer, continue it, or try it again",
            "add a provider in the settings: then a real model answers",
        ),
        "code": "Here is some code:",
        "greeting": "Hello",
        "table": "Here is a table:",
        "head": ("Step", "What happens", "Where"),
        "rows": (
            ("1", "You send a message", "conversation"),
            ("2", "A model answers, word by word", "stream"),
            ("3", "Everyone sees the same", "every screen"),
        ),
        "quote": "The documents given to me say:",
        "calls": "You asked for a tool, so I call `{name}`.",
        "result": "The tool answered:",
    },
    "de": {
        "who": "Das ist die **Demo**: Es ist kein Modell verbunden, diese Worte stammen aus Regeln und nicht von einem Modell.",
        "asked": "Sie schrieben: „{text}“",
        "next": "**So geht es weiter:** Schreiben Sie `/extract`. Dann werden aus diesen Worten Datensätze vorgeschlagen, jeder Wert mit den Worten, aus denen er stammt, und Sie entscheiden über jeden.",
        "can": "Das können Sie hier ausprobieren:",
        "items": (
            "nach `Code` oder nach einer `Tabelle` fragen und sehen, wie sie aussehen",
            "diese Antwort anhalten, fortsetzen oder noch einmal versuchen",
            "in den Einstellungen einen Anbieter eintragen: Dann antwortet ein echtes Modell",
        ),
        "code": "Hier ist etwas Code:",
        "greeting": "Hallo",
        "table": "Hier ist eine Tabelle:",
        "head": ("Schritt", "Was geschieht", "Wo"),
        "rows": (
            ("1", "Sie senden eine Nachricht", "Gespräch"),
            ("2", "Ein Modell antwortet, Wort für Wort", "Strom"),
            ("3", "Alle sehen dasselbe", "jeder Bildschirm"),
        ),
        "quote": "In den Dokumenten, die mir vorliegen, steht:",
        "calls": "Sie haben nach einem Werkzeug gefragt, also rufe ich `{name}` auf.",
        "result": "Das Werkzeug antwortete:",
    },
}
_LONGEST_ECHO = 200
_TITLE_WORDS = 8
_CODE = re.compile(r"\b(code|python|function|script|snippet|programm?|funktion|skript)\b", re.IGNORECASE)
_TABLE = re.compile(r"\b(table|tabelle|tabular)\b", re.IGNORECASE)
_WORD = re.compile(r"\w{3,}")
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_DATE = re.compile(r"\b(\d{4}-\d{2}-\d{2}|\d{1,2}\.\d{1,2}\.\d{4}|\d{1,2}/\d{1,2}/\d{4})\b")
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]*\w")
_NUMBER = re.compile(r"-?\d+(?:[.,]\d+)?")
_AGE = re.compile(
    r"\b(?:aged?|is|ist)\s+(\d{1,3})\b|\b(\d{1,3})[ -](?:years?|jahre?)\b|\b(?:age|alter):?\s*(\d{1,3})\b",
    re.IGNORECASE,
)
_CALLED = re.compile(
    r"(?:my name is|i am|i'm|name:|called|ich heiße|ich bin|mein name ist)\s+((?:[A-ZÄÖÜ][\w'-]+\s?){1,3})",
    re.IGNORECASE,
)
_NAME = re.compile(r"\b[A-ZÄÖÜ][a-zäöüß'-]+(?:\s+[A-ZÄÖÜ][a-zäöüß'-]+)+\b")
_QUOTED = re.compile(r"[\"“„']([^\"”“']{1,200})[\"”“']")


def answer(
    messages: Sequence[NeutralMessage],
    *,
    language: str,
    tool: tuple[str, dict[str, object]] | None,
    has_records: bool = False,
) -> str:
    """``has_records``: there are collections that what was said can become records of."""
    words = _WORDS["de" if language.lower().startswith("de") else "en"]
    if tool:
        return f"{words['who']}\n\n{str(words['calls']).format(name=tool[0])}\n"
    asked = last_person(messages)
    blocks = [] if _has_said(messages, str(words["who"])) else [str(words["who"])]
    if results := _results(messages):
        blocks += [str(words["result"]), *(_fenced(result) for result in results)]
    if passages := _quotes(asked, messages):
        blocks += [str(words["quote"]), *passages]
    if asked:
        shown = " ".join(asked.split())
        shown = shown[:_LONGEST_ECHO] + ("…" if len(shown) > _LONGEST_ECHO else "")
        blocks.append(str(words["asked"]).format(text=shown.replace("`", "'")))
    if _CODE.search(asked):
        greeting = words["greeting"]
        code = f'def greet(name: str) -> str:\n    return f"{greeting}, {{name}}!"\n\n\nprint(greet("Parlance"))'
        blocks += [str(words["code"]), f"```python\n{code}\n```"]
    if _TABLE.search(asked):
        blocks += [str(words["table"]), _table(words["head"], words["rows"])]
    if has_records and asked:
        blocks.append(str(words["next"]))
    blocks += [str(words["can"]), "\n".join(f"- {item}" for item in words["items"])]
    return "\n\n".join(blocks) + "\n"


def title(messages: Sequence[NeutralMessage]) -> str:
    """The first words of what the person said first."""
    said = next((m.text for m in messages if m.role is Role.USER and m.text.strip()), "Demo")
    # A prompt that asks for a title may quote the conversation: its last line that says something is what was said.
    words = next(filter(None, map(plain_line, reversed(said.splitlines()))), "Demo").split()
    begin = " ".join(words[:_TITLE_WORDS])
    if len(words) > _TITLE_WORDS:
        return begin.rstrip(".,;:- ") + "…"
    return begin.rstrip(".,;:!?") or "Demo"


def wanted_tool(asked: str, tools: Sequence[ToolSpec], *, must: str | None) -> tuple[str, dict[str, object]] | None:
    if must == "none":
        return None
    lower = asked.lower()
    for tool in tools:
        if tool.name == must or tool.name.lower() in lower or tool.name.lower().replace("_", " ") in lower:
            return tool.name, extracted_from(asked, tool.parameters)
    if must == "required":
        return tools[0].name, extracted_from(asked, tools[0].parameters)
    return None


def extracted(messages: Sequence[NeutralMessage], schema: Mapping[str, Any]) -> dict[str, object]:
    text = last_person(messages)
    return demo_rules.extract(text, schema) if demo_rules.is_envelope(schema) else extracted_from(text, schema)


def extracted_from(text: str, schema: Mapping[str, Any]) -> dict[str, object]:
    """One object of ``schema`` by rules; what is not found is None where the schema allows it, else an empty value."""
    properties = schema.get("properties")
    if not isinstance(properties, Mapping):
        return {}
    required = schema.get("required", [])
    found: dict[str, object] = {}
    for name, rule in properties.items():
        value = _value(str(name).lower(), rule if isinstance(rule, Mapping) else {}, text)
        if value is not None or name in required:
            found[name] = value
    return found


def _value(name: str, rule: Mapping[str, Any], text: str) -> object:
    kinds = rule.get("type", "string")
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if choices := rule.get("enum"):
        return next((choice for choice in choices if str(choice).lower() in text.lower()), choices[0])
    if "array" in kinds:
        items = rule.get("items", {})
        return _all_names(text) if "name" in name else [_value(name, items, text)]
    if "object" in kinds:
        return extracted_from(text, rule)
    if "boolean" in kinds:
        return any(word in text.lower() for word in ("yes", "true", "ja", name))
    if "integer" in kinds or "number" in kinds:
        number = _age(text) if "age" in name or "alter" in name else _number(text)
        if number is None:
            return None if "null" in kinds else 0
        return int(number) if "integer" in kinds else number
    value = _string(name, str(rule.get("format", "")), text)
    return value if value or "null" in kinds else ""


def _string(name: str, form: str, text: str) -> str | None:
    if "mail" in name or form == "email":
        return _first(_EMAIL, text)
    if "date" in name or "datum" in name or form == "date":
        return _first(_DATE, text)
    if "name" in name:
        named = _CALLED.search(text)
        return named.group(1).strip() if named else _first(_NAME, text)
    quoted = _QUOTED.search(text)
    return quoted.group(1) if quoted else text.strip()[:500] or None


def _first(pattern: re.Pattern[str], text: str) -> str | None:
    found = pattern.search(text)
    return found.group(0) if found else None


def _age(text: str) -> float | None:
    found = _AGE.search(text)
    return float(next(group for group in found.groups() if group)) if found else _number(text)


def _number(text: str) -> float | None:
    found = _first(_NUMBER, text)
    return float(found.replace(",", ".")) if found else None


def _all_names(text: str) -> list[str]:
    return list(dict.fromkeys(_NAME.findall(text)))


def last_person(messages: Sequence[NeutralMessage]) -> str:
    return next((m.text for m in reversed(messages) if m.role is Role.USER and m.text.strip()), "")


def _has_said(messages: Sequence[NeutralMessage], words: str) -> bool:
    """In an earlier round of the same answer: since somebody spoke last."""
    for message in reversed(messages):
        if message.role is Role.USER and message.text.strip():
            return False
        if message.role is Role.ASSISTANT and words in message.text:
            return True
    return False


def _results(messages: Sequence[NeutralMessage]) -> list[str]:
    """The results that came after the last words of a person."""
    results: list[str] = []
    for message in reversed(messages):
        given = [part.content for part in message.parts if isinstance(part, ToolResultContent)]
        if not given and message.role is Role.USER:
            break
        results = given + results
    return results


def _quotes(asked: str, messages: Sequence[NeutralMessage]) -> list[str]:
    """From each passage the sentence that shares most words with the question; at most three, the best first."""
    wanted = {word.lower() for word in _WORD.findall(asked)}
    scored = []
    for message in messages:
        for part in message.parts:
            if isinstance(part, KnowledgeContent):
                sentences = [s.strip() for s in _SENTENCE.split(part.text) if s.strip()] or [part.text]
                best = max(sentences, key=lambda s: len(wanted & {w.lower() for w in _WORD.findall(s)}))
                score = len(wanted & {word.lower() for word in _WORD.findall(best)})
                scored.append((score, f"> {best[:400]}\n>\n> — {part.title} [{part.id}]"))
    scored.sort(key=lambda pair: -pair[0])
    return [quote for _score, quote in scored[:3]]


def _fenced(text: str) -> str:
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}\n{text[:2000]}\n{fence}"


def _table(head: Any, rows: Any) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
