#!/bin/sh
# types_dwarf.sh - the same truth from debug information in every shape that compilers and linkers
# give it: type units, split, compressed, shared by dwz, in a separate file, of clang, optimized at
# link time, at fixed and at random addresses.
. fixtures/core.sh
command -v python3 >/dev/null || { echo "python3 is not installed"; exit 77; }
command -v gcc >/dev/null || { echo "gcc is not installed"; exit 77; }
work=$(new_folder)
trap 'rm -rf "$work"' EXIT
status=0
c="-std=gnu11 -D_GNU_SOURCE -I. -fno-builtin-malloc -pthread fixtures/c_types.c"
cxx="-std=gnu++17 -D_GNU_SOURCE -I. -fno-builtin-malloc -pthread fixtures/cxx_types.cc"

# The types of "$work/program" against its truth; further arguments go to heapforensics.
check() { # WHAT [OPTION...]
	what=$1
	shift
	dump "$work/core" "$work/program" "$work/truth" || exit 1
	"$HF" query --csv -q "$@" "$work/core" "$work/program" \
		"SELECT address, type, type_source, usable FROM objects" >"$work/types.csv" || exit 1
	echo "$what:"
	python3 tests/oracle/check_types.py "$work/truth" "$work/types.csv" 95 98 || status=1
	rm -f "$work"/*.dwo "$work/core"
}

build() { # COMPILER OPTION... SOURCE-AND-OPTIONS
	command -v "$1" >/dev/null || { echo "$1 is not installed"; return 1; }
	if ! "$@" -o "$work/program" 2>"$work/errors"; then
		echo "$* is not possible: $(head -n 1 "$work/errors")"
		return 1
	fi
}

while read -r flags; do
	# shellcheck disable=SC2086
	build $flags && check "$flags"
done <<-END
	gcc -O1 -gdwarf-4 -fdebug-types-section $c
	gcc -O1 -gdwarf-5 -fdebug-types-section $c
	gcc -O1 -gdwarf-4 -gsplit-dwarf $c
	gcc -O1 -gdwarf-5 -gsplit-dwarf $c
	gcc -O1 -g -gz=zlib $c
	gcc -O2 -g -flto $c
	gcc -O1 -g -static-pie $c
	gcc -O1 -g -no-pie $c
	clang -O2 -gdwarf-4 $c
	clang -O1 -gdwarf-5 $c
	clang -O0 -gdwarf-5 -fdebug-types-section $c
	g++ -O1 -gdwarf-5 -fdebug-types-section $cxx
	clang++ -O1 -gdwarf-5 $cxx
END

for version in 4 5; do # the linker is asked by itself: so the split file stays beside
	# shellcheck disable=SC2086
	if command -v clang >/dev/null; then
		(cd "$work" && clang -O1 -gdwarf-$version -gsplit-dwarf -c -std=gnu11 -D_GNU_SOURCE \
			-I"$OLDPWD" -fno-builtin-malloc -pthread "$OLDPWD/fixtures/c_types.c" -o part.o &&
			clang -pthread -o program part.o) &&
			check "clang -gdwarf-$version -gsplit-dwarf"
	fi
done

if command -v dwz >/dev/null; then
	for build in "gcc -O1 -gdwarf-5 $c" "g++ -O1 -g $cxx"; do
		# shellcheck disable=SC2086
		build $build || continue
		cp "$work/program" "$work/copy"
		dwz -m "$work/common" "$work/program" "$work/copy" && check "dwz: $build"
	done
fi

# Compressed by zstd, which an elfutils before 0.189 cannot read: in the program, in a separate file.
# shellcheck disable=SC2086
if build gcc -O1 -g -Wl,--build-id $c && objcopy --compress-debug-sections=zstd "$work/program" 2>/dev/null; then
	check zstd
	dump "$work/core" "$work/program" "$work/truth" || exit 1
	for damage in frame size; do
		python3 tests/oracle/damage_sections.py $damage "$work/program" "$work/damaged" || exit 1
		"$HF" report -q --no-index "$work/core" "$work/damaged" >"$work/report" || exit 1
		grep -q 'debug-info-unreadable .*compressed by zstd' "$work/report" ||
			{ echo "WRONG: a damaged $damage of zstd is not told"; status=1; }
	done
	id=$(readelf -n "$work/program" | sed -n 's/.*Build ID: //p')
	folder=$work/zstd/.build-id/$(printf %.2s "$id")
	mkdir -p "$folder"
	objcopy --only-keep-debug "$work/program" "$folder/${id#??}.debug"
	readelf -t "$folder/${id#??}.debug" | grep -q ZSTD || { echo "WRONG: not compressed by zstd"; status=1; }
	strip "$work/program"
	check "zstd, separate" --debuginfo-path="$work/zstd"
else
	echo "zstd: nothing here compresses sections by it"
fi

# A separate file, found by build-id.
# shellcheck disable=SC2086
if build gcc -O1 -g -Wl,--build-id $c; then
	id=$(readelf -n "$work/program" | sed -n 's/.*Build ID: //p')
	folder=$work/debug/.build-id/$(printf %.2s "$id")
	mkdir -p "$folder"
	objcopy --only-keep-debug --compress-debug-sections "$work/program" \
		"$folder/${id#??}.debug"
	strip "$work/program"
	check "separate, by build-id" --debuginfo-path="$work/debug"
fi

# The whole program in a library that is opened when it runs.
# shellcheck disable=SC2086
if build gcc -O1 -g -shared -fPIC -Dmain=library_main $c; then
	mv "$work/program" "$work/library.so"
	cat >"$work/opener.c" <<-'END'
		#include <dlfcn.h>
		#include <stdlib.h>
		#include <string.h>
		int main(int argc, char **argv)
		{
			char path[4096];
			strcpy(path, argv[0]);
			strcpy(strrchr(path, '/'), "/library.so");
			void *library = dlopen(path, RTLD_NOW);
			int (*run)(int, char **) =
			    library ? (int (*)(int, char **))dlsym(library, "library_main") : abort;
			return run(argc, argv);
		}
	END
	build gcc -O1 -w "$work/opener.c" && check "dlopen"
fi
exit $status
