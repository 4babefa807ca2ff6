"""The sessions. `nox -s demo` runs the main job, `nox -s tests` the tests; the others must hold in CI too."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nox

nox.options.default_venv_backend = "uv|virtualenv"
nox.options.sessions = ["tests", "lint", "types", "architecture", "docs"]

OLDEST = "3.11"
# In this order, so that the long tests and the measured coverage are not on the same one where there are several.
PYTHONS = ["3.12", "3.13", OLDEST]
PLUGINS = sorted(folder.name for folder in Path(__file__).parent.joinpath("plugins").iterdir() if folder.is_dir())
PACKAGES = ["idv_core", *(f"plugins/{name}/idv_{name}" for name in PLUGINS)]
TEST_PATHS = {"PYTHONPATH": "tests"}
PROJECT = nox.project.load_toml("pyproject.toml")


def install(session: nox.Session, *groups: str) -> None:
    """The workspace, and what the session needs besides, in one resolution."""
    wanted = nox.project.dependency_groups(PROJECT, *groups) if groups else ()
    workspace = [part for name in PLUGINS for part in ("-e", f"plugins/{name}")]
    session.install("-q", "-e", ".[cli,testing,fast,otel,ledger,server]", *workspace, *wanted)


def ensure_chromium(session: nox.Session) -> None:
    """The hosted pages are walked in Debian's Chromium; install it where that is possible."""
    if shutil.which("chromium") or not (shutil.which("apt-get") and os.geteuid() == 0):
        return
    session.log("installing chromium for the browser tests")
    for command in (["apt-get", "update", "-q"], ["apt-get", "install", "-y", "-q", "chromium"]):
        subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@nox.session(python=OLDEST)
def demo(session: nox.Session) -> None:
    """One order at every vendor's emulator, one table; or `nox -s demo -- --serve`: API and console over them."""
    install(session)
    # Ctrl-C goes to the demo too, which needs a moment to clear up
    session.run("idv", "demo", *(session.posargs or ["--all"]), interrupt_timeout=15, terminate_timeout=15)


tested: list[str] = []


@atexit.register
def say_what_was_not_tested() -> None:
    missing = sorted(set(PYTHONS) - set(tested))
    if tested and missing:
        sys.stderr.write(
            f"\nNOT TESTED on Python {', '.join(missing)}: nox found none, or was not asked to. "
            f"Tested on {', '.join(tested)}; the long tests ran on {tested[0]}.\n"
        )


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """All tests, in any order, in parallel; on the oldest Python with branch coverage."""
    ensure_chromium(session)
    install(session, "test")
    coverage = ["--cov", "--cov-report=term"] if session.python == OLDEST else []
    more = session.posargs or coverage
    # the long walk of the state machine and the whole fault matrix once, on the first Python that is there
    thorough = not tested
    tested.append(str(session.python))
    env = {
        "COVERAGE_FILE": f".coverage.{session.python}",
        "IDV_MACHINE_EXAMPLES": "400" if thorough else "60",
        "IDV_THOROUGH": "1" if thorough else "0",
    }
    # one more than there are processors, for many tests wait for a socket or a browser
    workers = str((os.cpu_count() or 1) + 1)
    session.run("pytest", "-q", "-n", workers, "--dist", "worksteal", *more, env=env)


@nox.session(python=OLDEST, venv_backend="uv")
def lowest(session: nox.Session) -> None:
    """The tests with the lowest versions that the distributions say they work with."""
    wanted = nox.project.dependency_groups(PROJECT, "test")
    workspace = [part for name in PLUGINS for part in ("-e", f"plugins/{name}")]
    session.install(
        "-q", "--resolution", "lowest-direct", "-e", ".[cli,testing,fast,otel,ledger,server]", *workspace, *wanted
    )
    # old releases warn of what has changed since in those below them
    old = ["-W", "default::DeprecationWarning", "-W", "default::PendingDeprecationWarning"]
    session.run("pytest", "-q", "-n", "auto", "--dist", "worksteal", *old, *session.posargs)


@nox.session(python=OLDEST)
def live(session: nox.Session) -> None:
    """The life of a verification in vendors' sandboxes: `nox -s live -- stripe`. Skips those whose keys are not there."""
    install(session)
    session.run("python", "-m", "idv_core.testing.live", *session.posargs, "--record=docs/live.md")


@nox.session(python=OLDEST)
def wheels(session: nox.Session) -> None:
    """Build every distribution and look into it: licence, types, metadata. `nox -s wheels -- dist` keeps them there."""
    session.install("-q", "build", "hatchling", "twine")
    folder = Path(session.posargs[0] if session.posargs else session.create_tmp()).absolute()
    for place in (".", *(f"plugins/{name}" for name in PLUGINS)):
        session.run("python", "-m", "build", "-q", "--no-isolation", "--outdir", str(folder), place, silent=True)
    session.run("twine", "check", "--strict", *map(str, sorted(folder.iterdir())))
    session.run("python", "tests/wheels.py", str(folder))


