"""Every test that docs/promises.md names is there. A name is a test's name in a source file, or that of a CTest."""

import pathlib
import re
import sys


def main():
    root = pathlib.Path(sys.argv[1])
    named = set(re.findall(r"`([a-z0-9]+(?:_[a-z0-9]+)+)`", (root / "docs/promises.md").read_text(encoding="utf-8")))
    sources = [*root.glob("src/**/*_test.cpp"), *root.glob("tests/**/*.cpp"), *root.glob("tests/**/*.py"), *root.glob("tests/*/CMakeLists.txt")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources if path.name != "promises.py")
    gone = sorted(name for name in named if not re.search(rf"\b{name}\b", text))
    print("\n".join(f"docs/promises.md names a test that is gone: {name}" for name in gone) or f"all {len(named)} tests are there")
    return 1 if gone or not named else 0


if __name__ == "__main__":
    sys.exit(main())
