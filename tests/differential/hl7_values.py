#!/usr/bin/python3
"""Field values and escapes of HL7 v2 as resultsync reads them, beside node-hl7-client (npm) and python3-hl7 (Debian).

Both get the same messages: the corpus of real ones (RESULTSYNC_SHARED or ../shared), some written here for each escape, and many made at
random. A value in which one of them differs from us must be of a kind that is listed in KINDS, and in the table of src/hl7/README.md with
its reason; anything else fails.

    hl7_values.py RESULTSYNC [--show]
"""

from __future__ import annotations

import collections
import json
import logging
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
README = ROOT / "src" / "hl7" / "README.md"

# A kind of difference: its name in the README's table, which peers show it, and the content of an escape sequence that brings it about;
# the content of an escape character that nothing closes is empty.
KINDS = [
    ("formatting", "node python", r"\.[a-z]{2}[+-]?[0-9]*"),
    ("highlighting", "python", r"[HN]"),
    ("line break in hex", "node python", r"X([0-9A-Fa-f]{2})*0[AaDd]([0-9A-Fa-f]{2})*"),
    ("hex in a character set", "node python", r"X([0-9A-Fa-f]{2})*[89A-Fa-f][0-9A-Fa-f]([0-9A-Fa-f]{2})*"),
    ("character set switch", "node python", r"[CM][0-9A-F]{4,6}"),
    ("local escape", "node python", r"Z.*"),
    ("unknown escape", "node python", r"[A-Za-z0-9.+-]+"),
    ("lone escape character", "node python", r".*"),
]
KNOWN_ESCAPES = r"[EFRST]|X([0-7][0-9A-Fa-f])+"  # on which all agree, but for line breaks
# Of a whole message: what a peer refuses, or reads as something else.
SHAPES = [
    ("continuation line", "node python", lambda text: any(not re.match(r"[A-Z][A-Z0-9]{2}(\W|$)", line) for line in lines_of(text))),
    ("own delimiters", "python", lambda text: text[3:8] != "|^~\\&"),
]
REFUSED = [("odd hex", "node", lambda text: re.search(r"\\X([0-9A-Fa-f]{2})*[0-9A-Fa-f]\\", text))]


def lines_of(text: str) -> list[str]:
    return [line for line in re.split(r"[\r\n]+", text) if line]


# ---- the messages

def corpus() -> list[str]:
    folder = pathlib.Path(os.environ.get("RESULTSYNC_SHARED", ROOT.parent / "shared")) / "corpus" / "hl7"
    messages = []
    for path in sorted(folder.rglob("*.hl7")):
        data = path.read_bytes().removeprefix(b"\xef\xbb\xbf").strip(b"\x0b\x1c\r\n ")
        try:
            text = data.decode()
        except UnicodeDecodeError:
            continue
        for part in re.split(r"[\r\n]+(?=MSH\W)", text):
            if part.startswith("MSH"):
                messages.append(re.sub(r"[\r\n]+", "\r", part) + "\r")
    return messages


def message(*lines: str, delimiters: str = "|^~\\&", charset: str = "UNICODE UTF-8") -> str:
    f = delimiters[0]
    header = f"MSH{delimiters}{f}LAB{f}NORTH{f}{f}{f}20240501{f}{f}ORU{delimiters[1]}R01{f}1{f}P{f}2.5.1{f * 6}{charset}"
    return "\r".join((header, *lines)) + "\r"


def written() -> list[str]:
    texts = [r"a\F\b\S\c\T\d\R\e\E\f", r"\T\\T\ back to back", r"one\.br\two\.sp2\three\.in4\four", r"\H\bold\N\ plain", r"\X41\\X42\ is AB",
             r"line\X0D0A\break", r"\XC3A9\t\XC3\\XA9\ of UTF-8", r"\Zlocal\ text", r"\Q\ and \WHAT\ are unknown", r"C:\dir", r"ends with \ ",
             "tab\there", "micro µ, ü, 日本", "\"\"", "two  spaces ", r"\E\T\E\ stays", r"\F"]
    messages = [message(*(f"OBX|{n}|ST|A{n}^T&x^L||{text}||||||F" for n, text in enumerate(texts, 1)))]
    messages.append(message("PID|1||A^^^B&1.2.3&ISO^MR~C^^^D~^^^^E||F^G^H^^^^L||19800115|F|||~|&|^|~^&", "ZPS|1||x|", "NTE|1||a~b~"))
    messages.append(message(r"OBX|1|ST|A||\XB5\mol and \XE9\||||||F", charset="8859/1"))
    messages.append(message(r"OBX|1|ST|A||\X4\ has an odd digit||||||F"))
    messages.append(message(r"OBX|1|ST|A||plain \C2842\ text \M2442\||||||F"))
    messages.append(message("OBX!1!ST!A*T%x*L!!one@two%t$R$d!!!!!!F", delimiters="!*@$%"))
    messages.append(message(r"OBX|1|ST|A||one#two\P\three||||||F", delimiters="|^~\\&#"))
    return messages


