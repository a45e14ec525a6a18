#!/bin/sh
# memlab.sh - Meta's memlab opens our heap snapshots: its analyses run, its retained sizes are
# ours, and its traces lead from the roots to an object.
. tests/clients/common.inc
need_npm
HOME=$work
export HOME

memlab() {
	node --expose-gc "$npm/node_modules/memlab/bin/memlab" "$@" --work-dir "$work/memlab" \
		>"$work/told" 2>&1 || { cat "$work/told"; wrong "memlab $*"; }
}

core_of demo cases cxx random
for case in demo cases cxx random; do
	export_of $case heapsnapshot
	node - "$work/$case.heapsnapshot" >"$work/told" 2>&1 <<-'NODE' || wrong "$case: memlab"
		const {getFullHeapFromFile} = require('@memlab/heap-analysis');
		getFullHeapFromFile(process.argv[2]).then(heap => {
			const lines = [];
			heap.nodes.forEach(n => lines.push([n.type, n.id, n.self_size, n.retainedSize, n.name].join(' ')));
			require('fs').writeFileSync(process.argv[2] + '.nodes', lines.join('\n') + '\n');
		});
	NODE
	compare_nodes $case "$work/$case.heapsnapshot.nodes" || wrong "$case: memlab finds other figures"
done

snapshot=$work/demo.heapsnapshot
memlab analyze shape --snapshot "$snapshot"
for shape in "struct session" text; do
	grep -q "^· $shape: .*(N: [0-9]" "$work/told" || { cat "$work/told"; wrong "shape lacks '$shape'"; }
done
grep -q '\[g_sessions (demo_server.c:[0-9]*)\] --' "$work/told" || wrong "shape: g_sessions refers"
memlab analyze object-size --snapshot "$snapshot"
grep -q 'struct table.*: [0-9]* edges, 1.1MB' "$work/told" || { cat "$work/told"; wrong "object-size"; }

# A trace to a text that a session holds: by way of the variable.
text=$(awk '$1 == "object" && $5 == "text" && $3 == 48 {print $2; exit}' "$snapshot.nodes")
[ -n "$text" ] || text=$(awk '$1 == "object" && $5 == "text" {print $2; exit}' "$snapshot.nodes")
memlab trace --node-id "$text" --snapshot "$snapshot"
for hop in '(GC roots)' '(variable)' 'g_sessions' 'struct session' "@$text"; do
	grep -qF "$hop" "$work/told" || { cat "$work/told"; wrong "trace to $text lacks $hop"; }
done
exit $status
