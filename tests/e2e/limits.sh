#!/bin/sh
# limits.sh - --max-memory is kept, with a clear message; --work-dir gives the same answers in less.
# Plain build only: a sanitizer takes terabytes of address space.
. fixtures/core.sh
work=$(new_folder)
trap 'rm -rf "$work"' EXIT
status=0

wrong() {
	echo "WRONG: $*"
	status=1
}

ask() { # OPTION...
	"$HF" report -q --no-index "$work/core" "$FIX/bench_heap" "$@"
}

dump "$work/core" "$FIX/bench_heap" random 400000 2>/dev/null || exit 1
ask >"$work/free" || wrong "no report without a limit"
ask --max-memory=2GiB >"$work/limited" || wrong "no report within 2 GiB"
cmp -s "$work/free" "$work/limited" || wrong "a limit changes the report"
mkdir "$work/arrays"
ask --work-dir="$work/arrays" >"$work/filed" || wrong "no report with a working folder"
cmp -s "$work/free" "$work/filed" || wrong "a working folder changes the report"
[ -z "$(ls -A "$work/arrays")" ] || wrong "files are left in the working folder"

ask --max-memory=1MiB >"$work/none" 2>"$work/message"
[ $? = 2 ] || wrong "1 MiB is no failure"
[ ! -s "$work/none" ] || wrong "1 MiB gave half an answer"
ask --work-dir=/nonexistent 2>"$work/message"
[ $? = 2 ] && grep -q 'work-dir=/nonexistent: No such file' "$work/message" ||
	wrong "a working folder that is none: $(cat "$work/message")"
ask --max-memory=much 2>"$work/message"
[ $? = 2 ] && grep -q 'not a size' "$work/message" || wrong "a size that is none"
exit $status
