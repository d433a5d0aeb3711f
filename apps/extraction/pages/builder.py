"""The form builder: a collection's fields as lines of a form, and lines as a JSON Schema again."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.core import rules
from apps.core.errors import DomainError, FieldError, Invalid
from apps.extraction import schema, wish_fields
from apps.extraction.models import Collection, Wish
from apps.extraction.pages.values import Column, read, typed
from apps.extraction.pointers import steps
from apps.extraction.schema_forms import FieldForm, FieldKind, from_csv_header, from_fields, name_of, slug_of, to_fields

MOST_LINES = 200
THIS = "."  # stands for the short name of the collection that is being made
_SAMPLES = 50
_KINDS = {
    FieldKind.TEXT: gettext_lazy("Text"),
    FieldKind.LONG_TEXT: gettext_lazy("Long text"),
    FieldKind.INTEGER: gettext_lazy("Whole number"),
    FieldKind.NUMBER: gettext_lazy("Number"),
    FieldKind.BOOLEAN: gettext_lazy("Yes or no"),
    FieldKind.DATE: gettext_lazy("Date"),
    FieldKind.DATE_TIME: gettext_lazy("Date and time"),
    FieldKind.TIME: gettext_lazy("Time of day"),
    FieldKind.EMAIL: gettext_lazy("E-mail address"),
    FieldKind.URL: gettext_lazy("Web address"),
    FieldKind.CHOICE: gettext_lazy("Choice"),
    FieldKind.RELATION: gettext_lazy("Another record"),
    FieldKind.OTHER: gettext_lazy("As its JSON Schema says"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One field as the form has it. ``origin`` is its name before, empty for a new one."""

    key: str = "new"
    origin: str = ""
    title: str = ""
    name: str = ""
    kind: str = FieldKind.TEXT
    help: str = ""
    is_list: bool = False
    required: bool = False
    needed: bool = False
    unique: bool = False
    choices: str = ""
    relation: str = ""
    default: str = ""
    aliases: str = ""
    error: str = ""

    @property
    def kinds(self) -> list[tuple[str, Any]]:
        """What the field can become; what the form has no place for stays what it is."""
        return [(kind, label) for kind, label in _KINDS.items() if kind != FieldKind.OTHER or self.kind == kind]

    @property
    def property_name(self) -> str:
        return self.name.strip() or name_of(self.title)


@dataclass(frozen=True, slots=True)
class Draft:
    """What the page of a collection's fields holds."""

    name: str = ""
    slug: str = ""
    description: str = ""
    title_template: str = ""
    keys: str = ""  # unique keys of several fields: one a line, joined with +
    trust: str = "review"
    trust_above: str = "90"
    lines: tuple[Line, ...] = ()
    base: Mapping[str, Any] = field(default_factory=dict)

    @property
    def base_text(self) -> str:
        return json.dumps(self.base, ensure_ascii=False) if self.base else ""


def draft_of(collection: Collection, found: schema.Schema) -> Draft:
    return Draft(
        name=collection.name,
        slug=collection.slug,
        description=collection.description,
        title_template=collection.title_template,
        keys="\n".join(" + ".join(key) for key in collection.unique_keys if len(key) > 1),
        trust=collection.trust,
        trust_above=f"{collection.trust_above * 100:g}",
        lines=tuple(lines_of(found, collection)),
    )


def draft_of_document(document: object, *, name: str = "") -> Draft:
    """Raises ``SchemaRejected``."""
    found = schema.check(document)
    title = found.document.get("title")
    known = name or (str(title)[:80] if isinstance(title, str) else "")
    return Draft(name=known, lines=tuple(lines_of(found, None)), base=found.document)


def draft_of_wish(wish: Wish) -> Draft:
    """What a model proposed for a description; a field that points to the collection itself says so."""
    draft = draft_of_document(wish_fields.document_of(wish.fields), name=wish.name)
    own = slug_of(wish.name)
    lines = (replace(line, relation=THIS) if line.relation == own else line for line in draft.lines)
    return replace(draft, description=wish.brief, lines=tuple(lines))


