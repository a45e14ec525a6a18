#!/bin/sh
# types_c.sh - a C program's objects get the types that it says they have: without and with
# optimization, by DWARF 4 and 5.
. fixtures/core.sh
command -v python3 >/dev/null || { echo "python3 is not installed"; exit 77; }
command -v gcc >/dev/null || { echo "gcc is not installed"; exit 77; }
work=$(new_folder)
trap 'rm -rf "$work"' EXIT
status=0

for flags in "-O0 -gdwarf-4" "-O2 -gdwarf-5"; do
	# shellcheck disable=SC2086
	gcc -std=gnu11 -D_GNU_SOURCE -I. $flags -fno-builtin-malloc -pthread \
		-o "$work/program" fixtures/c_types.c || exit 1
	dump "$work/core" "$work/program" "$work/truth" || exit 1
	"$HF" query --csv -q "$work/core" "$work/program" \
		"SELECT address, type, type_source, usable FROM objects" >"$work/types.csv" || exit 1
	echo "gcc $flags:"
	python3 tests/oracle/check_types.py "$work/truth" "$work/types.csv" 95 98 || status=1
done
exit $status
