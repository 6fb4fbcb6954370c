"""Every problem that the API can answer stands in docs/reference/problems.md with its status, and no other does."""

import pathlib
import re
import sys

FORMS = (
    r'\.status = (\d{3}),\s*\.code = "([a-z_]+)"',
    r'()not_found\(\s*"([a-z_]+)"',  # 404
)


def answered(root):
    found = set()
    for path in [*root.glob("src/api/*.cpp"), *root.glob("src/console/*.cpp")]:
        if path.name.endswith("_test.cpp"):
            continue
        text = path.read_text(encoding="utf-8")
        for form in FORMS:
            found |= {(int(status or 404), code) for status, code in re.findall(form, text)}
        # The code of the layer below, passed on: if (error.code == "a" || error.code == "b") return Problem{.status = 409, .code = error.code …
        for condition, status in re.findall(r"if \(((?:error\.code == [^)]*))\)\s*return Problem\{\.status = (\d{3}), \.code = error\.code", text):
            found |= {(int(status), code) for code in re.findall(r'"([a-z_]+)"', condition)}
    return found


def described(root):
    rows = re.findall(r"^\| (\d{3}) \| ([^|]+) \|", (root / "docs/reference/problems.md").read_text(encoding="utf-8"), re.M)
    return {(int(status), code) for status, codes in rows for code in re.findall(r"`([a-z_]+)`", codes)}


def main():
    root = pathlib.Path(sys.argv[1])
    answers, rows = answered(root), described(root)
    wrong = [f"{status} {code} is answered and does not stand in docs/reference/problems.md: add its row" for status, code in sorted(answers - rows)]
    wrong += [f"docs/reference/problems.md has {status} {code}, which nothing answers: take it out" for status, code in sorted(rows - answers)]
    print("\n".join(wrong) or f"all {len(rows)} problems are described")
    return 1 if wrong or not answers else 0


if __name__ == "__main__":
    sys.exit(main())
