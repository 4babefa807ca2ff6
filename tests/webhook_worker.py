"""One of several processes that receive webhooks for a ledger: calls on stdin, one a line; counts on stdout."""

from __future__ import annotations

import json
import sys
from collections import Counter
from datetime import UTC, datetime

from books import KEY, Town, account, make_gateway

from idv_core.errors import WebhookRejected
from idv_core.ledger import Ledger
from idv_core.testing import FakeClock
from idv_core.webhooks import WebhookRequest


def main() -> None:
    ledger = Ledger(sys.argv[1], keys=[KEY])
    gateway = make_gateway(Town("a"), FakeClock(datetime.now(UTC)), account("a", "calling"))
    counts: Counter[str] = Counter()
    for line in sys.stdin:
        call = json.loads(line)
        request = WebhookRequest(
            method="POST", path=call["path"], headers=call["headers"], query=call["query"], body=call["body"].encode()
        )
        try:
            with gateway.receiving("a", request) as received:
                counts["new" if not received.repeated and ledger.hint(received) else "known"] += 1
        except WebhookRejected:
            counts["refused"] += 1
    gateway.close()
    ledger.close()
    print(json.dumps(counts))


if __name__ == "__main__":
    main()