def lines_of(found: schema.Schema, collection: Collection | None) -> Iterable[Line]:
    single = {key[0] for key in collection.unique_keys if len(key) == 1} if collection else set()
    needed = set(collection.needed) if collection else set()
    aliases = collection.aliases if collection else {}
    for place, form in enumerate(to_fields(found)):
        default = form.rest.get("default")
        yield Line(
            key=str(place),
            origin=form.name,
            title=form.title or schema.title_of(form.name),
            name=form.name,
            kind=form.kind,
            help=form.description,
            is_list=form.is_list,
            required=form.required,
            needed=form.name in needed,
            unique=form.name in single,
            choices="\n".join(form.choices),
            relation=THIS if collection and form.relation == collection.slug else form.relation,
            default="" if default is None else default if isinstance(default, str) else typed(default),
            aliases=", ".join(aliases.get(form.name, ())),
        )


def draft_in(post: QueryDict, base: Mapping[str, Any]) -> Draft:
    """Lines without a name and without a title are none."""
    lines = (_line_in(post, key) for key in post.getlist("row")[:MOST_LINES])
    said = {name: post.get(name, "").strip() for name in ("name", "slug", "description", "title_template", "keys")}
    return Draft(
        **said,
        trust=post.get("trust", "review"),
        trust_above=post.get("trust_above", "90"),
        lines=tuple(line for line in lines if line.property_name),
        base=base,
    )


def base_in(post: QueryDict) -> dict[str, Any]:
    """The schema that a new collection began with, as the page carries it along."""
    text = post.get("base", "")
    return _object_in(text) if text.strip() else {}


def _object_in(text: str) -> dict[str, Any]:
    try:
        rules.require_json_depth(text)
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Invalid(fields=[FieldError("document", "invalid_json", _("This is not a JSON object."))])
    return found


def _line_in(post: QueryDict, key: str) -> Line:
    def text(name: str) -> str:
        return post.get(f"f-{key}-{name}", "").replace("\x00", "").strip()

    def is_on(name: str) -> bool:
        return f"f-{key}-{name}" in post

    kind = text("kind")
    return Line(
        key=key[:20],
        origin=text("origin"),
        title=text("title"),
        name=text("name"),
        kind=kind if kind in _KINDS else FieldKind.TEXT,
        help=text("help"),
        is_list=is_on("is_list"),
        required=is_on("required"),
        needed=is_on("needed"),
        unique=is_on("unique"),
        choices=text("choices"),
        relation=text("relation"),
        default=text("default"),
        aliases=text("aliases"),
    )


def document_of(draft: Draft, base: schema.Schema | None, *, slug: str) -> dict[str, Any]:
    """The JSON Schema that the lines say. Raises ``Invalid`` that names lines by ``line.<key>``."""
    known = {form.name: form for form in to_fields(base)} if base else {}
    wrong = [
        FieldError(f"line.{line.key}", "taken", _("Two fields have this name. Change the name in one of them."))
        for place, line in enumerate(draft.lines)
        if line.property_name in {other.property_name for other in draft.lines[:place]}
    ]
    wrong += [
        FieldError(f"line.{line.key}", "choices", _("Write the choices, one a line."))
        for line in draft.lines
        if line.kind == FieldKind.CHOICE and not _listed(line.choices)
    ]
    wrong += [
        FieldError(f"line.{line.key}", "relation", _("Choose the collection that it points to."))
        for line in draft.lines
        if line.kind == FieldKind.RELATION and not line.relation
    ]
    if wrong:
        raise Invalid(fields=wrong)
    return from_fields([_form_of(line, known.get(line.origin), slug) for line in draft.lines], base=base)


def _form_of(line: Line, before: FieldForm | None, slug: str) -> FieldForm:
    name = line.property_name
    kind = FieldKind(line.kind)
    was = before.was if before and before.name == name else (before.name if before else "")
    if before and kind is FieldKind.OTHER:
        return FieldForm(name, kind, required=line.required, was=was, rest=before.rest)
    is_same = before is not None and before.kind == kind and before.is_list == line.is_list
    rest = {key: value for key, value in (before.rest if before and is_same else {}).items() if key != "default"}
    if (default := _default(line)) is not None:
        rest["default"] = default
    return FieldForm(
        name=name,
        kind=kind if kind is not FieldKind.OTHER else FieldKind.TEXT,
        title="" if line.title == schema.title_of(name) and not (before and before.title) else line.title,
        description=line.help,
        required=line.required,
        is_list=line.is_list,
        choices=tuple(_listed(line.choices)) if kind is FieldKind.CHOICE else (),
        relation=(slug if line.relation == THIS else line.relation) if kind is FieldKind.RELATION else "",
        aliases=before.aliases if before else (),
        was=was,
        rest=rest,
    )


