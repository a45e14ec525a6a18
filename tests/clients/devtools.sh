#!/bin/sh
# devtools.sh - Chrome DevTools' own loader opens our heap snapshots, and finds for every object
# and every holder the retained size that we found.
. tests/clients/common.inc
need_npm
core_of demo cases cxx random
node tests/clients/devtools-build.mjs tests/clients/devtools.mjs "$work/devtools.mjs" || exit 1
for case in demo cases cxx random; do
	export_of $case heapsnapshot
	node "$work/devtools.mjs" "$work/$case.heapsnapshot" >"$work/nodes" ||
		wrong "$case: DevTools does not load it"
	compare_nodes $case "$work/nodes" || wrong "$case: DevTools finds other figures"
done
exit $status
