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

# Under any limit: the same report, or a message that says how much it takes. Who does as it says
# has the report, after a second try at most: before the symbols are read nobody knows the objects.
follow() { # OPTION...: the limit that is enough, into $limit
	limit=1
	for try in 1 2 3; do
		ask --max-memory=${limit}MiB "$@" >"$work/limited" 2>"$work/message"
		got=$?
		[ $got != 0 ] || break
		[ $got = 2 ] || wrong "$limit MiB $*: status $got"
		[ ! -s "$work/limited" ] || wrong "$limit MiB $*: half an answer"
		grep -q "out of memory: .* about [0-9]* MiB" "$work/message" ||
			wrong "$limit MiB $*: $(cat "$work/message")"
		limit=$(sed -n 's/.*about \([0-9]*\) MiB.*/\1/p' "$work/message")
	done
	cmp -s "$work/free" "$work/limited" || wrong "$limit MiB $*: $(cat "$work/message")"
}
follow
enough=$limit
follow --work-dir="$work/arrays"
[ "$limit" -lt "$enough" ] || wrong "a working folder saves nothing: $limit of $enough MiB"
for limit in $((enough - 25)) $((enough - 20)) $((enough - 15)); do
	ask --max-memory=${limit}MiB >"$work/limited" 2>"$work/message"
	case $? in
	0) cmp -s "$work/free" "$work/limited" || wrong "$limit MiB: another report" ;;
	2) grep -q "objects take about $enough MiB" "$work/message" ||
		wrong "$limit MiB: $(cat "$work/message")" ;;
	*) wrong "$limit MiB: a crash" ;;
	esac
done
ask --work-dir=/nonexistent 2>"$work/message"
[ $? = 2 ] && grep -q 'work-dir=/nonexistent: No such file' "$work/message" ||
	wrong "a working folder that is none: $(cat "$work/message")"
ask --max-memory=much 2>"$work/message"
[ $? = 2 ] && grep -q 'not a size' "$work/message" || wrong "a size that is none"
exit $status
