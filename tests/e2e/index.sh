#!/bin/sh
# index.sh - what is answered from an index is what is answered without one; a stale, damaged or
# interrupted one is never believed; all together stay within their bounds.
. fixtures/core.sh
work=$(new_folder)
trap 'rm -rf "$work"' EXIT
status=0
export XDG_CACHE_HOME="$work/cache"
indexes=$XDG_CACHE_HOME/heapforensics

wrong() {
	echo "WRONG: $*"
	status=1
}

same() { # COMMAND ARGUMENTS...: with the index and without
	"$HF" "$@" --no-index -q >"$work/without" 2>&1
	"$HF" "$@" -q >"$work/with" 2>&1
	cmp -s "$work/without" "$work/with" || {
		wrong "$* differs with an index"
		diff "$work/without" "$work/with" | head -5
	}
}

dump "$work/core" "$FIX/cxx_containers" || exit 1
binary=$FIX/cxx_containers
"$HF" summary -q "$work/core" "$binary" >/dev/null
[ ! -e "$indexes" ] || wrong "a quick analysis left an index"
"$HF" summary -q --index "$work/core" "$binary" >/dev/null || wrong "no summary with --index"
arrays=$(echo "$indexes"/*/arrays)
[ -s "$arrays" ] || wrong "no index was kept"

# Whatever command comes first keeps the answers of the others.
for first in 'query SELECT(1)' 'export --format=folded -o /dev/null'; do
	# shellcheck disable=SC2086
	set -- $first
	"$HF" "$@" -q --index="$work/first" "$work/core" "$binary" >/dev/null 2>&1 || wrong "$first with --index"
	"$HF" report -q "$work/core" "$binary" --index="$work/first" >"$work/with"
	"$HF" report -q "$work/core" "$binary" --no-index | cmp -s - "$work/with" || wrong "$first: another report"
	rm -rf "$work/first"
done
for command in report summary arenas leaks dominators types check; do
	same $command "$work/core" "$binary"
	same $command --json --top=7 "$work/core" "$binary"
done
for what in g_sessions g_list $("$HF" query -q --csv "$work/core" "$binary" \
	"SELECT address FROM objects WHERE id % 1500 = 7" | tail -n +2); do
	for command in object path refs dominators; do
		same $command "$work/core" "$binary" "$what"
	done
done
for table in objects nodes refs chunks holders arenas threads mappings modules types findings; do
	same query --csv "$work/core" "$binary" "SELECT * FROM $table"
done
same report "$work/core" "$binary" --roots=-stack
same export --format=folded "$work/core" "$binary"

# The fields of variables, by the types that are not in memory then.
dump "$work/steps" "$FIX/gdb_steps" 20 || exit 1
"$HF" summary -q --index "$work/steps" "$FIX/gdb_steps" >/dev/null
for what in $("$HF" query -q --csv "$work/steps" "$FIX/gdb_steps" \
	"SELECT address FROM objects WHERE type = 'struct node' LIMIT 2 OFFSET 18" | tail -n +2); do
	same path "$work/steps" "$FIX/gdb_steps" "$what"
	same refs "$work/steps" "$FIX/gdb_steps" "$what"
done

# What takes long from an index is kept beside it.
dump "$work/many" "$FIX/bench_heap" random 400000 || exit 1
"$HF" summary -q --index="$work/kept" "$work/many" "$FIX/bench_heap" >/dev/null
answers() { ls "$work"/kept/*/dominators-* | wc -l; }
before=$(answers)
for time in first second; do
	same dominators --depth=20 --index="$work/kept" "$work/many" "$FIX/bench_heap"
	[ "$(answers)" = $((before + 1)) ] || wrong "$(answers) answers are kept after the $time time, not one more than $before"
done
rm -rf "$work/kept" "$work/many"

# Damaged: any byte, noticed and made anew; cut off; empty.
size=$(stat -c %s "$arrays")
for at in 8 100 $((size / 3)) $((size / 2)) $((size - 20)); do
	printf 'X' | dd of="$arrays" bs=1 seek="$at" conv=notrunc 2>/dev/null
	damaged=$(cksum <"$arrays")
	same object "$work/core" "$binary" g_sessions
	"$HF" summary -q --index "$work/core" "$binary" --strict >/dev/null
	[ "$(cksum <"$arrays")" != "$damaged" ] || wrong "no new index after a damage at $at"
	same refs "$work/core" "$binary" g_list
done
for left in 0 10 $((size / 2)); do
	truncate -s "$left" "$arrays"
	same object "$work/core" "$binary" g_sessions
done
for answer in "$indexes"/*/report-*; do
	printf 'X' | dd of="$answer" bs=1 seek=700 conv=notrunc 2>/dev/null
done
same report "$work/core" "$binary"

# Stale: another core under the same name.
"$HF" summary -q --index "$work/core" "$binary" >/dev/null
dump "$work/core" "$FIX/leak_cases" "$work/truth" || exit 1
same summary "$work/core" "$FIX/leak_cases"
same leaks "$work/core" "$FIX/leak_cases"

# Two writers, and one that is killed: no half file under a final name.
for i in 1 2 3; do
	"$HF" summary -q --index "$work/core" "$FIX/leak_cases" >/dev/null &
	"$HF" leaks -q --index "$work/core" "$FIX/leak_cases" >/dev/null &
	killed=$!
	sleep 0.0$i
	kill -9 $killed 2>/dev/null
	wait
	same leaks "$work/core" "$FIX/leak_cases"
	for left in "$indexes"/*/*.??????; do
		[ ! -e "$left" ] || wrong "a killed writer left $left"
	done
done

# A file that may not grow is an error like any other; one of somebody else is not believed.
rm -rf "$work/full"
(ulimit -f 20; "$HF" summary -q --index="$work/full" "$work/core" "$FIX/leak_cases" >/dev/null 2>"$work/message") ||
	wrong "a full disk: status $?"
grep -q 'no index was kept: .*File too large' "$work/message" || wrong "a full disk: $(cat "$work/message")"
[ ! -e "$(echo "$work"/full/*/arrays)" ] || wrong "half an index is left on a full disk"
if [ "$(id -u)" = 0 ]; then
	"$HF" summary -q --index "$work/core" "$FIX/leak_cases" >/dev/null
	chown 65534 "$indexes"/*/arrays
	"$HF" leaks -q --timing --top=3 "$work/core" "$FIX/leak_cases" 2>&1 | grep -q '^index' &&
		wrong "an index of somebody else was believed"
fi

# Bounds: the longest unused goes.
rm -rf "$indexes"
export HEAPFORENSICS_INDEX_MIB=3
for i in 1 2 3 4 5 6; do
	dump "$work/core$i" "$binary" || exit 1
	"$HF" summary -q --index "$work/core$i" "$binary" >/dev/null
done
kept=$(du -sk "$indexes" | cut -f1)
[ "$kept" -gt 500 ] && [ "$kept" -lt 4096 ] || wrong "$kept KiB are kept of 3 MiB"
exit $status
