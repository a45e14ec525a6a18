#!/usr/bin/env python3
"""check_damage.py TOOL KIND COUNT SEED CORE BINARY - what a damaged core still says must be true.

KIND cut: the file ends at COUNT places, many of them in its headers and notes.
KIND hole: 64 KiB are zero at COUNT random places.
KIND segment: each writable segment of memory that is not all zero, not dumped (file size 0).
KIND notes: the notes are gone.

Each time: no signal, no more than 10 seconds, exit status 0 or 2; what it calls definitely lost is
definitely lost in the whole core as well; and a report of a core that misses something says so."""
import csv
import io
import json
import os
import random
import struct
import subprocess
import sys
import tempfile

LIMIT_SECONDS, HOLE = 10, 64 << 10
SQL = "SELECT address, leak_kind FROM objects"


def run(words):
    try:
        done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              stdin=subprocess.DEVNULL, timeout=LIMIT_SECONDS)
    except subprocess.TimeoutExpired:
        return "hang", b""
    if done.returncode not in (0, 2):
        return "exit status %d: %s" % (done.returncode, done.stderr[-2000:].decode()), b""
    return None if done.returncode == 0 else "nothing", done.stdout


def segments(data):
    """(offset of the entry, type, file offset, file size, is it writable)"""
    wide = data[4] == 2
    phoff, = struct.unpack_from("<Q" if wide else "<I", data, 32 if wide else 28)
    count, = struct.unpack_from("<H", data, 56 if wide else 44)
    for i in range(count):
        at = phoff + i * (56 if wide else 32)
        kind, = struct.unpack_from("<I", data, at)
        offset, = struct.unpack_from("<Q" if wide else "<I", data, at + (8 if wide else 4))
        size, = struct.unpack_from("<Q" if wide else "<I", data, at + (32 if wide else 16))
        flags, = struct.unpack_from("<I", data, at + (4 if wide else 24))
        yield at, kind, offset, size, flags & 2 != 0


def damages(kind, count, seed, data):
    """(name, bytes) of each damaged core; a cut one is a view of the whole."""
    rng = random.Random(seed)
    parts = list(segments(data))
    head = min((o for _, k, o, s, _ in parts if k == 1 and s), default=len(data))
    if kind == "cut":
        for i in range(count):
            at = rng.randrange(1, head) if i % 4 == 0 else rng.randrange(head, len(data))
            yield "cut at %d" % at, memoryview(data)[:at]
    elif kind == "hole":
        used = [i for i in range(0, len(data), 512) if any(data[i:i + 512])]
        for i in range(count):  # where something is lost by it
            at = max(0, min(rng.choice(used) - rng.randrange(HOLE), len(data) - HOLE))
            yield "hole at %d" % at, data[:at] + bytes(HOLE) + data[at + HOLE:]
    elif kind == "segment":
        for at, number, offset, size, writable in parts:
            if number == 1 and writable and any(data[offset:offset + size]):
                copy = bytearray(data)
                struct.pack_into("<Q" if data[4] == 2 else "<I", copy,
                                 at + (32 if data[4] == 2 else 16), 0)
                yield "without the segment at %d" % offset, copy
    else:
        for at, number, _, _, _ in parts:
            if number == 4:
                copy = bytearray(data)
                struct.pack_into("<I", copy, at, 0)
                yield "without notes", copy


def main():
    tool, kind, count, seed, core, binary = sys.argv[1:7]
    data = open(core, "rb").read()

    def ask(path):
        wrong, out = run([tool, "query", "--csv", "-q", "--no-index", path, binary, SQL])
        rows = list(csv.DictReader(io.StringIO(out.decode()))) if not wrong else []
        return wrong, {r["address"] for r in rows if r["leak_kind"] == "definite"}, len(rows)

    wrong, definite, objects = ask(core)
    assert not wrong and objects, wrong
    tried = failures = told = kept = 0
    with tempfile.TemporaryDirectory() as work:
        path = os.path.join(work, "core")
        for name, damaged in damages(kind, int(count), int(seed), data):
            with open(path, "wb") as out:
                out.write(damaged)
            tried += 1
            wrong, lost, rows = ask(path)
            kept += rows
            told += len(lost)
            if wrong and wrong != "nothing":
                print("WRONG: %s: %s" % (name, wrong))
                failures += 1
            elif lost - definite:
                print("WRONG: %s: %d of %d are lost that were not: %s" %
                      (name, len(lost - definite), rows, ", ".join(sorted(lost - definite)[:4])))
                failures += 1
            elif kind != "hole" and not wrong:
                wrong, out = run([tool, "summary", "--json", "-q", "--no-index", path, binary])
                if wrong or not json.loads(out)["partial"]:
                    print("WRONG: %s: the summary does not say that it is partial" % name)
                    failures += 1
    print("%s: %d cores, %d wrong; of %d objects each %d on average could be told, %d called lost "
          "in all" % (kind, tried, failures, objects, kept / max(tried, 1), told))
    return 1 if failures else 0


sys.exit(main())
