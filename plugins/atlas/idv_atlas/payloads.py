"""What Atlas answers, as far as its shape is fixed (fact sheet section 3). Unknown keys are ignored."""

from __future__ import annotations

from typing import Any

import attrs


def _holds_objects(_: object, attribute: attrs.Attribute[Any], items: list[Any]) -> None:
    """Cheaper than structuring each of a thousand entries into the dict that it is already."""
    if not all(isinstance(item, dict) for item in items):
        raise TypeError(f"{attribute.name}: objects expected")


@attrs.frozen(kw_only=True)
class TokenGranted:
    access_token: str
    expires_in: int
    refresh_token: str | None = None


@attrs.frozen(kw_only=True)
class FlowCreated:
    """The case id has three names (section 1.5 row 1)."""

    flow_uuid: str | None = None
    flow_id: str | None = None
    session_id: str | None = None

    @property
    def id(self) -> str | None:
        return self.flow_uuid or self.flow_id or self.session_id


@attrs.frozen(kw_only=True)
class FileTaken:
    """One file of a `multiupload`."""

    document_id: str
    batch_id: str | None = None
    file_uuid: str | None = None


@attrs.frozen(kw_only=True)
class BatchTaken:
    """The other answer of a `multiupload` (section 1.5 row 12)."""

    batch_id: str


@attrs.frozen(kw_only=True)
class VerificationStatus:
    """Section 3.3. The other three fields say nothing that `master_status` does not."""

    master_status: Any = None


@attrs.frozen(kw_only=True)
class FileStatus:
    document_id: Any = None
    status: Any = None


@attrs.frozen(kw_only=True)
class OnboardingStatus:
    """Section 3.7."""

    master_status: Any = None
    file_statuses: list[FileStatus] = attrs.field(factory=list)


@attrs.frozen(kw_only=True)
class Extracts:
    """Section 3.4. Entries are read one by one, so that a strange one does not hide the others."""

    ocr_data: list[Any] = attrs.field(factory=list, validator=_holds_objects)
    cross_checks: list[Any] | None = attrs.field(default=None, validator=attrs.validators.optional(_holds_objects))


@attrs.frozen(kw_only=True)
class Page:
    """A page of a batch or of the chat (section 3.0). The totals are not to be trusted (section 1.5 row 34)."""

    data: list[dict[str, Any]]
    has_next: Any = None


@attrs.frozen(kw_only=True)
class Submitted:
    """Section 3.11."""

    data: list[dict[str, Any]]


@attrs.frozen(kw_only=True)
class CoApplicantCreated:
    external_reference_id: str


@attrs.frozen(kw_only=True)
class CoApplicantsAdded:
    """Section 3.9. The items of `failed` have no documented shape."""

    created: list[CoApplicantCreated]
    failed: list[Any] = attrs.field(factory=list)


@attrs.frozen(kw_only=True)
class ChatReply:
    """Section 3.12."""

    message: str
    message_id: str | None = None
    created_at: str | None = None


@attrs.frozen(kw_only=True)
class AddressTarget:
    """Section 3.15. A strange target does not hide the others."""

    index: Any = None
    target_address: Any = None
    similarity_score: Any = None
    same_person_score: Any = None
    error_code: Any = None
    error_message: Any = None


@attrs.frozen(kw_only=True)
class AddressesMatched:
    match_data: list[AddressTarget]
