#!/usr/bin/env python3
"""mutate.py TOOL COUNT SEED CORE[:BINARY]... - the tool must survive cores with flipped bits.

Each mutation takes one of the cores, flips 1 to 16 bits (in its headers, in its notes, or anywhere
in what is not zero), or overwrites words with addresses of the same core, with small numbers or
with all ones, and runs one of the commands on it: no signal, no more than 10 seconds, no more
memory than 4 times the core (and what the tool needs for any: 96 MiB). Exit status 0 or 2 only.
A mutation is made again from TOOL's words and SEED, which are told where it fails."""
import os
import random
import resource
import signal
import struct
import subprocess
import sys
import tempfile

COMMANDS = ["report", "summary", "arenas", "leaks --all", "types", "dominators", "check",
            "report --json", "report --html", "leaks --csv",
            "query|SELECT count(*), sum(size) FROM chunks",
            "query|SELECT * FROM refs, holders LIMIT 100", "export|--format=folded"]
LIMIT_SECONDS, BASE_BYTES = 10, 96 << 20
EDGE = [0, 1, 2, 8, 16, 0x1000, 0x7fffffff, 0x80000000, 0xffffffff, 1 << 63, (1 << 64) - 1,
        (1 << 64) - 16, 0xfffffffffffff000]


def mutate(data, used, rng):
    wide = data[4] == 2
    word = 8 if wide else 4
    for _ in range(rng.choice([1, 1, 2, 4, 8, 16])):
        dice = rng.random()
        limit = 4096 if dice < 0.25 else 16384 if dice < 0.4 else len(data)
        at = rng.randrange(min(limit, len(data))) if limit < len(data) else rng.choice(used) + \
            rng.randrange(64)
        at = min(at, len(data) - word)
        kind = rng.random()
        if kind < 0.6:
            data[at] ^= 1 << rng.randrange(8)
        else:
            at -= at % word
            value = rng.choice(EDGE) if kind < 0.8 else struct.unpack_from(
                "<Q" if wide else "<I", data, min(rng.choice(used), len(data) - word))[0]
            struct.pack_into("<Q" if wide else "<I", data, at, value & ((1 << 8 * word) - 1))
    return data


def run(words, out):
    """(what went wrong or None, bytes of memory)"""
    child = subprocess.Popen(words, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)

    def alarm(*_):
        child.kill()
    signal.signal(signal.SIGALRM, alarm)
    signal.alarm(LIMIT_SECONDS)
    _, status, usage = os.wait4(child.pid, 0)
    hung = signal.alarm(0) == 0
    child.returncode = 0
    if os.WIFSIGNALED(status):
        return ("hang" if hung else "signal %d" % os.WTERMSIG(status)), usage.ru_maxrss << 10
    if os.WEXITSTATUS(status) not in (0, 2):
        return "exit status %d" % os.WEXITSTATUS(status), usage.ru_maxrss << 10
    return None, usage.ru_maxrss << 10


def main():
    tool, count, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    cores = []
    for name in sys.argv[4:]:
        path, _, binary = name.partition(":")
        data = open(path, "rb").read()
        used = [i for i in range(0, len(data), 64) if any(data[i:i + 64])]
        cores.append((data, used, binary))
    sanitized = "asan" in tool
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    failures = 0
    with tempfile.TemporaryDirectory() as work:
        path = os.path.join(work, "core")
        for number in range(count):
            rng = random.Random(seed * 1000003 + number)
            data, used, binary = rng.choice(cores)
            with open(path, "wb") as out:
                out.write(mutate(bytearray(data), used, rng))
            command, _, last = rng.choice(COMMANDS).partition("|")
            words = [tool] + command.split() + ["-q", "--no-index", "--sysroot=/nonexistent", path]
            words += [binary] if binary and rng.random() < 0.5 else []
            words += [last] if last else []
            with open(os.path.join(work, "out"), "wb") as out:
                wrong, used_bytes = run(words, out)
            if not wrong and not sanitized and used_bytes > BASE_BYTES + 4 * len(data):
                wrong = "%d MiB of memory" % (used_bytes >> 20)
            if wrong:
                failures += 1
                kept = os.path.join(tempfile.gettempdir(), "mutated-%d-%d" % (seed, number))
                os.replace(path, kept)
                print("WRONG: %s: mutation %d of seed %d, kept as %s: %s" %
                      (wrong, number, seed, kept, " ".join(words)))
                print(open(os.path.join(work, "out"), errors="replace").read()[-3000:])
                if failures == 10:
                    break
    print("%d mutations, %d failures" % (number + 1, failures))
    return 1 if failures else 0


sys.exit(main())
