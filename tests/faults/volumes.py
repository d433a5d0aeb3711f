"""Small volumes that can be filled: a tmpfs of its own size, where this account may mount one."""

from __future__ import annotations

import errno
import functools
import os
import subprocess
import tempfile
from pathlib import Path

BALLAST = "ballast"


class Volume:
    """``folder`` becomes a file system of so many megabytes; ``close`` before the folder is removed."""

    def __init__(self, folder: Path, megabytes: int) -> None:
        self.folder = folder
        state = folder.stat()
        options = f"size={megabytes}m,uid={state.st_uid},gid={state.st_gid},mode={state.st_mode & 0o7777:o}"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "parlance-drill", str(folder)], check=True)

    @property
    def free_bytes(self) -> int:
        state = os.statvfs(self.folder)
        return state.f_bavail * state.f_frsize

    def fill(self, *, leave_bytes: int = 0) -> None:
        """Whoever writes meanwhile takes of what was just counted: then the rest is counted anew."""
        with (self.folder / BALLAST).open("ab") as ballast:
            while (missing := self.free_bytes - leave_bytes) > 0:
                try:
                    os.posix_fallocate(ballast.fileno(), os.fstat(ballast.fileno()).st_size, missing)
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise

    def free(self) -> None:
        (self.folder / BALLAST).unlink(missing_ok=True)

    def close(self) -> None:
        subprocess.run(["umount", "--lazy", str(self.folder)], check=False)


@functools.cache
def can_mount() -> bool:
    if os.geteuid() != 0:
        return False
    with tempfile.TemporaryDirectory() as folder:
        made = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "parlance-drill", folder], check=False, capture_output=True
        )
        if made.returncode:
            return False
        return subprocess.run(["umount", folder], check=False, capture_output=True).returncode == 0
