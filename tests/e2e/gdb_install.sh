#!/bin/sh
# gdb_install.sh - after `make install` GDB has the commands by its own start-up files, and they
# find the program where it was installed, without PATH or environment.
# Plain build only: the others are not installed.
. fixtures/core.sh
. fixtures/gdbs.sh
command -v gdb >/dev/null || { echo "gdb is not installed"; exit 77; }
work=$(new_folder)
trap 'rm -rf "$work"' EXIT
status=0
exe=$FIX/gdb_steps

dump "$work/core" "$exe" 20 || exit 1
make -s install PREFIX="$work/usr" GDBINIT_DIR="$work/gdbinit.d" >"$work/log" 2>&1 || {
	tail "$work/log"
	exit 1
}
init="$work/gdbinit.d/heapforensics.gdb"
unset HEAPFORENSICS
# GDB sources the folder's files; twice, as a system's and a user's start-up file may do.
TMPDIR=$work XDG_CACHE_HOME=$work/cache gdb -nx -batch -x "$init" -x "$init" -ex 'show confirm' -ex 'heap-query "SELECT 41 + 1 AS n"' \
	-ex 'heap-path head' "$exe" "$work/core" >"$work/out" 2>&1 </dev/null
grep -q '^ *42$' "$work/out" && grep -q '^object *struct node' "$work/out" || {
	echo "WRONG: the installed commands"
	status=1
}
# Redefining is quiet, and GDB's settings are left as they were.
grep -e Redefine -e Alias -e 'Error in' "$work/out" && { echo "WRONG: noise at the second time"; status=1; }
make -s uninstall PREFIX="$work/usr" GDBINIT_DIR="$work/gdbinit.d" >/dev/null 2>&1
[ -z "$(find "$work/usr" "$work/gdbinit.d" -name '*.gdb')" ] || { echo "WRONG: uninstall"; status=1; }
[ $status -eq 0 ] || tail -n 20 "$work/out"
exit $status
