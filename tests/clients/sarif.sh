#!/bin/sh
# sarif.sh - our SARIF is valid by OASIS's schema and by Microsoft's validator, and their tool
# matches the results of two runs: what is the same is unchanged, what came is new.
. tests/clients/common.inc
need_npm
tool=$npm/node_modules/@microsoft/sarif-multitool-linux
DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1 # needs no libicu
export DOTNET_SYSTEM_GLOBALIZATION_INVARIANT

multitool() { "$tool/Sarif.Multitool" "$@" >"$work/told" 2>&1; }

valid() { # FILE: by the schema, and by the validator, whose output is read: it exits with 0
	node - "$tool/sarif-2.1.0.json" "$1" <<-'NODE' || wrong "$1: not valid by the schema"
		const fs = require('fs'), Ajv = require('ajv'), assert = require('assert');
		const schema = JSON.parse(fs.readFileSync(process.argv[2]));
		schema.$schema = 'http://json-schema.org/draft-07/schema#';
		delete schema.id;
		const validate = new Ajv({allErrors: true, schemaId: 'auto'}).compile(schema);
		const log = JSON.parse(fs.readFileSync(process.argv[3]));
		assert(validate(log), JSON.stringify(validate.errors, null, 1));
		for (const result of log.runs[0].results)
			assert.equal(log.runs[0].tool.driver.rules[result.ruleIndex].id, result.ruleId);
		assert(!validate({...log, runs: [{...log.runs[0], results: [{level: 'bad'}]}]}));
	NODE
	multitool validate "$1" --level "Error;Warning;Note" --log ForceOverwrite -o "$work/v.sarif"
	grep -q "1 files scanned" "$work/told" || { cat "$work/told"; wrong "$1: not looked at"; }
	# There is no page about the tool to point to (SARIF2005); where no source line is known, the
	# program as a whole is the place (SARIF2017). Notes are about what could be told besides.
	grep -E ': (error|warning) ' "$work/told" | grep -vE 'SARIF2005|SARIF2017' &&
		wrong "$1: the validator complains"
	grep -q 'SARIF2005' "$work/told" || { cat "$work/told"; wrong "$1: no rule was tried"; }
}

# The validator does find what is wrong.
echo '{"version": "2.1.0", "runs": [{"results": [{"message": "x"}]}]}' >"$work/bad.sarif"
multitool validate "$work/bad.sarif" -o "$work/v.sarif"
grep -q 'error JSON' "$work/told" || wrong "the validator takes anything"

core_of demo cases cxx random
for case in demo cases cxx random; do
	for command in leaks check report; do
		"$HF" $command --sarif -q "$work/$case.core" "$(program_of $case)" \
			-o "$work/$case.$command.sarif" || wrong "$command --sarif of $case"
		valid "$work/$case.$command.sarif"
	done
done

# Source lines: of the lost class, and of the variable that holds.
python3 - "$work" <<'PYTHON' || status=1
import json, re, sys
def results(name):
    return json.load(open(f"{sys.argv[1]}/{name}.sarif"))["runs"][0]["results"]
def place(result):
    at = result["locations"][0]["physicalLocation"]
    return at["artifactLocation"]["uri"], at["region"]["startLine"]
def line_of(path, pattern):
    return next(n for n, line in enumerate(open(path), 1) if re.search(pattern, line))
lost, = [r for r in results("cxx.leaks") if "app::Lost" in r["message"]["text"]]
assert place(lost) == ("fixtures/cxx_containers.cc",
                       line_of("fixtures/cxx_containers.cc", r"(struct|class) Lost")), place(lost)
assert lost["level"] == "error" and lost["properties"]["count"] == 7
held, = [r for r in results("demo.report") if r["ruleId"] == "retention-suspect"]
assert place(held) == ("fixtures/demo_server.c",
                       line_of("fixtures/demo_server.c", r"struct table \*g_sessions;")), place(held)
print(place(lost), place(held))
PYTHON

# Another run of the program, with more of the same and something new.
dump "$work/again.core" "$FIX/demo_server" 3000 35 || exit 1
ln -s "$FIX/demo_server" "$work/again.program"
for command in leaks report; do
	"$HF" $command --sarif -q "$work/again.core" "$FIX/demo_server" -o "$work/again.$command.sarif"
	multitool match-results-forward "$work/again.$command.sarif" \
		-r "$work/demo.$command.sarif" --log ForceOverwrite -o "$work/matched.sarif" ||
		{ cat "$work/told"; wrong "match-results-forward"; }
	python3 -c '
import json, sys
results = json.load(open(sys.argv[1]))["runs"][0]["results"]
states = {(r["ruleId"], r["baselineState"]) for r in results}
print(states)
assert results and all(state in ("unchanged", "updated") for rule, state in states), states
' "$work/matched.sarif" || wrong "$command: the same issues of two runs do not match"
done
multitool match-results-forward "$work/demo.leaks.sarif" -r "$work/cases.leaks.sarif" \
	--log ForceOverwrite -o "$work/matched.sarif"
grep -q '"baselineState": "new"' "$work/matched.sarif" || wrong "another program's leaks match"
exit $status
