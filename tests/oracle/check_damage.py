#!/usr/bin/env python3
"""check_damage.py TOOL KIND COUNT SEED CORE BINARY - what a damaged core still says must be true.

KIND cut: the file ends at COUNT places, many of them in its headers and notes.
KIND hole: 64 KiB are zero at COUNT random places.
KIND end: 64 KiB are zero where each writable segment of memory ends, an eighth of it behind the end.
KIND segment: each writable segment of memory that is not all zero, not dumped (file size 0).
KIND notes: the notes are gone.

Each time: no signal, no more than 10 seconds, exit status 0 or 2; what it calls definitely lost is
definitely lost in the whole core as well; and of a core that misses something it is said that it
is partial. Every fifth is given to the report as well. As many at a time as there are processors."""
import json
import os
import queue
import random
import struct
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

LIMIT_SECONDS, HOLE, REPORT_EACH = 10, 64 << 10, 5
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
        used = [i for i in range(0, len(data), 512) if data[i:i + 512].strip(b"\0")]
        for i in range(count):  # where something is lost by it
            at = max(0, min(rng.choice(used) - rng.randrange(HOLE), len(data) - HOLE))
            yield "hole at %d" % at, data[:at] + bytes(HOLE) + data[at + HOLE:]
    elif kind == "end":
        for _, number, offset, size, writable in parts:
            at = max(0, offset + size - HOLE * 7 // 8)
            if number == 1 and writable and any(data[at:at + HOLE]):
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


class Tool:
    """One core's figures, by the program itself."""

    def __init__(self, tool, binary):
        self.tool, self.binary = tool, binary

    def ask(self, path, *options):
        """(what is wrong, what is definitely lost, objects, is it told as partial)"""
        wrong, out = run([self.tool, "query", "--json", "-q", "--no-index", *options, path,
                          self.binary, SQL])
        if wrong:
            return wrong, set(), 0, True
        told = json.loads(out)
        lost = {row["address"] for row in told["rows"] if row["leak_kind"] == "definite"}
        return None, lost, len(told["rows"]), told["partial"]

    def report(self, path):
        wrong, _ = run([self.tool, "report", "-q", "--no-index", path, self.binary])
        return None if wrong == "nothing" else wrong


def judge(tool, definite, kind, number, name, path):
    """(what is wrong, objects, how many are lost) of the damaged core at PATH."""
    # Every other one as on a machine that has no debug information of the libraries.
    options = ["--debuginfo-path=/nonexistent"] if number % 2 else []
    wrong, lost, rows, partial = tool.ask(path, *options)
    if wrong == "nothing":
        return None, 0, 0
    if not wrong and lost - definite:
        wrong = "%d of %d are lost that were not: %s" % (
            len(lost - definite), rows, ", ".join(sorted(lost - definite)[:4]))
    if not wrong and kind not in ("hole", "end") and not partial:
        wrong = "it is not told that it is partial"
    if not wrong and number % REPORT_EACH == 0:
        wrong = tool.report(path)
    return wrong and "%s: %s" % (name, wrong), rows, len(lost)


def main():
    tool, kind, count, seed, core, binary = sys.argv[1:7]
    tool = Tool(tool, binary)
    data = open(core, "rb").read()
    wrong, definite, objects, _ = tool.ask(core)
    assert not wrong and objects, wrong
    workers = os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as work, ThreadPoolExecutor(workers) as pool:
        free = queue.SimpleQueue()  # a file for each worker
        for i in range(workers):
            free.put(os.path.join(work, "core%d" % i))

        def one(number, name, damaged):
            path = free.get()
            try:
                with open(path, "wb") as out:
                    out.write(damaged)
                return judge(tool, definite, kind, number, name, path)
            finally:
                free.put(path)

        results, waiting = [], []
        for number, (name, damaged) in enumerate(damages(kind, int(count), int(seed), data)):
            waiting.append(pool.submit(one, number, name, damaged))
            if len(waiting) > workers:  # no more cores in memory than are being read
                results.append(waiting.pop(0).result())
        results += [one.result() for one in waiting]
    failures = [wrong for wrong, _, _ in results if wrong]
    for wrong in failures:
        print("WRONG:", wrong)
    print("%s: %d cores, %d wrong; of %d objects each %d on average could be told, %d called lost "
          "in all" % (kind, len(results), len(failures), objects,
                      sum(rows for _, rows, _ in results) / max(len(results), 1),
                      sum(lost for _, _, lost in results)))
    return 1 if failures else 0


sys.exit(main())
