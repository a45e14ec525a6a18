#!/bin/sh
# types_c.sh - a C program's objects get the types that it says they have.
. fixtures/core.sh
command -v python3 >/dev/null || { echo "python3 is not installed"; exit 77; }
work=$(new_folder)
trap 'rm -rf "$work"' EXIT

dump "$work/core" "$FIX/c_types" "$work/truth" || exit 1
"$HF" query --csv -q "$work/core" "$FIX/c_types" \
	"SELECT address, type, type_source, usable FROM objects" >"$work/types.csv" || exit 1
python3 tests/oracle/check_types.py "$work/truth" "$work/types.csv" 95 98
