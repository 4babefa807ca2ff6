"""The door for tests: of a plugin (a clock, the emulator kit, specimens, the harness, the suite), and of a platform.

A platform begins with `FakeVendor`. Needs the extra `testing`.

What is in `__all__` is the contract for a plugin's test code.
"""

from typing import TYPE_CHECKING

from ..lazy import lazily

if TYPE_CHECKING:
    from ..clock import (
        Clock,
    )
    from ..webhooks.receiver import (
        WebhookRequest,
    )
    from .applicant import (
        NUMBER,
        STREET,
        Form,
        make_applicant,
        submit_forms,
    )
    from .asgi import (
        AsgiTransport,
        Served,
        serve,
    )
    from .clock import (
        FakeClock,
        RunningClock,
    )
    from .conformance import (
        PluginConformance,
    )
    from .direct import (
        DirectTransport,
    )
    from .emulated_vendor import (
        EmulatedVendor,
        NotOffered,
    )
    from .emulation import (
        Emulation,
        Scene,
    )
    from .emulator import (
        EmulatedRequest,
        EmulatedResponse,
        Emulator,
        Handler,
        HasNow,
        Outgoing,
        Refused,
        html,
        redirect,
    )
    from .exchange import (
        reply,
        run_exchange,
    )
    from .fake_vendor import (
        FakeVendor,
    )
    from .faults import (
        FaultMatrix,
    )
    from .files import (
        FileServer,
    )
    from .harness import (
        USUAL,
        DocumentedError,
        Driver,
        Harness,
        UnknownWord,
        answers,
        completes_hosted_page,
        documented,
        uploads_documents,
    )
    from .pages import (
        consent_field,
        file_field,
        form,
        page,
        paragraph,
        text_field,
    )
    from .platform import (
        FILES_HOST,
        Network,
        by_content,
    )
    from .specimens import (
        PEOPLE,
        Person,
        Specimen,
        is_picture,
        make_specimen,
        read_specimen,
    )
    from .strategies import (
        json_like,
        json_values,
    )
    from .vendors import (
        vendor_named,
        vendor_names,
    )

# Looked through in this order when a name is first asked for: an emulator needs neither pytest nor hypothesis.
_PLACES = (
    "..clock",
    "..webhooks.receiver",
    ".clock",
    ".emulator",
    ".pages",
    ".specimens",
    ".files",
    ".platform",
    ".applicant",
    ".asgi",
    ".direct",
    ".emulation",
    ".exchange",
    ".harness",
    ".faults",
    ".emulated_vendor",
    ".fake_vendor",
    ".vendors",
    ".strategies",
    ".conformance",
)

__all__ = [
    "FILES_HOST",
    "NUMBER",
    "PEOPLE",
    "STREET",
    "USUAL",
    "AsgiTransport",
    "Clock",
    "DirectTransport",
    "DocumentedError",
    "Driver",
    "EmulatedRequest",
    "EmulatedResponse",
    "EmulatedVendor",
    "Emulation",
    "Emulator",
    "FakeClock",
    "FakeVendor",
    "FaultMatrix",
    "FileServer",
    "Form",
    "Handler",
    "Harness",
    "HasNow",
    "Network",
    "NotOffered",
    "Outgoing",
    "Person",
    "PluginConformance",
    "Refused",
    "RunningClock",
    "Scene",
    "Served",
    "Specimen",
    "UnknownWord",
    "WebhookRequest",
    "answers",
    "by_content",
    "completes_hosted_page",
    "consent_field",
    "documented",
    "file_field",
    "form",
    "html",
    "is_picture",
    "json_like",
    "json_values",
    "make_applicant",
    "make_specimen",
    "page",
    "paragraph",
    "read_specimen",
    "redirect",
    "reply",
    "run_exchange",
    "serve",
    "submit_forms",
    "text_field",
    "uploads_documents",
    "vendor_named",
    "vendor_names",
]

if not TYPE_CHECKING:
    __getattr__ = lazily(__name__, __all__, _PLACES)


def __dir__() -> list[str]:
    return sorted(__all__)
