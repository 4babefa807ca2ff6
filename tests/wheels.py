"""Looks into built wheels: `python tests/wheels.py dist`. What a user of PyPI gets must be complete."""

from __future__ import annotations

import re
import sys
import zipfile
from email import message_from_bytes
from pathlib import Path

_WANTED_URLS = {"Documentation", "Source", "Issues", "Changelog", "Security"}
_LINK = re.compile(r"\]\((?!https?://|#|mailto:)([^)\s]+)\)")


def faults_of(wheel: Path) -> list[str]:
    """What is wrong with a wheel, in sentences."""
    faults: list[str] = []
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (place,) = [name for name in names if name.endswith(".dist-info/METADATA")]
        metadata = message_from_bytes(archive.read(place))
        (package,) = {name.split("/")[0] for name in names if not name.split("/")[0].endswith(".dist-info")}
    if not any(name.endswith(".dist-info/licenses/LICENSE") for name in names):
        faults.append("there is no LICENSE in it")
    if f"{package}/py.typed" not in names:
        faults.append("there is no py.typed in it")
    if any("/tests/test_" in name and "/scaffold/" not in name for name in names):
        faults.append("tests are in it")
    if metadata["License-Expression"] != "Apache-2.0":
        faults.append("the licence is not said")
    if not (metadata["Author"] or metadata["Author-email"]):
        faults.append("no author is named")
    missing = _WANTED_URLS - {line.partition(",")[0] for line in metadata.get_all("Project-URL", [])}
    if missing:
        faults.append(f"project URLs are missing: {', '.join(sorted(missing))}")
    if not any(line.startswith("Typing ::") for line in metadata.get_all("Classifier", [])):
        faults.append("classifiers are missing")
    text = str(metadata.get_payload())
    faults += [f"the page on PyPI has a link that leads nowhere: {link}" for link in _LINK.findall(text)]
    return faults


def main(folder: str) -> int:
    wheels = sorted(Path(folder).glob("*.whl"))
    faults = [f"{wheel.name}: {fault}" for wheel in wheels for fault in faults_of(wheel)]
    print("\n".join(faults) or f"{len(wheels)} wheels are complete")
    return 1 if faults or not wheels else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