def _default(line: Line) -> Any:
    if not line.default:
        return None
    if line.is_list:
        return read(Column(line.name, "", "json"), [line.default])
    kind = {FieldKind.RELATION: "text", FieldKind.TIME: "text"}.get(FieldKind(line.kind), str(line.kind))
    item = kind if kind in {"integer", "number"} else "string"
    return read(Column(line.property_name, "", "text" if kind == "date_time" else kind, item=item), [line.default])


def _listed(text: str) -> list[str]:
    return list(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))


def settings_of(draft: Draft) -> dict[str, Any]:
    """What a collection says beside its schema, as the services take it."""
    keys = [[line.property_name] for line in draft.lines if line.unique]
    keys += [names for row in draft.keys.splitlines() if (names := [n.strip() for n in row.split("+") if n.strip()])]
    found: dict[str, Any] = {
        "name": rules.NAME.of(80)(draft.name, field="name"),
        "description": rules.TEXT.of(500)(draft.description, field="description"),
        "title_template": rules.TITLE.of(300)(draft.title_template, field="title_template"),
        "unique_keys": keys,
        "needed": [line.property_name for line in draft.lines if line.needed],
        "aliases": {
            line.property_name: words
            for line in draft.lines
            if (words := [word.strip()[:80] for word in line.aliases.split(",") if word.strip()][:20])
        },
        "trust": draft.trust,
        "trust_above": _share(draft.trust_above),
    }
    return found | ({"slug": draft.slug} if draft.slug else {})


def _share(text: str) -> float:
    try:
        percent = float(text.replace(",", "."))
    except ValueError:
        percent = -1
    if not 0 <= percent <= 100:  # noqa: PLR2004
        raise Invalid(fields=[FieldError("trust_above", "invalid", _("A number from 0 to 100."))])
    return percent / 100


def with_errors(draft: Draft, error: DomainError) -> tuple[Draft, list[str]]:
    """The same lines with what is wrong in them, and what is wrong elsewhere."""
    by_name = {line.property_name: line.key for line in draft.lines}
    at_line: dict[str, str] = {}
    elsewhere: list[str] = []
    for each in error.fields:
        path = steps(each.field) if each.field.startswith("/") else []
        key = each.field.removeprefix("line.") if each.field.startswith("line.") else ""
        if len(path) > 1 and path[0] == "properties":
            key = by_name.get(path[1], "")
        if key:
            at_line.setdefault(key, each.detail)
        else:
            elsewhere.append(each.detail)
    if not error.fields:
        elsewhere.append(error.detail)
    lines = tuple(replace(line, error=at_line.get(line.key, "")) for line in draft.lines)
    return replace(draft, lines=lines), list(dict.fromkeys(elsewhere))


# Other beginnings


def document_of_text(text: str) -> dict[str, Any]:
    """A JSON Schema as it was pasted or uploaded."""
    return _object_in(text)


def document_of_csv(text: str) -> dict[str, Any]:
    """Of the first line and some after it, whatever separates them: comma, semicolon or tab."""
    head = text.lstrip("\ufeff").replace("\x00", "")
    first = head.split("\n", 1)[0]
    separator = max(",;\t", key=first.count)
    try:
        rows = list(islice(csv.reader(io.StringIO(head, newline=None), delimiter=separator), _SAMPLES + 1))
    except csv.Error:  # a cell without end
        raise Invalid(fields=[FieldError("document", "invalid", _("This is not a table."))]) from None
    names = [name.strip() for name in rows[0]] if rows else []
    if not any(names):
        raise Invalid(fields=[FieldError("document", "empty", _("The first line holds the names of the columns."))])
    return from_csv_header(names, rows[1:])


def collections_as_targets(rows: Sequence[Collection], own: Collection | None) -> list[tuple[str, str]]:
    """What a field may point to, the collection itself first."""
    others = [(row.slug, row.name) for row in rows if own is None or row.pk != own.pk]
    return [(THIS, _("This collection")), *others]
