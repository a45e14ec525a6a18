#!/bin/sh
# bad_input.sh - what is no core, or no whole one, or not of this program: a clear message or a
# partial report, the documented exit status, never a signal.
. fixtures/core.sh
work=$(new_folder)
trap 'rm -rf "$work"' EXIT
status=0

expect() { # STATUS PATTERN ARG...
	want=$1 pattern=$2
	shift 2
	"$HF" -q "$@" >"$work/out" 2>&1 </dev/null
	got=$?
	if [ "$got" != "$want" ] || ! grep -qi -e "$pattern" "$work/out"; then
		echo "WRONG: heapforensics $* gives $got (should be $want) and:"
		head -n 5 "$work/out"
		status=1
	fi
}

dump "$work/core" "$FIX/demo_server" 500 5 || exit 1
printf 'hello, this is text and no core at all, but long enough\n' >"$work/text"
: >"$work/empty"
head -c 4096 /dev/zero >"$work/zeros"
printf '\177ELF' >"$work/stub"

expect 2 'no such' "$work/absent"
expect 2 'not an ELF' "$work/text"
expect 2 'empty\|not an ELF' "$work/empty"
expect 2 'not an ELF' "$work/zeros"
expect 2 'ELF' "$work/stub"
expect 2 'not a core\|no core' "$FIX/demo_server"
expect 2 '' --top=x "$work/core"
expect 2 'format' --format=yaml "$work/core"
expect 2 'figure' --fail-if 'nonsense > 1' "$work/core"
expect 2 'no such' "$work/core" "$work/absent-binary"
expect 2 'no variable' dominators "$work/core" "$FIX/demo_server" nobody_is_called_so
expect 2 'of what' path "$work/core"
expect 2 'SQL' query "$work/core" 'SELECT nonsense FROM nowhere'
expect 0 'VERDICT' "$work/core" "$FIX/demo_server"
expect 0 'VERDICT' "$FIX/demo_server" "$work/core"
expect 0 'build-id' "$work/core" "$FIX/leak_cases"
expect 3 'partial\|missing\|evidence' --strict "$work/core" "$FIX/leak_cases"
expect 1 'holds' "$work/core" "$FIX/demo_server" --fail-if 'leaked_objects >= 1'
expect 0 'VERDICT' "$work/core" "$FIX/demo_server" --fail-if 'retained("g_sessions") < 1KiB'
expect 1 'holds' "$work/core" "$FIX/demo_server" --fail-if 'type_objects("struct session") > 0'
expect 0 'VERDICT' "$work/core" "$FIX/demo_server" --fail-if 'type_bytes("struct nothing") > 0'
expect 2 'of what' --fail-if 'type_bytes > 1' "$work/core"
expect 0 '"partial": false' --json "$work/core" "$FIX/demo_server"
expect 0 'VERDICT' -o - "$work/core" "$FIX/demo_server"
expect 2 'does not write to standard output' snapshot -o - $$

# Cut anywhere: every length up to the end of the headers and notes, then some of the rest.
size=$(wc -c <"$work/core")
for cut in 1 15 16 17 40 63 64 65 100 120 176 500 1000 2000 4095 4096 4097 8192 $((size / 10)) \
	$((size / 3)) $((size / 2)) $((size * 9 / 10)) $((size - 4096)) $((size - 1)); do
	head -c "$cut" "$work/core" >"$work/cut"
	for command in report arenas leaks check summary; do
		"$HF" $command -q "$work/cut" "$FIX/demo_server" >"$work/out" 2>&1
		got=$?
		if [ $got -ne 0 ] && [ $got -ne 2 ]; then
			echo "WRONG: $command of a core cut to $cut bytes gives $got"
			head -n 5 "$work/out"
			status=1
		fi
	done
	[ $got -eq 2 ] || grep -qi 'cut off\|missing\|not in the core\|truncated' "$work/out" || {
		echo "WRONG: a core cut to $cut bytes is not told as such"
		cat "$work/out"
		status=1
	}
done

# Compressed ones are read as they are.
for tool in gzip xz zstd lz4; do
	command -v $tool >/dev/null || continue
	$tool -q -c "$work/core" >"$work/core.$tool"
	expect 0 'VERDICT' "$work/core.$tool" "$FIX/demo_server"
done
exit $status