def at_random(count: int) -> list[str]:
    """Any shape of fields with every delimiter escaped in the values: all three must agree on all of it."""
    dice = random.Random(20240501)
    escapes = {"|": r"\F\\"[:3], "^": r"\S\\"[:3], "&": r"\T\\"[:3], "~": r"\R\\"[:3], "\\": r"\E\\"[:3]}

    def leaf() -> str:
        word = "".join(dice.choice("abcXYZ019 .,-µé|^&~\\") for _ in range(dice.randrange(0, 9)))
        return "".join(escapes.get(c, c) for c in word)

    def joined(separator: str, part, most: int) -> str:
        return separator.join(part() for _ in range(dice.randrange(1, most + 1)))

    def field() -> str:
        return joined("~", lambda: joined("^", lambda: joined("&", leaf, 3), 4), 3)

    return [message(*(f"{dice.choice(['OBX', 'PID', 'ZZ1', 'NTE'])}|" + joined("|", field, 12) for _ in range(6))) for _ in range(count)]


# ---- the readers

Values = "dict[str, str]"


def ours(binary: str, messages: list[str]) -> list[list[tuple[str, Values]]]:
    with tempfile.TemporaryDirectory() as folder:
        names = []
        for number, text in enumerate(messages):
            names.append(f"{folder}/{number:05}.hl7")
            pathlib.Path(names[-1]).write_bytes(text.encode())
        answer = subprocess.run([binary, "hl7", "parse", "-o", "ndjson", *names], capture_output=True, text=True, check=True)
        parsed = [json.loads(line) for line in answer.stdout.splitlines()]
    if len(parsed) != len(messages):
        sys.exit(f"{len(messages)} messages, {len(parsed)} answers")
    return [segments_of(one["tree"]) for one in parsed]


def segments_of(tree: dict) -> list[tuple[str, Values]]:
    found = []

    def walk(node: dict) -> None:
        if "index" in node:
            found.append((node["index"], node["name"], values_of(node) if node["name"] else {}))
        for child in node.get("children", []):
            walk(child)

    walk(tree)
    return [(name, values) for _, name, values in sorted(found, key=lambda one: one[0])]


def values_of(segment: dict) -> Values:
    values = {}
    for f, field in enumerate(segment["fields"], 1):
        if segment["name"] == "MSH" and f <= 2:
            continue
        for r, repetition in enumerate(field, 1):
            for c, component in enumerate(repetition if isinstance(repetition, list) else [repetition], 1):
                for s, part in enumerate(component if isinstance(component, list) else [component], 1):
                    if part != "":
                        values[f"{f}.{r}.{c}.{s}"] = '""' if part is None else part
    return values


def node(messages: list[str]):
    if shutil.which("node") is None:
        return None
    lines = "".join(json.dumps({"message": text}) + "\n" for text in messages)
    answer = subprocess.run(["node", str(HERE / "hl7_client.mjs")], input=lines, capture_output=True, text=True, check=True).stdout
    if answer.strip() == "skipped":
        return None
    return [json.loads(line) for line in answer.splitlines()]


def python(messages: list[str]):
    try:
        import hl7
    except ImportError:
        return None
    logging.disable(logging.CRITICAL)
    return [python_one(hl7, text) for text in messages]


