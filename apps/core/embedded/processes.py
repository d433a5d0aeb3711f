"""Starting, recognizing and ending processes, also those that an earlier, killed run left behind."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import psutil

from apps.core.embedded.service_user import ServiceUser

PR_SET_PDEATHSIG = 1
LOG_BYTES = 10_000_000
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def die_with_parent(signal_number: int) -> Callable[[], None] | None:
    """For ``preexec_fn``: the kernel sends the signal when we are gone, even by kill -9.

    It is set after the change of account, which clears it; a parent that died in between is noticed.
    """
    if _libc is None:
        return None
    libc, parent = _libc, os.getpid()

    def set_signal() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal_number)
        if os.getppid() != parent:
            os._exit(1)

    return set_signal


def launch_server(
    command: list[str], *, folder: Path, log: Path, user: ServiceUser, death_signal: int
) -> "subprocess.Popen[bytes]":
    """In a session of its own, under its account, in its data folder. The log is begun anew when it has grown large."""
    keep = log.exists() and log.stat().st_size < LOG_BYTES
    with log.open("ab" if keep else "wb") as target:
        return subprocess.Popen(
            command,
            cwd=folder,
            env={"PATH": os.defpath, "TZ": "UTC"},
            stdin=subprocess.DEVNULL,
            stdout=target,
            stderr=target,
            start_new_session=True,
            preexec_fn=die_with_parent(death_signal),
            **user.popen_arguments(),  # type: ignore[call-overload]
        )


def runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def find_in_folder(folder: Path, *, names: Iterable[str]) -> list[psutil.Process]:
    """Processes with one of ``names`` whose working directory is ``folder``: both servers go to their data."""
    wanted = set(names)
    named = [process for process in psutil.process_iter(["name"]) if process.info["name"] in wanted]
    return [process for process in named if working_folder(process) == folder]


def working_folder(process: psutil.Process) -> Path | None:
    try:
        return Path(process.cwd())
    except psutil.Error:
        return None


def end(processes: list[psutil.Process], *steps: tuple[int, float]) -> None:
    """Send each step's signal to those still there and wait its seconds; the last step should be SIGKILL."""
    left = processes
    for number, seconds in steps:
        for process in left:
            try:
                process.send_signal(number)
            except psutil.Error:
                continue
        _, left = psutil.wait_procs(left, timeout=seconds)
        if not left:
            return


def end_child(child: "subprocess.Popen[bytes]", *steps: tuple[int, float]) -> None:
    for number, seconds in steps:
        if child.poll() is not None:
            return
        child.send_signal(number)
        try:
            child.wait(seconds)
        except subprocess.TimeoutExpired:
            continue


def wait_until(condition: Callable[[], bool], *, seconds: float, every_seconds: float = 0.02) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(every_seconds)
    return True


KILL = (signal.SIGKILL, 5.0)
