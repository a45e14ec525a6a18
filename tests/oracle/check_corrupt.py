#!/usr/bin/env python3
"""check_corrupt.py [--nameless] HEAPFORENSICS CORE TRUTH [BINARY OPTION...]: what `check` says of a
heap that one bug broke.

Each finding of the truth is there: the right name, at the right address, with the right word and
the right culprit. Nothing else is told but what the truth says may follow. No bystander is lost.
With --nameless no file of the process is at hand: what only a stack's frames tell may be missing.
Prints one line; exits 1 if it was wrong.
"""
import json
import subprocess
import sys

nameless = sys.argv[1] == "--nameless"
program, core, truth_path, *more = sys.argv[1 + nameless:]


def number(text):
    return int(text, 16) if text else 0


def run(*arguments):
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60)
    if done.returncode:
        sys.exit(f"WRONG: {' '.join(arguments)}: exit {done.returncode}: {done.stderr}")
    return done.stdout


def same(wanted, told):
    return wanted == 0 or wanted == told


truth, also, bystanders, free = [], [], set(), set()
for line in open(truth_path):
    kind, *rest = line.split()
    if kind == "finding":
        truth.append((rest[0], *map(number, rest[1:])))
    elif kind == "also":
        also.append((rest[0], number(rest[1])))
    elif kind == "object":
        bystanders.add(rest[0])
    elif kind == "free":
        free.add(rest[0])

told = json.loads(run("check", "--json", "-q", "--all", core, *more))
findings = [(f["code"], number(f["address"]), number(f["word"]), number(f["culprit"]), f)
            for f in told["integrity"]["findings"]]
wrong = []
for code, address, word, culprit in truth:
    fits = [f for f in findings if f[0] == code and same(address, f[1]) and same(word, f[2])
            and same(culprit, f[3])]
    if not fits and nameless and code == "wrong-free":
        truth = []  # the abort is told, but not by which pointer
    elif not fits:
        wrong.append(f"{code} at {address:#x}, word {word:#x}, culprit {culprit:#x} is not told")
    for fit in fits:
        if fit[4]["severity"] != "error":
            wrong.append(f"{code} is only a {fit[4]['severity']}")
        if word and f"{fit[2]:x}"[:-1] not in fit[4]["hexdump"]:
            wrong.append(f"the hexdump of {code} does not show its word")
        findings.remove(fit)
for finding in findings:
    if not any(code == finding[0] and same(address, finding[1]) for code, address in also):
        wrong.append("beside it is told: " + json.dumps(finding[4]))

case = truth_path.rsplit("/", 1)[-1]
if case.startswith("crash-"):
    claims = [f["malloc_says"] for f in told["integrity"]["findings"] if f.get("malloc_says")]
    if claims or "abort" in told:
        wrong.append(f"malloc said nothing, but check tells {claims or told['abort']}")
if case.startswith("abort-"):
    if "abort" not in told or truth and told["abort"].get("code") != truth[0][0]:
        wrong.append(f"malloc aborted for it, but check says {told.get('abort')}")
    first = next(line for line in run("report", "-q", core, *more).splitlines() if line)
    if first != "MALLOC ABORTED THE PROCESS":
        wrong.append(f"the report begins with {first}")

rows = run("query", "--csv", "-q", core, *more, "SELECT address, leak_kind FROM objects")
objects = dict(row.split(",") for row in rows.split()[1:])
lost = [one for one in bystanders if objects.get(one) not in ("reachable", "possible")]
if lost:
    wrong.append(f"{len(lost)} of {len(bystanders)} bystanders are lost: {sorted(lost)[:4]}")
taken = free.intersection(objects)
if taken:
    wrong.append(f"{sorted(taken)} are free, but told as in use")

for sentence in wrong:
    print("WRONG:", sentence)
print(f"{truth[0][0] if truth else 'abort'}: {len(told['integrity']['findings'])} findings, {len(bystanders)} bystanders")
sys.exit(bool(wrong))
