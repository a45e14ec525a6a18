#!/bin/sh
# types_cxx.sh - the blocks of a C++ program's classes and containers get the types that the
# program says they have.
. fixtures/core.sh
command -v python3 >/dev/null || { echo "python3 is not installed"; exit 77; }
command -v g++ >/dev/null || { echo "g++ is not installed"; exit 77; }
work=$(new_folder)
trap 'rm -rf "$work"' EXIT
status=0

for flags in -O0 -O2; do
	g++ -std=gnu++17 -D_GNU_SOURCE -I. "$flags" -g -fno-builtin-malloc -pthread \
		-o "$work/program" fixtures/cxx_types.cc || exit 1
	dump "$work/core" "$work/program" "$work/truth" || exit 1
	"$HF" query --csv -q "$work/core" "$work/program" \
		"SELECT address, type, type_source, usable FROM objects" >"$work/types.csv" || exit 1
	echo "g++ $flags:"
	python3 tests/oracle/check_types.py "$work/truth" "$work/types.csv" 95 98 || status=1
done

# libc++, whose nodes, strings and deques are others.
headers=$(ls -d /usr/lib/llvm-*/include/c++/v1 2>/dev/null | sort -V | tail -n 1)
runtime=$(ls /usr/lib/llvm-*/lib/libc++.so.1 2>/dev/null | sort -V | tail -n 1)
if command -v clang++ >/dev/null && [ -n "$headers" ] && [ -n "$runtime" ]; then
	clang++ -std=gnu++17 -D_GNU_SOURCE -I. -O1 -g -fno-builtin-malloc -pthread -nostdinc++ \
		-isystem "$headers" -nostdlib++ -o "$work/program" fixtures/cxx_types.cc \
		"$runtime" "${runtime%++.so.1}++abi.so.1" || exit 1
	dump "$work/core" "$work/program" "$work/truth" || exit 1
	"$HF" query --csv -q "$work/core" "$work/program" \
		"SELECT address, type, type_source, usable FROM objects" >"$work/types.csv" || exit 1
	echo "clang++, libc++:"
	python3 tests/oracle/check_types.py "$work/truth" "$work/types.csv" 95 98 || status=1
else
	echo "libc++-dev is not installed: only libstdc++ was tested"
fi
exit $status
