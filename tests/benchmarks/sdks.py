"""Calls against official SDKs of KYC vendors, each asking for its own small answer of the same size."""

from __future__ import annotations

from collections.abc import Callable

from canned import canned

from benchmarks.answers import ANSWERS, SDK_SIZE, UUID, WEBHOOKS, accounts, verigram_flow
from benchmarks.measuring import Row, Table, both, interleaved, repeated
from idv_core import Gateway
from idv_core.transports.fast import FastTransport


def chapter() -> list[Table]:
    with canned(ANSWERS) as url:
        return [Table("Against official SDKs of KYC vendors", sdk_calls(url))]


def sdk_calls(url: str) -> list[Row]:
    import complycube
    import didit
    import onfido
    import stripe

    configuration = onfido.Configuration(host=f"{url}/onfido", api_token="api_live.t")
    onfido_api = onfido.DefaultApi(onfido.ApiClient(configuration))
    stripe_client = stripe.StripeClient("sk_test_1", base_addresses={"api": url})
    complycube._base_url = f"{url}/complycube"
    complycube_client = complycube.ComplyCubeClient(api_key="key")
    didit_client = didit.Didit(api_key="key", base_url=f"{url}/didit")
    peers: dict[str, Callable[[], object]] = {
        f"onfido-python {onfido.__version__}": lambda: onfido_api.find_applicant(UUID),
        f"stripe {stripe.VERSION}": lambda: stripe_client.v1.identity.verification_sessions.retrieve("vs_1"),
        f"didit-sdk {didit.__version__}": lambda: didit_client.sessions.get_decision("s"),
        "complycube": lambda: complycube_client.clients.get("c"),
    }
    rows = []
    with (
        FastTransport() as transport,
        Gateway(accounts(url), webhooks=WEBHOOKS) as idv,
        Gateway(accounts(url), webhooks=WEBHOOKS, transport=transport) as quick,
    ):
        flow = verigram_flow(SDK_SIZE)
        for name, call in peers.items():
            seen = interleaved(
                {
                    "ours": repeated(lambda: idv.result(flow)),
                    "fast": repeated(lambda: quick.result(flow)),
                    "peer": repeated(call),
                },
                9,
            )
            what = f"`Gateway.result` against {name}, {SDK_SIZE} B"
            rows += both(f"{what}, httpx's transport", seen["ours"], seen["peer"])[:1]
            rows += both(f"{what}, extra `fast`", seen["fast"], seen["peer"], 0.8 if "onfido" in name else 1)[:1]
    return rows
