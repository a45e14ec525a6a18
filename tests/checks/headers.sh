#!/bin/sh
# headers.sh - every header compiles alone, as C; the public one as C++ too.
cd "$(dirname "$0")/../.." || exit 2
cc=${CC:-gcc}
flags="-std=gnu11 -D_GNU_SOURCE -DHF_VERSION=\"x\" -I. -Iinclude -Wall -Wextra -Werror -fsyntax-only"
status=0
for header in $(find core heapwalk gdbplugin include -name '*.h' | sort); do
	# shellcheck disable=SC2086
	$cc $flags -x c -include "$header" /dev/null || { echo "$header: does not compile alone"; status=1; }
done
g++ -I. -Iinclude -Wall -Wextra -Werror -fsyntax-only -x c++ -include include/heapforensics.h /dev/null || status=1
exit $status
