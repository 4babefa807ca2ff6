"""`open(order, attempt=...)`: whoever keeps books learns of each account before that is asked."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
from acme import BARE, PLUGIN, SIGNING, Vendor, order

from idv_core import AsyncGateway, Gateway, Secret
from idv_core.config import Account, Configuration, Retry
from idv_core.errors import InvalidOrder, RateLimited
from idv_core.registry import registry_of
from idv_core.routing import Route
from idv_core.testing import FakeClock

REGISTRY = registry_of(PLUGIN, BARE, SIGNING)
CONFIGURATION = Configuration(
    accounts=[
        Account(name, "acme", {"key": Secret("k"), "base_url": f"https://{name}.example"}, retry=Retry(attempts=1))
        for name in ("a", "b")
    ],
    routes=[Route(name="all", to="a", fallback="b")],
)


class Vendors:
    def __init__(self) -> None:
        self.at = {"a.example": Vendor(), "b.example": Vendor()}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        return self.at[request.url.host](request)

    def opened(self) -> list[str]:
        return [host for host, vendor in self.at.items() if "/flows" in vendor.paths()]


def connect(vendors: Vendors) -> Gateway:
    return Gateway(CONFIGURATION, transport=httpx.MockTransport(vendors), clock=FakeClock(), registry=REGISTRY)


def unreachable(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("no", request=request)


def noting(vendors: Vendors, seen: list[tuple[str, list[str]]]) -> Callable[[str], None]:
    return lambda account: seen.append((account, vendors.opened()))


def test_each_account_is_named_before_it_is_asked() -> None:
    vendors, seen = Vendors(), list[tuple[str, list[str]]]()
    vendors.at["a.example"].answers["POST /flows"] = unreachable
    assert connect(vendors).open(order(), attempt=noting(vendors, seen)).account == "b"
    assert seen == [("a", []), ("b", ["a.example"])]


async def test_a_coroutine_function_is_awaited_before_the_account_is_asked() -> None:
    vendors, seen = Vendors(), list[tuple[str, list[str]]]()
    note = noting(vendors, seen)

    async def attempt(account: str) -> None:
        note(account)

    async with AsyncGateway(
        CONFIGURATION, transport=httpx.MockTransport(vendors), clock=FakeClock(), registry=REGISTRY
    ) as idv:
        assert (await idv.open(order(), attempt=attempt)).account == "a"
        assert seen == [("a", [])]
        assert (await idv.open(order(application_id="APP-2"), attempt=note)).account == "a"
        assert [account for account, _ in seen] == ["a", "a"]


def test_a_blocking_gateway_cannot_await_and_asks_nobody() -> None:
    async def attempt(account: str) -> None: ...

    vendors = Vendors()
    with pytest.raises(InvalidOrder, match="must be plain functions"):
        connect(vendors).open(order(), attempt=attempt)
    assert vendors.opened() == []


def test_an_account_is_not_asked_when_the_intent_could_not_be_stored() -> None:
    def attempt(account: str) -> None:
        raise OSError("no space left on device")

    vendors = Vendors()
    with pytest.raises(OSError, match="no space"):
        connect(vendors).open(order(), attempt=attempt)
    assert vendors.opened() == []


def test_an_account_that_the_books_call_full_is_passed_over() -> None:
    def attempt(account: str) -> None:
        if account == "a":
            raise RateLimited("full", nothing_done=True)

    vendors = Vendors()
    assert connect(vendors).open(order(), attempt=attempt).account == "b"
    assert vendors.opened() == ["b.example"]
