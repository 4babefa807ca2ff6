"""What kind of picture some bytes are, told by how they begin. Nothing is decoded."""

from __future__ import annotations

from collections.abc import Iterable

JPEG, PNG, PDF = "image/jpeg", "image/png", "application/pdf"
_NAMES = {
    JPEG: "JPEG",
    PNG: "PNG",
    PDF: "PDF",
    "image/webp": "WebP",
    "image/heic": "HEIC",
    "image/heif": "HEIF",
    "image/avif": "AVIF",
    "image/tiff": "TIFF",
    "image/gif": "GIF",
    "image/bmp": "BMP",
    "image/jp2": "JPEG 2000",
    "image/jxl": "JPEG XL",
}
_BEGINNINGS = (
    (b"\xff\xd8\xff", JPEG),
    (b"\x89PNG", PNG),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"II+\x00", "image/tiff"),
    (b"MM\x00+", "image/tiff"),
    (b"\x00\x00\x00\x0cjP  ", "image/jp2"),
    (b"\xff\x4f\xff\x51", "image/jp2"),
    (b"\x00\x00\x00\x0cJXL ", "image/jxl"),
    (b"\xff\x0a", "image/jxl"),
)
# brands of ISO 23008-12 (HEIF) that say what the picture is packed with
_BRANDS = {
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"), "image/heic"),
    **dict.fromkeys((b"avif", b"avis"), "image/avif"),
}
_HEIF = frozenset({b"mif1", b"mif2", b"msf1"})
# BITMAPCOREHEADER, BITMAPINFOHEADER and its later forms
_BMP_HEADERS = frozenset({12, 40, 52, 56, 108, 124})


def picture_type(content: bytes) -> str | None:
    """The media type of a picture or a PDF, None for anything else.

    Known are JPEG, PNG, PDF (which may begin with a byte order mark or blanks), WebP, HEIC, HEIF, AVIF, TIFF, GIF, BMP,
    JPEG 2000 and JPEG XL.
    """
    for beginning, kind in _BEGINNINGS:
        if content.startswith(beginning):
            return kind
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    if content[4:8] == b"ftyp":
        return _iso_media(content)
    if content[:2] == b"BM" and int.from_bytes(content[14:18], "little") in _BMP_HEADERS:
        return "image/bmp"
    return PDF if content[:64].removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"%PDF-") else None


def _iso_media(content: bytes) -> str | None:
    """Of a film with the same beginning (MP4, QuickTime) nothing is said: it is no picture."""
    end = min(int.from_bytes(content[:4], "big"), len(content), 256)
    brands = [content[8:12], *(content[at : at + 4] for at in range(16, end, 4))]
    for brand in brands:
        if brand in _BRANDS:
            return _BRANDS[brand]
    return "image/heif" if not _HEIF.isdisjoint(brands) else None


def picture_names(kinds: Iterable[str]) -> str:
    """The usual names of media types, in an order of their own: `JPEG, PNG, PDF`."""
    wanted = set(kinds)
    return ", ".join(name for kind, name in _NAMES.items() if kind in wanted)
