#!/bin/sh
# gdb_core.sh - inside GDB, with Python and without, each command answers on a core as the command
# line does, byte for byte; what comes back in $hf.. is right; what goes wrong is one clear line.
. fixtures/core.sh
. fixtures/gdbs.sh
work=$(new_folder)
trap 'rm -rf "$work"' EXIT
status=0
exe=$FIX/gdb_steps

dump "$work/core" "$exe" 50 || exit 1
dump "$work/old" "$exe" 30 || exit 1
query="SELECT kind, count(*), sum(usable) FROM objects GROUP BY 1"

cat >"$work/script" <<END
echo @@report\n
heap-report
echo @@summary\n
heap summary
echo @@arenas\n
heap-arenas
echo @@leaks\n
heap-leaks
echo @@leaks_top\n
heap-leaks --top=1
echo @@dominators\n
heap-dominators
echo @@dominators_name\n
heap-dominators head
echo @@dominators_address\n
heap-dominators head->next
echo @@types\n
heap-types
echo @@object\n
heap-object head -> next
echo @@object_struct\n
heap-object g_table
echo @@path\n
heap-path *(struct node **) head->next
echo @@path_all\n
heap path --all head
echo @@refs\n
heap-refs head
echo @@check\n
heap-check
echo @@query\n
heap-query "$query"
echo @@diff\n
heap-diff $work/old
echo @@export\n
heap-export ndjson $work/by_gdb
echo @@values\n
heap-path head->next
printf "%d %d %ld %s\n", \$hf_status, \$hf_count, \$hf1->value, \$hf1->name
printf "%d\n", \$hf1 == head->next
heap-leaks
printf "%d %d\n", \$hf_leaked_objects, \$hf_leaked_bytes > 5000
echo @@place\n
output/x (long) head
echo \n
output/x (long) head->next
echo \n
output/x (long) head->next->next
echo \n
output/x (long) &g_table
echo \n
echo @@python\n
python print(1)
END

check_gdb() { # KIND PATH
	echo "$1: $("$2" --version | head -n 1)"
	heap_gdb "$2" "$work/script" "$exe" "$work/core" >"$work/out"
	[ "$1" = minimal ] && part python "$work/out" | grep -q '^1$' &&
		{ echo "WRONG: gdb-minimal has Python"; status=1; }
	part place "$work/out" >"$work/places"
	{ read -r first && read -r second && read -r third && read -r table; } <"$work/places"

	cli() { # NAME COMMAND ARG...
		_name=$1
		shift
		_command=$1
		shift
		"$HF" "$_command" -q "$work/core" "$exe" "$@" >"$work/cli" 2>&1
		same "$kind" "$_name" "$work/out" "$work/cli"
	}
	kind=$1
	for name in report summary arenas leaks dominators types check; do
		cli "$name" "$name"
	done
	cli leaks_top leaks --top=1
	cli dominators_name dominators head
	cli dominators_address dominators "$second"
	cli object object "$second"
	cli object_struct object "$table"
	cli path path "$third"
	cli path_all path --all "$first"
	cli refs refs "$first"
	cli query query "$query"
	"$HF" diff -q "$work/old" "$work/core" "$exe" >"$work/cli"
	same "$kind" diff "$work/out" "$work/cli"
	"$HF" export -q --format=ndjson "$work/core" "$exe" -o "$work/by_cli"
	cmp "$work/by_cli" "$work/by_gdb" || status=1
	rm -f "$work/by_gdb"
	part values "$work/out" >"$work/values"
	grep -qx '0 [3-9] 49 node 49' "$work/values" && grep -qx 1 "$work/values" &&
		grep -qx '10 1' "$work/values" || {
		echo "WRONG: values"
		cat "$work/values"
		status=1
	}
	no_folder_left || status=1
}

all_gdbs >"$work/gdbs"
while read -r kind gdb; do
	check_gdb "$kind" "$gdb"
done <"$work/gdbs"
[ -s "$work/gdbs" ] || { echo "no GDB can be had here"; exit 77; }
exit $status
