"""The life of a flow: opened, uploaded, submitted, read; by a reference, and through JSON."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import attrs
import pytest

from ...errors import IdvError, VendorError
from ...model import Decision, Flow, FlowRef, FlowStatus, Result, from_json, to_json
from ...plugin.protocols import (
    CredentialsProtocol,
    LinkProtocol,
    SubmitProtocol,
    TemplateProtocol,
    TokenProtocol,
    UploadProtocol,
)
from ..doubting import Misnaming, everywhere
from ..fuzzing import assert_announced
from ..harness import ACCOUNT, Driver, Harness, another_person
from ..vocabulary import assert_speaks_vocabulary
from .steps import offered, secrets_of

_FOREIGN = "https://foreign.example/verify"


class LivesThroughAFlow:
    def test_opens_a_flow(self, harness: Harness, idv: Driver) -> None:
        flow = idv.open(harness.order)
        assert flow.id
        ref = FlowRef.parse(flow.ref)
        assert (ref.account, ref.id, ref.is_shadow) == (ACCOUNT, flow.id, False)
        assert not flow.status.is_settled
        assert flow.created_at is not None
        assert flow.created_at.tzinfo is not None

    def test_what_was_opened_goes_through_json(self, harness: Harness, idv: Driver) -> None:
        flow = idv.open(harness.order)
        assert from_json(Flow, json.loads(json.dumps(to_json(flow, secrets=True)))) == flow
        without = json.dumps(to_json(flow))
        assert not [secret for secret in secrets_of(flow) if secret in without]

    def test_not_finished_is_undecided(self, harness: Harness, idv: Driver) -> None:
        result = idv.result(idv.open(harness.order))
        assert not result.status.is_settled
        assert result.decision is Decision.UNDECIDED

    def test_good_evidence_approves(self, harness: Harness, idv: Driver) -> None:
        result = idv.wait(harness.finish(idv, idv.open(harness.order)))
        assert result.status is FlowStatus.FINISHED
        assert not result.failed_checks()
        assert result.decision is Decision.APPROVED, [str(reason) for reason in result.reasons]

    def test_bad_evidence_declines(self, harness: Harness, idv: Driver) -> None:
        result = idv.wait(harness.finish_badly(idv, idv.open(harness.order)))
        assert result.status is FlowStatus.FINISHED
        assert result.failed_checks()
        assert result.decision is Decision.DECLINED

    def test_results_hold_what_the_adapter_says_they_can(self, harness: Harness, idv: Driver) -> None:
        for number, finish in enumerate((harness.finish, harness.finish_badly)):
            order = another_person(
                attrs.evolve(harness.order, application_id=f"APP-evidence-{number}"), f"evidence-{number}"
            )
            assert_announced(idv.adapter, idv.wait(finish(idv, idv.open(order))))

    def test_credentials_can_be_tried(self, harness: Harness, idv: Driver) -> None:
        offered(idv.adapter, CredentialsProtocol, TokenProtocol)
        assert idv.check_credentials() is True

    def test_a_reference_is_enough_to_go_on(self, harness: Harness, idv: Driver) -> None:
        flow = harness.finish(idv, idv.open(harness.order))
        harness.clock.advance(3600)
        there = idv.status(flow.ref)
        assert there.ref == flow.ref
        assert idv.result(flow.ref).status is FlowStatus.FINISHED

    def test_status_and_result_agree(self, harness: Harness, idv: Driver) -> None:
        for finish in (harness.finish, harness.finish_badly):
            order = another_person(attrs.evolve(harness.order, application_id=f"APP-{finish}"), str(id(finish)))
            flow = finish(idv, idv.open(order))
            harness.clock.advance(3600)
            told, result = idv.status(flow).status, idv.result(flow).status
            assert told is result, (
                f"of one flow `status` says '{told}' and `result` '{result}': read both by one function"
            )

    def test_results_go_through_json(self, harness: Harness, idv: Driver) -> None:
        result = idv.wait(harness.finish(idv, idv.open(harness.order)))
        assert from_json(Result, json.loads(json.dumps(to_json(result, secrets=True)))) == result

    def test_results_speak_the_vocabulary(self, harness: Harness, idv: Driver) -> None:
        for number, finish in enumerate((harness.finish, harness.finish_badly)):
            mark = f"words-{number}"
            order = another_person(attrs.evolve(harness.order, application_id=f"APP-{mark}"), mark)
            assert_speaks_vocabulary(idv.wait(finish(idv, idv.open(order))))

    def test_a_link_to_a_foreign_host_is_not_handed_on(self, harness: Harness) -> None:
        """Whoever can change an answer would send applicants, with their papers, to a page of his own."""
        driver = Driver(harness, "sync")
        link = driver.open(harness.order).link
        driver.close()
        if link is None:
            pytest.skip("not offered: the flow has no link")
        host = urlsplit(link.url.reveal()).netloc
        foreign = Misnaming(
            harness.transport,
            everywhere(
                lambda key, value: {key: _FOREIGN if isinstance(value, str) and f"//{host}/" in value else value}
            ),
        )
        driver = Driver(attrs.evolve(harness, transport=foreign), "sync")
        order = another_person(attrs.evolve(harness.order, application_id="APP-foreign"), "foreign")
        try:
            flow = driver.open(order)
        except IdvError:
            return
        finally:
            driver.close()
        assert flow.link is None or not flow.link.url.reveal().startswith(_FOREIGN), (
            "the flow's link leads to a host that is not the vendor's: pass it through `trusted_link(url, base_url, hosts)`"
        )

    def test_uploads_are_answered_one_by_one(self, harness: Harness, idv: Driver) -> None:
        offered(idv.adapter, UploadProtocol)
        flow = idv.upload(idv.open(harness.order), harness.documents)
        assert [upload.document_id for upload in flow.uploads] == [document.id for document in harness.documents]
        with pytest.raises(IdvError):
            idv.upload(flow, harness.documents)

    def test_submitting_says_how_far_it_is(self, harness: Harness, idv: Driver) -> None:
        offered(idv.adapter, SubmitProtocol)
        flow = idv.upload(idv.open(harness.order), harness.documents)
        assert idv.submit(flow).ref == flow.ref

    def test_links_can_be_renewed(self, harness: Harness, idv: Driver) -> None:
        offered(idv.adapter, LinkProtocol)
        flow = idv.open(harness.order)
        harness.clock.advance(60)
        renewed = idv.renew_link(flow)
        assert renewed.ref == flow.ref
        assert renewed.link is not None
        assert renewed.link != flow.link

    def test_provisioning_twice_leaves_one(self, harness: Harness, idv: Driver) -> None:
        offered(idv.adapter, TemplateProtocol)
        first = idv.provision(harness.template)
        second = idv.provision(harness.template)
        assert first.created
        assert not second.created
        assert first.id == second.id

    def test_a_token_is_fetched_once_and_renewed(self, harness: Harness, idv: Driver) -> None:
        offered(idv.adapter, TokenProtocol)
        assert harness.expire_tokens is not None, "TokenProtocol needs Harness.expire_tokens"
        flow = idv.open(harness.order)
        for _ in range(2):
            harness.clock.advance(2)
            idv.status(flow)
        fetched = [call for call in harness.emulator.calls if call.split("?")[0] in _token_calls(idv.adapter)]
        assert len(fetched) <= 1, (
            f"three operations fetched {len(fetched)} tokens: give `Grant(expires_in=...)` the life that the vendor's answer "
            "tells, and a `renew_before` that is shorter than it"
        )
        harness.expire_tokens()
        try:
            assert idv.status(flow).ref == flow.ref
        except VendorError as error:
            pytest.fail(f"after the token expired: {error}")


def _token_calls(adapter: Any) -> set[str]:
    """`METHOD /path` of the call that fetches a first token; none where the settings hold it."""
    exchange = adapter.obtain_token(None)
    try:
        request = next(exchange)
    except StopIteration:
        return set()
    exchange.close()
    return {f"{request.method} {urlsplit(adapter.base_url).path}{request.path}"}
