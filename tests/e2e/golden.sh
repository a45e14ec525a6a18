#!/bin/sh
# golden.sh - what people read, word by word, with addresses and what differs by machine masked.
# HF_UPDATE=1 writes the golden files anew: read the difference before you commit it.
. fixtures/core.sh
work=$(new_folder)
trap 'rm -rf "$work"' EXIT
status=0

mask() {
	sed -e 's/0x[0-9a-f]*/ADDRESS/g' -e "s|$work|WORK|g" -e "s|$FIX|FIX|g" -e 's/[[:space:]]*$//'
}

compare() { # NAME ARG...
	name=$1
	shift
	"$HF" "$@" -q >"$work/raw" 2>&1
	mask <"$work/raw" >"$work/out"
	if [ -n "$HF_UPDATE" ]; then
		cp "$work/out" "tests/golden/$name.txt"
	elif ! diff -u "tests/golden/$name.txt" "$work/out"; then
		status=1
	fi
}

dump "$work/core" "$FIX/leak_cases" "$work/truth" || exit 1
compare leaks leaks "$work/core" "$FIX/leak_cases"
compare dominators dominators "$work/core" "$FIX/leak_cases" g_case_2
address=$(sed -n 's/^object 2 BBB \(0x[0-9a-f]*\) .*/\1/p' "$work/truth")
compare path path "$work/core" "$FIX/leak_cases" "$address"
compare refs refs "$work/core" "$FIX/leak_cases" "$address"
compare check check "$work/core" "$FIX/leak_cases"
compare query query "$work/core" "$FIX/leak_cases" \
	"SELECT leak_kind, count(*) AS objects, sum(chunk_size) AS bytes FROM objects GROUP BY 1"
compare help --help
for command in report leaks query; do
	compare "help-$command" $command --help
done
exit $status
