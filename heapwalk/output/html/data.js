/*
 * data.js - the tables behind the page, as the program wrote them (output/html_data.c).
 */
(() => {
	const raw = JSON.parse(document.getElementById('data').textContent || '{}');
	const strings = raw.strings || [];
	const none = {kind: 'none', values: []};

	const table = (key) => {
		const from = raw.tables && raw.tables[key];
		if (!from) return null;
		const column = (name) => from.columns[name] || none;
		return {
			rows: from.rows,
			depth: from.depth || [],
			kind: (name) => column(name).kind,
			get: (name, row) => {
				const of = column(name),
					value = of.values[row];
				if (of.kind === 'text') return value >= 0 ? strings[value] : null;
				return value === undefined ? null : value;
			},
			sum: (name) =>
				column(name).values.reduce((sum, value) => sum + (value || 0), 0),
		};
	};
	HF.data = {
		command: raw.command || '',
		fields: raw.fields || {},
		left_out: raw.strings_left_out || 0,
		table,
	};
	/* A command line of this program over the same core. */
	HF.command = (name, argument) =>
		['heapforensics', name, HF.data.fields.core, HF.data.fields.binary, argument]
			.filter((word) => word)
			.map(HF.shellWord)
			.join(' ');
})();