@nox.session(python=OLDEST)
def lint(session: nox.Session) -> None:
    """ruff: rules and format."""
    session.install("-q", *nox.project.dependency_groups(PROJECT, "lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session(python=OLDEST)
def types(session: nox.Session) -> None:
    """mypy, strict, over everything that is shipped."""
    install(session, "types")
    session.run("mypy", *PACKAGES)


@nox.session(python=OLDEST)
def architecture(session: nox.Session) -> None:
    """import-linter: the rooms stay apart."""
    install(session, "architecture")
    session.run("lint-imports")


@nox.session(python=OLDEST)
def docs(session: nox.Session) -> None:
    """The site, with warnings as errors. `nox -s docs -- site` keeps it there."""
    session.install("-q", *nox.project.dependency_groups(PROJECT, "docs"))
    folder = Path(session.posargs[0] if session.posargs else session.create_tmp()).absolute()
    session.run("mkdocs", "build", "--strict", "-q", "-d", str(folder))


@nox.session(python=OLDEST)
def pictures(session: nox.Session) -> None:
    """The docs' pictures of the console, taken of `idv demo --serve` in Chromium. Writes docs/images."""
    ensure_chromium(session)
    install(session, "test")
    session.run("python", "tests/server/screenshots.py", *session.posargs, env=TEST_PATHS)


@nox.session(python=OLDEST)
def faults(session: nox.Session) -> None:
    """The fault matrix on real sockets, as a table: blocking, with tasks, and with the quick transport."""
    install(session, "test")
    session.run("python", "tests/faults.py", *session.posargs, env=TEST_PATHS)


@nox.session(python=OLDEST)
def machine(session: nox.Session) -> None:
    """The state machine for longer: `nox -s machine -- 100000`. In many runs, for Hypothesis remembers all of one run."""
    install(session, "test")
    each = 2500
    runs = -(-int(session.posargs[0] if session.posargs else "20000") // each)
    for seed in range(101, 101 + runs):
        arguments = ["-q", "-p", "no:randomly", f"--hypothesis-seed={seed}", "tests/test_state_machine.py"]
        session.run("pytest", *arguments, env={"IDV_MACHINE_EXAMPLES": str(each)})


@nox.session(python=OLDEST)
def fuzz(session: nox.Session) -> None:
    """atheris over the result and webhook readers of all plugins; arguments are libFuzzer's."""
    install(session, "fuzz")
    session.run("python", "tests/fuzz.py", *(session.posargs or ["-runs=1000000"]), env=TEST_PATHS)


@nox.session(python=OLDEST)
def levels(session: nox.Session) -> None:
    """Grade every plugin, as `idv plugin check` does. Writes docs/levels.md."""
    install(session, "test")
    session.run("python", "tests/levels.py")


@nox.session(python=OLDEST)
def bench(session: nox.Session) -> None:
    """Benchmarks, as ratios against a peer in the same run. Writes docs/benchmarks.md; `-- calls` only prints that chapter."""
    install(session, "bench")
    session.run("python", "-m", "benchmarks", *session.posargs, env=TEST_PATHS)
    session.run("python", "tests/server_benchmark.py", env=TEST_PATHS)


@nox.session(python=OLDEST)
def mutation(session: nox.Session) -> None:
    """cosmic-ray over the code that maps words to statuses and evidence to decisions. Takes its time."""
    install(session, "mutation")
    session.run("python", "tests/mutation.py", *session.posargs)


@nox.session(python=OLDEST)
def crash(session: nox.Session) -> None:
    """Workers of the ledger are killed on each database: nothing lost, nothing opened twice. `-- 200 8 sqlite` is short."""
    install(session, "test")
    session.run("python", "tests/crash.py", *session.posargs, env=TEST_PATHS)


@nox.session(python=OLDEST)
def million(session: nox.Session) -> None:
    """The console over a million verifications on each database; about ten minutes. `-- 20000 sqlite` is short."""
    install(session, "test")
    session.run("python", "tests/server_million.py", *session.posargs, env=TEST_PATHS)


@nox.session(python=OLDEST)
def schemathesis(session: nox.Session) -> None:
    """Schemathesis against the REST API on each database: `nox -s schemathesis -- 600 sqlite`. Without seconds, 300 each."""
    install(session, "test")
    session.run("python", "tests/server/schemathesis_run.py", *session.posargs)
