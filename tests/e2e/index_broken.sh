#!/bin/sh
# index_broken.sh - the writer of an index is killed, or its disk is full, at each step of it: the
# report is there, and of the index nothing or a whole one; what a killed writer leaves goes with the
# next one.
# Plain build only: a sanitizer's runtime does not let others be loaded before it.
. fixtures/core.sh
work=$(new_folder)
trap 'rm -rf "$work"' EXIT
status=0
gcc -shared -fPIC -O1 -D_GNU_SOURCE -o "$work/break.so" tests/preload/break_files.c -ldl || exit 1
command -v zstd >/dev/null || { echo "zstd is not installed"; exit 77; }
zstd -q -d -c tests/fuzz/corpus/cores/trixie-static.zst >"$work/core" || exit 1

wrong() {
	echo "WRONG: $*"
	status=1
}

# One processor: no forked helpers, whose steps would come in any order.
index() { # NAME=VALUE...: a report that keeps an index
	env LD_PRELOAD="$work/break.so" "$@" \
		"$HF" report -q --threads=1 --index="$work/index" "$work/core" >"$work/out" 2>"$work/message"
}

left() { # temporaries of a writer
	find "$work/index" -name '*.??????' 2>/dev/null
}

check() { # WHAT: the report was there, what is left is no obstacle, and the next index is whole
	cmp -s "$work/expected" "$work/out" || wrong "$1: no report"
	for with in --index --no-index; do
		option=$with
		[ $with = --no-index ] || option=--index="$work/index"
		"$HF" report -q "$option" "$work/core" >"$work/with" 2>&1
		cmp -s "$work/expected" "$work/with" || wrong "$1: another report with $with"
	done
	[ -s "$(echo "$work"/index/*/arrays)" ] || wrong "$1: no index was made after it"
	# A half answer of a few KiB goes with the folder; half arrays may not stay.
	[ -z "$(left | grep arrays)" ] || wrong "$1: left for good: $(left)"
	rm -rf "$work/index"
}

"$HF" report -q --no-index "$work/core" >"$work/expected" || exit 1
each=1
[ -z "$HF_QUICK" ] || each=9
for named in HF_TMPFILE=1 HF_NO_TMPFILE=1; do
	index HF_BREAK_COUNT="$work/steps" $named || wrong "a report with an index: $(cat "$work/message")"
	rm -rf "$work/index"
	steps=$(cat "$work/steps")
	[ "$steps" -gt 30 ] || wrong "$steps steps"
	for at in $(seq 1 $each "$steps"); do
		index HF_BREAK_AT="$at" $named && wrong "step $at was never taken"
		# Where a file has a name from the beginning, it is there until the next writer comes.
		[ $named = HF_NO_TMPFILE=1 ] || [ -z "$(left)" ] || [ "$(left | wc -l)" -le 1 ] ||
			wrong "killed at step $at: $(left)"
		check "killed at step $at, $named"
		index HF_BREAK_AT="$at" HF_BREAK_BY=full $named ||
			wrong "full at step $at: $(cat "$work/message")"
		[ -z "$(left)" ] || wrong "full at step $at: left $(left)"
		check "full at step $at, $named"
	done
done
exit $status
