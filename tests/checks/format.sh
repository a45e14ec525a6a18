#!/bin/sh
# format.sh - all C files are as clang-format would have them (.clang-format).
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
find core heapwalk gdbplugin include fixtures tests -name '*.[ch]' -o -name '*.cc' | sort |
	xargs clang-format --dry-run -Werror
