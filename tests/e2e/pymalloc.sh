#!/bin/sh
# pymalloc.sh - CPython's own allocator, of every CPython on this machine: its figures are what
# sys._debugmallocstats() said, nothing is lost, malloc's identity holds, and what native code broke
# is found.
. fixtures/core.sh
. fixtures/pythons.sh
all=$(pythons) || exit $?
work=$(new_folder)
trap 'rm -rf "$work"' EXIT
status=0

wrong() { echo "WRONG: $*"; status=1; }

# Every byte in one place; nothing that is alive is called lost; no findings in a healthy heap.
identities() {
	"$HF" query --csv -q "$work/core" "SELECT
		(SELECT count(*) FROM arenas WHERE system_bytes != inuse_bytes + tcache_bytes +
			fastbin_bytes + unsorted_bytes + small_bytes + large_bytes + top_bytes +
			overhead_bytes + pool_bytes + unused_bytes),
		(SELECT sum(chunk_size) FROM objects WHERE kind = 'pool') -
			(SELECT inuse_bytes FROM arenas WHERE layer = 'pymalloc'),
		(SELECT sum(size) FROM chunks JOIN arenas ON arena = arenas.id AND
			layer = 'pymalloc') -
			(SELECT system_bytes FROM arenas WHERE layer = 'pymalloc'),
		(SELECT count(*) FROM objects WHERE kind = 'pool' AND
			leak_kind IN ('definite', 'indirect')),
		(SELECT count(*) FROM findings WHERE code LIKE 'pymalloc%')" >"$work/sums"
	tail -n 1 "$work/sums" | tr -d '\r' | grep -qx '0,0,0,0,0' ||
		wrong "$(tail -n 1 "$work/sums") bytes or objects too many"
}

# find BREAK CODE BLAME
find_broken() {
	dump "$work/core" "$python" "$PWD/fixtures/python_pools.py" "$work/truth" "$1" || exit 1
	"$HF" check --json "$work/core" >"$work/check" || wrong "check failed"
	grep -q "\"code\": *\"$2\"" "$work/check" || wrong "$1: $2 is not found"
	[ -z "$3" ] || grep -q "\"blame\": *\"$3\"" "$work/check" || wrong "$1: not told as $3"
	rm -f "$work/core"
}

# From 3.12 on another interpreter has arenas of its own.
inner() {
	"$python" -c 'import sys; sys.exit(sys.version_info < (3, 12))' || return 0
	dump "$work/core" "$python" "$PWD/fixtures/python_inner.py" "$work/truth" || exit 1
	"$HF" query --csv -q "$work/core" "SELECT address, type, type_source, usable FROM objects
		WHERE arena = (SELECT max(id) FROM arenas WHERE layer = 'pymalloc') OR
		arena = (SELECT min(id) FROM arenas WHERE layer = 'pymalloc')" >"$work/types.csv"
	[ "$("$HF" query --csv -q "$work/core" "SELECT count(*) FROM arenas
		WHERE layer = 'pymalloc'" | tail -n 1 | tr -d '\r')" = 2 ] ||
		wrong "not two interpreters' arenas"
	printf 'another interpreter: '
	python3 tests/oracle/check_types.py "$work/truth" "$work/types.csv" 100 100 || status=1
	rm -f "$work/core"
}

for python in $all; do
	printf '%s: ' "$("$python" -V 2>&1)"
	dump "$work/core" "$python" "$PWD/fixtures/python_pools.py" "$work/truth" || exit 1
	"$HF" arenas --json "$work/core" | python3 tests/oracle/check_pools.py "$work/truth" ||
		status=1
	identities
	# The page's map of the address space and of the heap's regions tells the arenas apart.
	"$HF" report -q --html -o "$work/page.html" "$work/core" || wrong "no page"
	grep -q '"pools"' "$work/page.html" || wrong "the page does not know pymalloc's arenas"
	rm -f "$work/core"
	inner
	[ -z "$broken" ] || continue
	broken=done
	find_broken link pymalloc-link-broken "use after free"
	find_broken loop pymalloc-list-loop "double free"
	find_broken header pymalloc-header overflow
	find_broken count pymalloc-count ""
done
exit $status
