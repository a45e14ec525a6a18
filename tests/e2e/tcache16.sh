#!/bin/sh
# tcache16.sh - 16 threads freed into their tcaches: nothing is lost.
. fixtures/core.sh
work=$(new_folder)
trap 'rm -rf "$work"' EXIT
dump "$work/core" "$FIX/tcache16" || exit 1
"$HF" leaks -q "$work/core" "$FIX/tcache16" \
	--fail-if 'leaked_objects > 0' --fail-if 'possible_objects > 0' >"$work/out" || {
	cat "$work/out"
	exit 1
}
cached=$("$HF" query --csv -q "$work/core" "$FIX/tcache16" \
	"SELECT count(*) FROM chunks WHERE state = 'tcache'" | tail -n 1)
echo "$cached chunks in tcaches"
[ "$cached" -gt 500 ]
