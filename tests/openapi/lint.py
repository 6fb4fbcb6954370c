"""openapi.yaml passes two linters without an error or a warning."""

import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
DESCRIPTION = HERE.parents[1] / "openapi.yaml"
LINTERS = {
    "spectral": ["lint", str(DESCRIPTION), "--ruleset", str(HERE / ".spectral.yaml"), "--fail-severity", "warn"],
    "redocly": ["lint", str(DESCRIPTION), "--config", str(HERE / "redocly.yaml"), "--max-problems", "100"],
}


def main():
    if not shutil.which("node"):
        print("skipped: no node")
        return 0
    failed = False
    for name, arguments in LINTERS.items():
        tool = HERE / "node_modules/.bin" / name
        if not tool.exists():
            print(f"skipped: no {name} (npm ci in tests/openapi)")
            continue
        environment = {**os.environ, "REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}
        done = subprocess.run([tool, *arguments], capture_output=True, text=True, env=environment, timeout=240)
        text = done.stdout + done.stderr
        wrong = done.returncode != 0 or "Warning was generated" in text
        print(f"{name}: {'wrong' if wrong else 'nothing wrong'}")
        if wrong:
            print(text)
        failed = failed or wrong
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
