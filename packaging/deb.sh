#!/bin/sh
# deb.sh VERSION TO - build the Debian packages of this tree in the folder TO/ (packages, .changes).
#
# The tree is copied, so that debian/ (packaging/debian) and what debhelper leaves behind do not
# stand in it. What git does not know is not packaged; without git, nothing that was built is.
set -e
version=$1 to=$2
cd "$(dirname "$0")/.."
command -v dpkg-buildpackage >/dev/null && command -v dh >/dev/null || {
	echo "make deb needs dpkg-dev and debhelper, which are not here" >&2
	exit 2
}
[ "$(dpkg-parsechangelog -l packaging/debian/changelog -S Version)" = "$version" ] || {
	echo "packaging/debian/changelog is not of version $version" >&2
	exit 2
}
tree=$to/heapforensics-$version
rm -rf "$to"
mkdir -p "$tree"
if git rev-parse --git-dir >/dev/null 2>&1; then
	git ls-files -z
else
	find . -name build -prune -o -name 'build-*' -prune -o -type f -print0
fi | tar --null --files-from=- -cf - | tar -C "$tree" -xf -
cp -r packaging/debian "$tree/debian"
cd "$tree"
# Not the flags of the make that called this one.
unset MAKEFLAGS MFLAGS CFLAGS LDFLAGS BUILD SANITIZE OPT DEVELOPER
dpkg-buildpackage -b -us -uc -rfakeroot ${DEB_JOBS:--j2}
cd ..
rm -rf "heapforensics-$version"
ls ./*.deb ./*.ddeb 2>/dev/null || true
