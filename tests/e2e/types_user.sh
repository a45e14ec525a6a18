#!/bin/sh
# types_user.sh - what the user says of types opens what is behind; the unknown that would explain
# most is the one to name; sums by type, holder and module; merged paths.
. fixtures/core.sh
work=$(new_folder)
trap 'rm -rf "$work"' EXIT
status=0

expect() { # EXPECTED HF-ARGUMENT...
	expected=$1
	shift
	got=$("$HF" "$@" 2>&1 | tr -s ' ')
	case $got in
	*"$expected"*) ;;
	*) echo "WRONG: $* gives:"; echo "$got"; echo "should have: $expected"; status=1 ;;
	esac
}

count="SELECT count(*) FROM objects WHERE type IN ('struct branch', 'struct fruit')"
dump "$work/core" "$FIX/opaque" || exit 1
set -- -q "$work/core" "$FIX/opaque"
[ "$("$HF" query --csv "$@" "$count" | tail -n 1)" = 0 ] || { echo "WRONG: typed by nobody"; status=1; }
address=$("$HF" query --csv "$@" "SELECT objects.address FROM refs
	JOIN holders ON holders.id = source JOIN objects ON objects.id = target
	WHERE holders.name = 'g_opaque'" | tail -n 1)
# The trunk keeps all the rest: it is the one to name.
expect "56 B with pointers g_opaque (opaque.c:28) 1 15.7 KiB 96 % $address" types "$@"
for type in "$address=struct trunk" "g_opaque=trunk"; do
	[ "$("$HF" query --csv --type="$type" "$@" "$count" | tail -n 1)" = 400 ] ||
		{ echo "WRONG: --type=$type"; status=1; }
done
printf '# the trunk\n%s=struct trunk\n' "$address" >"$work/types"
[ "$("$HF" query --csv --type-file="$work/types" "$@" "$count" | tail -n 1)" = 400 ] ||
	{ echo "WRONG: --type-file"; status=1; }
expect 'struct branch 200 ' path --type='struct fruit' --type="g_opaque=trunk" "$@"
expect 'no type "struct nothing"' types --type="$address=struct nothing" "$@"
expect 'is in no object of the heap' types --type="0x1000=struct trunk" "$@"
expect 'no object is of type "struct nothing"' path --type='struct nothing' "$@"
for by in holder module type; do
	"$HF" dominators --json --by=$by "$@" >"$work/by" && grep -q '"retained_bytes"' "$work/by" ||
		{ echo "WRONG: --by=$by"; status=1; }
done
expect 'g_opaque (opaque.c:' dominators --by=holder "$@"
expect 'opaque ' dominators --by=module "$@"
expect 'type, holder or module' dominators --by=colour "$@"
exit $status
