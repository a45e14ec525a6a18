#!/bin/sh
# types_orphans.sh - objects that no typed pointer leads to: lost, behind a structure that is only
# declared, made in blocks of many, in a union. The decoys are nothing that the program names.
. fixtures/core.sh
command -v python3 >/dev/null || { echo "python3 is not installed"; exit 77; }
command -v gcc >/dev/null || { echo "gcc is not installed"; exit 77; }
work=$(new_folder)
trap 'rm -rf "$work"' EXIT
status=0

for compiler in "gcc -O0" "gcc -O2" "clang -O1"; do
	command -v "${compiler%% *}" >/dev/null || continue
	# shellcheck disable=SC2086
	$compiler -std=gnu11 -D_GNU_SOURCE -I. -g -fno-builtin-malloc -o "$work/program" \
		fixtures/c_orphans.c || exit 1
	dump "$work/core" "$work/program" "$work/truth" || exit 1
	"$HF" query --csv -q "$work/core" "$work/program" \
		"SELECT address, type, type_source, usable FROM objects" >"$work/types.csv" || exit 1
	decoys=$(grep 'raw$' "$work/truth" | cut -d' ' -f1 | tr '\n' '|')
	typed=$(grep -E "^\"?(${decoys%|})" "$work/types.csv" | grep -vc ',shape,')
	[ "$typed" = 0 ] || { echo "WRONG: $typed decoys have a type"; status=1; }
	grep -v 'raw$' "$work/truth" >"$work/named"
	echo "$compiler:"
	python3 tests/oracle/check_types.py "$work/named" "$work/types.csv" 95 98 || status=1
done

# What a field holds, and where it leads, by SQL.
got=$("$HF" query --csv -q "$work/core" "$work/program" "SELECT count(*), count(DISTINCT object),
	min(f.offset), max(f.offset), sum(value BETWEEN 0 AND 119), min(f.type) FROM fields f
	JOIN objects o ON o.id = f.object WHERE o.type = 'struct task' AND f.path = 'tries'" | tail -n 1)
[ "$got" = "120,120,20,20,120,unsigned int" ] || { echo "WRONG fields: $got"; status=1; }
got=$("$HF" query --csv -q "$work/core" "$work/program" "SELECT count(*), min(t.type), max(t.type)
	FROM fields f JOIN objects o ON o.id = f.object JOIN objects t ON t.id = f.target
	WHERE o.type = 'struct task' AND f.path = 'parameter'" | tail -n 1)
[ "$got" = "120,struct parameter,struct parameter" ] || { echo "WRONG targets: $got"; status=1; }
got=$("$HF" query --csv -q "$work/core" "$work/program" "SELECT path, type, value FROM fields f
	WHERE address = (SELECT address FROM objects WHERE type = 'struct particle[]')
	AND path IN ('[7].mass', '[299].mass', '[299].position[1]', '[300].mass')" | tail -n +2 | tr '\n' ' ')
[ "$got" = '[7].mass,double,7 [299].mass,double,299 [299].position[1],double,0 ' ] ||
	{ echo "WRONG elements: $got"; status=1; }
exit $status
