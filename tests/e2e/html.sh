#!/bin/sh
# html.sh - the pages of all commands as files: well-formed, self-contained, hostile strings
# escaped; the data of the report's and the diff's adds up and says what --json says.
. fixtures/core.sh
HF=${HF:-build/heapforensics}
work=$(new_folder)
trap 'rm -rf "$work"' EXIT
python=
for candidate in python3 /usr/bin/python3; do
	command -v $candidate >/dev/null && $candidate -c 'import json' && python=$candidate && break
done
[ -n "$python" ] || { echo "python3 is not installed"; exit 77; }

dump "$work/core.page" "$FIX/page_heap" '</title><script>window.hacked=1</script>' || exit 1
status=0
page() { # NAME ARG...
	name=$1
	shift
	"$HF" "$@" -q --html -o "$work/$name.html" || { echo "WRONG: $* failed"; status=1; }
}
on="$work/core.page $FIX/page_heap"
# shellcheck disable=SC2086
{
	page page report $on
	for command in summary arenas leaks dominators types check "object g_sessions" "refs g_sessions"; do
		set -- $command
		page "$1" "$1" $on ${2:+"$2"}
	done
	address=$("$HF" query --csv -q $on "SELECT address FROM objects WHERE type = 'text' LIMIT 1" | tail -n 1)
	page path path $on "$address"
	"$HF" summary -q --json $on -o "$work/page.json" || exit 1
	"$HF" query -q --html $on "SELECT 1" >/dev/null 2>&1
	[ $? -eq 2 ] || { echo "WRONG: query --html"; status=1; }
}
dump "$work/core.corrupt" "$FIX/corrupt" overflow || exit 1
page corrupt report "$work/core.corrupt" "$FIX/corrupt"
page corruptions check "$work/core.corrupt" "$FIX/corrupt" --all
# Cut in the middle of the heap; no core, but a log.
head -c 2500000 "$work/core.page" >"$work/core.cut"
page cut report "$work/core.cut" "$FIX/page_heap"
for log in tests/data/oomlog/*.log; do
	page oom report --oom-log="$log"
	break
done
dump "$work/core.old" "$FIX/demo_server" 1000 10 || exit 1
dump "$work/core.new" "$FIX/demo_server" 1500 90 || exit 1
page diff diff "$work/core.old" "$work/core.new" "$FIX/demo_server" --all
"$HF" diff -q "$work/core.old" "$work/core.new" "$FIX/demo_server" --all --json -o "$work/diff.json" || exit 1
# The same twice.
page again report "$work/core.page" "$FIX/page_heap"
cmp "$work/page.html" "$work/again.html" || { echo "WRONG: two pages of one core differ"; status=1; }

$python tests/oracle/check_page.py "$work" || status=1
exit $status
