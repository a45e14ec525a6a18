#!/bin/sh
# openmetrics.sh - Prometheus' own parser reads our metrics, promtool accepts them, and the values
# are those of the report.
. tests/clients/common.inc
need_python prometheus_client.openmetrics.parser

cat >"$work/odd.cc" <<'SOURCE'
#include <cstdlib>
template <char C> struct Char { virtual ~Char() {} };
void *g_quote, *g_slash;
int main() { g_quote = new Char<'"'>; g_slash = new Char<'\\'>; abort(); }
SOURCE
need g++ g++
g++ -g -O1 -o "$work/odd.program" "$work/odd.cc" || exit 1
dump "$work/odd.core" "$work/odd.program" || exit 1
core_of demo cases cxx random
for case in demo cases cxx random odd; do
	program=$(program_of $case)
	for command in report summary; do
		"$HF" $command --openmetrics -q "$work/$case.core" "$program" -o "$work/$case.prom" ||
			wrong "$command --openmetrics of $case"
	done
	"$HF" report --json -q "$work/$case.core" "$program" >"$work/report.json"
	"$HF" query --json -q "$work/$case.core" "$program" "SELECT leak_kind, count(*) AS count,
		sum(chunk_size) AS bytes FROM objects GROUP BY 1" >"$work/kinds.json"
	"$HF" query --json -q "$work/$case.core" "$program" "SELECT type, count(*) AS count,
		sum(chunk_size) AS bytes FROM objects GROUP BY 1" >"$work/types.json"
	$python - "$work" $case <<'PYTHON' || wrong "$case: what Prometheus reads"
import json, sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
work, case = sys.argv[1:]
text = open(f"{work}/{case}.prom", newline="").read()
families = {f.name: f for f in text_string_to_metric_families(text)}
def values(name, *labels):
    return {tuple(s.labels[l] for l in labels): s.value
            for s in families["heapforensics_" + name].samples}
def rows(name):
    return json.load(open(f"{work}/{name}.json"))["rows"]
report = json.load(open(f"{work}/report.json"))
assert all(f.type == "gauge" and f.documentation for f in families.values())
assert all(f.unit == "bytes" for n, f in families.items() if n.endswith("_bytes"))
memory = {(r["kind"],): r["bytes"] for r in report["memory"]["ledger"] if r["kind"] != "total"}
assert values("memory_bytes", "kind") == memory
kinds = {(r["leak_kind"],): r for r in rows("kinds")}
for unit in ("bytes", "count"):
    told = values("leak_" + ("bytes" if unit == "bytes" else "objects"), "kind")
    assert {k: v for k, v in told.items() if v} == {k: r[unit] for k, r in kinds.items()}, told
types = {(r["type"],): r for r in rows("types")}
told = values("type_bytes", "type")
assert len(told) == min(10, len(types))
for name, bytes_ in told.items():
    name = (name[0].replace("\\\\", "\\"),) if name not in types else name
    assert types[name]["bytes"] == bytes_, name
    assert values("type_objects", "type")[name] == types[name]["count"]
# Holders, the rest, the shared and the lost are the heap.
held = sum(values("holder_retained_bytes", "kind", "holder").values())
assert held == sum(r["bytes"] for r in kinds.values()), held
assert values("partial")[()] == report["partial"]
print(len(text), "bytes,", len(families), "metrics")
PYTHON
	if command -v promtool >/dev/null; then
		promtool check metrics <"$work/$case.prom" || wrong "$case: promtool"
	fi
done
grep -q "type=\"Char<" "$work/odd.prom" || wrong "odd names are not there"

# A file is replaced as a whole, and is not there before it is complete.
[ ! -e "$work/demo.prom.part" ] || wrong "a part is left"
exit $status
