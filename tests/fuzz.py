"""Coverage-guided fuzzing (atheris) of the result and webhook readers of all plugins (`nox -s fuzz`).

Whatever a vendor sends, what comes out is a model or an `IdvError`. Arguments are libFuzzer's: `-runs=1000000`.
"""

from __future__ import annotations

import copy
import json
import sys
import time
from collections.abc import Iterator
from typing import Any

import atheris

with atheris.instrument_imports(
    include=[
        "idv_core.plugin.http",
        "idv_core.model",
        "idv_atlas",
        "idv_onfido",
        "idv_persona",
        "idv_plaid",
        "idv_stripe",
        "idv_verifik",
        "idv_verigram",
    ]
):
    from harnesses import HARNESSES

from idv_core.engine.breaker import Circuit
from idv_core.errors import WebhookRejected
from idv_core.plugin.protocols import Webhook, WebhookEvent
from idv_core.testing import FakeClock
from idv_core.testing.fuzzing import feed, recorded_answers
from idv_core.testing.harness import Driver

WORDS = [
    "",
    "SUCCESS",
    "pass",
    "COMPLETED",
    "fail",
    "FAILED",
    "100",
    "0.5",
    "NaN",
    "\x00",
    "é",
    "A" * 300,
    "..",
    "null",
]
NUMBERS: list[Any] = [0, 1, -1, 100, 101, 0.5, 1e308, -0.0, 10**30, float("inf"), float("nan")]
PURPOSES = ["results", "auth", "return", "events", "chat", ""]


def worlds() -> list[tuple[Driver, Any, list[Any]]]:
    made = []
    for make in HARNESSES.values():
        harness = make(FakeClock())
        # a circuit that opened would keep all later inputs from the readers
        driver = Driver(harness, "sync", circuit=Circuit(failures=10**9))
        made.append((driver, harness, list(recorded_answers(harness))))
    return made


WORLDS = worlds()
counted = {"result": 0, "webhook": 0, "begun": time.monotonic()}


def a_value(data: atheris.FuzzedDataProvider, depth: int = 0) -> Any:
    match data.ConsumeIntInRange(0, 9 if depth < 4 else 6):
        case 0:
            return None
        case 1:
            return data.ConsumeBool()
        case 2:
            return data.PickValueInList(NUMBERS)
        case 3:
            return data.ConsumeInt(8)
        case 4 | 5:
            return data.PickValueInList(WORDS)
        case 6:
            return data.ConsumeUnicodeNoSurrogates(12)
        case 7:
            return [a_value(data, depth + 1) for _ in range(data.ConsumeIntInRange(0, 3))]
        case _:
            return {data.PickValueInList(WORDS): a_value(data, depth + 1) for _ in range(data.ConsumeIntInRange(0, 3))}


def places(found: Any) -> Iterator[tuple[Any, Any]]:
    items = found.items() if isinstance(found, dict) else enumerate(found) if isinstance(found, list) else ()
    for key, value in items:
        yield found, key
        yield from places(value)


def a_changed(data: atheris.FuzzedDataProvider, example: Any) -> Any:
    """A real answer with up to four parts replaced, removed, renamed or moved."""
    holder = [copy.deepcopy(example)]
    for _ in range(data.ConsumeIntInRange(1, 4)):
        all_places = list(places(holder))
        inside, key = all_places[data.ConsumeIntInRange(0, len(all_places) - 1)]
        match data.ConsumeIntInRange(0, 4):
            case 0 if isinstance(inside, dict):
                del inside[key]
            case 1 if isinstance(inside, dict):
                inside[data.PickValueInList(WORDS)] = inside.pop(key)
            case 2:
                other, other_key = all_places[data.ConsumeIntInRange(0, len(all_places) - 1)]
                inside[key] = copy.deepcopy(other[other_key]) if other is not inside else None
            case _:
                inside[key] = a_value(data)
        if not holder:
            holder = [None]
    return holder[0]


def content(data: atheris.FuzzedDataProvider, examples: list[Any]) -> bytes:
    kind = data.ConsumeIntInRange(0, 9)
    if kind == 0:
        return data.ConsumeBytes(200)
    if kind == 1:
        return json.dumps(a_value(data)).encode()
    text = json.dumps(a_changed(data, data.PickValueInList(examples)), ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass")


def read_one(raw: bytes) -> None:
    data = atheris.FuzzedDataProvider(raw)
    driver, harness, examples = WORLDS[data.ConsumeIntInRange(0, len(WORLDS) - 1)]
    if data.ConsumeIntInRange(0, 3):
        counted["result"] += 1
        status = data.PickValueInList([200, 200, 200, 200, 201, 204, 400, 404, 409, 422, 500])
        contents = [content(data, examples) for _ in range(data.ConsumeIntInRange(1, 3))]
        feed(driver, harness, "result", contents, status)
        return
    counted["webhook"] += 1
    call = Webhook(
        purpose=data.PickValueInList(PURPOSES),
        method=data.PickValueInList(["GET", "POST"]),
        headers={data.PickValueInList(["token", "authorization", "x"]): data.PickValueInList(WORDS)},
        query={data.PickValueInList(["flow_id", "id", "x"]): data.PickValueInList(WORDS)},
        body=content(data, examples),
    )
    try:
        assert isinstance(driver.adapter.read_webhook(call), WebhookEvent)
    except WebhookRejected:
        pass


def main() -> None:
    def one(raw: bytes) -> None:
        # pytest's own failures are no exceptions, and libFuzzer looks for exceptions
        try:
            read_one(raw)
        except BaseException as error:
            raise AssertionError(f"{type(error).__name__}: {error}") from error
        total = counted["result"] + counted["webhook"]
        if total % 100_000 == 0:
            seconds = time.monotonic() - counted["begun"]
            results, webhooks = counted["result"], counted["webhook"]
            print(f"fuzz: {total} inputs ({results} results, {webhooks} webhooks) in {seconds:.0f} s", flush=True)

    atheris.Setup([sys.argv[0], *(sys.argv[1:] or ["-runs=1000000"]), "-max_len=2000", "-len_control=0"], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
