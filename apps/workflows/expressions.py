"""Data expressions: jq, in a process of its own that is killed when it takes too long or wants too much.

In a document an expression is a text ``${ … }``, wherever a value may stand; where the DSL asks for an expression (``if``, ``while``,
``when``) the braces may be left out. With ``evaluate.mode: loose`` any text that jq understands is one.
"""

from __future__ import annotations

import atexit
import json
import os
import queue
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from apps.core.errors import Unavailable
from apps.workflows.types import MAX_DATA_BYTES

SECONDS = 1.0
START_SECONDS = 10.0
WAIT_SECONDS = 5.0  # with the rest still less than the lease of a run
MOST_CHILDREN = 3
MOST_LINE = 4 * 1024 * 1024
#: How many programs one process runs before another takes its place: jq keeps what it leaks.
MOST_REQUESTS = 200_000
_PROGRAM = Path(__file__).with_name("jq_child.py")


class ExpressionFailed(Exception):
    """``program`` cannot be run, or took too much. ``is_syntax``: it never can."""

    def __init__(self, what: str, program: str = "", *, is_syntax: bool = False) -> None:
        super().__init__(what)
        self.what, self.program, self.is_syntax = what, program, is_syntax


class ExpressionsBusy(Unavailable):
    """Too many others are at work in this process: nothing is wrong with the program, and it may be run later."""


