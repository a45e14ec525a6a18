#!/bin/sh
# healthy.sh - no broken invariant and no hole is told where none is: of every program of the suite,
# and of python3, sqlite3 and bash at work.
. fixtures/core.sh
work=$(new_folder)
trap 'rm -rf "$work"' EXIT
status=0 cores=0

healthy() { # NAME
	"$HF" check --json -q "$work/core" >"$work/out" 2>"$work/log" || { cat "$work/log"; status=1; }
	if grep -q '"findings_count": 0,' "$work/out"; then
		echo "$1: none"
	else
		echo "WRONG: $1:"
		"$HF" check -q "$work/core"
		status=1
	fi
	cores=$((cores + 1))
	rm -f "$work/core"
}

run() { # NAME PROGRAM ARG...
	name=$1
	shift
	dump "$work/core" "$@" || { status=1; return; }
	healthy "$name"
}

for threads in 0 3 12; do
	run "mallinfo $threads" "$FIX/mallinfo" $threads "$work/truth"
done
for seed in 1 2 3 4; do
	run "random_heap $seed" "$FIX/random_heap" $seed 4000 $((seed % 3 * 4)) "$work/truth"
done
# Taken in the middle of things: locks held and lists half updated are no findings.
for threads in 1 2 6; do
	for wait in 20 70 120; do
		run "busy $threads $wait" "$FIX/busy" $threads $wait
	done
done
run leak_cases "$FIX/leak_cases" "$work/truth"
run cxx_containers "$FIX/cxx_containers"
run c_types "$FIX/c_types" "$work/truth"
run tcache16 "$FIX/tcache16"
run demo_server "$FIX/demo_server" 20000 10

# Zeros that may be: no hole is told.
dump "$work/core" "$FIX/zero_data" || exit 1
"$HF" report --json -q "$work/core" "$FIX/zero_data" >"$work/out" || status=1
grep -q core-holes "$work/out" && { echo "WRONG: zero_data: a hole is told"; status=1; }
healthy zero_data

python=$(python3 -c 'import sys; print(sys.executable)' 2>/dev/null)
if [ -n "$python" ]; then
	for allocator in malloc pymalloc; do
		PYTHONMALLOC=$allocator run "python3 $allocator" "$python" -c '
import json, os, re, threading
d = {i: ["value %d" % i] * (i % 50) for i in range(30000)}
for i in range(0, 30000, 3): del d[i]
text = json.dumps(d)
threads = [threading.Thread(target=lambda: json.loads(text)) for i in range(4)]
[t.start() for t in threads]
[t.join() for t in threads]
big = [bytearray(1000 * i) for i in range(500)]
del big[::2]
os.abort()'
	done
fi
run bash "$(command -v bash)" -c 'for i in {1..20000}; do a[i]=text$i; done
	for i in {1..20000..3}; do unset "a[i]"; done; kill -ABRT $$'
if command -v sqlite3 >/dev/null && command -v gdb >/dev/null; then
	mkfifo "$work/pipe"
	sqlite3 :memory: <"$work/pipe" >"$work/ready" &
	pid=$!
	exec 3>"$work/pipe"
	echo "CREATE TABLE t(a, b); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n
		WHERE i < 20000) INSERT INTO t SELECT i, 'text ' || i FROM n;
		DELETE FROM t WHERE a % 3 = 0; SELECT 'ready';" >&3
	while ! grep -q ready "$work/ready"; do kill -0 $pid || exit 1; sleep 0.1; done
	gcore_of "$work/core" $pid && healthy sqlite3
	exec 3>&-
	wait $pid
fi
echo "$cores cores"
exit $status
