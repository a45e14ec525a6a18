#!/bin/sh
# random_heap.sh - random graphs over all arenas: objects, sizes, states, leak kinds, dominators
# and retained sizes equal the program's own truth.
. fixtures/core.sh
command -v python3 >/dev/null || { echo "python3 is not installed"; exit 77; }
work=$(new_folder)
trap 'rm -rf "$work"' EXIT
status=0

# SEED OBJECTS THREADS
cases="1:1:0 2:3:1 3:10:0 4:40:8 5:100:2 6:300:4 7:1000:0 8:1000:8 9:3000:3 10:5000:1 11:8000:6 12:20000:8"
[ -n "$HF_QUICK" ] || cases="$cases 13:20000:2 14:30000:0 15:40000:5 16:50000:8 17:60000:1 18:80000:3
	19:100000:7 20:100000:0 21:150000:4 22:200000:8 23:200000:0"
for case in $cases; do
	seed=${case%%:*} rest=${case#*:}
	objects=${rest%%:*} threads=${rest#*:}
	dump "$work/core.$seed" "$FIX/random_heap" "$seed" "$objects" "$threads" "$work/truth" || exit 1
	printf 'seed %s, %s objects, %s threads: ' "$seed" "$objects" "$threads"
	python3 tests/oracle/check_random_heap.py "$HF" "$work/core.$seed" "$FIX/random_heap" \
		"$work/truth" || status=1
	rm -f "$work/core.$seed"
done

# The same by gdb's gcore of the waiting process.
if command -v gdb >/dev/null; then
	HF_WAIT=1 "$FIX/random_heap" 77 3000 4 "$work/truth" >"$work/ready" &
	pid=$!
	while ! grep -q ready "$work/ready" 2>/dev/null; do kill -0 $pid || exit 1; sleep 0.1; done
	gcore_of "$work/core.gcore" $pid || status=1
	kill $pid
	printf 'gcore, 3000 objects, 4 threads: '
	python3 tests/oracle/check_random_heap.py "$HF" "$work/core.gcore" "$FIX/random_heap" \
		"$work/truth" || status=1
fi
exit $status
