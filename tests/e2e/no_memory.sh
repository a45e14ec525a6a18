#!/bin/sh
# no_memory.sh - every allocation of our own fails once, and from there on: the command ends with a
# message and status 2, or without it where it can do without that memory; never by a signal.
# Plain build only: a sanitized program has a malloc of its own.
. fixtures/core.sh
case $(ldd "$HF") in
*libasan*) echo "a sanitized program has a malloc of its own"; exit 77 ;;
esac
work=$(new_folder)
trap 'rm -rf "$work"' EXIT
status=0
gcc -shared -fPIC -O1 -D_GNU_SOURCE -o "$work/fail.so" tests/preload/fail_malloc.c -ldl || exit 1
command -v zstd >/dev/null || { echo "zstd is not installed"; exit 77; }
zstd -q -d -c tests/fuzz/corpus/cores/trixie-static.zst >"$work/small" || exit 1
dump "$work/core" "$FIX/leak_cases" "$work/truth" || exit 1
runs=0

# Each STEPth allocation of a command fails; a quick run tries a twentieth of them.
try() { # STEP WORD...
	step=$1
	shift
	[ -z "$HF_QUICK" ] || step=$((step * 20 + 1))
	LD_PRELOAD=$work/fail.so HF_FAIL_COUNT=$work/count "$HF" "$@" >"$work/out" 2>&1
	count=$(cat "$work/count" 2>/dev/null)
	[ "${count:-0}" -gt 0 ] || { echo "WRONG: $*: no allocation was counted"; status=1; return; }
	for on in "" 1; do
		number=1
		while [ $number -le "$count" ]; do
			env LD_PRELOAD="$work/fail.so" HF_FAIL_AT=$number ${on:+HF_FAIL_ON=1} \
				"$HF" "$@" >"$work/out" 2>&1
			got=$?
			runs=$((runs + 1))
			if [ $got -gt 3 ] || { [ $got -eq 2 ] && ! grep -qi memory "$work/out"; }; then
				echo "WRONG: allocation $number of $count${on:+ and all after it}" \
					"fails: $* gives $got"
				tail -n 3 "$work/out"
				status=1
			fi
			number=$((number + step))
		done
	done
}

for command in report "leaks --json" "arenas --csv" types check "dominators --html"; do
	# shellcheck disable=SC2086
	try 2 $command -q --no-index --threads=1 "$work/small"
done
try 2 query -q --no-index --csv --threads=1 "$work/small" \
	'SELECT count(*) FROM objects, holders, chunks'
try 2 export -q --no-index --threads=1 --format=folded "$work/small"
# With symbols and DWARF there are thousands.
try 50 report -q --no-index --threads=1 "$work/core" "$FIX/leak_cases"
echo "$runs runs"
exit $status
