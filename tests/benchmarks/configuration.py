"""A large configuration: so many accounts, and a route for each; read and checked, loaded, and loaded again."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.measuring import GROWTH_HEADS, Growth, Table, interleaved, repeated
from idv_core import Gateway
from idv_core.config import check, read_configuration
from idv_core.registry import Registry, discover

SIZES = (1_000, 10_000)
ROUNDS = 3
_KEY = "IDV_BENCHMARK_KEY"


def chapter() -> list[Table]:
    os.environ[_KEY] = "key-of-the-benchmarks"
    registry = discover()
    with tempfile.TemporaryDirectory() as folder:
        seen = {size: interleaved(turns(written(Path(folder), size), registry), ROUNDS) for size in SIZES}
    rows = [
        Growth(
            what,
            SIZES,
            (seen[SIZES[0]][what].cpu, seen[SIZES[1]][what].cpu),
            "s",
            most=2.0,
        )
        for what in seen[SIZES[0]]
    ]
    return [Table("Accounts with a route each: CPU", rows, heads=GROWTH_HEADS)]


def written(folder: Path, size: int) -> Path:
    file = folder / f"{size}.toml"
    accounts = [
        f'[accounts.a{n}]\nplugin = "verigram"\nbase_url = "https://v.example"\napi_key = {{ env = "{_KEY}" }}\n'
        for n in range(size)
    ]
    routes = [
        f'[[routes]]\nname = "route {n}"\nto = "a{n}"\n'
        f'when = {{ product = "p{n % 50}-*", tenant = "t-{n // 50}", country = ["CO", "KZ"] }}\n'
        for n in range(size)
    ]
    rest = '[[routes]]\nname = "else"\nrefuse = "not offered"\n'
    file.write_text("\n".join([*accounts, *routes, rest]), encoding="utf-8")
    file.chmod(0o600)
    return file


def turns(file: Path, registry: Registry) -> dict[str, Callable[[], object]]:
    gateway = Gateway.load(file, registry=registry)
    configuration = read_configuration(file)

    def load() -> None:
        Gateway.load(file, registry=registry).close()

    return {
        "load: file to gateway": repeated(load, 1),
        "check alone": repeated(lambda: check(configuration, registry, datetime.now(UTC)).or_raise(), 1),
        "reload": repeated(gateway.reload, 1),
    }
