#!/bin/sh
# interrupted.sh - a signal that ends an export leaves the file that was there, and no half one; the
# shell sees that a signal ended it.
. fixtures/core.sh
command -v python3 >/dev/null || { echo "python3 is not installed"; exit 77; }
work=$(new_folder)
trap 'rm -rf "$work"' EXIT

dump "$work/core" "$FIX/bench_heap" random 400000 2>/dev/null || exit 1
python3 - "$HF" "$work" "$FIX/bench_heap" <<'END'
import os
import signal
import subprocess
import sys
import time

tool, work, program = sys.argv[1:]
target, wrong = os.path.join(work, "file"), 0


def interrupt(form, number):
    """Status of an export that gets the signal when its file begins; None: it was quicker."""
    run = subprocess.Popen([tool, "export", "-q", "--no-index", "--format=" + form, "-o", target,
                            os.path.join(work, "core"), program], stderr=subprocess.DEVNULL)
    while run.poll() is None and not os.path.exists(target + ".part"):
        time.sleep(0.0005)
    run.send_signal(number)
    status = run.wait()
    return None if status == 0 else status


for form in "ndjson", "hprof", "sqlite", "folded":
    for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
        with open(target, "w", encoding="ascii") as file:
            file.write("before")
        status = interrupt(form, number)
        if status is None:
            print("%s was written before signal %d came" % (form, number))
            continue
        with open(target, encoding="ascii") as file:
            held = file.read()
        left = [name for name in os.listdir(work) if name not in ("core", "file")]
        if status != -number or held != "before" or left:
            print("WRONG: %s, signal %d: status %d, %s, left %s"
                  % (form, number, status, held[:20], left))
            wrong = 1
sys.exit(wrong)
END
