#!/bin/sh
# bench.sh TOOL FIXTURES - speed by stage and heap shape.
#
# A line a heap: objects, the whole report, ns an object, bytes of our arrays an object at the peak,
# the ratio to reading the file; medians of HF_RUNS (3) runs. HF_SIZES (1000000) lists the numbers of
# objects, HF_SHAPES the shapes, HF_CSV=1 prints for machines. The stages of the last run follow with
# HF_STAGES=1.
tool=$(realpath "$1") fixtures=$(realpath "$2")
runs=${HF_RUNS:-3}
. "$(dirname "$0")/../../fixtures/core.sh"
work=$(new_folder)
trap 'rm -rf "$work"' EXIT

now() { date +%s.%N; }
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

if [ -n "$HF_CSV" ]; then
	echo "shape,objects,report_s,ns_per_object,bytes_per_object,times_cat"
else
	printf '%-8s %12s %10s %10s %10s %10s\n' shape objects report ns/object B/object 'x cat'
fi
for size in ${HF_SIZES:-1000000}; do
	for shape in ${HF_SHAPES:-random list tree hash arrays free threads}; do
		dump "$work/core" "$fixtures/bench_heap" "$shape" "$size" 2>/dev/null || exit 1
		: >"$work/times"
		: >"$work/cats"
		for run in $(seq "$runs"); do
			start=$(now)
			cat "$work/core" >/dev/null
			echo "$(now) $start" | awk '{ print $1 - $2 }' >>"$work/cats"
			start=$(now)
			"$tool" report -q --no-index --timing "$work/core" "$fixtures/bench_heap" \
				>/dev/null 2>"$work/timing" || exit 1
			echo "$(now) $start" | awk '{ print $1 - $2 }' >>"$work/times"
		done
		awk -v shape="$shape" -v time="$(median <"$work/times")" -v cat="$(median <"$work/cats")" \
			-v csv="$HF_CSV" '/ objects, / { objects = $1; bytes = $5 }
			END { n = objects ? objects : 1
			format = csv ? "%s,%d,%.3f,%.1f,%.1f,%.1f\n" : "%-8s %12d %8.2f s %10.0f %10.1f %10.1f\n"
			printf format, shape, objects, time, time * 1e9 / n, bytes / n, time / cat }' \
			"$work/timing"
		[ -z "$HF_STAGES" ] || sed 's/^/    /' "$work/timing"
		rm -f "$work/core"
	done
done
