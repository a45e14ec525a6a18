#!/bin/sh
# types_python.sh - CPython's objects are of the types that Python says they are of: of every CPython
# on this machine, in pymalloc's pools; and, of one, as blocks of malloc, and with the heads of debug mode.
. fixtures/core.sh
. fixtures/pythons.sh
all=$(pythons) || exit $?
work=$(new_folder)
trap 'rm -rf "$work"' EXIT
status=0

types_of() { # ALLOCATOR PYTHON
	printf '%s, %s: ' "$("$2" -V 2>&1)" "$1"
	PYTHONMALLOC=$1 dump "$work/core" "$2" "$PWD/fixtures/python_objects.py" "$work/truth" ||
		exit 1
	"$HF" query --csv -q "$work/core" \
		"SELECT address, type, type_source, usable FROM objects" >"$work/types.csv" || exit 1
	python3 tests/oracle/check_types.py "$work/truth" "$work/types.csv" 99 95 || status=1
	rm -f "$work/core"
}

for python in $all; do
	[ -n "$others" ] || { types_of malloc "$python"; types_of debug "$python"; }
	others=done
	types_of pymalloc "$python"
done
exit $status
