#!/usr/bin/python3
"""python3-hl7 reading the same message over and over, every part visited. Prints one JSON object like hl7_speed.

    parse.py SECONDS FILE
"""

import json
import pathlib
import sys
import time

try:
    import hl7
except ImportError:
    print("skipped: no python3-hl7")
    sys.exit(0)


def length(value) -> int:
    return len(value) if isinstance(value, str) else sum(map(length, value))


seconds, text = float(sys.argv[1]), pathlib.Path(sys.argv[2]).read_bytes().decode()
length(hl7.parse(text))
start, messages, took = time.process_time(), 0, 0.0
while took < seconds:
    for _ in range(5):
        length(hl7.parse(text))
    messages += 5
    took = time.process_time() - start
print(json.dumps({"work": "python3-hl7", "messages": messages, "bytes": messages * len(text.encode()), "seconds": took}))
