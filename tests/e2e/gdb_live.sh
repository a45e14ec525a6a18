#!/bin/sh
# gdb_live.sh - inside GDB, with Python and without, on a live process and through gdbserver: the
# commands answer as the command line does on a core of the same moment. The snapshot is kept while
# the process stands still, taken anew when it ran on or by heap-refresh, and private.
. fixtures/core.sh
. fixtures/gdbs.sh
work=$(new_folder)
trap 'rm -rf "$work"' EXIT
status=0
exe=$FIX/gdb_steps

# The hints of a snapshot are GDB's commands, and its path is another: then all is the same.
cat >"$work/common" <<END
gcore $work/core
echo @@summary\n
heap-summary
echo @@leaks\n
heap-leaks
shell ls -i $work/tmp/heapforensics-*/core >$work/inode1
shell stat -c '%a' $work/tmp/heapforensics-* >$work/mode
echo @@dominators\n
heap-dominators head
echo @@path\n
heap-path head->next
echo @@object\n
heap-object head
echo @@arenas\n
heap-arenas
echo @@query\n
heap-query "SELECT kind, count(*), sum(usable) FROM objects GROUP BY 1"
shell ls -i $work/tmp/heapforensics-*/core >$work/inode2
echo @@place\n
output/x (long) head
echo \n
output/x (long) head->next
echo \n
echo @@values1\n
heap-object head
printf "%d %ld %d\n", \$hf_leaked_objects, \$hf1->value, \$hf_status
set var head->value = 4711
heap-refresh
heap-path head
printf "%ld\n", \$hf1->value
shell ls -i $work/tmp/heapforensics-*/core >$work/inode3
stepi
heap-summary
shell ls -i $work/tmp/heapforensics-*/core >$work/inode4
continue
heap-leaks
echo @@values2\n
printf "%d %d\n", \$hf_leaked_objects, \$hf_leaked_bytes > 5000
echo @@over\n
kill
heap-leaks
echo @@end\n
END
{ echo 'break step'; echo 'run 20 >/dev/null'; cat "$work/common"; } >"$work/native"
server=$(minimal_gdbserver)
{ echo 'set sysroot /'; echo "target remote | $server --once - $exe 20 2>/dev/null"
  echo 'break step'; echo continue; cat "$work/common"; } >"$work/remote"

check() { # WHAT GDB SCRIPT
	echo "$1"
	rm -f "$work"/inode* "$work/core"
	heap_gdb "$2" "$work/$3" "$exe" >"$work/out"
	what=$1
	part place "$work/out" >"$work/places"
	{ read -r first && read -r second; } <"$work/places"
	cli() { # NAME ARG...
		name=$1
		shift
		"$HF" "$name" -q "$work/core" "$exe" "$@" 2>&1 |
			sed -e "s|heapforensics \([a-z]*\) $work/core $exe|heap-\1|" >"$work/cli"
		sed -i -e "s|$work/tmp/heapforensics-[^/]*/core|$work/core|g" "$work/out"
		same "$what" "$name" "$work/out" "$work/cli"
	}
	cli summary
	cli leaks
	cli dominators head
	cli path "$second"
	cli object "$first"
	cli arenas
	cli query "SELECT kind, count(*), sum(usable) FROM objects GROUP BY 1"
	cmp "$work/inode1" "$work/inode2" || { echo "WRONG: a second snapshot at one stop"; status=1; }
	cmp -s "$work/inode2" "$work/inode3" && { echo "WRONG: heap-refresh: the same snapshot"; status=1; }
	cmp -s "$work/inode3" "$work/inode4" && { echo "WRONG: stepi: the same snapshot"; status=1; }
	[ "$(cat "$work/mode")" = 700 ] || { echo "WRONG: mode $(cat "$work/mode")"; status=1; }
	part values1 "$work/out" >"$work/values1"
	part values2 "$work/out" >"$work/values2"
	grep -qx '0 19 0' "$work/values1" || { echo "WRONG: no such value: 0 19 0"; cat "$work/values1"; status=1; }
	grep -qx 4711 "$work/values1" || { echo "WRONG: heap-refresh"; cat "$work/values1"; status=1; }
	grep -qx '10 1' "$work/values2" || { echo "WRONG: not taken anew"; cat "$work/values2"; status=1; }
	part over "$work/out" | grep -q '^heapforensics: GDB has no core and no live process' ||
		{ echo "WRONG: no target"; part over "$work/out"; status=1; }
	no_folder_left || status=1
}

all_gdbs >"$work/gdbs"
[ -s "$work/gdbs" ] || { echo "no GDB can be had here"; exit 77; }
while read -r kind gdb; do
	heap_gdb "$gdb" /dev/null -ex 'break step' -ex run -ex 'info inferiors' "$exe" |
		grep -q 'process [0-9]' || { echo "GDB may not run programs here"; exit 77; }
	check "$kind, native" "$gdb" native
	[ -z "$server" ] || check "$kind, gdbserver" "$gdb" remote
done <"$work/gdbs"
[ -n "$server" ] || echo "gdbserver cannot be had here"
exit $status