def python_one(hl7, text: str) -> dict:
    try:
        parsed = hl7.parse(text)
        segments = []
        for segment in parsed:
            name = str(segment[0])
            values = {}
            for f, r, c, s, raw in python_leaves(segment):
                if not (name == "MSH" and f <= 2) and raw != "":
                    values[f"{f}.{r}.{c}.{s}"] = parsed.unescape(raw)
            segments.append([name, {path: value for path, value in values.items() if value != ""}])
        return {"segments": segments}
    except Exception as error:  # it says what it refuses in many ways
        return {"error": str(error)[:80]}


def python_leaves(segment):
    for f in range(1, len(segment)):
        for r, repetition in enumerate(parts_of(segment[f]), 1):
            for c, component in enumerate(parts_of(repetition), 1):
                for s, part in enumerate(parts_of(component), 1):
                    yield f, r, c, s, str(part)


def parts_of(value) -> list:
    return [value] if isinstance(value, str) else list(value)


# ---- the comparison

def raw_value(text: str, segment: int, path: str) -> str:
    line = lines_of(text)[segment]
    field, component, repetition, _, subcomponent = text[3:8]
    f, r, c, s = (int(n) for n in path.split("."))
    value = line.split(field)[f - 1 if line.startswith("MSH") else f]
    for separator, number in ((repetition, r), (component, c), (subcomponent, s)):
        parts = value.split(separator)
        value = parts[number - 1] if number <= len(parts) else ""
    return value


def escapes(raw: str) -> list[str]:
    parts = raw.split("\\")
    contents = parts[1::2]
    return contents[:-1] + [""] if len(parts) % 2 == 0 else contents


def kind_of(peer: str, line: str, raw: str) -> str | None:
    for content in escapes(raw):
        for name, peers, pattern in KINDS:
            if peer in peers and re.fullmatch(pattern, content):
                if name != "unknown escape" or not re.fullmatch(KNOWN_ESCAPES, content):
                    return name
                break
    return "space at a segment's end" if raw.endswith(" ") and line.endswith(raw) else None


def compare(peer: str, text: str, our: list, their: dict, found: collections.Counter) -> list[str]:
    for name, peers, matches in SHAPES:
        if peer in peers and matches(text):
            found[name] += 1
            return []
    if "error" in their:
        for name, peers, matches in REFUSED:
            if peer in peers and matches(text):
                found[name] += 1
                return []
        return [f"{peer} refuses a message: {their['error']} {text[:300]!r}"]
    if [name for name, _ in our] != [name for name, _ in their["segments"]]:
        return [f"{peer} sees other segments: {[name for name, _ in our]} {[name for name, _ in their['segments']]}"]
    unlisted = []
    for index, ((name, mine), (_, theirs)) in enumerate(zip(our, their["segments"])):
        for path in sorted(set(mine) | set(theirs)):
            found["equal"] += mine.get(path) == theirs.get(path)
            if mine.get(path) == theirs.get(path):
                continue
            kind = kind_of(peer, lines_of(text)[index], raw_value(text, index, path))
            if kind is None:
                unlisted.append(f"{name}-{path} in {peer}: {theirs.get(path)!r}, here {mine.get(path)!r}, raw {raw_value(text, index, path)!r}")
            else:
                found[kind] += 1
    return unlisted


def main() -> int:
    binary, show = sys.argv[1], "--show" in sys.argv
    real = corpus()
    if not real:
        print("skipped: no ../shared (the corpus); the test's own messages are compared all the same")
    messages = real + written() + at_random(300)
    our = ours(binary, messages)
    failures = []
    documented = README.read_text()
    for name in dict.fromkeys([name for name, *_ in KINDS + SHAPES + REFUSED] + ["space at a segment's end"]):
        if f"| {name} |" not in documented:
            failures.append(f"{name} is not in the table of {README}")
    for peer, read in (("node", node), ("python", python)):
        theirs = read(messages)
        if theirs is None:
            print("skipped: no " + {"node": "npm package node-hl7-client (npm ci in tests/differential)", "python": "python3-hl7"}[peer])
            continue
        found = collections.Counter()
        for text, mine, answer in zip(messages, our, theirs):
            failures += compare(peer, text, mine, answer, found)
        print(f"{peer}: {found.pop('equal', 0):,} values of {len(messages)} messages are equal; " + ", ".join(f"{kind} {count}" for kind, count in sorted(found.items())))
    for line in failures[:None if show else 40]:
        print("DIFFERENT", line)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
