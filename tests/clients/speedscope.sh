#!/bin/sh
# speedscope.sh - our profiles are valid by speedscope's own schema, and the stacks add up to the
# heap; folded stacks say the same.
. tests/clients/common.inc
need_npm

core_of demo cases cxx random
for case in demo cases cxx random; do
	export_of $case speedscope
	export_of $case folded
	bytes=$(ask $case "SELECT sum(chunk_size) FROM objects")
	objects=$(ask $case "SELECT count(*) FROM objects")
	node - "$work/$case.speedscope" "$work/$case.folded" "$bytes" "$objects" <<-'NODE' ||
		const fs = require('fs'), Ajv = require('ajv'), assert = require('assert');
		const [, , path, folded, bytes, objects] = process.argv;
		const schema = JSON.parse(fs.readFileSync(
			require.resolve('speedscope/dist/release/file-format-schema.json')));
		const file = JSON.parse(fs.readFileSync(path));
		const validate = new Ajv({allErrors: true}).compile(schema);
		assert(validate(file), JSON.stringify(validate.errors));
		// A schema that refuses nothing would prove nothing.
		assert(!validate({...file, profiles: [{type: 'sampled'}]}));
		const sum = numbers => numbers.reduce((a, b) => a + b, 0);
		const [ofBytes, ofObjects] = file.profiles;
		assert.equal(sum(ofBytes.weights), bytes);
		assert.equal(ofBytes.endValue, bytes);
		assert.equal(sum(ofObjects.weights), objects);
		assert.equal(ofObjects.endValue, objects);
		for (const profile of file.profiles) {
			assert.equal(profile.samples.length, profile.weights.length);
			for (const frame of profile.samples.flat())
				assert(file.shared.frames[frame], `frame ${frame}`);
		}
		// The same stacks, as flamegraph.pl reads them: the last blank splits.
		const frames = file.shared.frames.map(f => f.name.replaceAll(';', ':'));
		const ours = ofBytes.samples.map((s, i) =>
			s.map(f => frames[f]).join(';') + ' ' + ofBytes.weights[i]);
		const lines = fs.readFileSync(folded, 'utf8').trimEnd().split('\n');
		assert.deepEqual(lines, ours.filter(l => !l.endsWith(' 0')));
		for (const line of lines)
			assert(/^[^;]+(;[^;]+)* \d+$/.test(line), line);
		console.log(`${lines.length} stacks, ${bytes} bytes, ${objects} objects`);
	NODE
		wrong "$case: speedscope"
done
exit $status
