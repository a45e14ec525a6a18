#!/usr/bin/env python3
"""Hold the types of a heap against what the program wrote down of each object that it made.

usage: check_types.py TRUTH TYPES.csv [MIN_OBJECTS% MIN_BYTES%]
TYPES.csv: SELECT address, type, type_source, usable FROM objects

A type counts as wrong if it names another one than the program, which may write "~PATTERN" of the
shell; text found in a char[] is right. An object without a type (a shape) is no mistake, but is not covered. Exit status 1 for
any wrong type, or too little coverage.
"""
import collections
import csv
import fnmatch
import re
import sys

UNTYPED = {"shape"}
TEXT = {"char[]", "unsigned char[]"}


def element(name):
    """One or many: an object with room for one more than one may be called either. Spaces, const
    and "int" of "long int" are spelled differently by compilers; defaults are left out."""
    name = name[:-2] if name.endswith("[]") else name
    for long, short in (("long unsigned", "unsigned long"), ("std::__cxx11::", "std::"), ("std::__1::", "std::"),
                        (", std::char_traits<char>", "")):
        name = name.replace(long, short)
    return re.sub(r"\bconst\b|(?<=long) int\b|\s", "", name)


def right(true, said):
    # Buckets are declared to hold nodes without a value; what they hold is known better.
    if true.startswith("~"):  # a pattern of the shell
        return fnmatch.fnmatchcase(said, true[1:])
    if true == "std::__detail::_Hash_node_base*[]" and said.endswith("*[]"):
        return said.startswith("std::__detail::_Hash_node<")
    return element(true) == element(said) or (said == "text" and true in TEXT)


def main():
    truth = {}
    with open(sys.argv[1], encoding="utf-8") as file:
        for line in file:
            address, true = line.rstrip("\n").split(" ", 1)
            if true == "freed":
                del truth[int(address, 16)]
            else:
                truth[int(address, 16)] = true
    wrong, covered, covered_bytes, total_bytes, untyped = [], 0, 0, 0, collections.Counter()
    seen = set()
    with open(sys.argv[2], encoding="utf-8") as file:
        for row in csv.DictReader(file):
            address = int(row["address"], 16)
            if address not in truth:
                continue
            seen.add(address)
            true, usable = truth[address], int(row["usable"])
            total_bytes += usable
            if row["type_source"] in UNTYPED:
                untyped[(true, row["type"])] += 1
                continue
            covered += 1
            covered_bytes += usable
            if not right(true, row["type"]):
                wrong.append(f"0x{address:x} is {true}, not {row['type']} ({row['type_source']})")
    for line in wrong[:20]:
        print("WRONG:", line)
    for (true, said), count in untyped.most_common(15):
        print(f"untyped: {count} x {true}: {said}")
    if len(seen) != len(truth):
        print(f"{len(truth) - len(seen)} objects of the truth are not in the heap")
        return 1
    share = 100.0 * covered / max(len(truth), 1)
    share_bytes = 100.0 * covered_bytes / max(total_bytes, 1)
    print(f"typed: {share:.2f} % of {len(truth)} objects, {share_bytes:.2f} % of {total_bytes} "
          f"bytes; {len(wrong)} wrong")
    if len(sys.argv) > 4 and (share < float(sys.argv[3]) or share_bytes < float(sys.argv[4])):
        print(f"WRONG: at least {sys.argv[3]} % and {sys.argv[4]} % should be")
        return 1
    return 1 if wrong else 0


sys.exit(main())
