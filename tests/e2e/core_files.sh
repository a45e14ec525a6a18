#!/bin/sh
# core_files.sh - cores as they come: of each coredump_filter, compressed and named as systemd names
# them, sparse, beyond 4 GiB, with more mappings than an ELF header counts, and with the program
# elsewhere (--sysroot, by build-id). The figures are those of the program's own truth.
. fixtures/core.sh
command -v python3 >/dev/null || { echo "python3 is not installed"; exit 77; }
kernel_dumps || { echo "the kernel does not write plain cores here"; exit 77; }
work=$(new_folder)
trap 'rm -rf "$work"' EXIT
status=0
binary=$work/program
cp "$FIX/random_heap" "$binary"

wrong() {
	echo "WRONG: $*"
	status=1
}

exact() { # TITLE CORE BINARY [OPTION...]
	printf '%s: ' "$1"
	shift
	image=$1 named=$2
	shift 2
	python3 tests/oracle/check_random_heap.py "$HF" "$image" "$named" "$work/truth" "$@" || status=1
}

filtered() { # FILTER: the filter is inherited by what is executed
	cp "$binary" "$work/dumper"
	cat >"$work/with_filter" <<END
#!/bin/sh
echo $1 >/proc/self/coredump_filter
exec "$work/dumper" "\$@"
END
	chmod +x "$work/with_filter"
	dump "$work/core" "$work/with_filter" 3 300 2 "$work/truth"
}

# ---- coredump_filter: bit 0 private anonymous, 1 shared anonymous, 2 and 3 files, 4 ELF headers,
# 5 and 6 huge pages. Malloc's memory and libc's data are private anonymous.
filters="0x1 0x7f"
[ -n "$HF_QUICK" ] || filters="$filters 0x3 0x11 0x21 0x33"
for filter in $filters; do
	filtered "$filter" || exit 1
	exact "filter $filter" "$work/core" "$work/dumper"
done
filtered 0x0 || exit 1
"$HF" -q --no-index "$work/core" "$work/dumper" >"$work/out" 2>&1 || wrong "filter 0x0 gives $?"
grep -q 'heap cannot be told: malloc.s arena, in libc.s data, is missing' "$work/out" ||
	wrong "without any memory: $(cat "$work/out")"
"$HF" --json -q --no-index "$work/core" "$work/dumper" | grep -q '"partial": true' ||
	wrong "a core without memory is told as whole"

# ---- compressed, with systemd-coredump's names
dump "$work/core" "$binary" 5 200 2 "$work/truth" || exit 1
name=core.random_heap.0.9d3a1f2c5e7b4a6f8091a2b3c4d5e6f7.4711.1763715600000000
for tool in zstd:zst lz4:lz4 xz:xz gzip:gz; do
	command -v "${tool%:*}" >/dev/null || { echo "${tool%:*} is not installed"; continue; }
	"${tool%:*}" -q -c "$work/core" >"$work/$name.${tool#*:}"
	exact "${tool#*:}" "$work/$name.${tool#*:}" "$binary"
	rm "$work/$name.${tool#*:}"
done

# ---- sparse: holes in the file where memory was zero
cp --sparse=always "$work/core" "$work/sparse"
exact sparse "$work/sparse" "$binary"

# ---- memory beyond 4 GiB of the file
if python3 fixtures/compose_core.py far "$work/core" "$work/far" 2>"$work/log"; then
	[ "$(stat -c %s "$work/far")" -gt 4294967296 ] || wrong "the core is too small"
	exact "5 GiB" "$work/far" "$binary"
	"$HF" summary -q --no-index "$work/far" "$binary" | grep -q '5\.[0-9]* GiB, complete' ||
		wrong "the size of a core of 5 GiB is not told"
else
	echo "no file of 5 GiB can be made here: $(tail -n 1 "$work/log")"
fi
rm -f "$work/far"

# ---- 70,000 mappings: one leads to a block that is lost otherwise
dump "$work/leaks" "$FIX/leak_cases" "$work/cases" || exit 1
block=$(sed -n 's/^object .*\(0x[0-9a-f]*\) definite$/\1/p' "$work/cases" | head -n 1)
kind() { # CORE
	"$HF" query --csv -q --no-index "$1" "$FIX/leak_cases" \
		"SELECT leak_kind FROM objects WHERE address = $block" | tail -n 1
}
[ "$(kind "$work/leaks")" = definite ] || wrong "$block is $(kind "$work/leaks")"
python3 fixtures/compose_core.py many "$work/leaks" "$work/many" "$block" || exit 1
[ "$(kind "$work/many")" = reachable ] || wrong "among 70,000 mappings $block is $(kind "$work/many")"
mappings=$("$HF" query --csv -q --no-index "$work/many" 'SELECT count(*) FROM mappings' | tail -n 1)
[ "$mappings" -ge 70000 ] || wrong "$mappings mappings of 70,000 are told"
# Its count, at the end of the file, was cut off.
head -c $((64 + 70000 * 56)) "$work/many" >"$work/cut"
"$HF" -q --no-index "$work/cut" "$FIX/leak_cases" >"$work/out" 2>&1 || wrong "cut headers give $?"
grep -q 'cut off' "$work/out" || wrong "the lost count of program headers is not told"

# ---- the program is not where it was: below --sysroot, or known by its build-id only
build_id=$(readelf -n "$binary" 2>/dev/null | sed -n 's/.*Build ID: //p')
mkdir -p "$work/root$work"
mv "$binary" "$work/root$binary"
exact "by --sysroot" "$work/core" - --sysroot="$work/root"
if [ -n "$build_id" ]; then
	folder=$work/root/usr/lib/debug/.build-id/$(echo "$build_id" | cut -c1-2)
	mkdir -p "$folder"
	mv "$work/root$binary" "$folder/$(echo "$build_id" | cut -c3-)"
	exact "by build-id" "$work/core" - --sysroot="$work/root"
fi
exit $status
