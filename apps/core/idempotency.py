"""``Idempotency-Key`` on ``POST`` (draft-ietf-httpapi-idempotency-key-header): one effect, and the same answer for everybody.

The key's row is committed before the work begins. Of parallel requests one works, the others wait a little for its answer.
An answer that succeeded is kept for a day, sealed (it may hold a key that is shown once); one that failed frees the key.
While the work lasts its lease is renewed. When the process dies between effect and answer, the key is free again after its
lease: what must not happen twice even then has an id of the client's in its own row (``client_id``).
"""

from __future__ import annotations

import base64
import hashlib
import logging
import threading
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import cast

from django.core.files.uploadedfile import UploadedFile
from django.db import DatabaseError, InterfaceError, connection, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.http import HttpResponse, HttpResponseBase, QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from psycopg_pool import PoolTimeout
from rest_framework.request import Request

from apps.core import crypto, errors
from apps.core.leases import is_free, scaled, until
from apps.core.models import IdempotencyKey
from apps.core.types import ActorRef

logger = logging.getLogger(__name__)

HEADER = "Idempotency-Key"
KEPT_HEADERS = ("Content-Type", "ETag", "Location")
KEEP = timedelta(hours=24)
LEASE_SECONDS = 60.0
RENEW_SECONDS = 20.0
LONGEST_SECONDS = 1800.0
WAIT_SECONDS = 8.0
POLL_SECONDS = 0.05


class KeyReused(errors.Unprocessable):
    code = "idempotency_key_reused"
    default_detail = gettext_lazy("This Idempotency-Key came with another request before.")


class StillInProgress(errors.Conflict):
    code = "idempotency_in_progress"
    default_detail = gettext_lazy("A request with this Idempotency-Key is being worked on. Repeat it shortly.")

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": "1"})


@dataclass(frozen=True, slots=True)
class Claim:
    """This request does the work: ``keep`` or ``free`` ends it."""

    pk: int

    @classmethod
    def taken(cls, pk: int) -> Claim:
        _held.add(pk)
        return cls(pk)

    def keep(self, response: HttpResponse) -> None:
        kept = {name: response[name] for name in KEPT_HEADERS if name in response}
        body = crypto.seal(base64.b64encode(response.content).decode("ascii"), bound_to=_place(self.pk))
        IdempotencyKey.objects.filter(pk=self.pk).update(
            status=response.status_code, headers=kept, body=body, lease_until=None
        )

    def free(self) -> None:
        IdempotencyKey.objects.filter(pk=self.pk, status=None).delete()


class _Held:
    """What this process works on. One thread renews the leases while there are any that are old enough to need it."""

    def __init__(self) -> None:
        self._since: dict[int, float] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, pk: int) -> None:
        with self._lock:
            self._since[pk] = time.monotonic()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="idempotency", daemon=True)
                self._thread.start()

    def discard(self, pk: int) -> None:
        with self._lock:
            self._since.pop(pk, None)

    def _run(self) -> None:
        while True:
            time.sleep(scaled(RENEW_SECONDS))
            now = time.monotonic()
            with self._lock:
                longest = scaled(LONGEST_SECONDS)
                self._since = {pk: since for pk, since in self._since.items() if now - since < longest}
                pks = list(self._since)
                if not pks:
                    self._thread = None
                    return
            self._renew(pks)

    def _renew(self, pks: list[int]) -> None:
        try:
            IdempotencyKey.objects.filter(pk__in=pks, status=None).update(lease_until=until(LEASE_SECONDS))
        except (DatabaseError, InterfaceError, PoolTimeout) as error:  # the next round comes before the lease ends
            logger.warning("idempotency_not_renewed", extra={"reason": type(error).__name__})
        finally:
            connection.close()


_held = _Held()


def count_sealed_with_old_keys(key: str) -> int:
    return _sealed_with_others(key).count()


@transaction.atomic
def reseal(key: str, limit: int) -> int:
    """For ``manage.py rotate_keys``: what is kept is given again for a day."""
    rows = list(_sealed_with_others(key).select_for_update(skip_locked=True).order_by("pk")[:limit])
    for row in rows:
        row.body = crypto.seal(crypto.unseal(row.body, bound_to=_place(row.pk)), bound_to=_place(row.pk))
        row.save(update_fields=["body"])
    return len(rows)


