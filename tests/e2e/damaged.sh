#!/bin/sh
# damaged.sh - cores cut anywhere, with holes, without a segment, without notes, by the kernel and by
# gdb: never a crash or a hang, and nothing is called lost that the whole core does not call so.
. fixtures/core.sh
command -v python3 >/dev/null || { echo "python3 is not installed"; exit 77; }
work=$(new_folder)
trap 'rm -rf "$work"' EXIT
status=0
count=200
[ -z "$HF_QUICK" ] || count=5

check() { # NAME CORE BINARY
	for kind in cut hole end segment notes; do
		printf '%s: ' "$1"
		python3 tests/oracle/check_damage.py "$HF" $kind $count 1 "$2" "$3" || status=1
	done
}

dump "$work/core" "$FIX/leak_cases" "$work/truth" || exit 1
check leak_cases "$work/core" "$FIX/leak_cases"
[ -z "$HF_QUICK" ] || exit $status
dump "$work/core" "$FIX/random_heap" 5 400 3 "$work/truth" || exit 1
check random_heap "$work/core" "$FIX/random_heap"
command -v gdb >/dev/null || exit $status
HF_WAIT=1 "$FIX/random_heap" 6 500 2 "$work/truth" >"$work/ready" &
pid=$!
while ! grep -q ready "$work/ready" 2>/dev/null; do kill -0 $pid || exit 1; sleep 0.1; done
gcore_of "$work/core.gcore" $pid || status=1
kill $pid
check "random_heap by gcore" "$work/core.gcore" "$FIX/random_heap"
exit $status
