#!/bin/sh
# watch.sh - the watcher, without any cgroup: the image at a SIGKILL, thresholds of RLIMIT_DATA and
# in bytes, what is kept, the hook, and that a watched program is not disturbed.
. fixtures/core.sh
HF=${HF:-build/heapforensics}
work=$(new_folder)
pid=
trap '[ -z "$pid" ] || kill -9 $pid 2>/dev/null; rm -rf "$work"' EXIT
status=0
wrong() { echo "WRONG: $*"; status=1; }
number() { od -A n -t u8 -j $((8 * $1)) -N 8 "$work/count" | tr -d ' '; }
until_true() { # COMMAND...: at most 20 s
	tries=0
	until "$@"; do
		tries=$((tries + 1))
		[ $tries -lt 200 ] || return 1
		sleep 0.1
	done
}
field() { sed -n "s/^$1:[[:space:]]*\([^ ]*\).*/\1/p" "/proc/$pid/status"; }
leaks() { # CORE: retained bytes of the biggest object or holder, where g_leak holds it
	"$HF" dominators -q "$1" "$FIX/leaker" g_leak --depth=1 2>&1
}

"$FIX/leaker" "$work/count" 100 0 0 exit
[ $? = 3 ] || { echo "the program does not run"; exit 1; }
"$HF" watch -q -o "$work" -- "$FIX/leaker" "$work/count" 100 0 0 exit 2>"$work/err"
told=$?
if grep -q 'cannot be held' "$work/err"; then
	echo "ptrace is not allowed here"
	exit 77
fi
[ $told = 3 ] || wrong "exit status 3 became $told: $(cat "$work/err")"
ls "$work" | grep -q core && wrong "a core of a program that ended by itself"
"$HF" watch -q -o "$work" -- "$FIX/leaker" "$work/count" 100 0 2 exec
[ $? = 0 ] || wrong "a program that calls exec was disturbed"
"$HF" watch -q -o "$work" -- "$work/none" 2>/dev/null
[ $? = 127 ] || wrong "a command that is not there"
"$HF" watch -q -o "$work/none" -- "$FIX/leaker" "$work/none.count" 1 0 0 exit 2>/dev/null
[ $? = 2 ] && [ ! -e "$work/none.count" ] || wrong "a command ran that could not be watched"

# SIGKILL: the image has every block that the program had counted, with threads.
"$HF" watch -o "$work" --exec 'echo "$HF_EVENT $HF_CORE" >>"'"$work"'/hook"; test -s "$HF_SIDECAR"' -- \
	"$FIX/leaker" "$work/count" 16000 0 50 >"$work/out" 2>"$work/err" &
watcher=$!
full() { [ -s "$work/count" ] && [ "$(($(number 0) * $(number 1)))" -ge $((16000 << 10)) ]; }
until_true full || wrong "the program does not grow under watch"
pid=$(ps -o pid= --ppid $watcher | tr -d ' ')
[ "$(field TracerPid)" = $watcher ] || wrong "not traced by the watcher"
kill -9 "$pid"
wait $watcher
[ $? = 137 ] || wrong "the exit status of a killed command"
pid=
core=$(ls "$work"/core.leaker.*.kill)
[ "$(cat "$work/out")" = "$core" ] || wrong "the path told is $(cat "$work/out"), not $core"
[ "$(cat "$work/hook")" = "kill $core" ] || wrong "the hook was told $(cat "$work/hook")"
blocks=$("$HF" query --csv -q "$core" "$FIX/leaker" "SELECT count(*) FROM objects WHERE usable = 1000" | tail -n 1)
[ "$blocks" = "$(number 0)" ] || wrong "$blocks blocks in the image, the program counts $(number 0)"
"$HF" report -q "$core" "$FIX/leaker" >"$work/report" || wrong "no report of the image at the kill"
grep -q 'SIGKILL' "$work/report" || wrong "the report does not tell of the kill"
grep -q 'g_leak' "$work/report" || wrong "the report does not name g_leak"
grep -q '"trigger":"kill"' "$core.json" || wrong "the sidecar does not tell of the kill"
if command -v gdb >/dev/null; then
	gdb -q -batch -nx "$FIX/leaker" "$core" -ex bt 2>/dev/null >"$work/gdb"
	grep -q ' main (' "$work/gdb" || wrong "gdb does not find main: $(cat "$work/gdb")"
	grep -q 'SIGKILL' "$work/gdb" || wrong "gdb does not tell of SIGKILL"
fi
grep -q '^SNAPSHOT' "$work/report" || wrong "the report does not tell how the image was taken"
lost=$("$HF" query --csv -q "$core" "$FIX/leaker" "SELECT count(*) FROM objects WHERE leak_kind = 'definite'" | tail -n 1)
[ "$lost" = 0 ] || wrong "$lost objects look lost, which the killed threads' stacks hold"
rm -f "$work"/core.*

# RLIMIT_DATA: snapshots at both thresholds; the oldest makes way; malloc fails, it aborts.
timeout 60 "$HF" watch -o "$work" --at 50%,80% --keep 1 -- sh -c 'ulimit -d 40000; ulimit -c 0; exec "$@"' sh \
	"$FIX/leaker" "$work/count" 400000 1000 0 abort >"$work/out" 2>"$work/err"
