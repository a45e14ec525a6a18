#!/bin/sh
# hprof.sh - VisualVM's heap library opens our HPROF: classes, counts, sizes, and for every object
# and every holder the retained size that we found.
. tests/clients/common.inc
need javac default-jdk-headless
library=
for jar in /usr/share/visualvm/*/modules/org-graalvm-visualvm-lib-jfluid-heap.jar; do
	[ -e "$jar" ] && library=$jar
done
[ -n "$library" ] || skip "VisualVM's heap library is not installed (package visualvm)"
javac -cp "$library" -d "$work" tests/clients/HeapReader.java || exit 1

core_of demo cases cxx random
for case in demo cases cxx random; do
	program=$(program_of $case)
	"$HF" export --format=hprof "$work/$case.core" "$program" -o "$work/$case.hprof" \
		2>"$work/notes" </dev/null || wrong "$case: export"
	mkdir "$work/tmp" # the library keeps its index there
	java -Xmx512m -Djava.io.tmpdir="$work/tmp" -cp "$work:$library" HeapReader \
		"$work/$case.hprof" >"$work/told" || wrong "$case: VisualVM does not read it"
	rm -rf "$work/tmp"
	"$HF" query --csv -q "$work/$case.core" "$program" "SELECT id, address, chunk_size, usable,
		retained, dominator, type FROM objects ORDER BY id" >"$work/objects.csv"
	"$HF" query --csv -q "$work/$case.core" "$program" "SELECT id, retained, name FROM nodes
		WHERE kind NOT IN ('object', 'root') ORDER BY id" >"$work/holders.csv"
	python3 tests/clients/compare_hprof.py "$work/told" "$work/objects.csv" \
		"$work/holders.csv" >"$work/compared" || wrong "$case: VisualVM finds other figures"
	cat "$work/compared"
	# What does not fit is told, with the figures that VisualVM has.
	set -- $(sed -n 's/^enlarged //p' "$work/compared")
	if [ "$1" -gt 0 ]; then
		grep -q " $1 objects .* larger here, by $2 bytes" "$work/notes" ||
			wrong "$case: $1 objects are $2 bytes larger, but told is: $(cat "$work/notes")"
	fi
done
exit $status
