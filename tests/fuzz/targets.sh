#!/bin/sh
# targets.sh - the libFuzzer targets: each replays its corpus, then fuzzes for its share of
# HF_FUZZ_SECONDS (60). A crash leaves its input in $FUZZ/crash-*, and is told with its trace.
#
# The corpus (tests/fuzz/corpus): cores/ are small real cores, made of seed.c on several glibcs by
# shrink_core.py; TARGET/ are inputs that once broke that target. All are compressed by zstd.
FUZZ=${FUZZ:-$PWD/build-fuzz/fuzz}
command -v zstd >/dev/null || { echo "zstd is not installed"; exit 77; }
[ -x "$FUZZ/fuzz_heap" ] || { echo "the fuzz targets are not built (clang's libFuzzer)"; exit 77; }
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
status=0
targets=${HF_FUZZ_TARGETS:-elfcore decompress heap tool oomlog}
count=$(echo $targets | wc -w)
seconds=$((${HF_FUZZ_SECONDS:-60} / count + 1))
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}allocator_may_return_null=1

unpack() { # FOLDER TO [FIRST_BYTE]
	for file in "$1"/*.zst; do
		[ -e "$file" ] || continue
		to=$2/$(basename "$file" .zst)
		{ [ -z "$3" ] || printf '%b' "$3"; zstd -q -d -c "$file"; } >"$to"
	done
}

for target in $targets; do
	corpus=$work/$target
	mkdir "$corpus"
	case $target in
	elfcore | heap) unpack tests/fuzz/corpus/cores "$corpus" ;;
	tool) unpack tests/fuzz/corpus/cores "$corpus" '\0'
	      for byte in 013 022 031 040 057; do
		zstd -q -d -c tests/fuzz/corpus/cores/trixie-static.zst >"$work/core"
		{ printf "\\$byte"; cat "$work/core"; } >"$corpus/command-$byte"
	      done ;;
	oomlog) cp tests/data/oomlog/* "$corpus" 2>/dev/null ;;
	decompress)
		zstd -q -d -c tests/fuzz/corpus/cores/trixie-static.zst >"$work/core"
		for tool in zstd gzip xz lz4; do
			command -v $tool >/dev/null && $tool -q -c "$work/core" >"$corpus/$tool"
		done ;;
	esac
	unpack "tests/fuzz/corpus/$target" "$corpus"
	# -runs=0 replays; then the same folder is fuzzed from.
	for mode in -runs=0 "-max_total_time=$seconds"; do
		"$FUZZ/fuzz_$target" "$mode" -timeout=25 -rss_limit_mb=2048 -max_len=400000 \
			-artifact_prefix="$FUZZ/crash-$target-" -print_final_stats=1 "$corpus" \
			>"$work/log" 2>&1 && continue
		echo "fuzz_$target $mode fails:"
		grep -v '^#[0-9]*	*\(NEW\|REDUCE\|pulse\)' "$work/log" | tail -n 60
		status=1
		break
	done
	printf '%s: %s inputs, %s runs\n' "$target" "$(ls "$corpus" | wc -l)" \
		"$(sed -n 's/^stat::number_of_executed_units: //p' "$work/log")"
done
exit $status
