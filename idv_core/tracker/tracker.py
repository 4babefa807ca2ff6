"""`Tracker`: follows every verification of a ledger to its end, in threads of its own."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
from sqlalchemy.exc import SQLAlchemyError

from ..engine.scrubbing import QUIET
from ..errors import DeadlineExceeded, IdvError
from ..gateway import Gateway
from ..ledger import Delivery, Ledger, LedgerError, Stale, State, Verification
from ..ledger.audit import prune
from ..ledger.leases import Handler
from ..ledger.outbox import claim as claim_deliveries
from ..ledger.verification import Claim, News
from ..model import Document
from ..model.validation import seconds
from .delivery import LEASE, MOST_BYTES, SECONDS, UNSENT, Letter, Reply, check_endpoint
from .listening import Listener
from .turning import Ask, Context, Effect, Rest, Steps, Work, deliver, failed, hand_in, log, stumbled, turn

T = TypeVar("T")

_POLL, _POLL_NOTIFIED = 0.2, 1.0
_PRUNE = 3600.0
_AWAY = 2.0
_LOOK = 0.05
_WITHIN = timedelta(seconds=10)
_BEFORE_OPENED = frozenset({State.ORDERED, State.OPENING})


def worker_name() -> str:
    """A name that no other living worker has."""
    return f"{socket.gethostname()[:40]}-{os.getpid()}-{secrets.token_hex(4)}"


def poll_of(ledger: Ledger) -> float:
    """How often to look for what is due, in seconds: seldom where the database tells."""
    return _POLL_NOTIFIED if Listener(ledger, lambda: None).is_possible else _POLL


def pause_of(waited: float, most: float) -> float:
    """Seconds until whoever waits looks again: a tenth of what was waited already, so that many who wait ask little and nobody
    waits much longer than need be. Not beyond `most`."""
    return min(max(_LOOK, waited / 10), most - waited)


class Tracker:
    """Follows verifications to their end: opens, recovers, looks, decides, tells the platform, erases.

    Any number of trackers in any number of processes may share a ledger. One that dies loses nothing: what it held is due
    again when its lease is over.

    Args:
        gateway: What calls the vendors. It stays yours to close.
        ledger: Where the verifications are.
        on_decided: Called as `on_decided(connection, verification, result)` inside the transaction that writes an outcome:
            `decided`, `failed`, `expired`, `unknown`, or `erased` (see `verification.state`; `result` is None where there is
            none). What it writes with the connection is there exactly once. If it raises, nothing is written, and it is tried
            again later.
        concurrency: How many turns and deliveries are under way at a time.
        poll: How often to look for what is due, in seconds; None for 0.2 with SQLite and 1 with PostgreSQL. What comes in wakes
            it at once in this process, and with PostgreSQL in all others.
        transport: What carries messages to the endpoints.

    Raises:
        ConfigError: The secret of an endpoint cannot sign.
    """

    def __init__(
        self,
        gateway: Gateway,
        ledger: Ledger,
        *,
        on_decided: Handler | None = None,
        concurrency: int = 8,
        poll: float | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        for endpoint in ledger.endpoints.values():
            check_endpoint(endpoint)
        self.worker = worker_name()
        self._context = Context(gateway, ledger, [on_decided] if on_decided is not None else [])
        self._gateway, self._ledger = gateway, ledger
        self._client = httpx.Client(transport=transport, timeout=SECONDS, follow_redirects=False)
        self._concurrency, self._poll = concurrency, poll_of(ledger) if poll is None else poll
        self._woken, self._stopping = threading.Event(), threading.Event()
        self._running = 0
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._pruned = time.monotonic()

    # the loop

    def start(self) -> None:
        """Begin to follow, in a thread."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="idv-tracker", daemon=True)
            self._ledger.on_due.append(self._woken.set)
            self._thread.start()

    def stop(self) -> None:
        """Take nothing more, and wait for the turns that are under way."""
        self._stopping.set()
        self._woken.set()
        if self._thread is not None:
            self._thread.join()
            self._ledger.on_due.remove(self._woken.set)
            self._thread = None
        self._client.close()

    def _run(self) -> None:
        listener = Listener(self._ledger, self._woken.set)
        listener.start()
        try:
            with ThreadPoolExecutor(self._concurrency, "idv-turn") as pool:
                while not self._stopping.is_set():
                    self._woken.clear()
                    if not self._take(pool):
                        self._woken.wait(self._poll)
        finally:
            listener.stop()

    def _take(self, pool: ThreadPoolExecutor) -> bool:
        """Hand out what is due; whether there may be more."""
        with self._lock:
            free = self._concurrency - self._running
        if free <= 0:
            return False
        claims: list[Claim] = []
        letters: list[Delivery] = []
        try:
            claims = self._ledger.claim(self.worker, self._context.lease, free)
            letters = self._letters(free - len(claims))
            self._prune()
        except Exception as error:
            stumbled(error)
            # what was claimed before that is worked on
            if not claims:
                self._stopping.wait(_AWAY)
                return False
        work: list[Callable[[], object]] = [partial(self._turn, claim) for claim in claims]
        work += [partial(self._deliver, letter) for letter in letters]
        for one in work:
            with self._lock:
                self._running += 1
            pool.submit(self._counted, one)
        return bool(work)

    def _letters(self, most: int) -> list[Delivery]:
        names = list(self._ledger.endpoints)
        return claim_deliveries(self._ledger.store, LEASE, most, names) if names and most > 0 else []

    def _prune(self) -> None:
        if time.monotonic() - self._pruned > _PRUNE:
            self._pruned = time.monotonic()
            prune(self._ledger.store)

    def _counted(self, work: Callable[[], object]) -> None:
        try:
            work()
        finally:
            with self._lock:
                self._running -= 1
            self._woken.set()

    # one turn

    def step(self, most: int = 100) -> int:
        """Do what is due now in this thread, one after the other; how many turns and deliveries that were. For tests, scripts
        and schedulers; `start` is not needed."""
        claims = self._ledger.claim(self.worker, self._context.lease, most)
        for claim in claims:
            self._turn(claim)
        return len(claims) + self.deliver(most)

    def deliver(self, most: int = 100) -> int:
        """Send what is due now in this thread; how many messages that were."""
        letters = self._letters(most)
        for letter in letters:
            self._deliver(letter)
        return len(letters)

    def turn(self, id: str) -> timedelta | None:
        """Take one turn with a verification if it is due and nobody else has it; how long from now on it is due again, None if
        nothing is waited for. For job queues: idempotent, and safe to call at any time in any process."""
        for claim in self._ledger.claim(self.worker, self._context.lease, id=id, is_due=True):
            self._turn(claim)
        return self._ledger.due_in(id)

    def _turn(self, claim: Claim) -> None:
        try:
            self._carry_through(turn(self._context, claim))
        except Stale:
            log.info("verification %s was taken over by another worker", claim.id)
        except Exception as error:
            self._release(claim, error)

    def _release(self, claim: Claim, error: Exception) -> None:
        pause = failed(claim, error)
        try:
            self._ledger.release(claim, pause, claim.verification.tries + 1)
        except (LedgerError, SQLAlchemyError):
            # it is due again when its lease is over
            pass

    def _deliver(self, delivery: Delivery) -> None:
        try:
            self._carry_through(deliver(self._context, delivery))
        except Exception as error:
            log.warning("message %s is sent again when its lease is over (%s)", delivery.id, type(error).__name__)

    def _carry_through(self, steps: Steps[T]) -> T:
        value: Any = None
        fault: Exception | None = None
        try:
            while True:
                effect = steps.send(value) if fault is None else steps.throw(fault)
                value, fault = None, None
                try:
                    value = self._carry_out(effect)
                except Exception as error:
                    fault = error
        except StopIteration as stop:
            outcome: T = stop.value
            return outcome
        finally:
            steps.close()

    def _carry_out(self, effect: Effect) -> Any:
        match effect:
            case Work(function):
                return function()
            case Ask(name, args, options):
                try:
                    return getattr(self._gateway, name)(*args, **options)
                except IdvError as error:
                    return error
            case Rest(pause):
                self._stopping.wait(pause)
                return None
            case Letter(url, headers, content):
                reply, end = Reply(None), time.monotonic() + SECONDS
                # an endpoint's address may be a secret, and httpx logs addresses
                with (
                    contextlib.suppress(*UNSENT),
                    QUIET,
                    self._client.stream("POST", url, headers=headers, content=content) as answer,
                ):
                    reply = Reply(answer.status_code, answer.headers.get("retry-after"))
                    read = 0
                    for chunk in answer.iter_raw():
                        read += len(chunk)
                        if read > MOST_BYTES or time.monotonic() >= end:
                            break
                return reply

    # what the platform does

    def opened(self, verification: Verification | str, *, within: timedelta | float = _WITHIN) -> Verification:
        """The verification once it has its flow, and its link if the vendor gives one. Raises DeadlineExceeded: it goes on."""
        id = verification if isinstance(verification, str) else verification.id
        begun, most = time.monotonic(), seconds(within)
        while True:
            now = self._ledger.get(id)
            if now.state not in _BEFORE_OPENED:
                return now
            waited = time.monotonic() - begun
            if waited >= most:
                raise DeadlineExceeded(f"verification {id} is still {now.state}; look again later", operation="opened")
            time.sleep(pause_of(waited, most))

    def upload(self, id: str, documents: Sequence[Document]) -> Verification:
        """Hand documents in. Raises the gateway's errors."""
        return self._hand_in(id, "upload", (documents,), News("uploaded", {"count": len(documents)}, "platform"))

    def submit(self, id: str) -> Verification:
        """Say that all documents are uploaded. Raises the gateway's errors."""
        return self._hand_in(id, "submit", (), News("submitted", {}, "platform"))

    def renew_link(self, id: str) -> Verification:
        """Get a fresh link. Raises the gateway's errors."""
        return self._hand_in(id, "renew_link", (), News("link_renewed", {}, "platform"))

    def _hand_in(self, id: str, operation: str, args: tuple[Any, ...], news: News) -> Verification:
        begun, most = time.monotonic(), _WITHIN.total_seconds()
        while True:
            for claim in self._ledger.claim(self.worker, self._context.lease, id=id):
                return self._carry_through(hand_in(self._context, claim, operation, args, news))
            self._ledger.get(id)
            waited = time.monotonic() - begun
            if waited >= most:
                raise DeadlineExceeded(f"verification {id} is being worked on; try again", operation=operation)
            time.sleep(pause_of(waited, most))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
