#!/bin/sh
# oomlog.sh - the report after an OOM kill: from the kernel's log alone, and beside a core.
. fixtures/core.sh
work=$(new_folder)
trap 'rm -rf "$work"' EXIT
status=0

for log in tests/data/oomlog/*.log; do
	"$HF" -q --oom-log "$log" >"$work/out" || { echo "WRONG: $log fails"; status=1; }
	grep -q 'The kernel killed hog (pid [0-9]*)' "$work/out" || {
		echo "WRONG: $log"
		head -n 4 "$work/out"
		status=1
	}
done

# The same program's own core beside a log of its kill.
dump "$work/core" "$FIX/demo_server" 20000 10 || exit 1
pid=$("$HF" summary --json -q "$work/core" | sed -n 's/^ *"pid": \([0-9]*\),*$/\1/p')
cat >"$work/kern.log" <<LOG
[  100.000001] demo_server invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0
[  100.000010] memory: usage 10240kB, limit 10240kB, failcnt 99
[  100.000020] oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/shop,task_memcg=/shop/web,task=demo_server,pid=$pid,uid=0
[  100.000030] Memory cgroup out of memory: Killed process $pid (demo_server) total-vm:300000kB, anon-rss:10000kB, file-rss:1000kB, shmem-rss:0kB, UID:0 pgtables:100kB oom_score_adj:0
LOG
"$HF" -q --oom-log "$work/kern.log" "$work/core" "$FIX/demo_server" >"$work/out" || status=1
for words in "killed demo_server (pid $pid)" '10,485,760 bytes' 'no setting of malloc would have' \
	'heap (arenas and mmapped blocks)' 'g_sessions (demo_server.c:'; do
	grep -qF "$words" "$work/out" || {
		echo "WRONG: the report does not say: $words"
		head -n 40 "$work/out"
		status=1
	}
done
"$HF" -q --json --oom-log "$work/kern.log" "$work/core" "$FIX/demo_server" | python3 -c '
import json, sys
rows = {r["kind"]: r["bytes"] for r in json.load(sys.stdin)["oom"]["resident"]}
whole = rows.pop("anon_rss")
assert whole == 10000 * 1024, whole
assert sum(rows.values()) == whole or rows["unexplained"] == 0, rows
' || status=1
exit $status
