"""A large answer into payload classes and into evidence, against msgspec structs that know it exactly."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
from idv_atlas.mapping import read_cross_checks, read_documents
from idv_atlas.payloads import Extracts

from benchmarks.answers import EXTRACTS
from benchmarks.measuring import Row, Table, interleaved, repeated
from idv_core.plugin.http import Response


def chapter() -> list[Table]:
    return [Table("Decoding", decoding())]


class Field(msgspec.Struct):
    value: Any = None
    confidence_score: float | None = None


class Entry(msgspec.Struct):
    document_id: str | None = None
    file_uuid: str | None = None
    data: dict[str, Field | str] = {}


class Compared(msgspec.Struct):
    name: str | None = None
    source_doc: str | None = None
    source_field_name: str | None = None
    source_value: str | None = None
    target_doc: str | None = None
    target_field_name: str | None = None
    target_value: str | None = None
    similarity_score: float | None = None


class ExtractsStruct(msgspec.Struct):
    flow_uuid: str | None = None
    ocr_data: list[Entry] = []
    cross_checks: list[Compared] | None = None


def into_models(content: bytes) -> Any:
    """What the Atlas plugin makes of its extracts, without the framework around it."""
    extracts = _response(content).structure(Extracts)
    return read_documents(extracts.ocr_data, "data"), tuple(read_cross_checks(extracts.cross_checks or ()))


def _response(content: bytes) -> Response:
    return Response(status=200, content=content, received_at=_NOW)


_NOW = datetime.now(UTC)


def decoding() -> list[Row]:
    decoder = msgspec.json.Decoder(ExtractsStruct)
    seen = interleaved(
        {
            "payload": repeated(lambda: _response(EXTRACTS).structure(Extracts), 20),
            "models": repeated(lambda: into_models(EXTRACTS), 10),
            "json": repeated(lambda: json.loads(EXTRACTS), 20),
            "msgspec": repeated(lambda: decoder.decode(EXTRACTS), 20),
        }
    )
    size = f"{len(EXTRACTS) // 1000} KB of Atlas extracts"
    payload, models, plain, peer = (seen[name].cpu for name in ("payload", "models", "json", "msgspec"))
    return [
        Row(f"{size}: payload classes (bounds checked) against msgspec structs", payload, peer, "ms", 2),
        Row(f"{size}: all the way to evidence against msgspec structs", models, peer, "ms", 8),
        Row(f"{size}: payload classes against `json.loads` alone", payload, plain, "ms"),
    ]
