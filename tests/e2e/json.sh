#!/bin/sh
# json.sh - every command's --json is valid by docs/schema.json, its ledger sums, its gates agree.
. fixtures/core.sh
work=$(new_folder)
trap 'rm -rf "$work"' EXIT
python=
for candidate in python3 /usr/bin/python3; do
	$candidate -c 'import jsonschema' 2>/dev/null && python=$candidate && break
done
[ -n "$python" ] || { echo "python3's jsonschema is not installed"; exit 77; }

dump "$work/core" "$FIX/demo_server" 2000 20 || exit 1
address=$("$HF" query --csv -q "$work/core" "$FIX/demo_server" \
	"SELECT address FROM objects WHERE leak_kind = 'indirect' LIMIT 1" | tail -n 1)
status=0
for command in report summary arenas leaks dominators types check "object $address" "path $address" \
	"refs $address" "path --all $address" "object g_sessions" "dominators g_sessions" \
	"query SELECT_ALL"; do
	set -- $command
	name=$1
	shift
	if [ "$name" = query ]; then
		"$HF" query --json -q "$work/core" "$FIX/demo_server" \
			"SELECT address, type, 1.5, NULL FROM objects LIMIT 3" >"$work/out"
	else
		"$HF" "$name" --json -q "$work/core" "$FIX/demo_server" "$@" >"$work/out"
	fi || { echo "WRONG: $command failed"; status=1; continue; }
	$python - "$name" "$work/out" <<'PYTHON' || { echo "WRONG: $command"; status=1; }
import json, sys
import jsonschema
told = json.load(open(sys.argv[2]))
jsonschema.validate(told, json.load(open("docs/schema.json")))
assert told["command"] == sys.argv[1]
if "memory" in told:
    rows = told["memory"]["ledger"]
    assert sum(r["bytes"] for r in rows if r["kind"] != "total") == \
        [r["bytes"] for r in rows if r["kind"] == "total"][0]
PYTHON
done
exit $status
