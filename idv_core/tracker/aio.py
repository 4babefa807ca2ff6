"""`AsyncTracker`: the same as `Tracker`, in tasks of the running event loop. The database is asked in threads."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine, Sequence
from datetime import timedelta
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
from sqlalchemy.exc import SQLAlchemyError

from ..engine.scrubbing import QUIET
from ..errors import DeadlineExceeded, IdvError
from ..gateway import AsyncGateway
from ..ledger import Delivery, Ledger, LedgerError, Stale, Verification
from ..ledger.audit import prune
from ..ledger.leases import Handler
from ..ledger.outbox import claim as claim_deliveries
from ..ledger.verification import Claim, News
from ..model import Document
from ..model.validation import seconds
from .delivery import LEASE, MOST_BYTES, SECONDS, UNSENT, Letter, Reply, check_endpoint
from .listening import Listener
from .tracker import _AWAY, _BEFORE_OPENED, _PRUNE, _WITHIN, pause_of, poll_of, worker_name
from .turning import Ask, Context, Effect, Rest, Steps, Work, deliver, failed, hand_in, log, stumbled, turn

T = TypeVar("T")


class AsyncTracker:
    """Follows verifications to their end, beside an asynchronous program. The same arguments as `Tracker`.

    `on_decided` is a plain function: it runs in a thread, within the transaction.
    """

    def __init__(
        self,
        gateway: AsyncGateway,
        ledger: Ledger,
        *,
        on_decided: Handler | None = None,
        concurrency: int = 32,
        poll: float | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        for endpoint in ledger.endpoints.values():
            check_endpoint(endpoint)
        self.worker = worker_name()
        self._context = Context(gateway, ledger, [on_decided] if on_decided is not None else [])
        self._gateway, self._ledger = gateway, ledger
        self._client = httpx.AsyncClient(transport=transport, timeout=SECONDS, follow_redirects=False)
        self._concurrency, self._poll = concurrency, poll_of(ledger) if poll is None else poll
        self._woken, self._stopping = asyncio.Event(), asyncio.Event()
        self._under_way: set[asyncio.Task[None]] = set()
        self._task: asyncio.Task[None] | None = None
        self._pruned = time.monotonic()

    # the loop

    def start(self) -> None:
        """Begin to follow, in a task of the running loop."""
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Take nothing more, and wait for the turns that are under way."""
        self._stopping.set()
        self._woken.set()
        if self._task is not None:
            await self._task
            self._task = None
        await self._client.aclose()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()

        def wake() -> None:
            # from any thread; a loop that is closed has nobody who waits
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._woken.set)

        listener = Listener(self._ledger, wake)
        self._ledger.on_due.append(wake)
        listener.start()
        try:
            while not self._stopping.is_set():
                self._woken.clear()
                if not await self._take():
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._woken.wait(), self._poll)
            if self._under_way:
                await asyncio.wait(self._under_way)
        finally:
            self._ledger.on_due.remove(wake)
            await asyncio.to_thread(listener.stop)

    async def _take(self) -> bool:
        free = self._concurrency - len(self._under_way)
        if free <= 0:
            return False
        claims: list[Claim] = []
        letters: list[Delivery] = []
        try:
            claims = await asyncio.to_thread(self._ledger.claim, self.worker, self._context.lease, free)
            letters = await self._letters(free - len(claims))
            if time.monotonic() - self._pruned > _PRUNE:
                self._pruned = time.monotonic()
                await asyncio.to_thread(prune, self._ledger.store)
        except Exception as error:
            stumbled(error)
            # what was claimed before that is worked on
            if not claims:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), _AWAY)
                return False
        work: list[Callable[[], Coroutine[Any, Any, None]]] = [partial(self._turn, claim) for claim in claims]
        work += [partial(self._deliver, letter) for letter in letters]
        for one in work:
            task = asyncio.create_task(one())
            self._under_way.add(task)
            task.add_done_callback(self._ended)
        # where there was room for more, nothing more is due
        return len(work) >= free

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._woken.set()

    async def _letters(self, most: int) -> list[Delivery]:
        names = list(self._ledger.endpoints)
        if not names or most <= 0:
            return []
        return await asyncio.to_thread(claim_deliveries, self._ledger.store, LEASE, most, names)

    # one turn

    async def step(self, most: int = 100) -> int:
        """Do what is due now, one after the other; how many turns and deliveries that were."""
        claims = await asyncio.to_thread(self._ledger.claim, self.worker, self._context.lease, most)
        for claim in claims:
            await self._turn(claim)
        letters = await self._letters(most)
        for letter in letters:
            await self._deliver(letter)
        return len(claims) + len(letters)

    async def turn(self, id: str) -> timedelta | None:
        """Take one turn with a verification if it is due and nobody else has it (see `Tracker.turn`)."""
        claims = await asyncio.to_thread(
            partial(self._ledger.claim, self.worker, self._context.lease, id=id, is_due=True)
        )
        for claim in claims:
            await self._turn(claim)
        return await asyncio.to_thread(self._ledger.due_in, id)

    async def _turn(self, claim: Claim) -> None:
        try:
            await self._carry_through(turn(self._context, claim))
        except Stale:
            log.info("verification %s was taken over by another worker", claim.id)
        except Exception as error:
            pause = failed(claim, error)
            # where that fails too, it is due again when its lease is over
            with contextlib.suppress(LedgerError, SQLAlchemyError):
                await asyncio.to_thread(self._ledger.release, claim, pause, claim.verification.tries + 1)

    async def _deliver(self, delivery: Delivery) -> None:
        try:
            await self._carry_through(deliver(self._context, delivery))
        except Exception as error:
            log.warning("message %s is sent again when its lease is over (%s)", delivery.id, type(error).__name__)

    async def _carry_through(self, steps: Steps[T]) -> T:
        value: Any = None
        fault: Exception | None = None
        try:
            while True:
                effect = steps.send(value) if fault is None else steps.throw(fault)
                value, fault = None, None
                try:
                    value = await self._carry_out(effect)
                except Exception as error:
                    fault = error
        except StopIteration as stop:
            outcome: T = stop.value
            return outcome
        finally:
            steps.close()

    async def _carry_out(self, effect: Effect) -> Any:
        match effect:
            case Work(function):
                # a thread cannot be stopped: its commit is waited for also if this task is cancelled
                return await asyncio.shield(asyncio.to_thread(function))
            case Ask(name, args, options):
                try:
                    return await getattr(self._gateway, name)(*args, **options)
                except IdvError as error:
                    return error
            case Rest(pause):
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), pause)
                return None
            case Letter(url, headers, content):
                reply = Reply(None)
                # an endpoint's address may be a secret, and httpx logs addresses
                with contextlib.suppress(*UNSENT, TimeoutError), QUIET:
                    async with (
                        asyncio.timeout(SECONDS),
                        self._client.stream("POST", url, headers=headers, content=content) as answer,
                    ):
                        reply = Reply(answer.status_code, answer.headers.get("retry-after"))
                        read = 0
                        async for chunk in answer.aiter_raw():
                            read += len(chunk)
                            if read > MOST_BYTES:
                                break
                return reply

    # what the platform does

    async def opened(self, verification: Verification | str, *, within: timedelta | float = _WITHIN) -> Verification:
        """The verification once it has its flow (see `Tracker.opened`)."""
        id = verification if isinstance(verification, str) else verification.id
        begun, most = time.monotonic(), seconds(within)
        while True:
            now = await asyncio.to_thread(self._ledger.get, id)
            if now.state not in _BEFORE_OPENED:
                return now
            waited = time.monotonic() - begun
            if waited >= most:
                raise DeadlineExceeded(f"verification {id} is still {now.state}; look again later", operation="opened")
            await asyncio.sleep(pause_of(waited, most))

    async def upload(self, id: str, documents: Sequence[Document]) -> Verification:
        """Hand documents in. Raises the gateway's errors."""
        return await self._hand_in(id, "upload", (documents,), News("uploaded", {"count": len(documents)}, "platform"))

    async def submit(self, id: str) -> Verification:
        """Say that all documents are uploaded. Raises the gateway's errors."""
        return await self._hand_in(id, "submit", (), News("submitted", {}, "platform"))

    async def renew_link(self, id: str) -> Verification:
        """Get a fresh link. Raises the gateway's errors."""
        return await self._hand_in(id, "renew_link", (), News("link_renewed", {}, "platform"))

    async def _hand_in(self, id: str, operation: str, args: tuple[Any, ...], news: News) -> Verification:
        begun, most = time.monotonic(), _WITHIN.total_seconds()
        while True:
            claims = await asyncio.to_thread(partial(self._ledger.claim, self.worker, self._context.lease, id=id))
            for claim in claims:
                return await self._carry_through(hand_in(self._context, claim, operation, args, news))
            await asyncio.to_thread(self._ledger.get, id)
            waited = time.monotonic() - begun
            if waited >= most:
                raise DeadlineExceeded(f"verification {id} is being worked on; try again", operation=operation)
            await asyncio.sleep(pause_of(waited, most))

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
