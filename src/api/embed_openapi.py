#!/usr/bin/python3
"""Turns openapi.yaml into a C++ source that holds it as JSON (Debian: python3-yaml).

usage: embed_openapi.py openapi.yaml openapi_json.cpp
"""

import json
import sys

import yaml

PIECE = 2000  # compilers limit the length of one literal; neighbours are joined


def literal(text):
    """One C++ string literal of ASCII text."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("?", "\\?") + '"'


def main(source, target):
    with open(source, encoding="utf-8") as file:
        document = yaml.safe_load(file)
    # YAML reads bare dates as dates, which JSON does not have: examples must quote them.
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=True)
    pieces = [literal(text[i:i + PIECE]) for i in range(0, len(text), PIECE)]
    with open(target, "w", encoding="utf-8") as file:
        file.write('#include "api/openapi.hpp"\n\nnamespace resultsync::api {\n\n')
        file.write("std::string_view openapi_json() {\n  static constexpr std::string_view kText =\n      ")
        file.write("\n      ".join(pieces))
        file.write(";\n  return kText;\n}\n\n}  // namespace resultsync::api\n")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
