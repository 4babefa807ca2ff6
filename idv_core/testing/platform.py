"""A platform in miniature around an emulator: webhook app, file server and emulator on one in-process network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from ..model import Document, UploadKind
from .asgi import AsgiTransport
from .clock import FakeClock
from .emulator import Emulator
from .files import FileServer
from .specimens import Person, make_specimen

FILES_HOST = "files.example"

E = TypeVar("E", bound=Emulator)


class Network(AsgiTransport):
    """Hosts to apps; hosts can be added later. `files.example` is a file server."""

    def __init__(self, apps: Mapping[str, Any] | None = None) -> None:
        self.shelf = FileServer()
        super().__init__({FILES_HOST: self.shelf.app, **(apps or {})})

    def host(self, name: str, emulator: E, clock: FakeClock) -> E:
        """Serve the emulator at that host; it works on as the clock advances."""
        self.add(name, emulator.app)
        clock.on_advance.append(emulator.tick)
        return emulator

    def by_url(self, kind: str, person: Person, id: str | None = None, **changes: Any) -> Document:
        """A specimen that the vendor fetches."""
        path = self.shelf.put(make_specimen(kind, person, **changes))
        return Document(id or kind, url=f"https://{FILES_HOST}{path}")


def by_content(kind: str, person: Person, id: str | None = None, **changes: Any) -> Document:
    """A specimen that is handed in itself."""
    upload = UploadKind.SELFIE if kind == "selfie" else UploadKind.DOCUMENT
    return Document(id or kind, content=make_specimen(kind, person, **changes), kind=upload)
