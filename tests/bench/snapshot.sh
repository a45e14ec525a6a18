#!/bin/sh
# snapshot.sh TOOL FIXTURES - how long a process stands for its core: ours beside gdb's gcore.
#
# A line: MiB of memory, the pause and the whole time of `snapshot`, of `snapshot --zstd`, and the
# time of gdb's gcore (which stops the process for all of it but gdb's own start). HF_OBJECTS
# (4000000) of 64 bytes.
tool=$(realpath "$1") fixtures=$(realpath "$2")
. "$(dirname "$0")/../../fixtures/core.sh"
work=$(new_folder)
pid=
trap '[ -z "$pid" ] || kill $pid; rm -rf "$work"' EXIT

"$fixtures/idle_heap" "${HF_OBJECTS:-4000000}" 8 >"$work/told" &
pid=$!
until grep -qs ready "$work/told"; do sleep 0.2; done
field() { sed -n "s/^ *\"$2\":\([0-9.]*\).*/\1/p" "$1" | head -n 1; }
now() { date +%s.%N; }

printf '%-12s %10s %10s %10s\n' snapshot MiB 'pause s' 'all s'
for kind in plain zstd; do
	option=
	[ $kind = plain ] || option=--zstd
	"$tool" snapshot -q $option $pid -o "$work/core" >/dev/null || exit 1
	printf '%-12s %10.0f %10.3f %10.3f\n' $kind \
		"$(awk "BEGIN { print $(field "$work/core.json" memory_bytes) / 1048576 }")" \
		"$(field "$work/core.json" pause_seconds)" "$(field "$work/core.json" seconds)"
	rm -f "$work/core" "$work/core.json"
done
command -v gdb >/dev/null || exit 0
start=$(now)
gdb -q -batch -nx -p $pid -ex quit >/dev/null 2>&1
attach=$(now)
gcore_of "$work/core" $pid || exit 1
end=$(now)
printf '%-12s %10s %10.3f %10.3f\n' "gdb's gcore" "$(($(du -k "$work/core" | cut -f 1) / 1024))" \
	"$(awk "BEGIN { print ($end - $attach) - ($attach - $start) }")" \
	"$(awk "BEGIN { print $end - $attach }")"
