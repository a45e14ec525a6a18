#!/usr/bin/env python3
"""Hold pymalloc's figures against those that sys._debugmallocstats() gave before the core.

usage: heapforensics arenas --json CORE | check_pools.py TRUTH
"""
import json
import re
import sys


def number(text, pattern):
    found = re.search(pattern, text, re.MULTILINE)
    if not found:
        sys.exit("TRUTH does not say: " + pattern)
    return int(found.group(1).replace(",", ""))


def main():
    with open(sys.argv[1], encoding="utf-8", errors="replace") as file:
        text = file.read()
    layers = json.load(sys.stdin).get("layers", [])
    if len(layers) != 1:
        sys.exit("WRONG: %d layers over malloc, not one" % len(layers))
    said = layers[0]
    # One line a size class: class, size, pools, blocks in use, available blocks.
    classes = re.findall(r"^ +\d+ +\d+ +\d+ +(\d+) +(\d+)$", text, re.MULTILINE)
    overhead = sum(number(text, r"^# bytes lost to %s += +([\d,]+)$" % what)
                   for what in ("pool headers", "quantization", "arena alignment"))
    expected = {
        "system_arenas": number(text, r"^# arenas allocated current += +([\d,]+)$"),
        "inuse_count": sum(int(used) for used, free in classes),
        "inuse_bytes": number(text, r"^# bytes in allocated blocks += +([\d,]+)$"),
        "free_count": sum(int(free) for used, free in classes),
        "free_bytes": number(text, r"^# bytes in available blocks += +([\d,]+)$"),
        "unused_pools": number(text, r"^(\d+) unused pools"),
        "unused_bytes": number(text, r"^\d+ unused pools \* \d+ bytes += +([\d,]+)$"),
        "overhead_bytes": overhead,
    }
    wrong = [key for key in expected if expected[key] != said[key]]
    for key in wrong:
        print("WRONG: %s is %d, CPython says %d" % (key, said[key], expected[key]))
    print("%d objects of %d bytes in %d arenas, %d free blocks: %s" %
          (said["inuse_count"], said["inuse_bytes"], said["system_arenas"], said["free_count"],
           "differs" if wrong else "as CPython says"))
    sys.exit(bool(wrong))


main()
