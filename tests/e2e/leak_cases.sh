#!/bin/sh
# leak_cases.sh - memcheck's case list gives memcheck's kinds: by the program's own truth, and by
# valgrind run on the same program.
. fixtures/core.sh
work=$(new_folder)
trap 'rm -rf "$work"' EXIT
status=0

dump "$work/core" "$FIX/leak_cases" "$work/truth" || exit 1
"$HF" query --csv -q "$work/core" "$FIX/leak_cases" "SELECT address, leak_kind FROM objects" >"$work/told"
sed -n 's/^object .* \(0x[0-9a-f]*\) \([a-z]*\)$/\1,\2/p' "$work/truth" | while read -r line; do
	grep -qx "$line" "$work/told" || {
		echo "WRONG: should be $line, is $(grep "^${line%,*}," "$work/told")"
		touch "$work/wrong"
	}
done
[ -e "$work/wrong" ] && status=1
echo "$(grep -c ^object "$work/truth") cases"

command -v valgrind >/dev/null || { echo "valgrind is not installed: only the program's truth"; exit $status; }
valgrind --leak-check=full --show-leak-kinds=all --errors-for-leak-kinds=none \
	"$FIX/leak_cases" --exit >"$work/memcheck" 2>&1
for kind in definite:definitely indirect:indirectly possible:possibly reachable:still; do
	memcheck=$(sed -n "s/.*${kind#*:} [a-z]*: .* in \([0-9,]*\) blocks.*/\1/p" "$work/memcheck")
	ours=$(sed -n 's/^object .* \([a-z]*\)$/\1/p' "$work/truth" | grep -c "^${kind%:*}$")
	told=$(sed -n 's/^object .* \(0x[0-9a-f]*\) .*/\1/p' "$work/truth" | grep -F -f - "$work/told" |
		grep -c ",${kind%:*}$")
	echo "${kind%:*}: memcheck $memcheck, the program $ours, heapforensics $told"
	[ "$memcheck" = "$told" ] || status=1
done
exit $status
