#!/bin/sh
# not_in_use.sh - where most of the memory is not what the heap has in use, the verdict says so
# first, and the first hint leads there.
. fixtures/core.sh
work=$(new_folder)
trap 'rm -rf "$work"' EXIT
status=0

says() { # WAY PATTERN-OF-THE-VERDICT HINT
	dump "$work/core" "$FIX/not_in_use" "$1" || exit 1
	"$HF" report -q --no-index "$work/core" "$FIX/not_in_use" >"$work/report" || exit 1
	verdict=$(sed -n '/^VERDICT/,/^$/p' "$work/report" | tr -s '\n ' ' ')
	if echo "$verdict" | grep -Eq "^VERDICT $2" && sed -n '/^NEXT/,$p' "$work/report" | grep -q -e "$3"; then
		echo "$1: told"
	else
		echo "WRONG: $1: $verdict"
		status=1
	fi
}

says free '.* MiB of the .* that malloc took from the system is free' "^  heapforensics arenas"
says mapped "Most of the memory is not malloc's: 32" 'FROM mappings ORDER BY size DESC'
says unjoined 'Threads ended that were neither joined nor detached, it seems: the stacks of 8 ended threads take 128 MiB' types
grep -q '^  stacks of ended threads  *128 MiB' "$work/report" ||
	{ echo "WRONG: unjoined: no line of the memory has them"; status=1; }
"$HF" report -q --index="$work/index" "$work/core" "$FIX/not_in_use" >/dev/null
"$HF" report -q --index="$work/index" "$work/core" "$FIX/not_in_use" | cmp -s - "$work/report" ||
	{ echo "WRONG: unjoined: an index forgets them"; status=1; }
dump "$work/core" "$FIX/not_in_use" joined || exit 1
"$HF" report -q --no-index "$work/core" "$FIX/not_in_use" >"$work/report" || exit 1
grep -q 'neither joined' "$work/report" && { echo "WRONG: joined threads are blamed"; status=1; }
exit $status
