import attrs
import pytest
from idv_atlas.testing.harness import refused

from idv_core import Decision
from idv_core.errors import AuthenticationFailed, DuplicateFlow, FlowNotFound, InvalidOrder
from idv_core.testing.conformance import PluginConformance
from idv_core.testing.harness import DocumentedError, Driver, Harness, UnknownWord, answers

V2 = "/v2/verification"


class TestVerification(PluginConformance):
    """Atlas, family verification."""


class ExtractionOnly(PluginConformance):
    """Families that compare nothing: good evidence is extraction, and extraction alone approves nobody."""

    def test_good_evidence_approves(self, harness: Harness, idv: Driver) -> None:
        result = idv.wait(harness.finish(idv, idv.open(harness.order)))
        assert result.documents
        assert result.checks == ()
        assert result.verdict is None
        assert result.decision is Decision.REVIEW

    def test_bad_evidence_declines(self, harness: Harness, idv: Driver) -> None:
        flow = idv.open(harness.order)
        bad = [attrs.evolve(document, url="https://files.example/files/none") for document in harness.documents]
        result = idv.wait(idv.upload(flow, bad[:1] + list(harness.documents[1:])))
        assert result.failed_checks()
        assert result.decision is Decision.DECLINED


class TestOnboarding(ExtractionOnly):
    """Atlas, family onboarding."""

    @pytest.fixture
    def harness(self, harness: Harness) -> Harness:
        return attrs.evolve(
            harness,
            settings={**harness.settings, "family": "onboarding", "refresh": True},
            errors=(
                DocumentedError("open", f"POST {V2}/flow/init", refused(409, "exists"), DuplicateFlow),
                DocumentedError("open", f"POST {V2}/flow/init", refused(400, "['username']"), InvalidOrder),
                DocumentedError("status", f"GET {V2}/status", refused(409, "no applicant"), FlowNotFound),
                DocumentedError("status", f"GET {V2}/status", refused(410, "deleted"), FlowNotFound),
                DocumentedError("result", f"GET {V2}/status", refused(401), AuthenticationFailed),
                DocumentedError("submit", f"POST {V2}/flow/submit", refused(400), InvalidOrder),
            ),
            unknown_words=(
                UnknownWord(f"GET {V2}/status", answers({"master_status": "APPROVED", "file_statuses": []})),
                UnknownWord(f"POST {V2}/flow/submit", answers({"data": []})),
            ),
        )


class Batch(ExtractionOnly):
    path: str

    def batch_harness(self, harness: Harness, family: str, path: str) -> Harness:
        return attrs.evolve(
            harness,
            settings={**harness.settings, "family": family},
            errors=(
                DocumentedError("upload", f"POST {path}/multiupload", refused(400, "['file_urls']"), InvalidOrder),
                DocumentedError("upload", f"POST {path}/multiupload", refused(401), AuthenticationFailed),
            ),
            unknown_words=(UnknownWord(f"GET {path}/extracts", answers({"data": [{"document_id": "?"}]})),),
        )

    def test_a_token_is_fetched_once_and_renewed(self, harness: Harness, idv: Driver) -> None:
        """A batch that was not handed in yet is nothing to the vendor, so the document goes first."""
        flow = harness.finish(idv, idv.open(harness.order))
        idv.status(flow)
        assert harness.expire_tokens is not None
        harness.expire_tokens()
        assert idv.status(flow).ref == flow.ref
        assert len([call for call in harness.emulator.calls if call.endswith("authtoken")]) == 2


class TestIdp(Batch):
    """Atlas, family idp."""

    @pytest.fixture
    def harness(self, harness: Harness) -> Harness:
        return self.batch_harness(harness, "idp", "/v1/docstream")


class TestBulk(Batch):
    """Atlas, family bulk."""

    @pytest.fixture
    def harness(self, harness: Harness) -> Harness:
        return self.batch_harness(harness, "bulk", "/v1/bulk")
