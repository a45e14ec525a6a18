#!/bin/sh
# format.sh - all C files are as clang-format would have them (.clang-format), and no line is over
# 100 columns: comments, which may hold drawings, clang-format leaves alone.
cd "$(dirname "$0")/../.." || exit 2
if ! command -v clang-format >/dev/null; then
	echo "clang-format is not installed"
	exit 77
fi
# Another version formats differently: the check is made with the one that formats the tree.
case $(clang-format --version) in
*"version 14."*) ;;
*) echo "clang-format 14 is needed, this is $(clang-format --version)"; exit 77 ;;
esac
files=$(find core heapwalk gdbplugin include fixtures tests -name '*.[ch]' -o -name '*.cc' | sort)
status=0
echo "$files" | xargs clang-format --dry-run -Werror || status=1
echo "$files" | xargs awk '{
	width = 0
	parts = split($0, part, "\t")
	for (i = 1; i < parts; i++)
		width = (int((width + length(part[i])) / 8) + 1) * 8
	if (parts && width + length(part[parts]) > 100) {
		print FILENAME ":" FNR ": over 100 columns"
		long = 1
	}
} END { exit long }' || status=1
exit $status
