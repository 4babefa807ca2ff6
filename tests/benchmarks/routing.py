"""Finding the route of an order and the account in it, with few and with many routes."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

from benchmarks.measuring import Row, Spent, Table, interleaved, repeated
from idv_core import Applicant, FlowOrder, to_json
from idv_core.routing import Route, RoutingTable, When
from idv_core.routing.choosing import choose
from idv_core.routing.conditions import Facts


def chapter() -> list[Table]:
    return [Table("Routing", routing())]


_NOW = datetime.now(UTC)

ORDER = FlowOrder(
    product="p7-wallet",
    application_id="APP-10001",
    tenant="t-0",
    applicant=Applicant(
        reference="CUST-1", given_name="Ana", family_name="Ruiz", email="ana@example.org", country="CO", locale="es"
    ),
    documents=("idcard",),
    metadata={"channel": "web"},
)


def routes(count: int) -> list[Route]:
    """So many routes of tenants for products, with a split each, and one for the rest."""
    many = [
        Route(
            name=f"route {number}",
            when=When(product=f"p{number % 50}-*", tenant=f"t-{number // 50}", country=["CO", "KZ"]),
            split={"a": 90, "b": 10},
            fallback="c",
        )
        for number in range(count - 1)
    ]
    return [*many, Route(name="else", refuse="not offered")]


def routing() -> list[Row]:
    tables = {count: RoutingTable(routes(count)) for count in (10, 1_000, 10_000)}
    dumped = to_json(ORDER)

    def decide(table: RoutingTable) -> object:
        match = table.find(Facts(ORDER, _NOW))
        assert match is not None
        return choose(match.route, ORDER.application_id, {})

    runs: dict[str, Callable[[], Spent]] = {
        str(count): repeated(lambda table=table: decide(table), 2000) for count, table in tables.items()
    }
    seen = interleaved({**runs, "json": repeated(lambda: json.dumps(dumped), 2000)})
    return [
        Row(
            f"deciding route and account, {count} routes, against one `json.dumps` of the order",
            seen[str(count)].cpu,
            seen["json"].cpu,
            "µs",
            1.5 if count == 1_000 else None,
        )
        for count in tables
    ]
