"""What others rely on is written down, and what is written down is there."""

import ast
import dataclasses
import datetime as dt
import re
from collections import defaultdict
from pathlib import Path

import pytest
from django.utils import timezone

from apps.core import jobs, reference
from apps.core.doors.settings import settings_door
from tests.architecture import asserted, tree

#: Event payload types: ids, enums, numbers, and words from fixed lists. Nothing that a person wrote fits in.
PLAIN = re.compile(
    r"^(UUID|int|float|bool|Decimal|date|datetime|str|Literal\[.*\]|[A-Z]\w*(Kind|State|Status|Role|Access|Reason)"
    r"|(list|tuple|frozenset)\[(UUID|str|int)(, \.\.\.)?\])( \| None)?$"
)
TEXT_WORDS = {
    "text",
    "content",
    "title",
    "name",
    "body",
    "prompt",
    "email",
    "password",
    "secret",
    "token",
    "description",
}


@pytest.fixture(scope="module", autouse=True)
def everything():
    reference.load_everything()


def test_pages_of_contracts_are_up_to_date():
    for path, text in reference.pages().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name} is behind the code: manage.py docs_reference"


def test_one_code_has_one_status():
    statuses = defaultdict(set)
    for each in reference.error_classes():
        statuses[each.code].add(each.status)

    assert {code: found for code, found in statuses.items() if len(found) > 1} == {}


def test_error_codes_are_words():
    for each in reference.error_classes():
        assert re.fullmatch(r"[a-z][a-z0-9_]*", each.code), each


def test_every_error_is_asserted_by_a_test():
    """Its code or its class is in an assertion: a comment, a list or a stub that only names it is not enough."""
    said = asserted.all_asserted()
    silent = {each.code for each in reference.error_classes() if not {each.code, each.__name__} & said}

    assert silent == set()


EXAMPLE = """
def is_refused(answer, code):
    assert answer.json()["code"] == code
def test_one():
    # only_in_a_comment
    unasserted = "only_in_a_variable"
    with pytest.raises(Raised):
        call("only_an_argument")
    assert answer.code == "compared"
    is_refused(answer, "said_to_a_helper")
@pytest.mark.parametrize(("body", "code"), [("only_a_body", "a_parameter")])
def test_two(body, code):
    assert post(body)["code"] == code
@pytest.mark.parametrize("code", ["an_idle_parameter"])
def test_three(code):
    assert True
"""


def test_only_what_is_asserted_counts():
    said = asserted.asserted_by([ast.parse(EXAMPLE)])

    assert {"Raised", "compared", "said_to_a_helper", "a_parameter"} <= said
    assert not said & {"only_in_a_comment", "only_in_a_variable", "only_an_argument", "an_idle_parameter"}


def test_events_are_frozen_facts_of_ids_and_numbers():
    for kind in reference.own_event_kinds():
        assert kind.fact.__dataclass_params__.frozen, kind.name
        assert re.fullmatch(r"[a-z]+\.[a-z_]+", kind.name), kind.name
        for field in dataclasses.fields(kind.fact):
            assert PLAIN.match(str(field.type)), f"{kind.name}.{field.name}: {field.type}"
            assert field.name not in TEXT_WORDS, f"{kind.name}.{field.name} sounds like something a person wrote"


def test_public_names_come_from_the_table():
    known = {
        "conversation.started", "conversation.ended", "conversation.archived", "message.created", "turn.started",
        "turn.completed", "turn.failed", "document.uploaded", "document.processed", "document.failed", "record.created",
        "record.updated", "workflow.advanced", "workflow.blocked", "user.created", "user.deleted", "job.completed",
        "job.failed", "system.alert", "system.health_changed",
    }  # fmt: skip
    used = [kind.public for kind in reference.own_event_kinds() if kind.public]

    assert set(used) == known  # a name that nothing bears yet would stand here with its reason
    assert len(used) == len(set(used))


def test_every_public_event_is_made_somewhere():
    made = {
        node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        for path in tree.product_files()
        for node in ast.walk(tree.parsed(path))
        if isinstance(node, ast.Call)
    }

    assert [kind.name for kind in reference.own_event_kinds() if kind.public and kind.fact.__name__ not in made] == []


def hinted():
    """Names in ``after_commit("…")`` and ``hint("…")`` anywhere in the product."""
    for path in tree.product_files():
        for node in ast.walk(tree.parsed(path)):
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                if called in {"after_commit", "hint", "register_lost_hints"} and isinstance(node.args[0].value, str):
                    yield node.args[0].value, tree.named(path)


def test_every_job_that_is_hinted_exists():
    known = jobs.registered()

    assert [(name, where) for name, where in hinted() if name not in known] == []


def test_every_job_says_why_repeating_it_is_safe():
    for path in tree.modules_named("tasks"):
        for function in tree.public_functions(path):
            if any("job" in ast.unparse(decorator) for decorator in function.decorator_list):
                said = ast.get_docstring(function) or ""
                assert "repeat" in said.lower() or "idempotent" in said.lower(), f"{tree.named(path)}: {function.name}"


def test_no_flag_is_overdue():
    today = timezone.now().date()
    late = [s.key for s in settings_door if s.is_flag and (s.remove_by or dt.date.max) < today]

    assert late == []


def test_settings_are_named_after_their_app():
    labels = {config.label for config in tree.our_apps()}

    assert [key for key in settings_door.names() if key.partition(".")[0] not in labels] == []


def test_decisions_are_one_page_each_and_numbered_once():
    pages = sorted((tree.ROOT / "docs" / "adr").glob("*.md"))
    numbers = [path.name[:4] for path in pages]

    assert len(numbers) == len(set(numbers))
    assert all(re.fullmatch(r"\d{4}-[a-z0-9-]+\.md", path.name) for path in pages)
    assert [path.name for path in pages if len(path.read_text(encoding="utf-8").splitlines()) > 80] == []


def test_every_app_has_a_page():
    missing = [c.label for c in tree.our_apps() if not (tree.ROOT / "docs" / "subsystems" / f"{c.label}.md").exists()]

    assert missing == []


def test_docs_point_at_files_that_are_there():
    broken = []
    for page in [*sorted((tree.ROOT / "docs").rglob("*.md")), tree.ROOT / "README.md"]:
        if not page.exists():
            continue
        targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
        broken += [
            f"{page.relative_to(tree.ROOT)} → {target}"
            for target in targets
            if not target.startswith(("http://", "https://", "mailto:")) and not (page.parent / target).exists()
        ]

    assert broken == []


def test_code_names_docs_that_are_there():
    missing = set()
    for path in [*tree.product_files(), *(tree.ROOT / "apps").rglob("*.html")]:
        for name in re.findall(r"docs/[\w/-]+\.(?:md|yaml)", path.read_text(encoding="utf-8")):
            if not (tree.ROOT / name).exists():
                missing.add(f"{Path(tree.named(path))}: {name}")

    assert missing == set()
