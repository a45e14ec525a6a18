#!/bin/sh
# install.sh - make install into a folder, with a prefix: all of it is there and works, programs link
# with the library, and make uninstall leaves nothing.
# Plain build only: the others are not installed.
. fixtures/core.sh
. fixtures/installed.sh
command -v pkg-config >/dev/null || { echo "pkg-config is not installed"; exit 77; }
HF=${HF:-$PWD/build/heapforensics}
FIX=${FIX:-$PWD/build/fixtures}
work=$(new_folder)
trap 'rm -rf "$work"' EXIT
status=0
unset MAKEFLAGS MFLAGS

dump "$work/core.demo" "$FIX/demo_server" 500 5 || exit 1
make -s install DESTDIR="$work/root" PREFIX=/opt/forensics >"$work/log" 2>&1 ||
	{ cat "$work/log"; exit 1; }
check_program "$work/root" /opt/forensics "$work/core.demo" "$FIX/demo_server"
check_library "$work/root" /opt/forensics/lib "$work/core.demo" "$FIX/demo_server"
make -s uninstall DESTDIR="$work/root" PREFIX=/opt/forensics >"$work/log" 2>&1 || wrong "uninstall"
left=$(find "$work/root" ! -type d)
[ -z "$left" ] || wrong "uninstall leaves $left"
exit $status
