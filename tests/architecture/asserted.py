"""What the tests assert: words in assertions, errors that are expected, also through parameters, fixtures' words and helpers."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.architecture import tree

Function = ast.FunctionDef | ast.AsyncFunctionDef


def words(node: ast.AST) -> Iterator[str]:
    """Strings, names, and last names of attributes: what a comparison may be about."""
    for each in ast.walk(node):
        if isinstance(each, ast.Constant) and isinstance(each.value, str):
            yield each.value
        elif isinstance(each, ast.Name):
            yield each.id
        elif isinstance(each, ast.Attribute):
            yield each.attr


def is_raises(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) in {"pytest.raises", "raises"}


def asserted_in(function: ast.AST, helpers: set[str]) -> set[str]:
    """In ``assert``, in ``pytest.raises(…)``, or said to a helper that asserts."""
    found: set[str] = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Assert) or is_raises(node):
            found |= set(words(node))
        elif isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in helpers:
            found |= {word for argument in [*node.args, *node.keywords] for word in words(argument)}
    return found


def parameters(function: Function, asserted: set[str]) -> set[str]:
    """The values of a parametrized test, when one of its parameters is asserted."""
    found: set[str] = set()
    for decorator in function.decorator_list:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.parametrize":
            names = set(", ".join(words(decorator.args[0])).replace(",", " ").split())
            if names & asserted:
                found |= set(words(decorator.args[1]))
    return found


def all_asserted() -> set[str]:
    paths = sorted((tree.ROOT / "tests").rglob("*.py"))
    return asserted_by([tree.parsed(path) for path in paths if "architecture" not in path.parts])


def asserted_by(modules: list[ast.Module]) -> set[str]:
    functions = [
        node
        for module in modules
        for node in ast.walk(module)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    ]
    helpers = {
        each.name
        for each in functions
        if not each.name.startswith("test_") and any(isinstance(node, ast.Assert) for node in ast.walk(each))
    }
    found: set[str] = set()
    for function in functions:
        asserted = asserted_in(function, helpers)
        found |= asserted | parameters(function, asserted)
    tables = {
        target.id: node.value
        for module in modules
        for node in module.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for name in found & tables.keys():  # a table of the module that a test compares with
        found |= set(words(tables[name]))
    return found
