"""Where the servers keep their data, sockets and passwords."""

import hashlib
import json
import os
import shutil
import stat
import tempfile
from pathlib import Path

from apps.core.embedded.service_user import SYSTEM_FOLDER, ServiceUser
from apps.core.embedded.types import EmbeddedError

#: sun_path holds 104 bytes on BSD and macOS, 108 on Linux; ".s.PGSQL.5432" and "redis.sock" must fit behind this.
SOCKET_FOLDER_BYTES = 85


def data_folder(path: Path) -> Path:
    """The data folder, made if need be. Under root it can be crossed by the servers' account, not listed."""
    path = path.absolute()
    if not path.exists():
        path.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True)
    return path


def service_folder(data: Path, name: str, user: ServiceUser) -> Path:
    """``<data>/<name>``, owned by ``user``.

    Where that account cannot cross a folder above (a clone below /root), the place is a folder of its own and
    ``<data>/<name>`` links to it: a folder that is not ours is never opened for others.
    """
    place = data / name
    if place.is_symlink() and not place.exists():
        place.unlink()  # what it pointed to was removed by hand
    if not place.exists() and not user.can_cross(data):
        _link_to_folder_of_its_own(place)
    return owned_folder(place.resolve(), user)


def _link_to_folder_of_its_own(place: Path) -> None:
    SYSTEM_FOLDER.mkdir(mode=0o755, parents=True, exist_ok=True)
    unique = Path(tempfile.mkdtemp(prefix="data-", dir=SYSTEM_FOLDER))
    unique.chmod(0o711)
    target = unique / place.name
    target.mkdir(mode=0o700)
    place.symlink_to(target)


def remove_service_folder(data: Path, name: str) -> None:
    place = data / name
    if place.is_symlink():
        target = place.resolve()
        place.unlink()
        shutil.rmtree(target.parent, ignore_errors=True)
    else:
        shutil.rmtree(place, ignore_errors=True)


def owned_folder(path: Path, user: ServiceUser) -> Path:
    """Make ``path`` (0700) for ``user``."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if user.is_other and path.stat().st_uid != user.uid:
        os.chown(path, user.uid, user.gid)
    return path


def socket_folder(data: Path, user: ServiceUser) -> Path:
    """A 0700 folder with a short path, whatever the path of the data.

    /tmp is everybody's: a folder found there is used only when it is a real folder, ours and closed to others.
    """
    key = hashlib.sha256(str(data.resolve()).encode()).hexdigest()[:16]
    if user.is_other:
        folder = (Path("/run") if os.access("/run", os.W_OK) else Path("/tmp")) / f"parlance-{key}"  # noqa: S108
    else:
        runtime = Path(os.environ.get("XDG_RUNTIME_DIR", ""))
        usable = runtime.is_absolute() and os.access(runtime, os.W_OK | os.X_OK)
        folder = (runtime if usable else Path("/tmp")) / f"parlance-{user.uid}-{key}"  # noqa: S108
        if len(os.fsencode(folder)) > SOCKET_FOLDER_BYTES:
            folder = Path("/tmp") / folder.name  # noqa: S108
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        pass
    else:
        if user.is_other:
            os.chown(folder, user.uid, user.gid)
    state = folder.lstat()
    if not stat.S_ISDIR(state.st_mode) or state.st_uid != user.uid or stat.S_IMODE(state.st_mode) & 0o077:
        raise EmbeddedError(f"{folder} belongs to somebody else or is open to others: remove it and start again.")
    return folder


class Notes:
    """``services.json`` (0600): the passwords and where the sockets are, for this and for other commands."""

    def __init__(self, data: Path) -> None:
        self._path = data / "services.json"

    def read(self) -> dict[str, str]:
        try:
            content = json.loads(self._path.read_text())
        except (FileNotFoundError, ValueError):  # never written, or cut by a full disk: made anew
            return {}
        return content if isinstance(content, dict) else {}

    def update(self, **values: str) -> dict[str, str]:
        """Replaced as a whole by rename: a crash leaves the old or the new text, never half of one."""
        content = self.read() | values
        descriptor, name = tempfile.mkstemp(dir=self._path.parent, prefix=".services-")
        with os.fdopen(descriptor, "w") as file:
            json.dump(content, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(self._path)
        return content

    def remove(self) -> None:
        self._path.unlink(missing_ok=True)
