#!/bin/sh
# cxx.sh - C++: objects are named by their vtables, what containers hold is held, only what was
# lost is lost.
. fixtures/core.sh
work=$(new_folder)
trap 'rm -rf "$work"' EXIT
status=0

ask() { # SQL EXPECTED
	got=$("$HF" query --csv -q "$work/core" "$1" "$2" | tail -n +2)
	[ "$got" = "$3" ] || {
		echo "WRONG: $2 gives '$got', should be '$3'"
		status=1
	}
}

dump "$work/core" "$FIX/cxx_containers" || exit 1
cp "$FIX/cxx_containers" "$work/stripped"
strip "$work/stripped"
for program in "$FIX/cxx_containers" "$work/stripped"; do
	ask "$program" "SELECT count(*) FROM objects WHERE type = 'app::Session'" 500
	ask "$program" "SELECT count(*) FROM objects WHERE type = 'app::Derived'" 501
	ask "$program" "SELECT count(*) FROM objects WHERE type = 'app::Diamond'" 1
	ask "$program" "SELECT type, count(*), min(leak_kind), max(leak_kind) FROM objects
		WHERE leak_kind NOT IN ('reachable') GROUP BY 1" "app::Lost,7,definite,definite"
done
ask "$FIX/cxx_containers" "SELECT retained > 500 * 80 FROM holders WHERE name = 'g_set'" 1
exit $status
