"""What is done with a flow besides reading it: pictures with the number masked, and what Atlas can read at all."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
from idv_atlas import idv_plugin
from idv_atlas.testing.emulator import AtlasEmulator, masked_card
from idv_atlas.testing.harness import MEERA, order
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from idv_core import Flow, Gateway, Secret
from idv_core.config import Account, Webhooks
from idv_core.errors import FlowNotFound, InvalidOrder, UnexpectedResponse, UnsupportedOperation
from idv_core.model import DocumentType, Media, MediaKind
from idv_core.registry import registry_of
from idv_core.testing import EmulatedResponse, FakeClock, Network

FAMILIES = ("verification", "onboarding", "idp", "bulk")
CARD = Media(id="redacted:card", kind=MediaKind.DOCUMENT, document="card")

Connect = Callable[..., Gateway]


@pytest.fixture
def connect(network: Network, clock: FakeClock, settings: dict[str, object]) -> Connect:
    def connect(family: str = "verification", **changes: object) -> Gateway:
        account = Account("atlas", "atlas", {**settings, "family": family, **changes})
        webhooks = Webhooks("https://platform.example/idv", Secret("key-of-the-tests-0123456789abcdef"))
        return Gateway([account], webhooks=webhooks, transport=network, clock=clock, registry=registry_of(idv_plugin()))

    return connect


@pytest.fixture
def read(network: Network, clock: FakeClock) -> Callable[[Gateway], Flow]:
    """A flow with an Aadhaar card and a PAN card, and Atlas is done with both."""

    def read(idv: Gateway) -> Flow:
        papers = [
            attrs.evolve(network.by_url("aadhaar", MEERA), id="card"),
            attrs.evolve(network.by_url("pan", MEERA), id="tax"),
        ]
        flow = idv.upload(idv.open(order()), papers)
        clock.advance(60)
        return flow

    return read


def card_of(emulator: AtlasEmulator) -> bytes:
    files = [file for case in emulator.cases.values() for file in case.files]
    return next(
        masked_card(file.specimen) for file in files if file.specimen and "aadhaar_number" in file.specimen.fields
    )


@pytest.mark.parametrize("family", FAMILIES)
class TestPicturesOfEachFamily:
    def test_the_masked_card_is_listed_and_nothing_else(
        self, connect: Connect, read: Callable[[Gateway], Flow], family: str
    ) -> None:
        idv = connect(family)
        assert idv.media(read(idv)) == (CARD,)

    def test_it_comes_whole_to_a_path_and_to_a_file(
        self,
        connect: Connect,
        read: Callable[[Gateway], Flow],
        emulator: AtlasEmulator,
        tmp_path: Path,
        family: str,
    ) -> None:
        idv = connect(family)
        flow = read(idv)
        card = card_of(emulator)
        there = idv.download(flow, CARD, tmp_path / "card.jpeg")
        assert (tmp_path / "card.jpeg").read_bytes() == card
        assert (there.sha256, there.size) == (hashlib.sha256(card).hexdigest(), len(card))
        assert there.content_type == "image/jpeg"
        opened = io.BytesIO()
        assert idv.download(flow, CARD, opened).sha256 == there.sha256
        assert opened.getvalue() == card


class TestPictures:
    def test_a_reference_is_enough(self, connect: Connect, read: Callable[[Gateway], Flow]) -> None:
        idv = connect()
        ref = read(idv).ref
        assert idv.media(ref) == (CARD,)
        assert idv.download(ref, CARD, io.BytesIO()).content_type == "image/jpeg"

    def test_there_is_none_before_atlas_is_done(self, connect: Connect, network: Network) -> None:
        idv = connect()
        flow = idv.upload(idv.open(order()), [attrs.evolve(network.by_url("aadhaar", MEERA), id="card")])
        assert idv.media(flow) == ()
        with pytest.raises(FlowNotFound, match=r"those that media\(flow\) lists"):
            idv.download(flow, CARD, io.BytesIO())

    def test_a_document_that_is_not_known_by_its_id_gives_no_picture(
        self, connect: Connect, read: Callable[[Gateway], Flow], emulator: AtlasEmulator
    ) -> None:
        emulator.variants.blank_document_ids = True
        idv = connect()
        flow = read(idv)
        assert idv.media(flow) == ()
        assert [document.images.keys() for document in idv.result(flow).documents if document.images]

    def test_an_address_that_has_ended_is_an_error_and_no_picture(
        self, connect: Connect, read: Callable[[Gateway], Flow], emulator: AtlasEmulator, tmp_path: Path
    ) -> None:
        idv = connect()
        flow = read(idv)
        emulator.fault("GET /redacted/", EmulatedResponse(403, content=b"<Error/>", type="application/xml"))
        with pytest.raises(FlowNotFound, match="leads to nothing"):
            idv.download(flow, CARD, tmp_path / "card.jpeg")
        assert not list(tmp_path.iterdir())

    def test_an_address_elsewhere_is_not_followed_unless_the_account_says_so(
        self, connect: Connect, read: Callable[[Gateway], Flow], emulator: AtlasEmulator, network: Network
    ) -> None:
        idv = connect()
        flow = read(idv)
        emulator.pictures_url = "https://bucket.elsewhere.example"
        with pytest.raises(UnexpectedResponse, match=r"bucket\.elsewhere\.example") as caught:
            idv.download(flow, CARD, io.BytesIO())
        signatures = [file.signature for case in emulator.cases.values() for file in case.files]
        assert not [signature for signature in signatures if signature in f"{caught.value!r}{caught.value}"]
        bucket = Starlette(routes=[Route("/redacted/{name}", lambda _: Response(b"card", media_type="image/jpeg"))])
        network.add("bucket.elsewhere.example", bucket)
        other = connect(media_hosts=["bucket.elsewhere.example"])
        assert other.download(flow, CARD, io.BytesIO()).size == 4

    def test_a_token_of_ours_does_not_go_with_it(
        self, connect: Connect, read: Callable[[Gateway], Flow], emulator: AtlasEmulator, network: Network
    ) -> None:
        seen: list[str] = []

        def answer(request: Request) -> Response:
            seen.extend(request.headers)
            return Response(b"card")

        idv = connect(media_hosts=["bucket.elsewhere.example"])
        flow = read(idv)
        emulator.pictures_url = "https://bucket.elsewhere.example"
        network.add("bucket.elsewhere.example", Starlette(routes=[Route("/redacted/{name}", answer)]))
        idv.download(flow, CARD, io.BytesIO())
        assert "host" in seen
        assert not {"token", "client-id", "client-secret", "authorization"} & set(seen)

    def test_wrong_ids_are_said_clearly(self, connect: Connect) -> None:
        with pytest.raises(FlowNotFound):
            connect().media("atlas/LOS-nobody")
        with pytest.raises(InvalidOrder, match="flow_id:external_reference_id"):
            connect("onboarding").media("atlas/LOS-nobody")
        with pytest.raises(InvalidOrder, match="number of documents"):
            connect("bulk").media("atlas/BATCH-1")


class TestCoverage:
    @pytest.mark.parametrize("family", FAMILIES)
    def test_it_is_what_the_pages_name_and_no_country(self, connect: Connect, family: str) -> None:
        coverage = connect(family).coverage()
        assert coverage.countries is None
        assert {DocumentType.TAX_CARD, DocumentType.NATIONAL_NUMBER_CARD, DocumentType.INVOICE} <= (
            coverage.document_types or set()
        )
        assert DocumentType.OTHER not in (coverage.document_types or set())
        assert ("cross_check.name" in (coverage.checks or set())) is (family == "verification")


def test_what_atlas_has_no_call_for_says_what_remains(connect: Connect) -> None:
    idv = connect()
    flow = idv.open(order())
    with pytest.raises(UnsupportedOperation, match="do not hand out the link"):
        idv.cancel(flow)
    with pytest.raises(UnsupportedOperation, match="support in writing"):
        idv.erase(flow)
    with pytest.raises(UnsupportedOperation, match="another flow"):
        idv.retry(flow, order())


@pytest.mark.parametrize(
    ("host", "is_known"),
    [
        ("my-dummy-bucket.s3.amazonaws.com", True),
        ("my-dummy-bucket.s3.ap-south-1.amazonaws.com", True),
        ("files.helloatlas.in", True),
        ("ec2-1-2-3-4.compute.amazonaws.com", False),
        ("s3.amazonaws.com.example", False),
    ],
)
def test_pictures_come_from_where_the_pages_show_them_by_default(
    connect: Connect,
    read: Callable[[Gateway], Flow],
    emulator: AtlasEmulator,
    network: Network,
    host: str,
    is_known: bool,
) -> None:
    """The FAQ (seed 001): a pre-signed address of S3."""
    idv = connect()
    flow = read(idv)
    emulator.pictures_url = f"https://{host}"
    network.add(host, Starlette(routes=[Route("/redacted/{name}", lambda _: Response(b"card"))]))
    if is_known:
        assert idv.download(flow, CARD, io.BytesIO()).size == 4
    else:
        with pytest.raises(UnexpectedResponse, match="allowed_hosts"):
            idv.download(flow, CARD, io.BytesIO())
