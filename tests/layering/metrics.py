"""Every metric that the source counts is in docs/reference/metrics.md, as the kind that it is, and no other."""

import pathlib
import re
import sys

MADE = re.compile(r"[.\s(](counter|gauge|histogram)\(\s*\"(resultsync_\w+)\"")
NAMED = re.compile(r"\"(resultsync_\w+)\"")
NO_METRICS = {"resultsync_connect"}  # a cookie
LISTED = re.compile(r"^\| `(resultsync_\w+)` \| (counter|gauge|histogram) \|", re.MULTILINE)
MENTIONED = re.compile(r"`(resultsync_\w+?)(?:_bucket|_sum|_count)?(?:\{[^`]*\})?`")


def main():
    root = pathlib.Path(sys.argv[1])
    text = "\n".join(path.read_text(encoding="utf-8") for path in root.glob("src/**/*.[ch]pp") if not path.name.endswith("_test.cpp"))
    page = (root / "docs/reference/metrics.md").read_text(encoding="utf-8")
    kinds = {name: kind for kind, name in MADE.findall(text)}
    listed = dict(LISTED.findall(page))
    named = set(NAMED.findall(text)) - NO_METRICS
    guides = "\n".join(path.read_text(encoding="utf-8") for path in [root / "README.md", *root.glob("docs/**/*.md")])
    wrong = [f"{name} is not in docs/reference/metrics.md" for name in sorted(named - set(listed))]
    wrong += [f"docs/reference/metrics.md has {name}, which nothing counts" for name in sorted(set(listed) - named)]
    wrong += [f"{name} is a {kinds[name]}, not a {kind}" for name, kind in sorted(listed.items()) if kinds.get(name, kind) != kind]
    wrong += [f"the documents name {name}, which nothing counts" for name in sorted(set(MENTIONED.findall(guides)) - named)]
    print("\n".join(wrong) or f"all {len(named)} metrics are as they are described")
    return 1 if wrong or not named else 0


if __name__ == "__main__":
    sys.exit(main())
