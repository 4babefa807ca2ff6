"""A file of 50 MB goes up and comes down in pieces."""

from __future__ import annotations

import sys

import pytest
from large_files import KINDS, measured


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_does_not_grow_with_the_file() -> None:
    grown = measured()
    assert set(grown) == {f"{kind}, {what}" for kind in KINDS for what in ("upload", "download")}
    assert {what: size for what, size in grown.items() if size > 8_000_000} == {}