[ $? = 134 ] || wrong "the exit status of an aborted command"
grep -q 'RLIMIT_DATA' "$work/err" || wrong "not told that RLIMIT_DATA is near: $(cat "$work/err")"
[ "$(wc -l <"$work/out")" = 2 ] || wrong "not two snapshots: $(cat "$work/out" "$work/err")"
[ "$(ls "$work" | grep -c '^core.*[0-9]$')" = 1 ] || wrong "kept more than one: $(ls "$work")"
ls "$work" | grep -q '\.80$' || wrong "the oldest was kept: $(ls "$work")"
rm -f "$work"/core.*

# Growth since a baseline: the holder, its bytes, and what is left to the limit.
timeout 60 "$HF" watch -q -o "$work" --at 8MiB,24MiB --keep 0 -- sh -c 'ulimit -d 100000; exec "$@"' sh \
	"$FIX/leaker" "$work/count" 32000 2000 0 exit >"$work/out" 2>"$work/err"
"$HF" report -q "$(sed -n 2p "$work/out")" "$FIX/leaker" --baseline "$(sed -n 1p "$work/out")" \
	>"$work/report" || wrong "report --baseline failed"
grep -q '^GROWTH SINCE THE BASELINE' "$work/report" || wrong "no growth is told"
blocks() {
	"$HF" query --csv -q "$(sed -n "$1p" "$work/out")" "$FIX/leaker" \
		"SELECT count(*) FROM objects WHERE usable = 1000" | tail -n 1
}
grown=$(($(blocks 2) - $(blocks 1)))
[ $grown -gt 1000 ] || wrong "only $grown blocks came between the two snapshots"
sed -n 's/,//g; /GROWTH BY HOLDER/,/^$/s/.*g_leak.*+\([0-9]*\)$/\1/p' "$work/report" >"$work/growth"
near=$(($(cat "$work/growth") - grown))
[ ${near#-} -le 64 ] || wrong "g_leak grew by $(cat "$work/growth") objects in the report, $grown in the cores"
grep -q 'At that rate it meets RLIMIT_DATA' "$work/report" || wrong "no time to the limit is told"
rm -f "$work"/core.*

# A budget that has no room: told, and nothing written. The image at the kill fits what is left.
"$HF" watch -o "$work" --at 4MiB --disk 2MiB -- \
	"$FIX/leaker" "$work/count" 20000 1000 0 exit >"$work/out" 2>"$work/err"
grep -q 'budget' "$work/err" || wrong "the budget is not told of: $(cat "$work/err")"
[ ! -s "$work/out" ] || wrong "a snapshot in spite of the budget"
"$HF" watch -q -o "$work" --disk 4MiB -- "$FIX/leaker" "$work/count" 16000 0 0 >"$work/out" 2>/dev/null &
watcher=$!
rm -f "$work/count"
until_true full
kill -9 $(ps -o pid= --ppid $watcher)
wait $watcher
core=$(cat "$work/out")
[ -s "$core" ] || wrong "no image within the budget"
[ "$(du -k "$core" | cut -f 1)" -le 9000 ] || wrong "the budget was broken: $(du -k "$core")"
"$HF" report -q "$core" "$FIX/leaker" >"$work/report" || wrong "no report of a part of the memory"
grep -q 'missing' "$work/report" || wrong "the report does not tell that memory is missing"
rm -f "$work"/core.*

# Undisturbed: stopped stays stopped, goes on; signals arrive; the watcher's end lets it run on.
cat >"$work/ticker" <<'SCRIPT'
trap 'n=$((n + 1)); echo $n >"$1"' USR1
n=0
echo $n >"$1"
while :; do sleep 0.05; done
SCRIPT
sh "$work/ticker" "$work/ticks" &
pid=$!
until_true test -s "$work/ticks"
"$HF" watch -q -o "$work" --pid $pid --at 1KiB --cooldown 0 >/dev/null &
watcher=$!
traced() { [ "$(field TracerPid)" = $watcher ]; }
until_true traced || wrong "not traced"
for n in 1 2 3 4 5 6 7 8 9 10; do
	kill -USR1 $pid
	ticked() { [ "$(cat "$work/ticks")" = $n ]; }
	until_true ticked || wrong "signal $n did not arrive"
done
is_state() { [ "$(field State)" = "$1" ] || { [ "$1" = run ] && [ "$(field State)" != T ]; }; }
kill -STOP $pid
stopped() { case $(field State) in T | t) true ;; *) false ;; esac; }
running() { ! stopped; }
until_true stopped || wrong "SIGSTOP did not stop it"
sleep 0.5
stopped || wrong "a stopped process runs under watch"
kill -CONT $pid
until_true running || wrong "SIGCONT did not let it go on"
kill -TERM $watcher
wait $watcher
[ "$(field TracerPid)" = 0 ] || wrong "still traced"
kill -USR1 $pid
n=11
until_true ticked || wrong "it does not run on after the watcher has ended"
ls -A "$work" | grep -q -e part -e '^\.heap' && wrong "left behind: $(ls -A "$work")"
exit $status
