#!/usr/bin/env python3
"""check_arenas.py TOOL CORE BINARY TRUTH [OPTION...] - `arenas --json` against mallinfo2 and
malloc_info. BINARY may be empty; OPTIONs are the tool's."""
import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

tool, core, binary, path = sys.argv[1:5]
files = [core, binary] if binary else [core]
told = json.loads(subprocess.run([tool, "arenas", "--json", "-q"] + sys.argv[5:] + files,
                                 check=True, stdout=subprocess.PIPE).stdout)
text = open(path).read()
errors = []


def same(what, ours, truth):
    if ours != truth:
        errors.append("%s: %s, should be %s" % (what, ours, truth))


for name, value in re.findall(r"^mallinfo2 (\w+) (\d+)$", text, re.M):
    same("mallinfo2." + name, told["mallinfo2"][name], int(value))
start = text.find("<malloc")
heaps = 0
if start >= 0:
    xml = ElementTree.fromstring(text[start:text.index("</malloc>") + len("</malloc>")])
    for heap in xml.findall("heap"):
        number = int(heap.get("nr"))
        heaps += 1
        arena = told["arenas"][number]
        rows = [r for r in told["bins"] if r["arena"] == number]
        sizes = heap.find("sizes")
        want = [tuple(int(e.get(k)) for k in ("from", "to", "total", "count"))
                for e in list(sizes) if e.tag in ("size", "unsorted")]
        ours = [tuple(r[k] for k in ("from_bytes", "to_bytes", "total_bytes", "count")) for r in rows]
        same("heap %d bins" % number, ours, want)
        for system in heap.findall("system"):
            key = {"current": "system_bytes", "max": "max_system_bytes"}[system.get("type")]
            same("heap %d %s" % (number, key), arena[key], int(system.get("size")))
        # To 2.26 malloc_info tells the last heap alone.
        whole = heap.find("aspace[@type='subheaps']") is not None or arena["heaps"] < 2
        for aspace in heap.findall("aspace") if whole else []:
            key = {"total": "aspace_bytes", "mprotect": "aspace_mprotect_bytes",
                   "subheaps": "heaps"}[aspace.get("type")]
            same("heap %d %s" % (number, key), arena[key], int(aspace.get("size")))
    mmap = xml.find("total[@type='mmap']")
    if mmap is not None:
        same("mmapped count", told["malloc"]["mmapped_count"], int(mmap.get("count")))
        same("mmapped bytes", told["malloc"]["mmapped_bytes"], int(mmap.get("size")))
    same("number of arenas", len(told["arenas"]), heaps)
for arena in told["arenas"]:
    parts = sum(arena[k] for k in ("inuse_bytes", "tcache_bytes", "fastbin_bytes", "bins_bytes",
                                   "top_bytes", "overhead_bytes"))
    same("arena %d sums" % arena["arena"], parts, arena["system_bytes"])
print("%d arenas, %d bins" % (len(told["arenas"]), len(told["bins"])))
for error in errors:
    print("WRONG:", error)
sys.exit(1 if errors else 0)
