"""Templates of people over records: Jinja, of which only what cannot do harm is left. Pure.

What is written here is a stranger's program. The tree of a template may hold only the nodes named below; its values are plain data (texts,
numbers, lists, mappings), of which nothing has methods; filters and tests are those of two short lists. Everything that repeats counts
steps, everything that grows is measured before it does, what comes out is measured piece by piece, and a clock runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.utils.dateparse import parse_date
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from jinja2 import ChainableUndefined, Undefined, nodes
from jinja2.exceptions import TemplateError, TemplateSyntaxError
from jinja2.filters import FILTERS
from jinja2.runtime import LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.tests import TESTS
from jinja2.visitor import NodeTransformer

from apps.extraction.template_types import MAX_TEMPLATE, TemplateFailed, TemplateRejected

MAX_OUTPUT = 1_000_000
MAX_TEXT = 200_000
MAX_ITEMS = 10_000
MAX_STEPS = 200_000
MAX_SECONDS = 2.0
MAX_RANGE = 10_000
_MAX_BITS = 512
_MAX_DIGITS = 9
_ALLOWED = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.For, nodes.If, nodes.Assign, nodes.With),
    *(nodes.Name, nodes.Const, nodes.Getattr, nodes.Getitem, nodes.Slice, nodes.Filter, nodes.Test, nodes.Keyword),
    *(nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.CondExpr, nodes.Concat, nodes.Call),
    *(nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Pow, nodes.Neg, nodes.Pos),
    *(nodes.List, nodes.Tuple, nodes.Dict, nodes.Pair),
)
_OF_A_LOOP = frozenset({"index", "index0", "revindex", "revindex0", "first", "last", "length", "previtem", "nextitem"})
_PLAIN_FILTERS = (
    *("abs", "capitalize", "count", "d", "default", "dictsort", "e", "escape", "first", "float", "int", "items"),
    *("last", "length", "lower", "map", "max", "min", "reject", "rejectattr", "reverse", "select", "selectattr"),
    *("sort", "sum", "title", "trim", "truncate", "unique", "upper", "wordcount"),
)
_PLAIN_TESTS = (
    *("defined", "undefined", "none", "number", "integer", "float", "string", "sequence", "mapping", "iterable"),
    *("boolean", "true", "false", "in", "eq", "==", "ne", "!=", "lt", "<", "le", "<=", "gt", ">", "ge", ">="),
    *("divisibleby", "even", "odd", "equalto", "greaterthan", "lessthan"),
)
#: What a template may do wrong while it runs, beside what its own errors say.
_WRONG = (TemplateError, ArithmeticError, TypeError, ValueError, LookupError, AttributeError, RecursionError)


class _TooMuch(Exception):
    """A limit was reached; the words are for people."""


@dataclass(slots=True)
class _Spent:
    until: float
    steps: int = 0


_spent: ContextVar[_Spent] = ContextVar("parlance_template")


def check(source: str) -> None:
    """Raises ``TemplateRejected`` with the line for what is no template, or asks for what there is not."""
    _compiled(source, is_html=False)


def render(source: str, values: Mapping[str, Any], *, is_html: bool = False) -> str:
    """``values`` are plain data. With ``is_html`` they are escaped. Raises ``TemplateRejected``, or ``TemplateFailed`` while it runs."""
    template = _compiled(source, is_html=is_html)
    token = _spent.set(_Spent(time.monotonic() + MAX_SECONDS))
    pieces: list[str] = []
    size = 0
    try:
        for piece in template.generate(**values):
            size += len(piece)
            if size > MAX_OUTPUT:
                raise TemplateFailed(_("What it makes is longer than a document may be."))
            pieces.append(piece)
            _look_at_clock()
    except _TooMuch as limit:
        raise TemplateFailed(str(limit)) from None
    except _WRONG as error:
        raise TemplateFailed(str(error)[:300]) from error
    finally:
        _spent.reset(token)
    return "".join(pieces)


@lru_cache(maxsize=128)
def _compiled(source: str, *, is_html: bool) -> Any:
    if len(source) > MAX_TEMPLATE:
        raise TemplateRejected(_("A template has at most %(number)d characters.") % {"number": MAX_TEMPLATE})
    environment = _html if is_html else _text
    try:
        tree = environment.parse(source)
        _judge(tree)
        return environment.from_string(_Guarded(environment).visit(tree))
    except TemplateSyntaxError as error:
        raise TemplateRejected(_("Line %(line)d: %(what)s") % {"line": error.lineno, "what": error.message}) from error
    except RecursionError as error:
        raise TemplateRejected(_("This is nested too deeply.")) from error
    except TemplateError as error:
        raise TemplateRejected(str(error)[:300]) from error


def _judge(tree: nodes.Template) -> None:
    for node in tree.find_all(nodes.Node):
        is_hidden = isinstance(node, nodes.Name) and node.name.startswith("_")
        is_call = isinstance(node, nodes.Call) and not (isinstance(node.node, nodes.Name) and node.node.name == "range")
        is_deep = isinstance(node, nodes.For) and node.recursive
        if is_hidden or is_call or is_deep or not isinstance(node, _ALLOWED):
            what = getattr(node, "name", None) if is_hidden else type(node).__name__.lower()
            raise TemplateRejected(
                _("Line %(line)d: “%(what)s” is not part of templates here.") % {"line": node.lineno or 1, "what": what}
            )


class _Guarded(NodeTransformer):
    """Loops count their steps; what puts things together measures them first."""

    def __init__(self, environment: _Environment) -> None:
        self._environment = environment

    def _call(self, name: str, arguments: list[Any], line: int) -> nodes.Call:
        more = {"lineno": line, "environment": self._environment}
        return nodes.Call(nodes.Name(name, "load", **more), arguments, [], None, None, **more)

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802  (as the library calls it)
        self.generic_visit(node)
        step = nodes.ExprStmt(self._call("_step", [], node.lineno), lineno=node.lineno, environment=self._environment)
        node.body.insert(0, step)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return self._call("_together", list(node.nodes), node.lineno)

    def visit_List(self, node: nodes.List) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return self._call("_measured", [node], node.lineno)

    def visit_Dict(self, node: nodes.Dict) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return self._call("_measured", [node], node.lineno)

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return node if node.ctx != "load" else self._call("_measured", [node], node.lineno)


def _look_at_clock() -> None:
    if time.monotonic() > _spent.get().until:
        raise _TooMuch(_("It takes too long."))


def _step() -> None:
    spent = _spent.get()
    spent.steps += 1
    if spent.steps > MAX_STEPS:
        raise _TooMuch(_("It repeats too often."))
    _look_at_clock()


def _range(*limits: Any) -> range:
    found = range(*limits)
    if len(found) > MAX_RANGE:
        raise _TooMuch(_("It repeats too often."))
    return found


def _together(*values: Any) -> str:
    return _fitting("".join(map(as_text, values)))


def _measured(value: Any) -> Any:
    """A list or mapping made here. Lists in lists share their items, but what is done with them does not."""
    _count([MAX_ITEMS], value)
    return value


def _count(left: list[int], value: Any) -> None:
    left[0] -= 1
    if left[0] < 0:
        raise _TooMuch(_("This list is too long."))
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list | tuple):
        return
    for each in value:
        _count(left, each)


def _fitting(text: str) -> str:
    if len(text) > MAX_TEXT:
        raise _TooMuch(_("This text is too long."))
    return text


def as_text(value: Any) -> str:
    """As it is printed: what is not there is empty, lists with commas, a record by its title."""
    pieces: list[str] = []
    _print(pieces, [MAX_TEXT], value)
    return "".join(pieces)


def _print(pieces: list[str], left: list[int], value: Any) -> None:
    match value:
        case None | Undefined():
            return
        case bool():
            text = _("Yes") if value else _("No")
        case dict() if "_title" in value:
            text = str(value["_title"])
        case dict() | list() | tuple() | range():
            for place, each in enumerate(value.values() if isinstance(value, dict) else value):
                if place:
                    pieces.append(", ")
                _print(pieces, left, each)
            return
        case str() | int() | float():
            text = str(value)
        case _:
            text = as_text(list(value)) if hasattr(value, "__next__") else ""
    left[0] -= len(text) + 2
    if left[0] < 0:
        raise _TooMuch(_("This text is too long."))
    pieces.append(text)


class _Environment(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})

    def getattr(self, obj: Any, attribute: str) -> Any:
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Keys and places of plain data, and a little of a loop: nothing else is there."""
        if isinstance(obj, Undefined):
            return obj
        if isinstance(obj, LoopContext):
            return getattr(obj, argument) if argument in _OF_A_LOOP else self.undefined(name=str(argument))
        is_plain = isinstance(obj, dict | list | tuple | str)
        try:
            return obj[argument] if is_plain else self.undefined(name=str(argument))
        except (LookupError, TypeError):
            return self.undefined(name=str(argument))

    def call(self, context: Any, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        if obj not in _CALLABLE:
            raise TemplateFailed(_("Nothing can be called here."))
        return obj(*args)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if isinstance(left, bool | int | float) and isinstance(right, bool | int | float):
            return self._number(operator, left, right)
        if operator == "+" and type(left) is type(right) and isinstance(left, str | list | tuple):
            if isinstance(left, str):
                return _together(left, right)
            return _measured(left + right)
        raise _TooMuch(_("“%(operator)s” is for numbers.") % {"operator": operator})

    def _number(self, operator: str, left: Any, right: Any) -> Any:
        if operator == "**" and (abs(right) > _MAX_BITS or _bits(left) * abs(right) > _MAX_BITS):
            raise _TooMuch(_("This number is too large."))
        if operator == "*" and _bits(left) + _bits(right) > 2 * _MAX_BITS:
            raise _TooMuch(_("This number is too large."))
        return self.binop_table[operator](left, right)


def _bits(value: float) -> int:
    return value.bit_length() if isinstance(value, int) else 64


# Filters of our own: those of the library would grow what they are given without looking.


def _join(values: Iterable[Any], between: Any = "") -> str:
    items = list(values)
    _count([MAX_ITEMS], items)
    size = sum(len(as_text(each)) for each in items) + len(items) * len(as_text(between))
    if size > MAX_TEXT:
        raise _TooMuch(_("This text is too long."))
    return as_text(between).join(map(as_text, items))


def _replace(value: Any, old: Any, new: Any) -> str:
    text, sought, put = as_text(value), as_text(old), as_text(new)
    if not sought:
        return text
    if len(text) + text.count(sought) * len(put) > MAX_TEXT:
        raise _TooMuch(_("This text is too long."))
    return text.replace(sought, put)


def _round(value: Any, digits: Any = 0) -> Any:
    places = max(-_MAX_DIGITS, min(_MAX_DIGITS, int(digits)))
    found = round(float(value), places)
    return int(found) if places <= 0 else found


def _list(value: Iterable[Any]) -> list[Any]:
    found: list[Any] = []
    for each in value:
        found.append(each)
        if len(found) > MAX_ITEMS:
            raise _TooMuch(_("This list is too long."))
    return found


def _date(value: Any, form: str = "DATE_FORMAT") -> str:
    """A date in the words of the reader's language."""
    found = parse_date(as_text(value)[:10])
    names = {"short": "SHORT_DATE_FORMAT", "long": "DATE_FORMAT", "month": "YEAR_MONTH_FORMAT"}
    return date_format(found, names.get(form, "DATE_FORMAT")) if found else as_text(value)


_OWN_FILTERS: dict[str, Callable[..., Any]] = {
    "date": _date, "join": _join, "list": _list, "replace": _replace, "round": _round, "string": as_text,
}  # fmt: skip
_CALLABLE = (_range, _step, _together, _measured)


def _made(*, autoescape: bool) -> _Environment:
    environment = _Environment(
        undefined=ChainableUndefined,
        autoescape=autoescape,
        optimized=False,  # what is folded while compiling would run without a clock
        finalize=as_text,
        trim_blocks=True,
        lstrip_blocks=True,
        cache_size=0,
    )
    environment.filters = {name: FILTERS[name] for name in _PLAIN_FILTERS} | _OWN_FILTERS
    environment.tests = {name: TESTS[name] for name in _PLAIN_TESTS}
    environment.globals = {"range": _range, "_step": _step, "_together": _together, "_measured": _measured}
    return environment


_text = _made(autoescape=False)
_html = _made(autoescape=True)