class Evaluator:
    """One child, for one thread at a time. Made when first needed, anew after it died, and anew after a fork."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._owner = 0
        self._served = 0
        self._read = b""

    def ask(
        self,
        programs: Sequence[str],
        names: Sequence[str] = (),
        *,
        text: str | None = None,
        loose: bool = False,
        seconds: float = SECONDS,
    ) -> list[Any]:
        """What each program gives first; nothing at all is null. Without ``text`` they are only compiled."""
        request = {"programs": list(programs), "names": list(names), "loose": loose, "input": text}
        line = json.dumps(request, separators=(",", ":")).encode() + b"\n"
        is_new = self._begin()
        try:
            answer = json.loads(self._exchange(line, seconds + (START_SECONDS if is_new else 0)))
        except (OSError, ValueError) as error:
            self.close()
            raise ExpressionFailed("It takes too much memory.", programs[0]) from error
        except TimeoutError:
            self.close()
            raise ExpressionFailed("It takes too long.", programs[0]) from None
        if "wrong" in answer:
            raise ExpressionFailed(answer["wrong"], programs[answer["at"]], is_syntax=answer["is_syntax"])
        return [each[0] if each else None for each in answer["ok"]]

    def _begin(self) -> bool:
        if self._owner != os.getpid():  # a fork must not share the pipes of its parent
            self._child, self._owner = None, os.getpid()
        if self._served >= MOST_REQUESTS:
            self.close()
        self._served += 1
        if self._child is not None and self._child.poll() is None:
            return False
        self._read, self._served = b"", 0
        self._child = subprocess.Popen(  # noqa: S603  (our own program, no shell, nothing of the caller's in it)
            [sys.executable, "-I", str(_PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"LC_ALL": "C.UTF-8"},
            bufsize=0,
            close_fds=True,
        )
        os.set_blocking(self._child.stdin.fileno(), False)  # type: ignore[union-attr]
        return True

    def _exchange(self, line: bytes, seconds: float) -> bytes:
        child = self._child
        assert child is not None
        assert child.stdin is not None
        assert child.stdout is not None
        until = time.monotonic() + seconds
        left = memoryview(line)
        while b"\n" not in self._read:
            wait = until - time.monotonic()
            if wait <= 0:
                raise TimeoutError
            ready = select.poll()  # unlike ``select`` it takes any number of open files
            ready.register(child.stdout, select.POLLIN)
            if left:
                ready.register(child.stdin, select.POLLOUT)
            found = {number for number, _event in ready.poll(1000 * wait)}
            if child.stdin.fileno() in found and left:
                left = left[os.write(child.stdin.fileno(), left[:65_536]) :]
            if child.stdout.fileno() in found:
                piece = os.read(child.stdout.fileno(), 1 << 20)
                if not piece or len(self._read) > MOST_LINE:
                    raise OSError
                self._read += piece
        answer, _newline, self._read = self._read.partition(b"\n")
        return answer

    def end(self) -> None:
        """With the process; a fork leaves the child to its parent."""
        if self._owner == os.getpid():
            self.close()

    def close(self) -> None:
        """Without mercy: whatever it does, it does it for nobody."""
        child, self._child = self._child, None
        if child is None:
            return
        for pipe in (child.stdin, child.stdout):
            if pipe:
                pipe.close()
        child.send_signal(signal.SIGKILL)
        child.wait(5)


class Evaluators:
    """A few, since the threads of a process share them: a program that takes its second does not hold up all others. The last that was
    given back is taken first, so that as many children are made as are at work at once.
    """

    def __init__(self, most: int = MOST_CHILDREN) -> None:
        self._all = [Evaluator() for _ in range(most)]
        self._free: queue.LifoQueue[Evaluator] = queue.LifoQueue()
        for each in self._all:
            self._free.put(each)

    @contextmanager
    def one(self) -> Iterator[Evaluator]:
        try:
            taken = self._free.get(timeout=WAIT_SECONDS)
        except queue.Empty:
            raise ExpressionsBusy from None
        try:
            yield taken
        finally:
            self._free.put(taken)

    def end(self) -> None:
        for each in self._all:
            each.end()


_evaluators = Evaluators()
atexit.register(_evaluators.end)


def program_of(value: str) -> str:
    """What stands in the braces; the text itself without them."""
    kept = value.strip()
    return kept[2:-1].strip() if is_expression(kept) else kept


def is_expression(value: Any) -> bool:
    return isinstance(value, str) and value.strip().startswith("${") and value.strip().endswith("}")


def programs_in(template: Any) -> Iterator[str]:
    if is_expression(template):
        yield program_of(template)
    elif isinstance(template, Mapping):
        for each in template.values():
            yield from programs_in(each)
    elif isinstance(template, list):
        for each in template:
            yield from programs_in(each)


def compile_all(programs: Sequence[str], names: Sequence[str]) -> None:
    """``ExpressionFailed`` for the first that jq does not understand."""
    if programs:
        with _evaluators.one() as evaluator:
            evaluator.ask(programs, names)


def evaluate(program: str, value: Any, variables: Mapping[str, Any], *, seconds: float = SECONDS) -> Any:
    """What the program gives of ``value``; ``.`` is what it stands for."""
    return _run([program], value, variables, seconds=seconds)[0]


def fill(template: Any, value: Any, variables: Mapping[str, Any], *, loose: bool = False) -> Any:
    """The template with what its expressions give."""
    programs = list(_texts_in(template) if loose else programs_in(template))
    if not programs:
        return template
    given = iter(_run(programs, value, variables, loose=loose))
    return _filled(template, given, loose=loose)


def _filled(template: Any, given: Iterator[Any], *, loose: bool) -> Any:
    if isinstance(template, str) and (loose or is_expression(template)):
        return next(given)
    if isinstance(template, Mapping):
        return {name: _filled(each, given, loose=loose) for name, each in template.items()}
    if isinstance(template, list):
        return [_filled(each, given, loose=loose) for each in template]
    return template


def _texts_in(template: Any) -> Iterator[str]:
    if isinstance(template, str):
        yield program_of(template)
    elif isinstance(template, Mapping | list):
        for each in template.values() if isinstance(template, Mapping) else template:
            yield from _texts_in(each)


def _run(
    programs: Sequence[str],
    value: Any,
    variables: Mapping[str, Any],
    *,
    loose: bool = False,
    seconds: float = SECONDS,
) -> list[Any]:
    if (plain := _plain(programs, value, variables)) is not None:
        return plain
    text = json.dumps({"v": value, "a": dict(variables)}, separators=(",", ":"), default=str)
    if len(text) > 4 * MAX_DATA_BYTES:
        raise ExpressionFailed("It reads more than can be kept.", programs[0])
    with _evaluators.one() as evaluator:
        return evaluator.ask(programs, list(variables), text=text, loose=loose, seconds=seconds)


def _plain(programs: Sequence[str], value: Any, variables: Mapping[str, Any]) -> list[Any] | None:
    """``.`` and a variable alone mean themselves: most steps only hand on what they got. Several would say it several times."""
    if len(programs) != 1:
        return None
    program = programs[0]
    if program == ".":
        return [value]
    if program.startswith("$") and program[1:] in variables:
        return [variables[program[1:]]]
    return None
