#!/bin/sh
# types_python.sh - CPython's objects are of the types that Python says they are of.
. fixtures/core.sh
command -v python3 >/dev/null || { echo "python3 is not installed"; exit 77; }
python=$(python3 -c 'import sys; print(sys.executable)')
python3 -c 'import sys, struct
sys.exit(not (sys.implementation.name == "cpython" and struct.calcsize("P") == 8
	      and sys.version_info >= (3, 8)))' || { echo "python3 is no 64-bit CPython 3.8"; exit 77; }
work=$(new_folder)
trap 'rm -rf "$work"' EXIT

PYTHONMALLOC=malloc dump "$work/core" "$python" "$PWD/fixtures/python_objects.py" "$work/truth" ||
	exit 1
"$HF" query --csv -q "$work/core" \
	"SELECT address, type, type_source, usable FROM objects" >"$work/types.csv" || exit 1
python3 tests/oracle/check_types.py "$work/truth" "$work/types.csv" 99 95
