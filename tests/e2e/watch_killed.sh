#!/bin/sh
# watch_killed.sh - the watcher is killed at 50 random moments, many of them within a snapshot: each
# time the target runs on, untraced, and nothing is left in the folder but whole cores.
. fixtures/core.sh
HF=${HF:-build/heapforensics}
work=$(new_folder)
pid=
trap '[ -z "$pid" ] || kill -9 $pid 2>/dev/null; rm -rf "$work"' EXIT
command -v od >/dev/null || { echo "od is not installed"; exit 77; }
status=0
wrong() { echo "WRONG: $*"; status=1; }
count() { od -A n -t u8 -N 8 "$work/count" | tr -d ' '; }
field() { sed -n "s/^$1:[[:space:]]*\([^ ]*\).*/\1/p" "/proc/$pid/status"; }

# It grows until the end of the test: 64 blocks of 1,000 bytes every 10 ms.
timeout 300 "$FIX/leaker" "$work/count" 4000000 10000 8 &
guard=$!
sleep 0.5
pid=$(ps -o pid= --ppid $guard | tr -d ' ')
[ -n "$pid" ] || { echo "the program does not run"; exit 1; }
mkdir "$work/cores"
"$HF" snapshot -q $pid -o "$work/probe" >/dev/null 2>"$work/err" || { tail -n 1 "$work/err"; exit 77; }

moments=${HF_QUICK:+15}
for round in $(seq 1 "${moments:-50}"); do
	"$HF" watch -q --pid $pid --at 1KiB -o "$work/cores" >/dev/null 2>&1 &
	watcher=$!
	sleep "0.$(printf '%03d' $(($(od -A n -t u2 -N 2 /dev/urandom) % 200)))"
	kill -9 $watcher
	wait $watcher 2>/dev/null
	before=$(count)
	tries=0
	while [ "$(count)" = "$before" ] && [ $tries -lt 100 ]; do
		tries=$((tries + 1))
		sleep 0.05
	done
	[ "$(count)" != "$before" ] || wrong "round $round: the target does not run on: $(field State)"
	[ "$(field TracerPid)" = 0 ] || wrong "round $round: it is still traced"
	for task in /proc/"$pid"/task/*/status; do
		grep -q '^State:.*[tT] (' "$task" && wrong "round $round: $task is stopped"
	done
	for core in "$work"/cores/core.*; do
		case $core in
		*.json | *.part-* | *'*') ;;
		*) [ -s "$core.json" ] || wrong "round $round: a core without its sidecar" ;;
		esac
		rm -f "$core"
	done
	ls -A "$work/cores" | grep -v '\.json' | grep -q . && wrong "round $round: left $(ls -A "$work/cores")"
	rm -f "$work/cores"/*
	[ $status = 0 ] || break
done
kill -9 "$pid"
pid=
wait $guard 2>/dev/null
exit $status
