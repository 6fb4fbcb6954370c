"""Who may include whom. Reads every #include "room/..." under src/ and fails on an arrow that runs upward, or on a pure room that
touches the world."""

import pathlib
import re
import sys

# Each room with those that it may use, besides itself.
MAY_USE = {
    "base": set(),
    "runtime": {"base"},
    "http": {"base", "runtime"},
    "orders": {"base"},
    "hl7": {"base"},
    "results": {"base", "orders", "hl7"},
    "fhir": {"base", "orders", "hl7", "results"},
    "vendors": {"base", "runtime", "http", "orders", "results"},
    "store": {"base", "runtime", "orders", "results"},
    "intake": {"base", "runtime", "http", "orders", "results", "vendors", "store"},
    "sync": {"base", "runtime", "orders", "hl7", "results", "fhir", "vendors", "store"},
    "network": {"base", "runtime", "http", "orders", "results", "vendors", "store", "sync"},
    "delivery": {"base", "runtime", "http", "orders", "results", "vendors", "store"},
    "api": {"base", "runtime", "http", "orders", "hl7", "results", "fhir", "vendors", "store", "sync", "network", "delivery"},
}
EVERYTHING_BELOW = set(MAY_USE)
MAY_USE["console"] = EVERYTHING_BELOW
MAY_USE["sandbox"] = EVERYTHING_BELOW
MAY_USE["cli"] = EVERYTHING_BELOW | {"console", "sandbox"}

PURE = {"base", "orders", "hl7", "results", "fhir"}
# System headers that reach for the machine; a pure room has no use for them.
WORLD = re.compile(r"<(thread|mutex|condition_variable|future|fstream|iostream|filesystem|sys/|unistd\.h|fcntl\.h|sqlite3\.h|boost/asio)")


def violations(source_root):
    for path in sorted(source_root.rglob("*.[ch]pp")):
        room = path.relative_to(source_root).parts[0]
        is_test = path.name.endswith("_test.cpp")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            where = f"{path.relative_to(source_root.parent)}:{number}"
            used = re.match(r'#include "([a-z0-9_]+)/', line)
            if used and used[1] in MAY_USE and used[1] != room and used[1] not in MAY_USE[room] and not is_test:
                yield f"{where}: {room} may not use {used[1]}"
            if room in PURE and not is_test and WORLD.search(line):
                yield f"{where}: {room} is pure, and this touches the world: {line.strip()}"
        if room not in MAY_USE:
            yield f"src/{room}: a room that tests/layering/layering.py does not know"


def main():
    found = list(violations(pathlib.Path(sys.argv[1])))
    print("\n".join(found) or "every arrow runs downward")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
