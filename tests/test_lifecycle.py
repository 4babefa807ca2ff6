"""What is done with a verification after its opening: media, cancel, erase, retry, review, simulate; keys of webhooks."""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import io
import json
import os
import threading
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
from acme import ACCOUNT as PLAIN
from acme import PLUGIN, Vendor, order
from acme_whole import ACCOUNT, WHOLE, Idv
from starlette.applications import Starlette
from starlette.routing import Mount

from idv_core import Decision, Flow, FlowStatus, Secret
from idv_core.config import Webhooks
from idv_core.engine.account import Limits
from idv_core.errors import (
    ConfigError,
    FlowNotFound,
    InvalidOrder,
    OutcomeUnknown,
    PluginError,
    UnexpectedResponse,
    UnsupportedOperation,
    VendorError,
    WebhookRejected,
)
from idv_core.model import (
    Check,
    Coverage,
    Downloaded,
    Erasure,
    ErasureStatus,
    Media,
    MediaKind,
    Result,
    Review,
    VendorVerdict,
)
from idv_core.policy import DEFAULT_POLICY, evaluate
from idv_core.testing import FakeClock
from idv_core.testing.clock import START
from idv_core.webhooks import WebhookApp, WebhookRequest

WEBHOOKS = Webhooks("https://platform.example/idv", Secret("0123456789" * 4))
SELFIE = Media(id="m-1", kind="selfie")
PICTURE = bytes(range(256)) * 1000
GOOD = Result(
    flow=Flow(id="f-1", status="finished"),
    verdict=VendorVerdict.POSITIVE,
    checks=(Check(kind="liveness", name="presentation_attack", outcome="passed"),),
)


def flow(**changes: Any) -> Flow:
    return Flow(**{"id": "f-1", "account": "whole-1", "status": FlowStatus.FINISHED, **changes})


