#!/bin/sh
# mallinfo.sh - `arenas` equals mallinfo2(3) and malloc_info(3) of the same moment: of a
# multithreaded program, and of running Debian programs, asked by gdb.
. fixtures/core.sh
command -v python3 >/dev/null || { echo "python3 is not installed"; exit 77; }
work=$(new_folder)
trap 'rm -rf "$work"' EXIT
status=0

for threads in 0 1 5 12; do
	dump "$work/core" "$FIX/mallinfo" $threads "$work/truth" || exit 1
	printf '%s threads: ' $threads
	python3 tests/oracle/check_arenas.py "$HF" "$work/core" "$FIX/mallinfo" "$work/truth" ||
		status=1
	rm -f "$work/core"
done

# A running program: gdb dumps it, then lets it call mallinfo2 and malloc_info at the same stop.
# The stream's buffer is the program's stack, so that the calls allocate nothing before they count.
ask() { # NAME PID
	gdb -q -batch -nx -p "$2" -ex "gcore $work/core.$1" -ex 'set language c' \
		-ex 'set $old = $sp' -ex 'set $sp = $sp - 262144' \
		-ex 'set $info = (char *)$sp + 65536' \
		-ex 'call ((void (*)(void *))mallinfo2)($info)' \
		-ex 'printf "mallinfo2 arena %lu\nmallinfo2 ordblks %lu\nmallinfo2 smblks %lu\n", ((unsigned long *)$info)[0], ((unsigned long *)$info)[1], ((unsigned long *)$info)[2]' \
		-ex 'printf "mallinfo2 hblks %lu\nmallinfo2 hblkhd %lu\nmallinfo2 fsmblks %lu\n", ((unsigned long *)$info)[3], ((unsigned long *)$info)[4], ((unsigned long *)$info)[6]' \
		-ex 'printf "mallinfo2 uordblks %lu\nmallinfo2 fordblks %lu\nmallinfo2 keepcost %lu\n", ((unsigned long *)$info)[7], ((unsigned long *)$info)[8], ((unsigned long *)$info)[9]' \
		-ex 'set $sp = $old' -ex detach >"$work/truth.$1" 2>"$work/gdb.log" ||
		{ cat "$work/gdb.log"; return 1; }
	grep -q '^mallinfo2 arena' "$work/truth.$1" || { cat "$work/gdb.log"; return 1; }
	printf '%s: ' "$1"
	python3 tests/oracle/check_arenas.py "$HF" "$work/core.$1" "" "$work/truth.$1"
}
command -v gdb >/dev/null || exit $status
PYTHONMALLOC=malloc python3 -c '
import time
d = {i: "value %d" % i for i in range(50000)}
del_some = [d.pop(i) for i in range(0, 50000, 3)]
print("ready", flush=True)
time.sleep(60)' >"$work/ready" &
pid=$!
while ! grep -q ready "$work/ready"; do kill -0 $pid || exit 1; sleep 0.1; done
ask python3 $pid || status=1
kill $pid
if command -v sqlite3 >/dev/null; then
	mkfifo "$work/pipe"
	sqlite3 :memory: <"$work/pipe" >"$work/ready" &
	pid=$!
	exec 3>"$work/pipe"
	echo "CREATE TABLE t(a, b); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n
		WHERE i < 20000) INSERT INTO t SELECT i, 'text ' || i FROM n; SELECT 'ready';" >&3
	while ! grep -q ready "$work/ready"; do kill -0 $pid || exit 1; sleep 0.1; done
	ask sqlite3 $pid || status=1
	exec 3>&-
	wait $pid
fi
exit $status
