#!/bin/sh
# watch_oom.sh - the OOM killer strikes in a small memory cgroup of the test's own, under watch: the
# image at the kill has every block that the program has counted, and gdb and the report tell who
# keeps them. By pid, as a command, with 50 threads, and one of several processes in a cgroup.
. fixtures/core.sh
HF=${HF:-build/heapforensics}
work=$(new_folder)
group=
clean() {
	if [ -n "$group" ]; then
		for process in $(cat "$group/cgroup.procs" 2>/dev/null); do kill -9 "$process"; done
		for try in 1 2 3 4 5 6 7 8 9 10; do # the killed need a moment to be gone
			rmdir "$group" 2>/dev/null && break
			sleep 0.3
		done
	fi
	rm -rf "$work"
}
trap clean EXIT
status=0
wrong() { echo "WRONG: $*"; status=1; }
number() { od -A n -t u8 -j $((8 * $2)) -N 8 "$1" | tr -d ' '; }

# A cgroup whose limit is far below what the machine has, so that nobody else can be meant.
v2=$(sed -n 's/^[^ ]* [^ ]* [^ ]* [^ ]* \([^ ]*\) .* - cgroup2 .*/\1/p' /proc/self/mountinfo | head -n 1)
v1=$(sed -n 's/^[^ ]* [^ ]* [^ ]* [^ ]* \([^ ]*\) .* - cgroup [^ ]* .*memory.*/\1/p' /proc/self/mountinfo | head -n 1)
for mount in $v2 $v1; do
	mkdir "$mount/heapforensics-test-$$" 2>/dev/null || continue
	group=$mount/heapforensics-test-$$
	if [ -e "$group/memory.max" ]; then
		limit=$group/memory.max
		[ ! -e "$group/memory.swap.max" ] || echo 0 >"$group/memory.swap.max"
	else
		limit=$group/memory.limit_in_bytes
	fi
	[ -e "$limit" ] && echo 64M >"$limit" 2>/dev/null && break
	rmdir "$group"
	group=
done
[ -n "$group" ] || { echo "no memory cgroup can be made here (root, and the memory controller)"; exit 77; }
enter="echo \$\$ >$group/cgroup.procs && exec \"\$@\""
sh -c "$enter" sh true 2>/dev/null || { echo "no process can enter a memory cgroup of its own"; exit 77; }

# The core has what the program counted, within 2 %; report and gdb tell.
judge() { # WHAT CORE COUNT-FILE
	[ -s "$2" ] || { wrong "$1: no image at the kill: $(cat "$work/err")"; return; }
	grep -q 'OOM killer' "$2.json" || wrong "$1: the sidecar does not tell of the OOM killer"
	"$HF" report -q "$2" "$FIX/leaker" >"$work/report" || wrong "$1: no report"
	grep -q 'g_leak' "$work/report" || { wrong "$1: g_leak is not named"; cat "$work/report"; }
	# What a stray word on the stack holds as well, the variable holds all the same.
	told=$("$HF" query --csv -q --roots=variable "$2" "$FIX/leaker" \
		"SELECT max(retained) FROM nodes WHERE name LIKE 'g_leak%'" | tail -n 1)
	truth=$(($(number "$3" 0) * $(number "$3" 1)))
	[ $((told * 100)) -ge $((truth * 98)) ] && [ $((told * 98)) -le $((truth * 100)) ] ||
		wrong "$1: g_leak keeps $told bytes in the image, the program counts $truth"
	command -v gdb >/dev/null || return
	gdb -q -batch -nx "$FIX/leaker" "$2" -ex bt 2>/dev/null | grep -q ' main (' ||
		wrong "$1: gdb finds no backtrace"
	rm -f "$2" "$2.json"
}

sh -c "$enter" sh "$FIX/leaker" "$work/count" 400000 2000 0 &
pid=$!
timeout 60 "$HF" watch -q --pid $pid --at 60% -o "$work" >"$work/out" 2>"$work/err"
wait $pid
grep -q '\.60$' "$work/out" || wrong "no snapshot at 60 %: $(cat "$work/err")"
judge "by pid" "$(grep '\.kill$' "$work/out")" "$work/count"
threshold=$(grep '\.60$' "$work/out")
"$HF" report -q "$threshold" "$FIX/leaker" >"$work/report" && grep -q g_leak "$work/report" ||
	wrong "the snapshot at 60 % does not tell of g_leak"
rm -f "$work"/core.*

timeout 60 "$HF" watch -q -o "$work" -- sh -c "$enter" sh "$FIX/leaker" "$work/count" 400000 2000 50 \
	>"$work/out" 2>"$work/err"
[ $? = 137 ] || wrong "a command's exit status after an OOM kill"
judge "a command with 50 threads" "$(cat "$work/out")" "$work/count"

timeout 60 "$HF" watch -q --cgroup "$group" -o "$work" >"$work/out" 2>"$work/err" &
watcher=$!
sh -c "$enter" sh "$FIX/leaker" "$work/small" 8000 0 2 &
small=$!
sh -c "$enter" sh "$FIX/leaker" "$work/count" 400000 2000 2 &
big=$!
wait $big
tries=0
until [ -s "$work/out" ] || [ $tries -gt 100 ]; do
	tries=$((tries + 1))
	sleep 0.1
done
kill -0 $small 2>/dev/null || wrong "the small process was harmed"
judge "one of a cgroup" "$(head -n 1 "$work/out")" "$work/count"
kill -TERM $watcher
wait $watcher
kill -0 $small 2>/dev/null || wrong "the small process did not outlive the watcher"
kill $small
exit $status
