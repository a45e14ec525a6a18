#!/bin/sh
# types_locals.sh - the locals of a recursion in three threads, each by its name and its frame, in
# memory (-O0) and in registers that inner frames saved (-O2); by gcc and by clang.
. fixtures/core.sh
command -v gcc >/dev/null || { echo "gcc is not installed"; exit 77; }
work=$(new_folder)
trap 'rm -rf "$work"' EXIT
status=0

ask() { # SQL EXPECTED
	got=$("$HF" query --csv -q "$work/core" "$work/program" "$1" | tail -n +2 | tr '\n' ' ')
	[ "$got" = "$2" ] || {
		echo "WRONG ($flags): $1 gives '$got', should be '$2'"
		status=1
	}
}

for flags in "gcc -O0" "gcc -O2" "clang -O0" "clang -O2"; do
	command -v "${flags%% *}" >/dev/null || continue
	# shellcheck disable=SC2086
	$flags -std=gnu11 -D_GNU_SOURCE -I. -g -fno-builtin-malloc -pthread \
		-o "$work/program" fixtures/c_types.c || exit 1
	dump "$work/core" "$work/program" "$work/truth" || exit 1
	# Seven calls in each of three threads, each with a request of its own.
	ask "SELECT count(*), count(DISTINCT thread * 100 + frame), count(DISTINCT target),
		min(type), max(type) FROM holders JOIN refs ON source = holders.id
		JOIN objects ON target = objects.id
		WHERE variable = 'request'" \
		"21,21,21,struct request,struct request "
	# TLS of each of them: a list of arena blocks.
	ask "SELECT count(*), sum(type = 'struct arena_block'), min(refs.field) FROM holders
		JOIN refs ON source = holders.id JOIN objects ON target = objects.id
		WHERE holders.kind = 'tls' AND name = 't_arena'" "3,3,blocks "
done
address=$(grep 'struct entry$' "$work/truth" | tail -n 1 | cut -d' ' -f1)
"$HF" path -q "$work/core" "$work/program" "$address" >"$work/path"
grep -q 'g_cache (c_types.c:' "$work/path" && grep -q 'struct cache .* buckets ' "$work/path" ||
	{ cat "$work/path"; status=1; }
address=$(grep 'struct dnode$' "$work/truth" | sed -n 130p | cut -d' ' -f1)
"$HF" path -q "$work/core" "$work/program" "$address" >"$work/path"
grep -q '128 times struct dnode.next' "$work/path" || { cat "$work/path"; status=1; }
exit $status
