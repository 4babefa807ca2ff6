"""The examples of the docs are run as they stand: their own tests, over the vendor that obeys and over every emulator."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "docs" / "examples"


def run_pytest(*args: str) -> str:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "-rs", *args]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
    done = subprocess.run(
        [*command, "-c", os.devnull, "--rootdir", "."],
        cwd=EXAMPLES,
        env={**clean, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_shops_tests_run_over_the_vendor_that_obeys() -> None:
    said = run_pytest("test_shop.py")
    assert re.search(r"^6 passed", said, re.MULTILINE), said


@pytest.mark.long
def test_the_same_tests_run_over_every_emulator() -> None:
    said = run_pytest("test_shop.py", "--idv-vendor", "all")
    # nobody's emulator has an applicant who ends in review; that is skipped and said
    assert "has no applicant who ends in review" in said
    passed = re.search(r"(\d+) passed", said)
    assert passed is not None
    assert int(passed[1]) >= 2 + 4 + 5 * 3


def test_one_vendor_by_its_name() -> None:
    assert "the emulator of stripe has no applicant" in run_pytest("test_shop.py", "--idv-vendor", "stripe")


@pytest.mark.long
def test_the_programs_of_the_tutorials_and_the_workers() -> None:
    files = ("test_fastapi_app.py", "test_flask_app.py", "test_loans.py", "test_celery_app.py", "test_workers.py")
    assert re.search(r"^33 passed", run_pytest(*files), re.MULTILINE)
