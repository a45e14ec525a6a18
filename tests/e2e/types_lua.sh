#!/bin/sh
# types_lua.sh - Lua's objects are of the types that Lua says they are of, and all that its collector
# counts is found: blocks are longer than what was asked for, by less than 24 bytes each.
. fixtures/core.sh
work=$(new_folder)
trap 'rm -rf "$work"' EXIT
status=0 done=0

for lua in lua5.3 lua5.4; do
	program=$(command -v $lua) || continue
	dump "$work/core" "$program" "$PWD/fixtures/lua_objects.lua" "$work/told" || exit 1
	grep -v '^#' "$work/told" >"$work/truth"
	"$HF" query --csv -q "$work/core" \
		"SELECT address, type, type_source, usable FROM objects" >"$work/types.csv" || exit 1
	printf '%s: ' "$lua"
	python3 tests/oracle/check_types.py "$work/truth" "$work/types.csv" 100 100 || status=1
	counted=$(sed -n 's/^# //p' "$work/told")
	"$HF" query --csv -q "$work/core" "SELECT sum(usable) - $counted BETWEEN 0 AND count(*) * 24,
			sum(usable), count(*), (SELECT count(*) FROM objects WHERE type = 'Lua FILE*')
		FROM objects WHERE type LIKE 'Lua %'" | tail -n 1 | tr -d '\r' >"$work/sums"
	echo "$lua counts $counted bytes; found: $(cat "$work/sums")"
	case $(cat "$work/sums") in
	1,*,2?) ;;
	*) echo "WRONG: not what the collector counts, or not its files"; status=1 ;;
	esac
	done=1
	rm -f "$work/core"
done
[ $done = 1 ] || { echo "no Lua is installed"; exit 77; }
exit $status
