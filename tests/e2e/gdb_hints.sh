#!/bin/sh
# gdb_hints.sh - what a report inside GDB proposes next, of a live process, are GDB's own commands, and
# each of them works as it stands there. `heap-path --type` takes the type quoted as one likes.
. fixtures/core.sh
. fixtures/gdbs.sh
work=$(new_folder)
trap 'rm -rf "$work"' EXIT
status=0

hints() { # GDB PROGRAM: those of the report where the program ends
	printf 'run >/dev/null\nheap-report\n' >"$work/script"
	heap_gdb "$1" "$work/script" "$2" >"$work/report"
	sed -n '/^NEXT/,/^$/s/^  //p' "$work/report" >"$work/hints"
	[ "$(wc -l <"$work/hints")" -gt 3 ] || { echo "WRONG: few hints"; cat "$work/report"; status=1; }
}

try() { # GDB PROGRAM: each hint, as it stands
	{
		echo 'run >/dev/null'
		while read -r hint; do
			printf 'echo @@\\n\n%s\nif $hf_status\necho @@FAILED\\n\nend\n' "$hint"
		done <"$work/hints"
		echo 'echo @@end\n'
	} >"$work/script"
	heap_gdb "$1" "$work/script" "$2" >"$work/tried"
	if ! grep -q '^@@end' "$work/tried" ||
		grep -q -e '^@@FAILED' -e '^heapforensics:' -e '^Undefined' -e '^No symbol' "$work/tried"; then
		echo "WRONG: of the hints"
		cat "$work/hints"
		grep -v '^ ' "$work/tried" | tail -n 30
		status=1
	fi
}

all_gdbs >"$work/gdbs"
[ -s "$work/gdbs" ] || { echo "no GDB can be had here"; exit 77; }
while read -r kind gdb; do
	heap_gdb "$gdb" /dev/null -ex run -ex 'info inferiors' "$FIX/shared_pages" |
		grep -q 'process [0-9]' || { echo "GDB may not run programs here"; exit 77; }
	for program in shared_pages demo_server; do
		echo "$kind, $program"
		hints "$gdb" "$FIX/$program"
		try "$gdb" "$FIX/$program"
		[ $program != shared_pages ] || grep -q "^heap-path '--type=struct page'$" "$work/hints" ||
			{ echo "WRONG: no hint names the type"; cat "$work/hints"; status=1; }
	done
done <"$work/gdbs"
exit $status
