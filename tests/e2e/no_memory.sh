#!/bin/sh
# no_memory.sh - every allocation of our own fails once, alone and with all after it: the command ends
# with a message and status 2, or without it where it can do without that memory; never by a signal.
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

try() { # EVERY WORD...: each EVERYth allocation of a command fails
	every=$1
	shift
	printf '%s: ' "$*"
	rm -f "$work/report"
	env LD_PRELOAD="$work/fail.so" HF_FAIL_REPORT="$work/report" HF_FAIL_EVERY="$every" \
		"$HF" "$@" >"$work/out" 2>&1
	got=$?
	tail -n 1 "$work/report"
	grep -q '[1-9][0-9]* children, 0 wrong$' "$work/report" && [ $got -eq 0 ] && return
	echo "WRONG: status $got of the process in which nothing fails, and:"
	head -n 20 "$work/report"
	status=1
}

# A small core: every one of them. (A quick run takes fewer.)
each=1
[ -z "$HF_QUICK" ] || each=5
for command in report summary "leaks --json" "arenas --csv" types check "dominators --html"; do
	# shellcheck disable=SC2086
	try $each $command -q --no-index --threads=1 "$work/small"
done
try $each query -q --no-index --csv --threads=1 "$work/small" \
	'SELECT count(*) FROM objects, holders, chunks'
try $each export -q --no-index --threads=1 --format=folded "$work/small"
# With symbols and DWARF there are thousands, in a larger process: some of them.
[ -n "$HF_QUICK" ] || try 61 report -q --no-index --threads=1 "$work/core" "$FIX/leak_cases"
exit $status
