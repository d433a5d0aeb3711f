"""``core.markup`` and ``static/core/markup.js`` are the only ways from somebody's words to HTML. Everything else is escaped."""

import ast
import re

from tests.architecture import tree

UNESCAPED = {"mark_safe", "SafeString", "format_html", "format_html_join", "html_safe"}
#: Python that makes markup of its own: file → why.
MAKES_MARKUP: dict[str, str] = {
    "apps/web/templatetags/look.py": "icons, avatars and tags of the page; words go in as arguments, which are escaped",
    "apps/workflows/admin.py": "a table of numbers in the admin site; words go in as arguments, which are escaped",
    "apps/accounts/admin.py": "a link to another row of the admin site; words go in as arguments, which are escaped",
    "apps/conversations/pages/presentation.py": "marks what the one renderer gave as ready",
    "apps/extraction/pages/drawing.py": "cells of tables; words go in as arguments, which are escaped",
    "apps/extraction/pages/templates.py": "marks what the one renderer gave, or cleaned, as ready",
}
#: Calls of mark_safe: (file, the argument as it is written) → why it holds nobody's words.
MARKED_SAFE: dict[tuple[str, str], str] = {
    (
        "apps/web/templatetags/look.py",
        "escape(text).replace('\\ue000', '<mark>').replace('\\ue001', '</mark>')",
    ): "escaped first",
    ("apps/web/templatetags/look.py", "text"): "the import map: JSON of our own file names, with < escaped",
    ("apps/conversations/pages/presentation.py", "render(part.get('text', ''))"): "the one renderer",
    (
        "apps/conversations/pages/presentation.py",
        "chipped(render(part.get('text', '')), message, readable)",
    ): "the one renderer, with links around words that it has escaped",
    (
        "apps/extraction/pages/templates.py",
        "rendering.safe_html(words, said['format'])",
    ): "the one renderer, or its cleaning",
}
IN_TEMPLATES = re.compile(r"\|\s*safe(?:seq)?\b|\{%\s*autoescape\s+off|\|\s*escape(?:js)?_?off\b")
IN_SCRIPTS = re.compile(
    r"\b(?:innerHTML|outerHTML|srcdoc)\s*=(?!=)|insertAdjacentHTML|document\.write|createContextualFragment|setHTMLUnsafe"
    r"|parseHTMLUnsafe|\bnew Function\b|\beval\s*\("
)
#: Scripts that hand text to a parser of HTML: file → why.
PARSES_HTML: dict[str, str] = {}


def _name(node):
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _calls(path):
    module = ast.parse(path.read_text(encoding="utf-8"))
    return [node for node in ast.walk(module) if isinstance(node, ast.Call) and _name(node.func) in UNESCAPED]


def test_python_that_makes_markup_is_named():
    makes = {tree.named(path) for path in tree.product_files() if _calls(path)}

    assert makes == set(MAKES_MARKUP)


def test_what_is_marked_safe_holds_nobodys_words():
    marked = {
        (tree.named(path), ast.unparse(call.args[0]))
        for path in tree.product_files()
        for call in _calls(path)
        if _name(call.func) in {"mark_safe", "SafeString"}
    }

    assert marked == set(MARKED_SAFE)


def test_markup_with_arguments_is_written_out():
    """``format_html(text)`` with a text that was put together would escape nothing of it."""
    built = [
        f"{tree.named(path)}:{call.lineno}"
        for path in tree.product_files()
        for call in _calls(path)
        if _name(call.func) in {"format_html", "format_html_join"}
        and not all(isinstance(argument, ast.Constant) for argument in call.args[: 1 + ("join" in _name(call.func))])
    ]

    assert built == []


def test_only_the_renderer_is_asked_for_html():
    asks = {
        tree.named(path)
        for path in tree.product_files()
        if re.search(r"MarkdownIt\(|nh3\.clean|from markdown", path.read_text(encoding="utf-8"))
    }

    assert asks == {"apps/core/markup.py"}


def test_templates_escape_everything():
    found = [
        f"{path.relative_to(tree.ROOT)}"
        for path in (tree.ROOT / "templates").rglob("*")
        if path.is_file()
        and path.suffix in {".html", ".txt"}
        and IN_TEMPLATES.search(path.read_text(encoding="utf-8"))
        and path.suffix == ".html"
    ]

    assert found == []


def test_scripts_make_nodes_and_parse_no_html():
    found = {
        str(path.relative_to(tree.ROOT))
        for path in (tree.ROOT / "static").rglob("*.js")
        if "vendor" not in path.parts and IN_SCRIPTS.search(path.read_text(encoding="utf-8"))
    }

    assert found == set(PARSES_HTML)
