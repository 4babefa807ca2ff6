"""Mutation of the code that maps words to statuses and evidence to decisions (`nox -s mutation`), by cosmic-ray.

Works on a copy of the tree. Prints the survivors as diffs: each must be read, and none may be one that would approve.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
RUN = f"{sys.executable} -m pytest -x -q -p no:randomly -p no:cacheprovider -p no:xdist"
# Mutants that change nothing: `|` stands in annotations only, and enumerations are equal where they are identical.
EQUIVALENT = ["core/ReplaceBinaryOperator_BitOr_.*", ".*_Is_Eq", ".*_IsNot_NotEq"]
# The mapping tests of two plugins use no fixture, so pytest can be started without anything around them.
LEAN = (
    f"env PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 {sys.executable} -m pytest -x -q --noconftest -c /dev/null --rootdir . "
    "-p no:cacheprovider"
)
MODULES = {
    "idv_core/policy/evaluation.py": f"{RUN} tests/test_policy.py",
    "plugins/verigram/idv_verigram/mapping.py": f"{RUN} plugins/verigram/tests/test_verigram.py -k 'TestReadings or TestServices'",
    "plugins/onfido/idv_onfido/mapping.py": f"{LEAN} plugins/onfido/tests/test_mapping.py -k 'not any_report'",
    "plugins/stripe/idv_stripe/mapping.py": f"{LEAN} plugins/stripe/tests/test_mapping.py -k 'not any_session'",
    "plugins/atlas/idv_atlas/mapping.py": f"{LEAN} plugins/atlas/tests/test_mapping.py",
    "plugins/verifik/idv_verifik/asked.py": f"{LEAN} plugins/verifik/tests/test_mapping.py",
    "plugins/verifik/idv_verifik/document_checks.py": f"{LEAN} plugins/verifik/tests/test_mapping.py",
    "plugins/verifik/idv_verifik/faces.py": f"{LEAN} plugins/verifik/tests/test_mapping.py",
    "plugins/verifik/idv_verifik/mapping.py": f"{LEAN} plugins/verifik/tests/test_mapping.py",
    "plugins/verifik/idv_verifik/screening.py": f"{LEAN} plugins/verifik/tests/test_mapping.py",
}


def main() -> None:
    wanted = sys.argv[1:] or list(MODULES)
    with tempfile.TemporaryDirectory() as place:
        tree = Path(place) / "tree"
        shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(".git", ".nox", ".hypothesis", "*.egg-info"))
        paths = [
            tree,
            *(
                tree / "plugins" / name
                for name in ("atlas", "onfido", "persona", "plaid", "stripe", "verifik", "verigram")
            ),
        ]
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, paths)),
            "PYTHONDONTWRITEBYTECODE": "1",
            "HYPOTHESIS_STORAGE_DIRECTORY": f"{place}/hypothesis",
        }

        def run(*command: str) -> str:
            done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
            return done.stdout + done.stderr

        for module in wanted:
            config, session = tree / "mutation.toml", tree / f"{module.replace('/', '-')}.sqlite"
            config.write_text(
                f'[cosmic-ray]\nmodule-path = "{module}"\ntimeout = 60.0\nexcluded-modules = []\n'
                f'test-command = "{MODULES[module]}"\n[cosmic-ray.distributor]\nname = "local"\n'
                f"[cosmic-ray.filters.operators-filter]\nexclude-operators = {EQUIVALENT}\n"
            )
            print(run("cosmic-ray", "baseline", str(config)), end="")
            run("cosmic-ray", "init", str(config), str(session))
            run("cr-filter-operators", str(session), str(config))
            run("cosmic-ray", "exec", str(config), str(session))
            print(module, run("cr-report", "--show-diff", "--surviving-only", str(session)), flush=True)


if __name__ == "__main__":
    main()
