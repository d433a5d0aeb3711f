"""A pack out of its files, checked as a whole: everything that is wrong is told at once, with the file and the place in it.

Nothing here runs what a pack says. Schemas, templates and workflows are judged by the apps that they are for.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pathlib import Path
from typing import Any

import orjson
from django.conf import settings
from django.utils.translation import gettext as _

from apps.core import yaml_text
from apps.core.errors import FieldError
from apps.extraction import schema, shape, templating
from apps.extraction.template_types import TemplateRejected
from apps.extraction.types import SchemaRejected, Trust
from apps.packs import wording
from apps.packs.archive import Files
from apps.packs.types import (
    MANIFEST,
    MAX_LISTED,
    ObjectKind,
    Pack,
    PackNeedsNewer,
    PackObject,
    PackRejected,
    Sample,
)
from apps.workflows import services as workflows
from apps.workflows.types import DefinitionRejected

FORMAT = Path(__file__).parent / "format.schema.json"
#: May lie in the folder; nobody reads them.
_FOR_PEOPLE = re.compile(r"(README|LICEN[CS]E|NOTICE|CHANGELOG)(\.[a-z]+)?\Z")
_PARTS = {"collections": "collection", "agents": "agent", "workflows": "workflow"}


def read(files: Files, *, language: str = "") -> Pack:
    """In ``language`` where the pack has it, else in the one it is written in. ``PackRejected``, or ``PackNeedsNewer``."""
    return _Reader(files).pack(language)


def digest_of(files: Files) -> str:
    whole = hashlib.sha256()
    for name in sorted(files):
        whole.update(name.encode() + b"\0" + hashlib.sha256(files[name]).digest())
    return whole.hexdigest()


def content_digest(content: dict[str, Any]) -> str:
    """Of what one thing says, however its keys are ordered."""
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()


@cache
def _judge(part: str) -> schema.Schema:
    whole = orjson.loads(FORMAT.read_bytes())
    return schema.check({"$defs": whole["$defs"], **whole["properties"][part]})


class _Reader:
    def __init__(self, files: Files) -> None:
        self._files = files
        self._read: set[str] = {MANIFEST}
        self._wrong: list[FieldError] = []

    def pack(self, language: str) -> Pack:
        manifest = self._loaded(MANIFEST, "pack")
        self._stop_if_wrong()
        self._require(manifest["requires"]["parlance"])
        parts = {
            folder: {name: self._loaded(f"{folder}/{name}.yaml", part) for name in manifest.get(folder, [])}
            for folder, part in _PARTS.items()
        }
        sources = self._sources(manifest)
        say = self._texts(manifest, parts)
        samples = self._samples(manifest)
        self._note_strangers()
        self._stop_if_wrong()
        chosen = language if language in manifest["languages"] else manifest["languages"][0]
        objects = [
            *self._collections(parts["collections"], say[chosen]),
            *self._templates(manifest, sources[chosen], parts["collections"], say[chosen]),
            *self._agents(parts["agents"], say[chosen]),
            *self._workflows(parts["workflows"], say[chosen]),
        ]
        self._stop_if_wrong()
        shown = wording.reworded("manifest", manifest, say[chosen])
        return Pack(
            name=manifest["name"],
            version=manifest["version"],
            title=shown["title"],
            summary=shown["summary"],
            licence=manifest["licence"],
            language=chosen,
            languages=tuple(manifest["languages"]),
            requires=manifest["requires"]["parlance"],
            digest=digest_of(self._files),
            objects=tuple(objects),
            samples=tuple(samples.get(chosen, ())),
        )

    # What is wrong

    def _note(self, file: str, place: str, code: str, sentence: str) -> None:
        self._wrong.append(FieldError(f"{file}#{place}" if place else file, code, sentence))

    def _stop_if_wrong(self) -> None:
        if self._wrong:
            first = self._wrong[0]
            detail = f"{first.field}: {first.detail}" if len(self._wrong) == 1 else None
            raise PackRejected(detail, fields=self._wrong[:MAX_LISTED])

    @staticmethod
    def _require(asked: str) -> None:
        def numbers(text: str) -> list[int]:
            return [int(each) for each in text.removeprefix(">=").split(".")]

        if numbers(settings.PARLANCE_VERSION)[: len(numbers(asked))] < numbers(asked):
            raise PackNeedsNewer(requires=asked, version=settings.PARLANCE_VERSION)

    # Files

    def _text(self, name: str) -> str | None:
        self._read.add(name)
        if name not in self._files:
            self._note(name, "", "missing", _("This file is missing."))
            return None
        try:
            text = self._files[name].decode("utf-8-sig").replace("\r\n", "\n")
        except UnicodeDecodeError:
            text = "\0"
        if "\0" in text:
            self._note(name, "", "not_text", _("This is no text in UTF-8."))
            return None
        return text

    def _loaded(self, name: str, part: str) -> dict[str, Any]:
        """Empty when something is wrong: then that is noted."""
        if (text := self._text(name)) is None:
            return {}
        try:
            value = yaml_text.read(text)
        except yaml_text.YamlRefused as error:
            self._note(name, "", "yaml", _("Line %(line)d: %(what)s") % {"line": error.line, "what": error.what})
            return {}
        if not isinstance(value, dict):
            self._note(name, "", "type", _("This should be a group of fields."))
            return {}
        wrong = [] if part == "workflow" else _judge(part).validate(value)
        for each in wrong:
            self._note(name, each.field, each.code, each.detail)
        return {} if wrong else value

    def _note_strangers(self) -> None:
        for name in sorted(self._files.keys() - self._read):
            if not _FOR_PEOPLE.match(name):
                self._note(name, "", "unknown_file", _("Nothing in pack.yaml speaks of this file."))

    # Words

    def _sources(self, manifest: dict[str, Any]) -> dict[str, dict[str, str]]:
        """What each template says, by language and file: ``sheet.md`` in the first language, ``sheet.de.md`` in another."""
        first, *others = manifest["languages"]
        found: dict[str, dict[str, str]] = {}
        for language in (first, *others):
            found[language] = {}
            for file in dict.fromkeys(each["file"] for each in manifest.get("templates", [])):
                stem, _dot, suffix = file.rpartition(".")
                own = file if language == first else f"{stem}.{language}.{suffix}"
                found[language][file] = self._text(own) or ""
                try:
                    templating.check(found[language][file])
                except TemplateRejected as error:
                    self._note(own, "", error.code, error.detail)
        return found

    def _texts(self, manifest: dict[str, Any], parts: dict[str, dict[str, Any]]) -> dict[str, wording.Say]:
        first, *others = manifest["languages"]
        said = dict.fromkeys(wording.words_in("manifest", manifest))
        for folder, part in _PARTS.items():
            for value in parts[folder].values():
                if value:
                    said |= dict.fromkeys(wording.words_in(part, value))
        said |= dict.fromkeys(each["name"] for each in manifest.get("templates", []))
        found: dict[str, wording.Say] = {first: str}
        for language in others:
            name = f"texts/{language}.yaml"
            words = self._loaded(name, "texts")
            if not self._wrong:  # else it is not known what there is to say
                missing, unknown = sorted(said.keys() - words.keys()), sorted(words.keys() - said.keys())
                for text in missing:
                    self._note(name, "", "missing_text", _("“%(text)s” is not translated.") % {"text": text[:100]})
                for text in unknown:
                    self._note(name, "", "unknown_text", _("Nothing says “%(text)s”.") % {"text": text[:100]})
            found[language] = lambda text, words=words: words.get(text, text)  # type: ignore[misc]
        return found

    def _samples(self, manifest: dict[str, Any]) -> dict[str, list[Sample]]:
        if not any(name.startswith("samples/") for name in self._files):
            return {}
        return {
            language: [
                Sample(each["title"], each["text"])
                for each in self._loaded(f"samples/{language}.yaml", "samples").get("samples", [])
            ]
            for language in manifest["languages"]
        }

    # Objects

    def _collections(self, parts: dict[str, Any], say: wording.Say) -> list[PackObject]:
        found = []
        for slug, raw in parts.items():
            place, value = f"collections/{slug}.yaml", wording.reworded("collection", raw, say)
            try:
                checked = schema.check(value["document"])
            except SchemaRejected as error:
                for each in error.fields:
                    self._note(place, f"/document{each.field}", each.code, each.detail)
                continue
            content = {
                "name": value["name"],
                "description": value.get("description", ""),
                "title_template": value.get("title_template", ""),
                "unique_keys": value.get("unique_keys", []),
                "needed": value.get("needed", []),
                "aliases": value.get("aliases", {}),
                "trust": value.get("trust", Trust.REVIEW.value),
                "trust_above": float(value.get("trust_above", 0.9)),
                "document": checked.document,
            }
            self._check_shape(place, content, checked, parts.keys())
            found.append(PackObject(ObjectKind.COLLECTION, slug, content, place))
        return found

    def _check_shape(self, place: str, content: dict[str, Any], checked: schema.Schema, slugs: Any) -> None:
        known = {each.name for each in checked.top}
        spoken = {
            "title_template": shape.places_of(content["title_template"]),
            "unique_keys": [name for key in content["unique_keys"] for name in key],
            "needed": content["needed"],
            "aliases": list(content["aliases"]),
        }
        for where, names in spoken.items():
            for name in names:
                if name not in known:
                    sentence = _("There is no field “%(name)s”.") % {"name": str(name)[:80]}
                    self._note(place, f"/{where}", "unknown_field", sentence)
        for each in checked.fields:
            if each.relation and each.relation.collection_slug not in slugs:
                sentence = _("There is no collection “%(slug)s”.") % {"slug": each.relation.collection_slug}
                self._note(place, f"/document{each.pointer}", "unknown_collection", sentence)

    def _templates(
        self, manifest: dict[str, Any], sources: dict[str, str], slugs: dict[str, Any], say: wording.Say
    ) -> list[PackObject]:
        found: dict[str, PackObject] = {}
        for number, each in enumerate(manifest.get("templates", [])):
            source, name = sources[each["file"]], say(each["name"])
            key = f"{each['collection']}/{each['name']}"
            if each["collection"] not in slugs:
                sentence = _("There is no collection “%(slug)s”.") % {"slug": each["collection"]}
                self._note(MANIFEST, f"/templates/{number}/collection", "unknown_collection", sentence)
            if key in found:
                self._note(MANIFEST, f"/templates/{number}/name", "twice", _("The same stands here twice."))
            content = {
                "collection": each["collection"],
                "name": name,
                "format": "html" if each["file"].endswith(".html") else "markdown",
                "is_of_set": each.get("of", "each") == "all",
                "source": source,
            }
            found[key] = PackObject(ObjectKind.TEMPLATE, key, content, each["file"])
        return list(found.values())

    @staticmethod
    def _agents(parts: dict[str, Any], say: wording.Say) -> list[PackObject]:
        found = []
        for key, raw in parts.items():
            value = wording.reworded("agent", raw, say)
            content = {name: value.get(name, "") for name in ("name", "description", "instructions")}
            found.append(PackObject(ObjectKind.AGENT, key, content, f"agents/{key}.yaml"))
        return found

    def _workflows(self, parts: dict[str, Any], say: wording.Say) -> list[PackObject]:
        found = []
        for key, raw in parts.items():
            place, value = f"workflows/{key}.yaml", wording.reworded("workflow", raw, say)
            said = value.get("document", {})
            if not isinstance(said, dict) or said.get("name") != key:
                self._note(place, "/document/name", "name", _("The name is that of the file."))
                continue
            try:
                document = workflows.check_definition(value)
            except DefinitionRejected as error:
                for each in error.fields:
                    self._note(place, each.field, each.code, each.detail)
                continue
            found.append(PackObject(ObjectKind.WORKFLOW, key, {"document": document}, place))
        return found
