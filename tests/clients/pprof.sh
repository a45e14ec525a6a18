#!/bin/sh
# pprof.sh - go tool pprof opens our profile: flat is shallow, cum is retained, differences are
# growth, and its web pages show it.
. tests/clients/common.inc
need go golang-go
need dot graphviz
need_python urllib.request
HOME=$work
PPROF_TMPDIR=$work
export HOME PPROF_TMPDIR

pprof() { go tool pprof -unit=B "$@" 2>"$work/pprof.err" || { cat "$work/pprof.err"; wrong "pprof $*"; }; }

# "FLAT CUM NAME" of every row of -top.
rows() {
	pprof -top -nodecount=100000 -nodefraction=0 "$@" |
		awk 'seen {flat = $1; cum = $4; $1 = $2 = $3 = $4 = $5 = ""; sub(/^ */, "")
			sub(/B$/, "", flat); sub(/B$/, "", cum); print flat, cum, $0}
		     $1 == "flat" {seen = 1}'
}

core_of demo cxx random
for case in demo cxx random; do
	export_of $case pprof
	profile=$work/$case.pprof
	rows "$profile" >"$work/rows"
	[ -s "$work/rows" ] || wrong "$case: -top has no rows"

	# All flats together are the heap in use; so they are in objects.
	flats=$(awk '{sum += $1} END {printf "%.0f", sum}' "$work/rows")
	heap=$(ask $case "SELECT sum(chunk_size) FROM objects")
	[ "$flats" = "$heap" ] || wrong "$case: the flats add up to $flats, the heap is $heap"
	objects=$(rows -sample_index=inuse_objects "$profile" | awk '{sum += $1} END {printf "%.0f", sum}')
	count=$(ask $case "SELECT count(*) FROM objects")
	[ "$objects" = "$count" ] || wrong "$case: $objects objects of $count"

	# cum of a variable is its retained size.
	ask $case "SELECT name, sum(retained) FROM holders WHERE kind = 'variable' AND retained > 0
		GROUP BY 1" >"$work/holders"
	[ -s "$work/holders" ] || wrong "$case: no variable holds anything"
	while IFS='|' read -r name retained; do
		cum=$(awk -v name="$name" '{c = $2; $1 = $2 = ""; sub(/^ */, "")
			if ($0 == name || index($0, name " (") == 1) print c}' "$work/rows")
		[ "$cum" = "$retained" ] || wrong "$case: cum of $name is '$cum', retained is $retained"
	done <"$work/holders"

	# flat of a type is what its objects take.
	ask $case "SELECT sum(chunk_size), count(*), type FROM objects GROUP BY type" >"$work/types"
	while IFS='|' read -r bytes count type; do
		grep -qxF "$bytes" <<-FLATS || wrong "$case: flat of '$type' is not $bytes"
			$(awk -v type="$type" '{f = $1; $1 = $2 = ""; sub(/^ */, ""); if ($0 == type) print f}' "$work/rows")
		FLATS
	done <"$work/types"
done

# The other listings.
peek=$(pprof -peek g_sessions "$work/demo.pprof")
for line in "| *variables" "| *g_sessions" "100% |   struct table"; do
	echo "$peek" | grep -q "$line" || wrong "-peek g_sessions lacks '$line': $peek"
done
traces=$(pprof -traces "$work/demo.pprof" | grep -c 'g_sessions')
samples=$(pprof -raw "$work/demo.pprof" | awk '/^Samples:/ {on = 1; next} /^Locations/ {on = 0}
	on && $1 ~ /^[0-9]+$/' | wc -l)
[ "$traces" -ge 3 ] && [ "$samples" -ge "$traces" ] || wrong "-traces tells $traces of $samples stacks"
pprof -tree "$work/demo.pprof" | grep -q g_sessions || wrong "-tree"
pprof -svg -output "$work/demo.svg" "$work/demo.pprof" >/dev/null
grep -q g_sessions "$work/demo.svg" || wrong "-svg"

# A difference of two exports is the growth; of an export with itself, nothing.
dump "$work/grown.core" "$FIX/demo_server" 2500 20 || exit 1
ln -s "$FIX/demo_server" "$work/grown.program"
export_of grown pprof
before=$(ask demo "SELECT retained FROM holders WHERE name = 'g_sessions'")
after=$(ask grown "SELECT retained FROM holders WHERE name = 'g_sessions'")
cum=$(rows -diff_base "$work/demo.pprof" "$work/grown.pprof" | awk '$3 == "g_sessions" {print $2}')
[ "$cum" = $((after - before)) ] || wrong "-diff_base: '$cum' instead of $((after - before))"
[ "$after" -gt "$before" ] || wrong "nothing grew"
none=$(rows -diff_base "$work/demo.pprof" "$work/demo.pprof" | awk '$1 != 0 || $2 != 0')
[ -z "$none" ] || wrong "-diff_base with itself: $none"

# The web pages.
port=$($python -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
go tool pprof -no_browser -http="127.0.0.1:$port" "$work/demo.pprof" >"$work/http.log" 2>&1 &
server=$!
$python - "$port" <<'PYTHON' || { cat "$work/http.log"; wrong "-http"; }
import sys, time, urllib.request
base = f"http://127.0.0.1:{sys.argv[1]}"
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
def page(path):
    for wait in range(100):
        try:
            return opener.open(base + path, timeout=30).read().decode()
        except urllib.error.HTTPError:
            raise
        except OSError:
            time.sleep(0.1)
    sys.exit(f"{path}: no answer")
for path in ("/ui/", "/ui/top", "/ui/flamegraph", "/ui/peek?f=g_sessions"):
    text = page(path)
    if "g_sessions" not in text:
        sys.exit(f"{path} does not tell of g_sessions")
    print(path, len(text))
PYTHON
kill $(pgrep -P $server) $server # go tool, and the pprof that it started
wait $server 2>/dev/null
exit $status
