#!/bin/sh
# bench.sh TOOL FIXTURES - speed and memory by stage, heap shape and size.
#
# A line a heap: the whole report in seconds; what of it the stages took; ns an object, and how much
# that is of the size before (1.00: time grows linearly); bytes of our arrays an object at the peak,
# and held at the end; the time of one processor to that of all; the ratio to reading the file.
# Medians of HF_RUNS (5) runs, by all processors, by one, and of `cat`; the stages are those of the
# run in the middle.
#
# HF_SIZES (1000000) lists the numbers of objects, HF_SHAPES the shapes, HF_CSV=1 prints for machines,
# HF_STAGES=1 prints all stages of that run.
tool=$(realpath "$1") fixtures=$(realpath "$2")
runs=${HF_RUNS:-5}
. "$(dirname "$0")/../../fixtures/core.sh"
work=$(new_folder)
trap 'rm -rf "$work"' EXIT

now() { date +%s.%N; }
# The line in the middle, by the first field.
median() { sort -n "$1" | awk '{ line[NR] = $0 } END { print line[int((NR + 1) / 2)] }'; }
seconds() { median "$1" | cut -d ' ' -f 1; }
since() { echo "$(now) $1" | awk '{ printf "%.6f\n", $1 - $2 }'; }

# measure TIMES LABEL COMMAND...: one run; its seconds and LABEL become a line of TIMES.
measure() {
	times=$1 label=$2
	shift 2
	start=$(now)
	"$@" || exit 1
	echo "$(since "$start") $label" >>"$times"
}
# report FILE [OPTION...]: its stages into FILE.
report() {
	timing=$1
	shift
	"$tool" report -q --no-index --timing "$@" "$work/core" "$fixtures/bench_heap" \
		>/dev/null 2>"$timing"
}
read_file() { cat "$work/core" >/dev/null; }

# What stands out in a table of stages; the views take what the analysis did not.
columns='
	/^walk/ { walk = $2 }
	/^scan/ { scan = $2 }
	/graph: reach/ { reach = $3 }
	/graph: fold/ { fold = $3 }
	/graph: dominators/ { idom = $3 }
	/graph: retained/ { sums = $3 }
	/types, meanwhile/ { types = $3 }
	/^[a-z]/ && / s$/ { all += $(NF - 1) }
	/ objects, / { n = $1 ? $1 : 1; peak = $5; held = $12 }
	END {
		ns = time * 1e9 / n
		printf format, shape, n, time, walk, scan, reach, fold, idom, sums, types, time - all, ns,
			last ? ns / last : 1, peak / n, held / n, one / time, time / cat
	}'
names='shape objects report_s walk_s scan_s reach_s fold_s dominators_s retained_s types_s views_s
	ns_per_object growth peak_bytes_per_object held_bytes_per_object one_core_ratio times_cat'
if [ -n "$HF_CSV" ]; then
	format='%s,%d,%.3f,%.3f,%.3f,%.3f,%.3f,%.3f,%.3f,%.3f,%.3f,%.1f,%.2f,%.1f,%.1f,%.2f,%.1f\n'
	echo $names | tr ' ' ,
else
	format='%-8s %11d %7.2f %6.2f %6.2f %6.2f %6.2f %6.2f %6.2f %6.2f %6.2f %6.0f %6.2f %6.1f %6.1f %6.2f %6.1f\n'
	printf '%-8s %11s %7s %6s %6s %6s %6s %6s %6s %6s %6s %6s %6s %6s %6s %6s %6s\n' shape objects \
		'all s' walk scan reach fold idoms sums types views ns/obj growth B/peak B/held 1core 'x cat'
fi
for shape in ${HF_SHAPES:-random giant list tree back hash arrays free threads mmapped}; do
	last=
	for size in ${HF_SIZES:-1000000}; do
		dump "$work/core" "$fixtures/bench_heap" "$shape" "$size" 2>/dev/null || exit 1
		rm -f "$work/all" "$work/one" "$work/cat"
		for run in $(seq "$runs"); do
			measure "$work/cat" "$run" read_file
			measure "$work/all" "$run" report "$work/timing.$run"
			measure "$work/one" "$run" report "$work/timing.one" --threads=1
		done
		read -r time run <<-EOF
			$(median "$work/all")
		EOF
		line=$(awk -v shape="$shape" -v time="$time" -v cat="$(seconds "$work/cat")" \
			-v one="$(seconds "$work/one")" -v last="$last" -v format="$format" "$columns" \
			"$work/timing.$run")
		echo "$line"
		last=$(awk -v time="$time" '/ objects, / { print time * 1e9 / ($1 ? $1 : 1) }' \
			"$work/timing.$run")
		[ -z "$HF_STAGES" ] || sed 's/^/    /' "$work/timing.$run"
		rm -f "$work/core"
	done
done
