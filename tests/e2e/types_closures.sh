#!/bin/sh
# types_closures.sh - what C++ values with an erased type hold (std::function, std::any,
# std::move_only_function, std::thread, ...) gets the types that the program says it has, all of it.
. fixtures/core.sh
command -v python3 >/dev/null || { echo "python3 is not installed"; exit 77; }
command -v g++ >/dev/null || { echo "g++ is not installed"; exit 77; }
work=$(new_folder)
trap 'rm -rf "$work"' EXIT
status=0
source="-D_GNU_SOURCE -I. -g -fno-builtin-malloc -pthread fixtures/cxx_closures.cc"

check() { # WHAT [OPTION...]
	what=$1
	shift
	dump "$work/core" "$work/program" "$work/truth" || exit 1
	"$HF" query --csv -q --no-index "$@" "$work/core" "$work/program" \
		"SELECT address, type, type_source, usable FROM objects" >"$work/types.csv" || exit 1
	echo "$what:"
	python3 tests/oracle/check_types.py "$work/truth" "$work/types.csv" 100 100 || status=1
}

while read -r flags; do
	[ -z "$HF_QUICK" ] || [ "$flags" = "g++ -std=gnu++23 -O2" ] || continue
	command -v "${flags%% *}" >/dev/null || { echo "${flags%% *} is not installed"; continue; }
	# shellcheck disable=SC2086
	$flags $source -o "$work/program" || exit 1
	check "$flags"
done <<-END
	g++ -std=gnu++17 -O0
	g++ -std=gnu++23 -O2
	g++ -std=gnu++17 -O1 -gdwarf-4 -fdebug-types-section
	clang++ -std=gnu++17 -O1
END

# Stripped, its debug information in a separate file.
# shellcheck disable=SC2086
g++ -std=gnu++20 -O2 $source -Wl,--build-id -o "$work/program" || exit 1
id=$(readelf -n "$work/program" | sed -n 's/.*Build ID: //p')
folder=$work/debug/.build-id/$(printf %.2s "$id")
mkdir -p "$folder"
objcopy --only-keep-debug "$work/program" "$folder/${id#??}.debug"
strip "$work/program"
check "g++ -std=gnu++20 -O2, stripped" --debuginfo-path="$work/debug"

headers=$(ls -d /usr/lib/llvm-*/include/c++/v1 2>/dev/null | sort -V | tail -n 1)
runtime=$(ls /usr/lib/llvm-*/lib/libc++.so.1 2>/dev/null | sort -V | tail -n 1)
if [ -n "$HF_QUICK" ]; then
	echo "quick: libc++ is left out"
elif command -v clang++ >/dev/null && [ -n "$headers" ] && [ -n "$runtime" ]; then
	# shellcheck disable=SC2086
	clang++ -std=gnu++17 -O1 $source -nostdinc++ -isystem "$headers" -nostdlib++ \
		-o "$work/program" "$runtime" "${runtime%++.so.1}++abi.so.1" || exit 1
	check "clang++, libc++"
else
	echo "libc++-dev is not installed: only libstdc++ was tested"
fi

# Without debug information nothing is guessed.
strip "$work/program"
dump "$work/core" "$work/program" "$work/truth" || exit 1
guessed=$("$HF" query --csv -q --no-index "$work/core" "$work/program" \
	"SELECT count(*) FROM objects WHERE type LIKE '%lambda at%' AND type_source != 'vtable'" | tail -n 1)
[ "$guessed" = 0 ] || { echo "WRONG: $guessed lambdas without debug information"; status=1; }
exit $status
