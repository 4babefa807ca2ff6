"""The process that `idv demo --ledger` kills: a tracker over the emulators that it is told of on stdin."""

from __future__ import annotations

import json
import sys
import threading
from datetime import timedelta
from typing import Any

from ..config import Account, Configuration, Limits, Webhooks
from ..gateway.sync import Gateway
from ..ledger import Ledger
from ..model import Secret
from ..plugin.protocols import Polling
from ..routing import Route, When
from ..tracker import Tracker


def configuration(told: dict[str, Any]) -> Configuration:
    """Accounts at the emulators, and a route to each by product. Secrets stand under `secrets`, as invented texts."""
    accounts = [
        Account(
            name,
            name,
            {**one["settings"], **{key: Secret(text) for key, text in one["secrets"].items()}},
            limits=Limits(operation=10, allow_private_urls=True),
            polling=Polling(first=timedelta(seconds=0.5), ceiling=timedelta(seconds=2)),
            test=True,
        )
        for name, one in told["accounts"].items()
    ]
    first, *others = told["accounts"]
    routes = [Route(name=name, when=When(product=name), to=name) for name in others]
    # nobody listens there: the end comes by polling
    webhooks = Webhooks("https://platform.example/idv", Secret(told["key"]))
    return Configuration(accounts=accounts, routes=[*routes, Route(name="others", to=first)], webhooks=webhooks)


def main() -> None:
    told = json.loads(sys.stdin.readline())
    ledger = Ledger(told["url"], keys=[Secret(told["key"])])
    with Gateway(configuration(told)) as idv, Tracker(idv, ledger):
        threading.Event().wait()


if __name__ == "__main__":
    main()
