"""`Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): the same request again gets the same answer, for a day.

Answers are sealed, for they hold links. What failed on our side or at the vendor's is not kept, so that a repeat tries anew.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy import and_, delete, or_, select, update
from sqlalchemy.sql import ColumnElement
from starlette.responses import Response

from ..ledger.sealing import place
from ..ledger.store import Store
from .problems import BadRequest, BeingAnswered, KeptAnswerUnreadable, KeyReused
from .tables import requests

_R = requests.c
KEPT = timedelta(days=1)
# Who has not answered by then was killed.
_LOST = timedelta(minutes=5)
# a String of RFC 8941 section 3.3.3, which the draft asks for; and bare, as most send it
_QUOTED = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])+)"')
_BARE = re.compile(r"[!#-~](?:[ -~]*[!-~])?")
_SOON = "the same request is being answered: ask again in a moment"
_KEPT_HEADERS = ("location", "preference-applied")


def read_key(given: Sequence[str]) -> str | None:
    """The key that the header gives, None where there is none. Quoted and bare are the same key. Raises BadRequest."""
    if not given:
        return None
    quoted, bare = _QUOTED.fullmatch(given[0]), _BARE.fullmatch(given[0])
    if len(given) > 1 or len(given[0]) > 255 or not (quoted or bare):
        raise BadRequest("Idempotency-Key: must have 1 to 255 printable ASCII characters; a UUID is good")
    return re.sub(r'\\(["\\])', r"\1", quoted[1]) if quoted else given[0]


async def once(
    store: Store, key_id: str, given: str, content: bytes, run: Callable[[], Awaitable[Response]]
) -> Response:
    """Run it, or give the answer that it had. `content` is what must be the same again.

    Raises KeyReused, BeingAnswered, KeptAnswerUnreadable.
    """
    fingerprint = sha256(content).digest()
    begun = await asyncio.to_thread(_begin, store, key_id, given, fingerprint)
    if isinstance(begun, Response):
        return begun
    try:
        answer = await run()
    except BaseException:
        await asyncio.shield(asyncio.to_thread(_forget, store, key_id, given, begun))
        raise
    await asyncio.shield(asyncio.to_thread(_end, store, key_id, given, begun, answer))
    return answer


def _begin(store: Store, key_id: str, given: str, fingerprint: bytes) -> Response | datetime:
    """The answer that it had; or that it begins now, at a time of the database's that tells this run from a later one."""
    same = and_(_R.key_id == key_id, _R.idempotency_key == given)
    old = or_(
        _R.begun_at < store.moment(-KEPT),
        and_(_R.status.is_(None), _R.begun_at < store.moment(-_LOST)),
    )
    row = {"key_id": key_id, "idempotency_key": given, "fingerprint": fingerprint, "begun_at": store.moment()}
    with store.begin() as con:
        con.execute(delete(requests).where(same, old))
        # PostgreSQL's driver tells no rowcount of an INSERT
        begun: datetime | None = con.execute(store.insert_new(requests, row).returning(_R.begun_at)).scalar()
        if begun is not None:
            return begun
        found = con.execute(select(requests).where(same)).mappings().one_or_none()
    if found is None:
        # the other one failed just now
        raise BeingAnswered(_SOON)
    if found["fingerprint"] != fingerprint:
        raise KeyReused("this Idempotency-Key belongs to another request: make a new one for each request")
    if found["status"] is None:
        raise BeingAnswered(_SOON)
    if not store.keyring.has_key_of(found["sealed_answer"]):
        raise KeptAnswerUnreadable(
            "the answer kept for this Idempotency-Key cannot be read since the sealing key changed: look the verification up "
            "by application_id, or send a new key"
        )
    kept, _, body = store.keyring.unwrap(found["sealed_answer"], _place(key_id, given)).partition(b"\n")
    headers = {"cache-control": "no-store", "idempotency-replayed": "true", **json.loads(kept)}
    return Response(body, found["status"], headers, media_type="application/json")


def _mine(key_id: str, given: str, begun: datetime) -> ColumnElement[bool]:
    """The row of this run: who took longer than `_LOST` may have been followed by another."""
    return and_(_R.key_id == key_id, _R.idempotency_key == given, _R.begun_at == begun, _R.status.is_(None))


def _end(store: Store, key_id: str, given: str, begun: datetime, answer: Response) -> None:
    kept = {name: answer.headers[name] for name in _KEPT_HEADERS if name in answer.headers}
    sealed = store.keyring.wrap(json.dumps(kept).encode() + b"\n" + bytes(answer.body), _place(key_id, given))
    with store.begin() as con:
        ended = update(requests).where(_mine(key_id, given, begun))
        con.execute(ended.values(status=answer.status_code, sealed_answer=sealed))


def _forget(store: Store, key_id: str, given: str, begun: datetime) -> None:
    with store.begin() as con:
        con.execute(delete(requests).where(_mine(key_id, given, begun)))


def prune(store: Store) -> None:
    """Forget answers of more than a day ago."""
    with store.begin() as con:
        con.execute(delete(requests).where(_R.begun_at < store.moment(-KEPT)))


def _place(key_id: str, given: str) -> bytes:
    return place("idv_request", "sealed_answer", f"{key_id}/{given}")
