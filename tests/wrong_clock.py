"""A program of ours whose clock is wrong; what it measures durations by goes on as ever.

`python -m tests.wrong_clock 3600 daphne …` runs ``daphne …`` an hour ahead.
"""

from __future__ import annotations

import runpy
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import time_machine

from apps.core.supervisor.nursery import Role


def at(role: Role, seconds: float) -> Role:
    return replace(role, module="tests.wrong_clock", arguments=(str(seconds), role.module, *role.arguments))


if __name__ == "__main__":
    time_machine.travel(datetime.now(UTC) + timedelta(seconds=float(sys.argv[1]))).start()
    del sys.argv[:2]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
