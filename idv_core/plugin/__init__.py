"""The one door for plugin authors, and the contract: what is in `__all__` is public to a plugin, and nothing else is.

A plugin's code imports of idv-core this module only; its test code, in its subpackage `testing`, also `idv_core.testing` and
the platform's names of `idv_core`. What may change within a contract version is in docs/authors.md.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..errors import (
        AuthenticationFailed,
        DuplicateFlow,
        FlowNotFound,
        InvalidOrder,
        PermissionDenied,
        RateLimited,
        Refusal,
        UnexpectedResponse,
        UnsupportedOperation,
        VendorError,
        VendorUnavailable,
        WebhookRejected,
    )
    from ..model import (
        Address,
        Applicant,
        Check,
        CheckKind,
        CheckOutcome,
        Deferred,
        Document,
        DocumentEvidence,
        DocumentType,
        ExtractedField,
        FieldName,
        FieldPair,
        Flow,
        FlowOrder,
        FlowStatus,
        IdentificationNumber,
        Link,
        Place,
        ProvisionedTemplate,
        Reason,
        Result,
        Score,
        Secret,
        Template,
        Upload,
        UploadKind,
        VendorVerdict,
        subject_of,
    )
    from ..model.check_names import (
        CHECK_NAMES,
        OTHER,
        OVERALL,
    )
    from ..model.countries import (
        ALPHA_3,
        alpha_2,
    )
    from ..model.fields import (
        ADDRESSES,
        DATES,
    )
    from ..model.national_numbers import (
        is_aadhaar_name,
        mask_aadhaar_in,
        masked_aadhaar,
    )
    from ..model.public import (
        without_secrets,
    )
    from ..model.validation import (
        COUNTRIES,
        as_secrets,
        as_tuple,
        is_base_url,
        is_text,
        is_unit,
        text_fault,
        without_slash,
    )
    from .body import (
        FilePart,
        FileSource,
        content_of,
    )
    from .dates import (
        Meaning,
        dates_under,
        document_dates,
        means_expiry,
        means_issue,
        plain_name,
    )
    from .failures import (
        failures_in,
        shown,
    )
    from .fields import (
        read_field,
        read_fields,
    )
    from .http import (
        Exchange,
        NotAccepted,
        Request,
        Response,
        json_object,
        structure,
    )
    from .links import (
        trusted_link,
    )
    from .pictures import (
        JPEG,
        PDF,
        PNG,
        picture_type,
    )
    from .protocols import (
        CONTRACT_VERSION,
        AdapterProtocol,
        AllowedHostsProtocol,
        CredentialsProtocol,
        FlowProtocol,
        Grant,
        KeyModeProtocol,
        LinkProtocol,
        PictureProtocol,
        Polling,
        PollingProtocol,
        RecoverProtocol,
        ResultCapabilities,
        ResultCapabilitiesProtocol,
        ResultProtocol,
        SelfCheckProtocol,
        ServersProtocol,
        StatusProtocol,
        StreamedUploadProtocol,
        SubmitProtocol,
        TemplateProtocol,
        TokenProtocol,
        UploadProtocol,
        Webhook,
        WebhookEvent,
        WebhookProtocol,
        WebhookPurposesProtocol,
    )
    from .spec import (
        Plugin,
        hookimpl,
    )

# Looked through in this order when a name is first asked for, so that a gateway does not load what only plugins use.
_PLACES = (
    "..errors",
    "..model",
    "..model.fields",
    "..model.check_names",
    "..model.countries",
    "..model.national_numbers",
    "..model.public",
    "..model.validation",
    ".protocols",
    ".http",
    ".body",
    ".spec",
    ".fields",
    ".dates",
    ".failures",
    ".links",
    ".pictures",
)

__all__ = [
    "ADDRESSES",
    "ALPHA_3",
    "CHECK_NAMES",
    "CONTRACT_VERSION",
    "COUNTRIES",
    "DATES",
    "JPEG",
    "OTHER",
    "OVERALL",
    "PDF",
    "PNG",
    "AdapterProtocol",
    "Address",
    "AllowedHostsProtocol",
    "Applicant",
    "AuthenticationFailed",
    "Check",
    "CheckKind",
    "CheckOutcome",
    "CredentialsProtocol",
    "Deferred",
    "Document",
    "DocumentEvidence",
    "DocumentType",
    "DuplicateFlow",
    "Exchange",
    "ExtractedField",
    "FieldName",
    "FieldPair",
    "FilePart",
    "FileSource",
    "Flow",
    "FlowNotFound",
    "FlowOrder",
    "FlowProtocol",
    "FlowStatus",
    "Grant",
    "IdentificationNumber",
    "InvalidOrder",
    "KeyModeProtocol",
    "Link",
    "LinkProtocol",
    "Meaning",
    "NotAccepted",
    "PermissionDenied",
    "PictureProtocol",
    "Place",
    "Plugin",
    "Polling",
    "PollingProtocol",
    "ProvisionedTemplate",
    "RateLimited",
    "Reason",
    "RecoverProtocol",
    "Refusal",
    "Request",
    "Response",
    "Result",
    "ResultCapabilities",
    "ResultCapabilitiesProtocol",
    "ResultProtocol",
    "Score",
    "Secret",
    "SelfCheckProtocol",
    "ServersProtocol",
    "StatusProtocol",
    "StreamedUploadProtocol",
    "SubmitProtocol",
    "Template",
    "TemplateProtocol",
    "TokenProtocol",
    "UnexpectedResponse",
    "UnsupportedOperation",
    "Upload",
    "UploadKind",
    "UploadProtocol",
    "VendorError",
    "VendorUnavailable",
    "VendorVerdict",
    "Webhook",
    "WebhookEvent",
    "WebhookProtocol",
    "WebhookPurposesProtocol",
    "WebhookRejected",
    "alpha_2",
    "as_secrets",
    "as_tuple",
    "content_of",
    "dates_under",
    "document_dates",
    "failures_in",
    "hookimpl",
    "is_aadhaar_name",
    "is_base_url",
    "is_text",
    "is_unit",
    "json_object",
    "mask_aadhaar_in",
    "masked_aadhaar",
    "means_expiry",
    "means_issue",
    "picture_type",
    "plain_name",
    "read_field",
    "read_fields",
    "shown",
    "structure",
    "subject_of",
    "text_fault",
    "trusted_link",
    "without_secrets",
    "without_slash",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        for place in _PLACES:
            module = import_module(place, __name__)
            if hasattr(module, name):
                return globals().setdefault(name, getattr(module, name))
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