def _sealed_with_others(key: str) -> QuerySet[IdempotencyKey]:
    return IdempotencyKey.objects.filter(body__gt="").exclude(body__startswith=f"{crypto.VERSION}:{key}:")


def _place(pk: int) -> str:
    return f"core.idempotencykey.body:{pk}"


def key_of(request: Request) -> str | None:
    key = request.headers.get(HEADER)
    if key is None:
        return None
    if not (0 < len(key) <= 255 and key.isascii() and key.isprintable()):  # noqa: PLR2004
        raise errors.Invalid(fields=[errors.FieldError(HEADER, "invalid", _("Use 1 to 255 printable characters."))])
    return key


def caller_of(actor: ActorRef) -> str | None:
    """Keys of different callers never meet. Nobody has none: their answers may hold tokens."""
    if actor.key_id:
        return f"key:{actor.key_id}"
    return f"user:{actor.user_id}" if actor.user_id else None


def _digest(request: Request) -> bytes:
    """Of what was asked. An upload lies on the disk by then; it is read from there in pieces."""
    digest = hashlib.sha256(request.META.get("QUERY_STRING", "").encode())
    if request.content_type and request.content_type.startswith("multipart/"):
        form = cast("QueryDict", request.data)
        for name, values in sorted(form.lists()):
            for value in values:
                digest.update(_part_digest(name, value))
    else:
        digest.update(b"\0" + request._request.body)  # noqa: SLF001  (REST framework's own name for it)
    return digest.digest()


def _part_digest(name: str, value: str | UploadedFile) -> bytes:
    """Without the boundary, which a client makes up anew when it sends the same form again."""
    if isinstance(value, str):
        return hashlib.sha256(repr(("text", name, value)).encode()).digest()
    digest = hashlib.sha256(repr(("file", name, value.name, value.content_type, value.size)).encode())
    for piece in value.chunks():
        digest.update(piece)
    value.seek(0)
    return digest.digest()


def begin(request: Request, actor: ActorRef) -> Claim | HttpResponse | None:
    """``Claim``: do the work. A response: the kept one. None: the request asked for nothing of this.

    Raises ``KeyReused`` (422), ``StillInProgress`` (409) after some seconds of waiting.
    """
    key, caller = key_of(request), caller_of(actor)
    if key is None or caller is None:
        return None
    digest = _digest(request)
    give_up = time.monotonic() + scaled(WAIT_SECONDS)
    while True:
        row, is_new = IdempotencyKey.objects.get_or_create(
            caller=caller,
            route=request.path[:300],
            key=key,
            defaults={"body_digest": digest, "lease_until": until(LEASE_SECONDS), "expires_at": Now() + KEEP},
        )
        if is_new:
            return Claim.taken(row.pk)
        if bytes(row.body_digest) != digest:
            raise KeyReused
        if row.status is not None:
            return _replay(row)
        if IdempotencyKey.objects.filter(is_free(), pk=row.pk, status=None).update(lease_until=until(LEASE_SECONDS)):
            return Claim.taken(row.pk)  # who held it died
        if time.monotonic() >= give_up:
            raise StillInProgress
        if not connection.in_atomic_block:
            connection.close()  # twenty that wait must not keep the connections that the one at work needs
        time.sleep(POLL_SECONDS)


def _replay(row: IdempotencyKey) -> HttpResponse:
    assert row.status is not None
    body = base64.b64decode(crypto.unseal(row.body, bound_to=_place(row.pk)))
    response = HttpResponse(body, status=row.status, headers=row.headers)
    response["Idempotent-Replayed"] = "true"
    return response


def end(claim: Claim, response: HttpResponseBase) -> None:
    """Keep a success; free the key after anything else, so that the caller may try again with it."""
    _held.discard(claim.pk)
    if isinstance(response, HttpResponse) and response.status_code < 400 and not response.streaming:  # noqa: PLR2004
        claim.keep(response)
    else:
        claim.free()


def forget_expired() -> None:
    IdempotencyKey.objects.filter(expires_at__lte=Now()).delete()