@pytest.fixture(params=["sync", "async"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def idv(kind: str, vendor: Vendor, clock: FakeClock) -> Iterator[Idv]:
    made = Idv(kind, [ACCOUNT], vendor, clock=clock, webhooks=WEBHOOKS)
    yield made
    made.shut()


def calls(vendor: Vendor, path: str) -> list[httpx.Request]:
    return [call for call in vendor.requests if call.url.path == path]


class Torn(httpx.SyncByteStream, httpx.AsyncByteStream):
    """The first half of a body; then the connection is gone."""

    def __iter__(self) -> Iterator[bytes]:
        yield PICTURE[:100_000]
        raise httpx.ReadError("gone")

    async def __aiter__(self) -> Any:
        for piece in self:
            yield piece


class Pieces(httpx.SyncByteStream, httpx.AsyncByteStream):
    def __init__(self, content: bytes) -> None:
        self.content = content

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, len(self.content), 5000):
            yield self.content[start : start + 5000]

    async def __aiter__(self) -> Any:
        for piece in self:
            yield piece


def picture(content: bytes = PICTURE, **headers: str) -> httpx.Response:
    given = {"content-type": "image/jpeg; q=1", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return httpx.Response(200, headers=given, stream=Pieces(content))


class TestDownloads:
    @pytest.fixture(autouse=True)
    def _has_a_picture(self, vendor: Vendor) -> None:
        vendor.answers["GET /media/"] = lambda call: picture()

    def test_what_there_is(self, idv: Idv, vendor: Vendor) -> None:
        vendor.answers["GET /flows/f-1/media"] = lambda call: httpx.Response(
            200, json=[["https://files.acme.example/dark", "selfie"], ["m-2", "document_front"]]
        )
        found = idv.media(flow())
        assert [media.kind for media in found] == [MediaKind.SELFIE, MediaKind.DOCUMENT_FRONT]
        assert "dark" not in repr(found)

    def test_a_path_is_replaced(self, idv: Idv, vendor: Vendor, tmp_path: Path) -> None:
        file = tmp_path / "selfie.jpg"
        file.write_bytes(b"an older one")
        got = idv.download(flow(), SELFIE, file)
        assert got == Downloaded(
            media=SELFIE, content_type="image/jpeg", size=256_000, sha256=hashlib.sha256(PICTURE).hexdigest()
        )
        assert file.read_bytes() == PICTURE
        assert list(tmp_path.iterdir()) == [file]
        assert file.stat().st_mode & 0o077 == 0
        assert vendor.requests[-1].headers["accept"] == "*/*"

    @pytest.mark.parametrize(
        "answer",
        [httpx.Response(206, content=b"\xff\xd8\xff a half"), httpx.Response(200, html="<html>Sign in</html>")],
        ids=["a part", "a page"],
    )
    def test_what_is_no_whole_file_is_not_kept_as_one(
        self, vendor: Vendor, idv: Idv, tmp_path: Path, answer: httpx.Response
    ) -> None:
        vendor.answers["GET /media/"] = lambda _: httpx.Response(
            answer.status_code, headers=answer.headers, content=answer.content
        )
        with pytest.raises(UnexpectedResponse):
            idv.download(flow(), SELFIE, tmp_path / "selfie.jpg")
        assert list(tmp_path.iterdir()) == []

    def test_nobody_ever_sees_a_part_of_it(self, idv: Idv, vendor: Vendor, tmp_path: Path) -> None:
        file = tmp_path / "selfie.jpg"
        file.write_bytes(b"an older one")
        seen: list[bytes] = []

        class Watched(Pieces):
            def __iter__(self) -> Iterator[bytes]:
                for piece in super().__iter__():
                    seen.append(file.read_bytes())
                    yield piece

        vendor.answers["GET /media/"] = lambda call: httpx.Response(200, stream=Watched(PICTURE))
        idv.download(flow(), SELFIE, str(file))
        assert set(seen) == {b"an older one"}
        assert len(seen) > 10
        assert file.read_bytes() == PICTURE

    @pytest.mark.parametrize("answer", [lambda: httpx.Response(200, stream=Torn()), lambda: httpx.Response(404)])
    def test_after_a_failure_nothing_is_left(self, idv: Idv, vendor: Vendor, tmp_path: Path, answer: Any) -> None:
        file = tmp_path / "selfie.jpg"
        file.write_bytes(b"an older one")
        vendor.answers["GET /media/"] = lambda call: answer()
        with pytest.raises(VendorError):
            idv.download(flow(), SELFIE, file)
        assert list(tmp_path.iterdir()) == [file]
        assert file.read_bytes() == b"an older one"

    def test_what_a_killed_process_left_is_in_nobodys_way(self, idv: Idv, vendor: Vendor, tmp_path: Path) -> None:
        """In a container every process has the same id."""
        (tmp_path / f".selfie.jpg.{os.getpid()}.part").write_bytes(b"half")
        assert idv.download(flow(), SELFIE, tmp_path / "selfie.jpg").size == 256_000

    def test_a_retry_drops_the_first_half(self, idv: Idv, vendor: Vendor, tmp_path: Path) -> None:
        for to in (tmp_path / "selfie.jpg", io.BytesIO(b"head"), (tmp_path / "open").open("wb+")):
            answers = iter([httpx.Response(200, stream=Torn()), httpx.Response(503), picture()])
            vendor.answers["GET /media/"] = lambda call, answers=answers: next(answers)
            head = b""
            if not isinstance(to, Path):
                head = b"head"
                to.write(head)
            got = idv.download(flow(), SELFIE, to)
            if isinstance(to, Path):
                content = to.read_bytes()
            else:
                to.seek(0)
                content = to.read()
                to.close()
            assert content == head + PICTURE
            assert (got.size, got.sha256) == (256_000, hashlib.sha256(PICTURE).hexdigest())

    def test_a_file_that_cannot_be_turned_back_gets_no_second_half(self, idv: Idv, vendor: Vendor) -> None:
        written = []

        class Pipe:
            def write(self, piece: bytes) -> int:
                written.append(piece)
                return len(piece)

        idv.download(flow(), SELFIE, Pipe())
        assert b"".join(written) == PICTURE
        vendor.answers["GET /media/"] = lambda call: httpx.Response(200, stream=Torn())
        with pytest.raises(InvalidOrder, match="cannot be turned back; give a path"):
            idv.download(flow(), SELFIE, Pipe())

    def test_a_file_that_takes_only_a_part_is_refused(self, idv: Idv) -> None:
        class Raw:
            def write(self, piece: bytes) -> int:
                return 1

        with pytest.raises(InvalidOrder, match="only a part"):
            idv.download(flow(), SELFIE, Raw())

    def test_what_cannot_be_written_is_said_before_the_vendor_is_asked(
        self, idv: Idv, vendor: Vendor, tmp_path: Path
    ) -> None:
        with pytest.raises(InvalidOrder, match=r"to: the file cannot be written \(No such file or directory\)"):
            idv.download(flow(), SELFIE, tmp_path / "none" / "selfie.jpg")
        with pytest.raises(InvalidOrder, match="a file opened in binary mode"):
            idv.download(flow(), SELFIE, 5)
        with pytest.raises(InvalidOrder, match="one of those that media"):
            idv.download(flow(), "m-1", tmp_path / "selfie.jpg")
        assert vendor.requests == []
        with pytest.raises(InvalidOrder, match="cannot be written"):
            idv.download(flow(), SELFIE, io.StringIO())

    def test_a_directory_in_the_way(self, idv: Idv, tmp_path: Path) -> None:
        (tmp_path / "selfie.jpg").mkdir()
        with pytest.raises(InvalidOrder, match="cannot be written"):
            idv.download(flow(), SELFIE, tmp_path / "selfie.jpg")
        assert [file.name for file in tmp_path.iterdir()] == ["selfie.jpg"]

    @pytest.mark.parametrize("most", [255_999, 256_000])
    def test_max_media_is_the_limit(self, kind: str, vendor: Vendor, tmp_path: Path, most: int) -> None:
        limits = Limits(max_media=most, max_response=1000)
        idv = Idv(kind, [attrs.evolve(ACCOUNT, limits=limits)], vendor)
        if most == 256_000:
            assert idv.download(flow(), SELFIE, tmp_path / "a").size == 256_000
        else:
            with pytest.raises(UnexpectedResponse, match=r"larger than 255999 bytes \(limits.max_media\)"):
                idv.download(flow(), SELFIE, tmp_path / "a")
            assert list(tmp_path.iterdir()) == []
        idv.shut()

    def test_an_error_does_not_go_to_the_file(self, kind: str, vendor: Vendor, tmp_path: Path) -> None:
        idv = Idv(kind, [attrs.evolve(ACCOUNT, limits=Limits(max_response=1000))], vendor)
        vendor.answers["GET /media/"] = lambda call: httpx.Response(403, json={"code": "no_media"})
        with pytest.raises(VendorError) as caught:
            idv.download(flow(), SELFIE, tmp_path / "a")
        assert caught.value.code == "no_media"
        vendor.answers["GET /media/"] = lambda call: httpx.Response(403, content=bytes(1001))
        with pytest.raises(UnexpectedResponse, match=r"limits.max_response"):
            idv.download(flow(), SELFIE, tmp_path / "a")
        idv.shut()

    def test_what_is_packed_is_unpacked(self, idv: Idv, vendor: Vendor, tmp_path: Path) -> None:
        once, twice = gzip.compress(PICTURE), gzip.compress(gzip.compress(PICTURE))
        for content, coding in ((once, "gzip"), (twice, "gzip, gzip")):
            vendor.answers["GET /media/"] = lambda call, c=content, e=coding: picture(c, content_encoding=e)
            got = idv.download(flow(), SELFIE, tmp_path / "a")
            assert (tmp_path / "a").read_bytes() == PICTURE
            assert (got.size, got.sha256) == (256_000, hashlib.sha256(PICTURE).hexdigest())
        vendor.answers["GET /media/"] = lambda call: picture(once[:-5], content_encoding="gzip")
        with pytest.raises(UnexpectedResponse, match="cut off"):
            idv.download(flow(), SELFIE, tmp_path / "b")
        assert not (tmp_path / "b").exists()

    @pytest.mark.parametrize("size", [65_535, 65_536, 65_537, 131_072, 20_000_000])
    @pytest.mark.parametrize("coding", ["gzip", "deflate"])
    def test_a_little_that_unpacks_to_much_is_never_whole_in_memory(
        self, idv: Idv, vendor: Vendor, coding: str, size: int
    ) -> None:
        packer = zlib.compressobj(wbits=zlib.MAX_WBITS | 16 if coding == "gzip" else -zlib.MAX_WBITS)
        packed = packer.compress(bytes(size)) + packer.flush()
        vendor.answers["GET /media/"] = lambda call: picture(packed, content_encoding=coding)
        sizes: list[int] = []

        class Counting:
            def write(self, piece: bytes) -> int:
                sizes.append(len(piece))
                return len(piece)

        assert idv.download(flow(), SELFIE, Counting()).size == size
        assert max(sizes) <= 65_536

    def test_out_of_an_address(self, idv: Idv, vendor: Vendor, tmp_path: Path) -> None:
        vendor.answers["GET /dark"] = lambda call: picture()
        there = Media(id="https://files.acme.example/dark?s=1", kind="selfie")
        assert idv.download(flow(), there, tmp_path / "a").size == 256_000
        elsewhere = Media(id="https://evil.example/dark", kind="selfie")
        with pytest.raises(UnexpectedResponse, match=r"evil.example, which is not in the allowed_hosts"):
            idv.download(flow(), elsewhere, tmp_path / "b")
        assert [file.name for file in tmp_path.iterdir()] == ["a"]

    def test_out_of_json(self, idv: Idv, vendor: Vendor, tmp_path: Path) -> None:
        content = {"content": base64.b64encode(PICTURE).decode()}
        vendor.answers["GET /media/inside"] = lambda call: httpx.Response(200, json=content)
        vendor.answers.pop("GET /media/")
        got = idv.download(flow(), Media(id="inside-1", kind="report", content_type="image/png"), tmp_path / "a")
        assert (got.content_type, got.size, got.sha256) == ("image/png", 256_000, hashlib.sha256(PICTURE).hexdigest())
        assert (tmp_path / "a").read_bytes() == PICTURE

    def test_an_empty_file_is_none(self, idv: Idv, vendor: Vendor, tmp_path: Path) -> None:
        vendor.answers["GET /media/"] = lambda call: picture(b"")
        with pytest.raises(FlowNotFound, match="empty"):
            idv.download(flow(), SELFIE, tmp_path / "a")
        assert list(tmp_path.iterdir()) == []


class TestCancel:
    def test_the_link_is_gone(self, idv: Idv, vendor: Vendor) -> None:
        opened = idv.open(order())
        cancelled = idv.cancel(opened)
        assert (cancelled.status, cancelled.link, cancelled.status.is_settled) == (FlowStatus.CANCELLED, None, True)
        assert (cancelled.ref, cancelled.application_id) == (opened.ref, "APP-1")
        assert idv.cancel(opened.ref).status is FlowStatus.CANCELLED

    def test_the_shadow_too(self, idv: Idv, vendor: Vendor) -> None:
        shadow = flow(id="f-9", is_shadow=True, status="open")
        cancelled = idv.cancel(flow(status="open", shadow=shadow))
        assert cancelled.shadow.status is FlowStatus.CANCELLED
        assert [len(calls(vendor, f"/flows/{id}/cancel")) for id in ("f-1", "f-9")] == [1, 1]
        vendor.answers["POST /flows/f-9/cancel"] = lambda call: httpx.Response(500)
        cancelled = idv.cancel(flow(status="open", shadow=shadow))
        assert (cancelled.status, cancelled.shadow) == (FlowStatus.CANCELLED, shadow)


class TestErase:
    def answers(self, vendor: Vendor, **by_id: dict[str, Any]) -> None:
        for id, data in by_id.items():
            vendor.answers[f"POST /flows/{id.replace('_', '-')}/erase"] = lambda call, d=data: httpx.Response(
                200, json=d
            )

    def test_what_the_vendor_says(self, idv: Idv, vendor: Vendor) -> None:
        self.answers(vendor, f_1={"status": "kept", "until": "2031-01-01T00:00:00+00:00", "reason": "law"})
        erasure = idv.erase("whole-1/f-1")
        assert (erasure.status, erasure.reason, erasure.shadow) == (ErasureStatus.KEPT, "law", None)
        assert erasure.kept_until == datetime(2031, 1, 1, tzinfo=UTC)
        self.answers(vendor, f_1={"status": "requested"})
        assert idv.erase(flow()) == Erasure(status="requested")

    def test_the_shadow_too(self, idv: Idv, vendor: Vendor) -> None:
        self.answers(vendor, f_1={"status": "done"}, f_9={"status": "requested"})
        shadow = flow(id="f-9", is_shadow=True)
        assert idv.erase(flow(shadow=shadow)) == Erasure(status="done", shadow=Erasure(status="requested"))

    def test_a_shadow_that_stays_is_told(self, kind: str, vendor: Vendor) -> None:
        self.answers(vendor, f_1={"status": "done"})
        vendor.answers["POST /flows/f-9/erase"] = lambda call: httpx.Response(403)
        idv = Idv(kind, [ACCOUNT, PLAIN], vendor, plugins=(WHOLE, PLUGIN))
        for account, said in (
            ("whole-1", "does not allow"),
            ("acme-1", "erases nothing"),
            ("gone", "no account 'gone'"),
        ):
            shadow = flow(id="f-9", is_shadow=True, account=account)
            erasure = idv.erase(flow(shadow=shadow))
            assert erasure.status is ErasureStatus.DONE
            assert erasure.shadow.status is ErasureStatus.REFUSED
            assert said in erasure.shadow.reason
            assert f"erase shadow:{account}/f-9" in erasure.shadow.reason
        idv.shut()

    def test_a_lost_answer_is_asked_again(self, idv: Idv, vendor: Vendor) -> None:
        answers = iter([httpx.Response(503), httpx.Response(200, json={"status": "done"})])
        vendor.answers["POST /flows/f-1/erase"] = lambda call: next(answers)
        assert idv.erase(flow()).status is ErasureStatus.DONE

    def test_an_erased_flow_decides_nothing(self) -> None:
        good = attrs.evolve(GOOD, flow=attrs.evolve(GOOD.flow, status="erased"))
        decided = evaluate(DEFAULT_POLICY, good, START)
        assert decided.decision is Decision.UNDECIDED
        assert [reason.code for reason in decided.reasons] == ["flow.erased"]
        assert good.flow.status.is_settled
        assert evaluate(DEFAULT_POLICY, GOOD, START).decision is Decision.APPROVED


class TestRetry:
    @pytest.fixture(autouse=True)
    def _counts_attempts(self, vendor: Vendor) -> None:
        def attempt(call: httpx.Request) -> httpx.Response:
            number = len(calls(vendor, "/flows/f-1/attempts")) + 1
            return httpx.Response(201, json={"id": f"f-{number}"})

        vendor.answers["POST /flows/f-1/attempts"] = attempt

    def test_a_new_attempt_knows_the_one_before(self, idv: Idv, vendor: Vendor) -> None:
        first = attrs.evolve(idv.open(order()), subject="0a1b2c3d4e5f")
        second = idv.retry(first, order())
        assert (second.id, second.previous_id, second.attempt) == ("f-2", "f-1", 2)
        assert (second.policy, second.subject, second.application_id) == (first.policy, first.subject, "APP-1")
        assert second.ref == first.ref.replace("f-1", "f-2")

    def test_its_webhooks_come_to_the_same_application(self, idv: Idv, vendor: Vendor) -> None:
        first = idv.open(order())
        given = json.loads(vendor.requests[-1].content)["callback"]
        idv.retry(first, order())
        assert json.loads(vendor.requests[-1].content)["callback"] == given
        assert given.startswith("https://platform.example/idv/whole-1/")

    def test_asked_twice_it_is_one_attempt(self, idv: Idv, vendor: Vendor) -> None:
        second = idv.retry(flow(), order())
        assert idv.retry(flow(), order()) == second
        assert idv.retry("whole-1/f-1", order()) == second
        assert len(calls(vendor, "/flows/f-1/attempts")) == 1

    def test_the_order_goes_on_with_it(self, idv: Idv, vendor: Vendor) -> None:
        first = idv.open(order())
        idv.retry(first, order())
        assert idv.open(order()).id == "f-2"
        assert len(calls(vendor, "/flows")) == 1

    def test_by_many_at_once_it_is_one_attempt(self, vendor: Vendor) -> None:
        idv = Idv("sync", [ACCOUNT], vendor)
        begun = threading.Barrier(4)
        ids: list[str] = []

        def ask() -> None:
            begun.wait()
            ids.append(idv.retry(flow(), order()).id)

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert ids == ["f-2"] * 4
        idv.shut()

    def test_by_many_tasks_at_once_it_is_one_attempt(self, vendor: Vendor) -> None:
        idv = Idv("async", [ACCOUNT], vendor)

        async def ask() -> list[Flow]:
            return await asyncio.gather(*(idv.gateway.retry(flow(), order()) for _ in range(4)))

        assert [again.id for again in asyncio.run(ask())] == ["f-2"] * 4

    @pytest.mark.parametrize("fault", [500, httpx.ReadTimeout("lost")])
    def test_one_that_was_lost_is_not_made_again(self, idv: Idv, vendor: Vendor, fault: Any) -> None:
        def lost(call: httpx.Request) -> httpx.Response:
            if isinstance(fault, Exception):
                raise fault
            return httpx.Response(fault)

        vendor.answers["POST /flows/f-1/attempts"] = lost
        with pytest.raises(OutcomeUnknown) as first:
            idv.retry(flow(), order())
        assert first.value.since == START
        for _ in range(2):
            with pytest.raises(OutcomeUnknown, match=r"the last retry\(\) was never answered") as again:
                idv.retry(flow(), order())
            assert (again.value.ask, again.value.since) == ("status", START)
            assert again.value.retry_after > timedelta(0)
        assert len(calls(vendor, "/flows/f-1/attempts")) == 1

    def test_one_that_was_refused_may_be_made_again(self, idv: Idv, vendor: Vendor) -> None:
        whole = vendor.answers["POST /flows/f-1/attempts"]
        vendor.answers["POST /flows/f-1/attempts"] = lambda call: httpx.Response(422, json={"code": "too_many"})
        with pytest.raises(InvalidOrder):
            idv.retry(flow(), order())
        vendor.answers["POST /flows/f-1/attempts"] = whole
        assert idv.retry(flow(), order()).attempt == 2


class TestReviewAndSimulate:
    def test_a_person_decides(self, idv: Idv, vendor: Vendor) -> None:
        after = idv.review(flow(may_reopen=True), Review(outcome="approve", author="Ana Ruiz", reason="seen"))
        assert (after.may_reopen, after.ref) == (False, "whole-1/f-1")
        sent = json.loads(vendor.requests[-1].content)
        assert sent == {"outcome": "approve", "by": "Ana Ruiz", "why": "seen"}
        with pytest.raises(InvalidOrder, match="give a Review"):
            idv.review(flow(), "approve")

    def test_nothing_is_simulated_with_real_people(self, idv: Idv, vendor: Vendor) -> None:
        with pytest.raises(UnsupportedOperation, match="set test = true"):
            idv.simulate(flow(), "approved")
        assert vendor.requests == []

    def test_with_a_test_account_by_one_word(self, kind: str, vendor: Vendor) -> None:
        idv = Idv(kind, [attrs.evolve(ACCOUNT, test=True)], vendor)
        assert idv.simulate(flow(status="open"), "approved").status is FlowStatus.FINISHED
        assert json.loads(vendor.requests[-1].content) == {"outcome": "approved"}
        with pytest.raises(InvalidOrder, match="must be one of approved, declined"):
            idv.simulate(flow(), "splendid")
        assert len(calls(vendor, "/flows/f-1/simulate")) == 1
        idv.shut()

    def test_coverage(self, idv: Idv, vendor: Vendor) -> None:
        vendor.answers["GET /coverage"] = lambda call: httpx.Response(200, json={"countries": ["CO", "IN"]})
        assert idv.coverage() == Coverage(
            countries=("IN", "CO"), checks=("document.authenticity", "liveness.presentation_attack")
        )
        with pytest.raises(ConfigError, match="no account 'nobody'"):
            idv.coverage(account="nobody")


def test_a_vendor_without_it_says_which_way_remains(kind: str, vendor: Vendor, tmp_path: Path) -> None:
    idv = Idv(kind, [PLAIN], vendor, plugins=(PLUGIN,))
    theirs = flow(account="acme-1")
    asked = {
        "do not hand out the link": lambda: idv.cancel(theirs),
        "Ask its support in writing": lambda: idv.erase(theirs),
        "look at the vendor's dashboard": lambda: idv.media(theirs),
        "no pictures": lambda: idv.download(theirs, SELFIE, tmp_path / "a"),
        "open another flow": lambda: idv.retry(theirs, order()),
        "decide in its dashboard": lambda: idv.review(theirs, Review(outcome="approve", author="A", reason="b")),
        "test mode cannot be told": lambda: idv.simulate(theirs, "approved"),
        "its pages say": lambda: idv.coverage(),
    }
    for way, ask in asked.items():
        with pytest.raises(UnsupportedOperation, match=way):
            ask()
    assert vendor.requests == []
    assert list(tmp_path.iterdir()) == []
    idv.shut()


class TestValidity:
    @pytest.mark.parametrize(
        ("seconds", "decision", "why"),
        [
            (1, Decision.APPROVED, "evidence.passed"),
            (0, Decision.REVIEW, "flow.validity_over"),
            (-1, Decision.REVIEW, "flow.validity_over"),
        ],
    )
    def test_an_approval_ends(self, seconds: int, decision: Decision, why: str) -> None:
        until = START + timedelta(seconds=seconds)
        decided = evaluate(DEFAULT_POLICY, attrs.evolve(GOOD, flow=attrs.evolve(GOOD.flow, valid_until=until)), START)
        assert (decided.decision, decided.reasons[-1].code) == (decision, why)


class TestWebhookKeys:
    """Acme names a key in the header `kid` and signs with its word."""

    def request(
        self, idv: Idv, kid: str | None = "k-1", signature: str = "word-k-1", body: bytes = b"{}"
    ) -> WebhookRequest:
        path = idv.webhook_url("whole-1", "done").reveal().removeprefix("https://platform.example/idv/whole-1")
        headers = {"signature": signature, **({"kid": kid} if kid else {})}
        return WebhookRequest(method="POST", path=path, headers=headers, body=body)

    @pytest.fixture(autouse=True)
    def _has_keys(self, vendor: Vendor) -> None:
        def key(call: httpx.Request) -> httpx.Response:
            id = call.url.path.rpartition("/")[2]
            if not id.startswith("k-"):
                return httpx.Response(404)
            return httpx.Response(200, json={"id": id, "word": f"word-{id}"})

        vendor.answers["GET /keys/"] = key

    def fetched(self, vendor: Vendor) -> list[str]:
        return [path.removeprefix("/keys/") for path in vendor.paths() if path.startswith("/keys/")]

    def take(self, idv: Idv, request: WebhookRequest) -> Any:
        idv.fetch_webhook_key("whole-1", request)
        return idv.receive("whole-1", request)

    def test_a_key_is_fetched_once(self, idv: Idv, vendor: Vendor) -> None:
        for number in range(3):
            received = self.take(idv, self.request(idv, body=b'{"n": %d}' % number))
            assert (received.flow_ref, received.proved) == ("whole-1/f-1", "signature")
        assert self.fetched(vendor) == ["k-1"]

    def test_without_its_key_nothing_is_taken(self, vendor: Vendor) -> None:
        idv = Idv("async", [ACCOUNT], vendor, webhooks=WEBHOOKS)
        with pytest.raises(WebhookRejected, match="being fetched; retry later") as caught:
            idv.receive("whole-1", self.request(idv))
        assert (caught.value.status, self.fetched(vendor)) == (503, [])

    def test_a_wrong_signature_is_refused(self, idv: Idv, vendor: Vendor) -> None:
        for request in (self.request(idv, signature="word-k-2"), self.request(idv, kid=None)):
            with pytest.raises(WebhookRejected) as caught:
                self.take(idv, request)
            assert caught.value.status == 401

    def test_a_key_is_kept_for_a_day_or_as_the_vendor_says(self, idv: Idv, vendor: Vendor, clock: FakeClock) -> None:
        self.take(idv, self.request(idv))
        clock.advance(86_399)
        self.take(idv, self.request(idv, body=b"1"))
        clock.advance(2)
        self.take(idv, self.request(idv, body=b"2"))
        assert self.fetched(vendor) == ["k-1"] * 2
        until = (clock.now() + timedelta(seconds=30)).isoformat()
        short = {"id": "k-2", "word": "word-k-2", "until": until}
        vendor.answers = {"GET /keys/k-2": lambda call: httpx.Response(200, json=short)}
        for wait in (0, 29, 2):
            clock.advance(wait)
            request = self.request(idv, "k-2", "word-k-2", body=b"%d" % wait)
            if wait == 2:
                # it has ended, and what the vendor still gives has ended too
                with pytest.raises(WebhookRejected, match="has expired") as caught:
                    self.take(idv, request)
                assert caught.value.status == 401
            else:
                self.take(idv, request)
        assert self.fetched(vendor).count("k-2") == 2

    def test_a_key_that_the_vendor_does_not_know_is_asked_for_once_a_minute(
        self, idv: Idv, vendor: Vendor, clock: FakeClock
    ) -> None:
        for _ in range(5):
            with pytest.raises(WebhookRejected, match="the vendor does not know") as caught:
                self.take(idv, self.request(idv, "forged"))
            assert caught.value.status == 401
        assert self.fetched(vendor) == ["forged"]
        clock.advance(61)
        with pytest.raises(WebhookRejected):
            self.take(idv, self.request(idv, "forged"))
        assert self.fetched(vendor) == ["forged"] * 2

    def test_an_answer_with_another_key_is_none(self, idv: Idv, vendor: Vendor) -> None:
        vendor.answers["GET /keys/"] = lambda call: httpx.Response(200, json={"id": "k-9", "word": "word-k-1"})
        with pytest.raises(WebhookRejected) as caught:
            self.take(idv, self.request(idv))
        assert caught.value.status == 401

    def test_while_the_vendor_is_down_it_may_call_again(self, idv: Idv, vendor: Vendor) -> None:
        keys = vendor.answers["GET /keys/"]
        vendor.answers["GET /keys/"] = lambda call: httpx.Response(503)
        with pytest.raises(WebhookRejected, match=r"could not be fetched \(VendorUnavailable\)") as caught:
            self.take(idv, self.request(idv))
        assert (caught.value.status, caught.value.retry_after) == (503, timedelta(seconds=30))
        vendor.answers["GET /keys/"] = keys
        assert self.take(idv, self.request(idv)).proved == "signature"

    def test_ten_are_fetched_in_a_minute(self, idv: Idv, vendor: Vendor, clock: FakeClock) -> None:
        for number in range(10):
            self.take(idv, self.request(idv, f"k-{number}", f"word-k-{number}"))
        with pytest.raises(WebhookRejected, match="too many signing keys") as caught:
            self.take(idv, self.request(idv, "k-10", "word-k-10"))
        assert (caught.value.status, caught.value.retry_after) == (429, timedelta(minutes=1))
        # those that are here are as good as before
        assert self.take(idv, self.request(idv, "k-3", "word-k-3", body=b"1")).proved == "signature"
        clock.advance(60)
        assert self.take(idv, self.request(idv, "k-10", "word-k-10")).proved == "signature"
        assert len(self.fetched(vendor)) == 11

    @pytest.mark.parametrize("kid", [" k", "k\x00", "k" * 201])
    def test_a_name_that_is_none_is_not_asked_for(self, idv: Idv, vendor: Vendor, kid: str) -> None:
        with pytest.raises(WebhookRejected, match="no valid id") as caught:
            self.take(idv, self.request(idv, kid))
        assert (caught.value.status, self.fetched(vendor)) == (401, [])

    def test_strangers_make_nothing_be_fetched(self, idv: Idv, vendor: Vendor) -> None:
        forged = attrs.evolve(self.request(idv), path="/guessed/done")
        with pytest.raises(WebhookRejected) as caught:
            self.take(idv, forged)
        assert (caught.value.status, vendor.requests) == (404, [])

    def test_a_plugin_that_breaks_is_a_bug(self, idv: Idv, vendor: Vendor) -> None:
        vendor.answers["GET /keys/"] = lambda call: httpx.Response(200, json={"word": "x"})
        with pytest.raises(PluginError, match="KeyError"):
            self.take(idv, self.request(idv))

    def test_the_app_fetches_by_itself(self, kind: str, vendor: Vendor) -> None:
        got: list[Any] = []
        idv = Idv(kind, [ACCOUNT], vendor, webhooks=WEBHOOKS)
        app = Starlette(routes=[Mount("/idv", app=WebhookApp(idv.gateway, got.append))])

        async def calls() -> list[int]:
            statuses = []
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(app), base_url="https://platform.example"
            ) as they:
                for kid, signature in (("k-1", "word-k-1"), ("k-1", "wrong"), ("forged", "x"), (None, "x")):
                    request = self.request(idv, kid, signature)
                    url = f"/idv/whole-1{request.path}"
                    statuses.append((await they.post(url, headers=dict(request.headers), content=b"{}")).status_code)
                vendor.answers["GET /keys/"] = lambda call: httpx.Response(500)
                request = self.request(idv, "k-2")
                answer = await they.post(f"/idv/whole-1{request.path}", headers=dict(request.headers))
                assert answer.headers["retry-after"] == "30"
                return [*statuses, answer.status_code]

        assert idv._runner.run(calls()) == [200, 401, 401, 401, 503]
        assert [received.flow_ref for received in got] == ["whole-1/f-1"]
        idv.shut()
