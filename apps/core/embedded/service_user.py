"""The account that the servers run as when we are root (PostgreSQL refuses to run as root)."""

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from apps.core.embedded.types import EmbeddedError

ACCOUNT = "parlance"
#: Where the servers of root keep what must be reachable for their account.
SYSTEM_FOLDER = Path("/var/lib/parlance")


@dataclass(frozen=True)
class ServiceUser:
    name: str
    uid: int
    gid: int

    @property
    def is_other(self) -> bool:
        """The servers run under another account than this process."""
        return self.uid != os.geteuid()

    def popen_arguments(self) -> dict[str, object]:
        if not self.is_other:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def can_cross(self, folder: Path) -> bool:
        """Asked of the kernel under that identity: mode bits alone know nothing of ACLs."""
        return self._is_allowed(folder, ["-x"])

    def can_run(self, program: Path) -> bool:
        return self._is_allowed(program, ["-r", "-x"])

    def _is_allowed(self, path: Path, tests: list[str]) -> bool:
        asked = " && ".join(f'test {test} "$1"' for test in tests)
        command = ["/bin/sh", "-c", asked, "sh", str(path)]
        return subprocess.run(command, cwd="/", check=False, **self.popen_arguments()).returncode == 0  # type: ignore[call-overload]


def service_user() -> ServiceUser:
    """Who runs the servers: we ourselves, or as root a system account of our own.

    An account of our own, because whoever runs as ``nobody`` could read a database that belongs to ``nobody``;
    that account is only taken where none can be made.
    """
    if os.geteuid() != 0:
        return ServiceUser(name=str(os.geteuid()), uid=os.geteuid(), gid=os.getegid())
    entry = _find_account(ACCOUNT) or _create_account() or _find_account("nobody")
    if entry is None:
        raise EmbeddedError(
            "PostgreSQL does not run as root and no other account was found: create one named 'parlance', "
            "run as another user, or set DATABASE_URL and REDIS_URL."
        )
    return ServiceUser(name=entry.pw_name, uid=entry.pw_uid, gid=entry.pw_gid)


def _find_account(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def _create_account() -> pwd.struct_passwd | None:
    if useradd := shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin"):
        command = [useradd, "--system", "--no-create-home", "--home-dir", str(SYSTEM_FOLDER)]
        command += ["--shell", "/usr/sbin/nologin", ACCOUNT]
    elif adduser := shutil.which("adduser", path="/usr/sbin:/sbin:/usr/bin"):  # busybox
        command = [adduser, "-S", "-D", "-H", "-h", str(SYSTEM_FOLDER), "-s", "/sbin/nologin", ACCOUNT]
    else:
        return None
    subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return _find_account(ACCOUNT)
