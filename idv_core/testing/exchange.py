"""Runs a plugin's exchange by hand, without engine and network: replies in, requests and the model out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

import attrs

from ..plugin.http import Exchange, Request, Response
from .clock import START

T = TypeVar("T")


@attrs.frozen
class Ran:
    """What came of it: the model, and the requests that were made on the way."""

    value: Any
    requests: tuple[Request, ...]


def reply(data: Any = None, status: int = 200, **headers: str) -> Response:
    """A response with JSON data, or with `bytes` as they are."""
    content = data if isinstance(data, bytes) else json.dumps(data).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status=status, content=content, headers=named, received_at=START)


def run_exchange(exchange: Exchange[T], replies: Iterable[Response]) -> Ran:
    """Drive an exchange with the replies in order; the last one is repeated when there are too few."""
    requests: list[Request] = []
    feed: Iterator[Response] = iter(replies)
    last: Response | None = None
    try:
        request = next(exchange)
        while True:
            requests.append(request)
            last = next(feed, last)
            if last is None:
                raise AssertionError(f"the exchange asks {request.method} {request.template}: give it a reply")
            if len(requests) > 500:
                raise AssertionError("the exchange never ends: it asked more than 500 times")
            request = exchange.send(last)
    except StopIteration as stop:
        return Ran(stop.value, tuple(requests))
