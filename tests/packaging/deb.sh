#!/bin/sh
# deb.sh - the Debian packages: they build, lintian has nothing against them, and what is in them
# runs from a scratch root.
. fixtures/core.sh
. fixtures/installed.sh
for tool in dpkg-buildpackage dh dpkg-deb fakeroot; do
	command -v $tool >/dev/null || { echo "$tool is not installed"; exit 77; }
done
HF=${HF:-$PWD/build/heapforensics}
FIX=${FIX:-$PWD/build/fixtures}
work=$(new_folder)
trap 'rm -rf "$work"' EXIT
status=0

# Build-Depends are those that make itself would install; the tests' framework is for tests.
for package in $(make -s print-build-deps | tr ' ' '\n' | grep -e '-dev$' | grep -v cmocka); do
	grep -q "^ $package,\{0,1\}$" packaging/debian/control || wrong "$package is not in debian/control"
done
version=$(make -s print-version)
sh packaging/deb.sh "$version" "$work/deb" >"$work/log" 2>&1 || { tail -n 40 "$work/log"; exit 1; }
grep -q 'warning:' "$work/log" && { wrong "the build warns:"; grep -A 5 'warning:' "$work/log"; }
if command -v lintian >/dev/null; then
	lintian --allow-root "$work/deb"/*.changes >"$work/lintian" 2>&1 || wrong "lintian fails"
	[ ! -s "$work/lintian" ] || { wrong "lintian says:"; cat "$work/lintian"; }
else
	echo "lintian is not installed: not asked"
fi
for package in heapforensics libheapforensics0 libheapforensics-dev; do
	set -- "$work/deb/${package}_${version}_"*.deb
	[ "$(dpkg-deb -f "$1" Version)" = "$version" ] || wrong "the version of $package"
	dpkg-deb -f "$1" Depends | grep -q libc6 || [ $package = libheapforensics-dev ] || wrong "$package: no libc6"
	dpkg -x "$1" "$work/root" || wrong "$package cannot be unpacked"
done
dump "$work/core.demo" "$FIX/demo_server" 500 5 || exit 1
check_program "$work/root" /usr "$work/core.demo" "$FIX/demo_server"
libdir=$(dirname "$(cd "$work/root" && find usr/lib -name libheapforensics.a)")
check_library "$work/root" "/$libdir" "$work/core.demo" "$FIX/demo_server"
exit $status
