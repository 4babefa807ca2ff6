"""State has an owner: a process, an event loop, a task, a gateway that is open. Nobody else uses it, and nothing stays taken."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import json
import multiprocessing
import os
import random
import signal
import socket
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import httpx
import pytest
from acme import ACCOUNT, Vendor, async_gateway, gateway, order

from idv_core import ConfigError, IdvError
from idv_core.clock import SystemClock
from idv_core.config import Configuration
from idv_core.engine.account import Limits
from idv_core.engine.effects import Blocking
from idv_core.engine.limiters import Slot
from idv_core.errors import DeadlineExceeded, InvalidOrder
from idv_core.runtime.forks import renew_after_fork
from idv_core.runtime.interrupts import interrupt_in
from idv_core.transports.fast import FastTransport

KINDS = ["default", "fast", "brought"]
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")


class Echo(asyncio.Protocol):
    """Keeps connections alive and answers each call with the flow that it asked for, in two pieces."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self.waiting = b""

    def data_received(self, data: bytes) -> None:
        self.waiting += data
        while b"\r\n\r\n" in self.waiting:
            head, _, self.waiting = self.waiting.partition(b"\r\n\r\n")
            path = head.split(b" ", 2)[1].decode()
            body = json.dumps({"status": path.rpartition("/")[2]}).encode()
            head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
            loop = asyncio.get_running_loop()
            loop.call_later(0.001, self.write, head + body[:3])
            loop.call_later(0.002, self.write, body[3:])

    def write(self, data: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(data)


def _serve(listener: socket.socket) -> None:
    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(Echo, sock=listener, backlog=1000)
        await server.serve_forever()

    asyncio.run(run())


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    # here already, so that nobody is refused who comes before the process has begun
    listener.listen(256)
    process = multiprocessing.get_context("fork").Process(target=_serve, args=(listener,), daemon=True)
    process.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    process.kill()
    process.join()
    listener.close()


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


def account(url: str, **limits: Any) -> Any:
    return attrs.evolve(ACCOUNT, plugin="bare", limits=Limits(**limits), settings={**ACCOUNT.settings, "base_url": url})


def made(url: str, **more: Any) -> Any:
    more.setdefault("account", account(url))
    return gateway(Vendor(), SystemClock(), transport=more.pop("transport", None), **more)


def made_async(url: str, **more: Any) -> Any:
    more.setdefault("account", account(url))
    return async_gateway(Vendor(), SystemClock(), transport=more.pop("transport", None), **more)


def in_child(work: Callable[[], str]) -> Callable[[], str]:
    """Fork, do the work there, and give what it said when it is asked for."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            said = work()
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        os.write(writer, said.encode())
        os._exit(0)
    os.close(writer)

    def answer() -> str:
        with os.fdopen(reader) as file:
            said = file.read()
        os.waitpid(child, 0)
        return said

    return answer


def word_of(idv: Any, name: str) -> str:
    """What the vendor says of the flow: its own id."""
    return str(idv.result(f"acme-1/{name}").vendor_word)


@needs_fork
class TestFork:
    @pytest.mark.parametrize("kind", KINDS)
    def test_forked_workers_never_get_each_others_answers(self, server: str, kind: str) -> None:
        transport = {"default": None, "fast": FastTransport(), "brought": httpx.HTTPTransport()}[kind]
        idv = made(server, transport=transport)
        assert word_of(idv, "before-the-fork") == "before-the-fork"

        def worker(number: int) -> Callable[[], str]:
            def work() -> str:
                names = [f"person-{number}-{call}" for call in range(100)]
                return str(sum(word_of(idv, name) != name for name in names))

            return work

        workers = [in_child(worker(number)) for number in range(4)]
        assert [worker() for worker in workers] == ["0"] * 4
        assert word_of(idv, "after-the-fork") == "after-the-fork"
        idv.close()
        if transport:
            transport.close()

    @pytest.mark.parametrize("kind", ["default", "fast"])
    def test_tasks_of_forked_workers_neither(self, server: str, kind: str) -> None:
        transport = FastTransport() if kind == "fast" else None
        idv = made_async(server, transport=transport)

        async def words(*names: str) -> list[str]:
            return [str((await idv.result(f"acme-1/{name}")).vendor_word) for name in names]

        asyncio.run(words("before-the-fork"))

        def worker(number: int) -> Callable[[], str]:
            names = [f"person-{number}-{call}" for call in range(50)]
            return lambda: str(asyncio.run(words(*names)) == names)

        workers = [in_child(worker(number)) for number in range(4)]
        assert [worker() for worker in workers] == ["True"] * 4

    def test_what_was_held_at_the_fork_is_free_in_the_child(self, server: str) -> None:
        """Another thread held the locks and ran the only call; in the child there is no such thread."""
        idv = made(server, account=account(server, concurrency=1, operation=20))
        session = idv._state.active.sessions["acme-1"]
        parts = (session.limiter, session.breaker, session.budget, idv._state.waiters, idv._state.openings)
        locks = [*(part._lock for part in parts), session.cap._count.lock]
        assert session.limiter.take(Slot())
        for lock in locks:
            lock.acquire()
        child = in_child(lambda: f"{session.limiter.running} {word_of(idv, 'free')}")
        for lock in locks:
            lock.release()
        assert child() == "0 free"
        assert session.limiter.running == 1, "the parent's own go on"

    def test_an_owner_that_is_gone_is_not_asked(self) -> None:
        class Owner:
            def after_fork(self) -> None:
                raise AssertionError

        owner = Owner()
        renew_after_fork(owner)
        gone = weakref.ref(owner)
        del owner
        gc.collect()
        assert gone() is None


class TestLoops:
    @pytest.mark.parametrize("kind", KINDS)
    def test_one_gateway_serves_one_loop_after_the_other(self, server: str, kind: str) -> None:
        transport = {"default": None, "fast": FastTransport(), "brought": httpx.AsyncHTTPTransport()}[kind]
        idv = made_async(server, transport=transport)

        async def twice(name: str) -> list[str]:
            return [str((await idv.result(f"acme-1/{name}")).vendor_word) for _ in range(2)]

        for number in range(3):
            assert asyncio.run(twice(f"run-{number}")) == [f"run-{number}"] * 2
        asyncio.run(idv.close())
        gc.collect()

    @pytest.mark.parametrize("kind", ["default", "fast"])
    def test_and_several_at_the_same_time(self, server: str, kind: str) -> None:
        transport = FastTransport() if kind == "fast" else None
        idv = made_async(server, account=account(server, concurrency=2), transport=transport)
        wrong: list[str] = []

        async def look(name: str) -> None:
            if (await idv.result(f"acme-1/{name}")).vendor_word != name:
                wrong.append(name)

        async def many(number: int) -> None:
            await asyncio.gather(*(look(f"loop-{chr(97 + number)}{chr(97 + call)}") for call in range(20)))

        threads = [threading.Thread(target=asyncio.run, args=(many(number),)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not wrong
        assert idv.health()["acme-1"].running == 0

    def test_httpx_own_transport_serves_one_at_a_time(self, server: str) -> None:
        """It cannot be made anew, and two loops at a time would mix up its connections: said before anything is sent."""
        idv = made_async(server, transport=httpx.AsyncHTTPTransport())

        async def both() -> None:
            await idv.result("acme-1/x")
            with pytest.raises(ConfigError, match="belongs to another event loop"):
                await asyncio.to_thread(asyncio.run, idv.result("acme-1/x"))

        asyncio.run(both())

    def test_a_gateway_that_nobody_closed_leaves_no_connection(self, server: str) -> None:
        async def run() -> None:
            await made_async(server).result("acme-1/x")

        asyncio.run(run())
        gc.collect()


class Stopping:
    """Awaits a call and cancels the task when it has been suspended so many times, wherever that finds it."""

    def __init__(self, call: Any, *stops: int) -> None:
        self.call, self.stops = call, stops

    def __await__(self) -> Any:
        inner = self.call.__await__()
        suspended, error = 0, None
        while True:
            try:
                waited_for = inner.send(None) if error is None else inner.throw(error)
            except StopIteration as stop:
                return stop.value
            suspended, error = suspended + 1, None
            if suspended in self.stops:
                asyncio.current_task().cancel()
            try:
                yield waited_for
            except BaseException as thrown:
                error = thrown


class TestCancellation:
    def test_a_call_stopped_twice_leaves_no_busy_connection(self, server: str) -> None:
        """The second stop meets httpcore where it cleans up after the first, also while a body is read."""

        async def run() -> None:
            idv = made_async(server)
            assert (await idv.result("acme-1/first")).vendor_word == "first"
            transport = idv._driver.transports.of(idv._state.active.sessions["acme-1"])
            for first in range(1, 20):
                for second in range(first, first + 6):
                    with contextlib.suppress(asyncio.CancelledError):
                        await asyncio.create_task(stopped(idv, first, second))
                    while transport._closing:
                        await asyncio.sleep(0)
                    pool = transport._pool
                    assert all(connection.is_idle() for connection in pool.connections), (first, second, repr(pool))
            await idv.close()

        async def stopped(idv: Any, *stops: int) -> None:
            await Stopping(idv.result("acme-1/f"), *stops)

        asyncio.run(run())

    @pytest.mark.long
    @pytest.mark.parametrize(
        ("kind", "calls", "places"),
        [("default", 5_000, 100), ("default", 5_000, 7), ("brought", 500, 100)],
        ids=["enough places", "in line", "httpx's own transport"],
    )
    def test_the_pool_survives_ten_thousand_cancelled_calls(
        self, server: str, kind: str, calls: int, places: int
    ) -> None:
        chance = random.Random(5)

        async def stopped(idv: Any) -> None:
            first = chance.randrange(1, 16)
            # some twice, as time-outs within time-outs do
            await Stopping(idv.result("acme-1/f"), first, first + chance.randrange(4))

        async def run() -> None:
            mine = httpx.AsyncHTTPTransport() if kind == "brought" else None
            idv = made_async(server, account=account(server, concurrency=places), transport=mine)
            cancelled = 0
            while cancelled < calls:
                tasks = [asyncio.create_task(stopped(idv)) for _ in range(100)]
                ended = await asyncio.gather(*tasks, return_exceptions=True)
                assert {type(end) for end in ended if end is not None} <= {asyncio.CancelledError}
                cancelled += sum(end is not None for end in ended)
            transport = idv._driver.transports.of(idv._state.active.sessions["acme-1"])
            pool = transport._pool
            while transport._closing:
                await asyncio.sleep(0)
            assert not pool._requests
            assert all(connection.is_idle() for connection in pool.connections), repr(pool)
            health = idv.health()["acme-1"]
            assert (health.running, health.waiting) == (0, 0)
            assert (await idv.result("acme-1/alone")).vendor_word == "alone"
            await idv.close()
            await transport.aclose()

        asyncio.run(run())


class Interrupt(Exception):
    """What a worker's time limit raises in the middle of whatever runs."""


@pytest.fixture
def alarm() -> Iterator[Callable[[BaseException], None]]:
    """Have a signal handler raise this, at once."""
    raised: list[BaseException] = []

    def handler(*_: object) -> None:
        raise raised[0]

    before = signal.signal(signal.SIGUSR1, handler)

    def fire(error: BaseException) -> None:
        raised[:] = [error]
        signal.raise_signal(signal.SIGUSR1)

    yield fire
    signal.signal(signal.SIGUSR1, before)


INTERRUPTS = [KeyboardInterrupt(), Interrupt("time is up"), TimeoutError("alarm")]


class TestInterrupts:
    @pytest.mark.parametrize("error", INTERRUPTS, ids=lambda error: type(error).__name__)
    def test_one_in_the_middle_of_a_call_passes_through(self, alarm: Any, vendor: Vendor, error: BaseException) -> None:
        vendor.answers["GET /flows"] = lambda _: alarm(error)
        idv = gateway(vendor, account=attrs.evolve(ACCOUNT, plugin="bare"))
        with pytest.raises(type(error)) as caught:
            idv.status("acme-1/f-1")
        assert caught.value is error
        assert len(vendor.requests) == 1, "it was not repeated"
        health = idv.health()["acme-1"]
        assert (health.running, health.failures) == (0, 0)

    @pytest.mark.parametrize("error", INTERRUPTS, ids=lambda error: type(error).__name__)
    def test_one_that_a_transport_has_wrapped_does_too(self, alarm: Any, vendor: Vendor, error: BaseException) -> None:
        """As httpx wraps a TimeoutError that comes up while it reads."""

        def reading(_: httpx.Request) -> httpx.Response:
            try:
                alarm(error)
            except Exception as raised:
                raise httpx.ReadTimeout("wrapped") from raised

        vendor.answers["GET /flows"] = reading
        with pytest.raises(type(error)) as caught:
            gateway(vendor, account=attrs.evolve(ACCOUNT, plugin="bare")).status("acme-1/f-1")
        assert caught.value is error

    @pytest.mark.parametrize("error", INTERRUPTS, ids=lambda error: type(error).__name__)
    def test_one_that_ends_as_another_error_of_the_wait_does_too(
        self, alarm: Any, vendor: Vendor, error: BaseException
    ) -> None:
        """A condition that is interrupted before it has its lock again says that there is no lock to release."""

        class Clock(SystemClock):
            def wait(self, woken: threading.Event, seconds: float) -> None:
                lock = threading.Lock()
                try:
                    alarm(error)
                finally:
                    lock.release()

        idv = gateway(vendor, Clock(), attrs.evolve(ACCOUNT, plugin="bare", limits=Limits(concurrency=1)))
        (session,) = idv._state.active.sessions.values()
        assert session.limiter.take(Slot())
        with pytest.raises(type(error)) as caught:
            idv.status("acme-1/f-1")
        assert caught.value is error

    @pytest.mark.parametrize("error", INTERRUPTS, ids=lambda error: type(error).__name__)
    def test_one_while_waiting_in_line_gives_the_place_back(
        self, alarm: Any, vendor: Vendor, error: BaseException
    ) -> None:
        class Clock(SystemClock):
            def wait(self, woken: threading.Event, seconds: float) -> None:
                alarm(error)

        idv = gateway(vendor, Clock(), attrs.evolve(ACCOUNT, plugin="bare", limits=Limits(concurrency=1)))
        caught: list[BaseException] = []

        def busy(_: httpx.Request) -> httpx.Response:
            with pytest.raises(type(error)):
                idv.status("acme-1/f-2")
            caught.append(error)
            assert idv.health()["acme-1"].waiting == 0
            return httpx.Response(200, json={})

        vendor.answers["GET /flows/f-1"] = busy
        idv.status("acme-1/f-1")
        assert caught == [error]
        assert idv.health()["acme-1"].running == 0
        idv.status("acme-1/f-3")

    def test_one_in_a_plugins_code_is_not_laid_at_the_plugins_door(self, alarm: Any, vendor: Vendor) -> None:
        def ask(acme: Any) -> Any:
            yield from acme.break_down("")
            alarm(Interrupt())

        with pytest.raises(Interrupt):
            gateway(vendor).vendor(ask)

    @pytest.mark.parametrize("kind", ["function", "partial", "method", "object"])
    def test_a_handler_is_known_in_any_form(self, kind: str) -> None:
        class Handler:
            def method(self, *_: object) -> None:
                raise TimeoutError

            __call__ = method

        made = Handler()
        handler: Any = {
            "function": lambda *_: made.method(),
            "partial": functools.partial(Handler.method, made),
            "method": made.method,
            "object": made,
        }[kind]
        before = signal.signal(signal.SIGUSR1, handler)
        with pytest.raises(TimeoutError) as caught:
            signal.raise_signal(signal.SIGUSR1)
        assert interrupt_in(caught.value) is caught.value
        signal.signal(signal.SIGUSR1, before)

    def test_a_time_out_of_ones_own_is_none(self) -> None:
        with pytest.raises(TimeoutError) as caught:
            raise TimeoutError
        assert interrupt_in(caught.value) is None

    def test_what_a_transport_does_not_declare_is_no_fault_of_the_vendor(self, vendor: Vendor) -> None:
        """A bug in somebody's transport is his, and no reason to repeat a call."""

        class Odd(Exception):
            pass

        class Mine(httpx.MockTransport):
            faults: tuple[type[Exception], ...] = ()

        def odd(_: httpx.Request) -> httpx.Response:
            raise Odd

        vendor.answers["GET /flows"] = odd
        mine = Mine(vendor)
        idv = gateway(vendor, account=attrs.evolve(ACCOUNT, plugin="bare"), transport=mine)
        with pytest.raises(Odd):
            idv.status("acme-1/f-1")
        mine.faults = (Odd,)
        with pytest.raises(IdvError, match="connection to the vendor failed"):
            idv.status("acme-1/f-1")
        assert idv.health()["acme-1"].running == 0

    def test_an_iterator_that_ended_somewhere_else_is_no_answer(self, vendor: Vendor) -> None:
        """In a transport, or in a function of the platform: what StopIteration carries is not what the operation gives."""

        def ended(*_: object) -> Any:
            raise StopIteration("approved")

        idv = gateway(vendor)
        with pytest.raises(StopIteration):
            idv.open(order(), attempt=ended)
        assert not vendor.requests
        vendor.answers["GET /flows"] = ended
        with pytest.raises(StopIteration):
            idv.result("acme-1/f-1")
        assert idv.health()["acme-1"].running == 0

    def test_what_is_no_function_is_said_at_once(self, vendor: Vendor) -> None:
        idv = gateway(vendor)
        with pytest.raises(InvalidOrder, match="attempt must be a function"):
            idv.open(order(), attempt="acme-1")  # type: ignore[arg-type]
        with pytest.raises(InvalidOrder, match="progress must be a function"):
            idv.wait("acme-1/f-1", progress=5)  # type: ignore[arg-type]
        with pytest.raises(ConfigError, match="there is no account '7'"):
            idv.open(order(), account=7)  # type: ignore[call-overload]
        assert not vendor.requests


class TestWaits:
    def test_a_token_that_another_call_renews_is_waited_for_until_the_deadline(self, vendor: Vendor) -> None:
        renewing, end = threading.Event(), threading.Event()

        def slow(_: httpx.Request) -> httpx.Response:
            renewing.set()
            end.wait(30)
            return httpx.Response(200, json={"token": "t"})

        vendor.answers["POST /token"] = slow
        idv = gateway(vendor, SystemClock(), attrs.evolve(ACCOUNT, limits=Limits(operation=0.2)))

        def first() -> None:
            with pytest.raises(IdvError):
                idv.status("acme-1/f-1")

        thread = threading.Thread(target=first)
        thread.start()
        renewing.wait(30)
        with pytest.raises(DeadlineExceeded, match="renewing the token"):
            idv.status("acme-1/f-1")
        end.set()
        thread.join()

    async def test_the_same_with_tasks(self, vendor: Vendor) -> None:
        renewing, end = asyncio.Event(), asyncio.Event()

        class Slow(httpx.AsyncBaseTransport):
            async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
                renewing.set()
                await end.wait()
                return httpx.Response(200, json={"token": "t"})

        account = attrs.evolve(ACCOUNT, limits=Limits(operation=0.2))
        idv = async_gateway(vendor, SystemClock(), account, transport=Slow())
        first = asyncio.create_task(idv.status("acme-1/f-1"))
        await renewing.wait()
        with pytest.raises(DeadlineExceeded, match="renewing the token"):
            await idv.status("acme-1/f-1")
        end.set()
        await asyncio.gather(first, return_exceptions=True)

    @pytest.mark.parametrize("kind", ["sync", "async"])
    def test_a_file_that_never_ends_is_given_up(self, vendor: Vendor, kind: str) -> None:
        end = threading.Event()

        def steps() -> Any:
            return (yield Blocking(lambda: end.wait(30), 0.05))

        idv = (gateway if kind == "sync" else async_gateway)(vendor)
        with pytest.raises(DeadlineExceeded, match="before the file was read"):
            idv._driver.run(steps()) if kind == "sync" else asyncio.run(idv._driver.run(steps()))
        end.set()

    @pytest.mark.parametrize("kind", ["sync", "async"])
    def test_what_reading_a_file_raises_comes_out(self, vendor: Vendor, kind: str) -> None:
        def broken() -> None:
            raise ValueError("I/O operation on closed file")

        def steps() -> Any:
            return (yield Blocking(broken, 30))

        idv = (gateway if kind == "sync" else async_gateway)(vendor)
        with pytest.raises(ValueError, match="closed file"):
            idv._driver.run(steps()) if kind == "sync" else asyncio.run(idv._driver.run(steps()))


class TestClosing:
    def test_a_closed_gateway_says_so(self, server: str) -> None:
        idv = made(server)
        word_of(idv, "x")
        idv.close()
        for call in (lambda: idv.status("acme-1/x"), lambda: idv.open(order()), lambda: idv.reload(None)):
            with pytest.raises(ConfigError, match="the gateway is closed: make a new one"):
                call()
        assert not idv._driver.transports.made

    def test_so_does_a_closed_transport(self, server: str) -> None:
        with FastTransport() as transport:
            idv = made(server, transport=transport)
            idv.status("acme-1/x")
        with pytest.raises(ConfigError, match="the transport is closed: make a new one"):
            idv.status("acme-1/x")

    @pytest.mark.parametrize("kind", ["default", "fast"])
    async def test_a_closed_asynchronous_one_too(self, server: str, kind: str) -> None:
        transport = FastTransport() if kind == "fast" else None
        idv = made_async(server, transport=transport)
        await idv.status("acme-1/x")
        if transport is None:
            await idv.close()
        else:
            await transport.aclose()
        with pytest.raises(ConfigError, match="is closed: make a new one"):
            await idv.status("acme-1/x")

    def test_calls_that_waited_send_nothing_any_more(self, vendor: Vendor) -> None:
        """The first call holds the only place; `close` comes while it is asked, and the second while it waits for it."""
        account = attrs.evolve(ACCOUNT, plugin="bare", limits=Limits(concurrency=1))
        idv = gateway(vendor, SystemClock(), account)
        (session,) = idv._state.active.sessions.values()
        slot = Slot()
        assert session.limiter.take(slot)
        failures: list[BaseException] = []

        def open_one() -> None:
            try:
                idv.open(order())
            except ConfigError as error:
                failures.append(error)

        waiting = threading.Thread(target=open_one)
        waiting.start()
        while not session.limiter.waiting:
            waiting.join(0.001)
        idv.close()
        session.limiter.give_back(slot)
        waiting.join()
        (failure,) = failures
        assert "the gateway is closed" in str(failure)
        assert failure.nothing_done  # type: ignore[attr-defined]
        assert not vendor.requests

    async def test_nor_do_tasks(self, vendor: Vendor) -> None:
        account = attrs.evolve(ACCOUNT, plugin="bare", limits=Limits(concurrency=1))
        idv = async_gateway(vendor, SystemClock(), account)
        (session,) = idv._state.active.sessions.values()
        slot = Slot()
        assert session.limiter.take(slot)
        waiting = asyncio.ensure_future(idv.open(order()))
        while not session.limiter.waiting:
            await asyncio.sleep(0)
        await idv.close()
        session.limiter.give_back(slot)
        with pytest.raises(ConfigError, match="the gateway is closed") as caught:
            await waiting
        assert caught.value.nothing_done
        assert not vendor.requests

    @pytest.mark.parametrize("change", ["limits", "name"])
    def test_reloads_leave_no_connections_behind(self, server: str, change: str) -> None:
        idv = made(server)
        for number in range(8):
            changed = account(server, concurrency=10 + number)
            if change == "name":
                changed = attrs.evolve(account(server), name=f"acme-{number}")
            idv.reload(Configuration(accounts=[changed]))
            assert idv.status(f"{changed.name}/x")
            gc.collect()
            assert len(idv._driver.transports.made) <= 2
        idv.close()

    async def test_nor_with_tasks(self, server: str) -> None:
        idv = made_async(server)
        for number in range(8):
            idv.reload(Configuration(accounts=[attrs.evolve(account(server), name=f"acme-{number}")]))
            await idv.status(f"acme-{number}/x")
        assert len(idv._driver.transports.made) == 1
        await idv.close()

    def test_an_account_that_is_gone_is_still_reached_for_its_flows(self, server: str) -> None:
        idv = made(server)
        word_of(idv, "x")
        idv.reload(Configuration(accounts=[attrs.evolve(account(server), name="acme-2")]))
        assert word_of(idv, "y") == "y"
        idv.close()
