"""For plugin authors: a fake clock, the emulator kit, specimens, and the conformance suite. Needs the extra `testing`."""

from .asgi import AsgiTransport, Served, serve
from .clock import FakeClock, RunningClock
from .direct import DirectTransport
from .emulator import Call, Emulator, Refused, Reply
from .files import FileServer
from .platform import Network, by_content
from .specimens import PEOPLE, Person, Specimen, is_picture, make_specimen, read_specimen

__all__ = [
    "PEOPLE",
    "AsgiTransport",
    "Call",
    "DirectTransport",
    "Emulator",
    "FakeClock",
    "FileServer",
    "Network",
    "Person",
    "Refused",
    "Reply",
    "RunningClock",
    "Served",
    "Specimen",
    "by_content",
    "is_picture",
    "make_specimen",
    "read_specimen",
    "serve",
]
