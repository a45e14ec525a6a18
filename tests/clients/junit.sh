#!/bin/sh
# junit.sh - JUnit reports are well-formed and read by a library that CI tools use: gates are test
# cases, failed ones say the figure.
. tests/clients/common.inc
need xmllint libxml2-utils
need_python junitparser

core_of demo cases cxx
check() { # STATUS TESTS FAILED SKIPPED ARG...
	should=$1 tests=$2 failed=$3 skipped=$4
	shift 4
	"$HF" "$@" -q --junit -o "$work/junit.xml" 2>"$work/err"
	is=$?
	[ $is -eq "$should" ] || wrong "$* exits with $is: $(cat "$work/err")"
	xmllint --noout "$work/junit.xml" || wrong "$*: not well-formed"
	$python - "$work/junit.xml" "$tests" "$failed" "$skipped" <<'PYTHON' || wrong "$*"
import sys
from junitparser import Failure, JUnitXml, Skipped
path, *counts = sys.argv[1:]
tests, failed, skipped = map(int, counts)
suite, = JUnitXml.fromfile(path)
assert (suite.tests, suite.failures, suite.skipped) == (tests, failed, skipped), suite
cases = list(suite)
kinds = [type(r) for case in cases for r in case.result]
assert (len(cases), kinds.count(Failure), kinds.count(Skipped)) == (tests, failed, skipped), kinds
for case in cases:
    assert case.classname == suite.name and case.name
    for result in case.result:
        print(case.name, "-", result.message)
out = suite._elem.findtext("system-out")
assert any(heading in out for heading in ("LEAKS", "HEAP", "EVIDENCE")), out
PYTHON
}
demo="$work/demo.core $FIX/demo_server"
check 0 1 0 0 leaks $demo
check 0 2 0 0 leaks $demo --fail-if 'leaked_bytes > 1MiB'
check 1 3 1 0 leaks $demo --fail-if 'leaked_bytes > 1KiB' --fail-if 'findings > 0'
check 1 3 2 0 summary $demo --fail-if 'retained("g_sessions") > 10%' --fail-if "heap_objects != 0"
check 0 1 0 0 leaks "$work/cxx.core" "$FIX/cxx_containers"
dump "$work/more.core" "$FIX/demo_server" 2600 20 || exit 1
check 1 3 1 0 diff "$work/demo.core" "$work/more.core" "$FIX/demo_server" \
	--fail-if 'growth("g_sessions") > 10%' --fail-if 'growth_bytes > 10MiB'
grep -q 'it is [0-9.]* [KM]iB ([0-9]* bytes)' "$work/junit.xml" || wrong "the failure tells no figure"
# Missing evidence: skipped, or failed with --strict.
head -c $(($(wc -c <"$work/demo.core") / 2)) "$work/demo.core" >"$work/cut.core"
check 0 1 0 1 leaks "$work/cut.core" "$FIX/demo_server"
check 3 1 1 0 leaks "$work/cut.core" "$FIX/demo_server" --strict
exit $status
