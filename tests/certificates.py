"""A certificate for localhost that nobody signed."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

_MAKING = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
_NAMES = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """The files of the certificate and of its key."""
    key, certificate = folder / "key", folder / "certificate"
    made = [*_MAKING.split(), "-keyout", key, "-out", certificate, *_NAMES]
    subprocess.run(made, check=True, capture_output=True)
    return certificate, key


def serving_with(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context
