"""Secrets at rest: AES-256-GCM under a versioned key set that lives in a file beside the data.

The file (``keys.json``, mode 0600) is made at the first start; ``PARLANCE_SECRET_KEY`` has no part in it. A value is stored
as ``v1:<key id>:<base64 of nonce and sealed text>``; model, field and row are its associated data, so a value that is
copied to another row or column does not open. NIST SP 800-38D: 96-bit random nonces, well below 2^32 values a key.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import secrets
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.core.errors import Unavailable

VERSION = "v1"
NONCE_BYTES = 12
CHECK_TEXT = "parlance key check"


class KeysDoNotFit(Unavailable):
    """The stored secrets were sealed with keys that the key file does not hold."""

    code = "keys_do_not_fit"
    default_detail = _("Stored secrets cannot be opened with the key file of this installation.")


@dataclass(frozen=True, slots=True)
class KeySet:
    current: str
    keys: dict[str, AESGCM]


def keys_path() -> Path:
    return Path(settings.PARLANCE_KEYS_FILE)


_cached: tuple[tuple[int, int], KeySet] | None = None


def key_set() -> KeySet:
    """The keys in force. The file's stamp is looked at on every call, so a rotation reaches every process at once."""
    global _cached  # noqa: PLW0603  (one file, one cache a process)
    path = keys_path()
    try:
        found = path.stat()
    except FileNotFoundError:
        _make_file(path)
        found = path.stat()
    stamp = (found.st_mtime_ns, found.st_ino)
    if _cached is None or _cached[0] != stamp:
        _cached = (stamp, _read(path))
    return _cached[1]


def _read(path: Path) -> KeySet:
    stored = json.loads(path.read_text(encoding="ascii"))
    keys = {key_id: AESGCM(base64.b64decode(entry["key"])) for key_id, entry in stored["keys"].items()}
    return KeySet(stored["current"], keys)


def _new_key() -> dict[str, str]:
    return {
        "key": base64.b64encode(AESGCM.generate_key(bit_length=256)).decode("ascii"),
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _write(path: Path, content: dict[str, Any], *, replace: bool) -> None:
    """Whole or not at all; without ``replace`` the first of two processes wins and both go on with its keys."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".keys-")  # mkstemp makes it 0600
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            json.dump(content, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            Path(name).replace(path)
            return
        try:
            os.link(name, path)
        except FileExistsError:
            return
    finally:
        Path(name).unlink(missing_ok=True)


def _make_file(path: Path) -> None:
    _write(path, {"current": "k1", "keys": {"k1": _new_key()}}, replace=False)


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One at a time reads the file and writes it anew: two who rotate at once must not lose the key of one of them."""
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def add_key() -> str:
    """Put a new key in force; older ones stay for opening. Returns its id."""
    path = keys_path()
    key_set()
    with _alone(path):
        content = json.loads(path.read_text(encoding="ascii"))
        key_id = f"k{max(int(name[1:]) for name in content['keys']) + 1}"
        content["keys"][key_id] = _new_key()
        content["current"] = key_id
        _write(path, content, replace=True)
    return key_id


def drop_keys(key_ids: set[str]) -> None:
    """Forget keys for good. The caller has made sure that nothing is sealed with them any more."""
    path = keys_path()
    with _alone(path):
        content = json.loads(path.read_text(encoding="ascii"))
        content["keys"] = {name: key for name, key in content["keys"].items() if name not in key_ids}
        assert content["current"] in content["keys"]
        _write(path, content, replace=True)


def seal(text: str, *, bound_to: str) -> str:
    """``bound_to`` names the place; opening needs the same name."""
    keys = key_set()
    nonce = secrets.token_bytes(NONCE_BYTES)
    sealed = keys.keys[keys.current].encrypt(nonce, text.encode(), bound_to.encode())
    return f"{VERSION}:{keys.current}:{base64.b64encode(nonce + sealed).decode('ascii')}"


def unseal(stored: str, *, bound_to: str) -> str:
    """Raises ``KeysDoNotFit`` for a key we do not have, a changed value, or one from another place."""
    version, key_id, packed = stored.split(":", 2)
    key = key_set().keys.get(key_id)
    if version != VERSION or key is None:
        raise KeysDoNotFit
    raw = base64.b64decode(packed)
    try:
        return key.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], bound_to.encode()).decode()
    except InvalidTag:
        raise KeysDoNotFit from None


def key_of(stored: str) -> str:
    return stored.split(":", 2)[1]


class Sealed:
    """What a query gives for an encrypted column. Opened only through the instance that owns it."""

    __slots__ = ("stored",)

    def __init__(self, stored: str) -> None:
        self.stored = stored

    def __repr__(self) -> str:
        return "<sealed>"

    def __bool__(self) -> bool:
        return bool(self.stored)


class _OpensOnRead:
    """Lists that never look at the secret never open it."""

    def __init__(self, field: EncryptedTextField) -> None:
        self.field = field

    def __get__(self, instance: models.Model | None, owner: type) -> Any:
        if instance is None:
            return self
        name = self.field.attname
        if name not in instance.__dict__:
            instance.refresh_from_db(fields=[name])
        value = instance.__dict__[name]
        if isinstance(value, Sealed):
            return unseal(value.stored, bound_to=self.field.place_of(instance))
        return value

    def __set__(self, instance: models.Model, value: Any) -> None:
        instance.__dict__[self.field.attname] = value


class EncryptedTextField(models.TextField):
    """Write-only by convention: serializers take it, none gives it; admin forms show an empty field.

    Empty text and NULL are stored as they are. Needs the primary key before the save (UUIDv7). ``QuerySet.update`` and
    filters on the value are refused: they know no row to bind the value to.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("editable", False)
        super().__init__(*args, **kwargs)

    def contribute_to_class(self, cls: type[models.Model], name: str, private_only: bool = False) -> None:  # noqa: FBT001, FBT002  (Django's signature)
        super().contribute_to_class(cls, name, private_only)
        setattr(cls, self.attname, _OpensOnRead(self))

    def place_of(self, instance: models.Model) -> str:
        return place(self.model, self, instance.pk)

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Sealed | str | None:
        return Sealed(value) if value else value

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:  # noqa: FBT001  (Django's signature)
        value = model_instance.__dict__.get(self.attname)
        if isinstance(value, Sealed) or not value:
            return value
        sealed = Sealed(seal(value, bound_to=self.place_of(model_instance)))
        model_instance.__dict__[self.attname] = sealed
        return sealed

    def get_prep_value(self, value: Any) -> Any:
        if isinstance(value, Sealed):
            return value.stored
        if value:
            message = f"{self.name} is encrypted: save the instance, and do not filter by the value."
            raise TypeError(message)
        return value


def place(model: type[models.Model], field: models.Field[Any, Any], pk: object) -> str:
    return f"{model._meta.label_lower}.{field.name}:{pk}"  # noqa: SLF001  (Django's documented Meta API)
