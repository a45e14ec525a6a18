#!/bin/sh
# html.sh - pages opened in headless Chromium: no error, no request; zoom, search, sorting and
# filtering by click and by key; hostile strings stay text; a million objects make a small file.
# (Their figures: e2e/html.sh.)
#
# HF_SHOTS=DIR keeps pictures of the pages there.
. fixtures/core.sh
HF=${HF:-build/heapforensics}
work=$(new_folder)
trap 'rm -rf "$work"' EXIT
chromium=
for candidate in chromium chromium-browser google-chrome; do
	command -v $candidate >/dev/null && chromium=$(command -v $candidate) && break
done
[ -n "$chromium" ] || { echo "chromium is not installed"; exit 77; }
python=
for candidate in python3 /usr/bin/python3; do
	command -v $candidate >/dev/null && $candidate -c 'import json, select' && python=$candidate && break
done
[ -n "$python" ] || { echo "python3 is not installed"; exit 77; }

dump "$work/core.page" "$FIX/page_heap" '</title><script>window.hacked=1</script>' || exit 1
"$HF" -q "$work/core.page" "$FIX/page_heap" --html -o "$work/page.html" || exit 1
dump "$work/core.old" "$FIX/demo_server" 1000 10 || exit 1
dump "$work/core.new" "$FIX/demo_server" 1500 90 || exit 1
"$HF" diff -q "$work/core.old" "$work/core.new" "$FIX/demo_server" --html -o "$work/diff.html" || exit 1
"$HF" leaks -q "$work/core.new" "$FIX/demo_server" --html -o "$work/leaks.html" || exit 1
dump "$work/core.corrupt" "$FIX/corrupt" overflow || exit 1
"$HF" -q "$work/core.corrupt" "$FIX/corrupt" --html -o "$work/corrupt.html" || exit 1
# Cut in the middle of the heap.
head -c 3000000 "$work/core.new" >"$work/core.cut"
"$HF" -q "$work/core.cut" "$FIX/demo_server" --html >"$work/cut.html" || exit 1
# A million objects.
dump "$work/core.big" "$FIX/page_heap" big 6 350000 || exit 1
"$HF" -q "$work/core.big" "$FIX/page_heap" --html -o "$work/big.html" || exit 1
rm -f "$work"/core.*

PYTHONPATH=tests/clients PYTHONDONTWRITEBYTECODE=1 $python tests/clients/html.py "$chromium" "$work"
