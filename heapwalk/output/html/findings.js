/*
 * findings.js - broken invariants, each with the broken word, the block that probably overran, and
 * the bytes around it; those that the program did not look up are a table.
 */
(() => {
	const BLAME = {
		overflow: 'written past the end of',
		underflow: 'written before the start of',
		'use-after-free': 'written to after free():',
		'double-free': 'freed twice:',
		'wrong-free': 'free() was given a pointer into',
	};

	const code = (address) => HF.el('code', {}, '0x' + address);
	const badge = (severity) => HF.el('span', {class: 'badge ' + severity}, severity);

	const word = (get) =>
		get('word') && [
			code(get('word')),
			get('found') ? [' holds ', code(get('found'))] : ' is missing',
			get('expected') ? [', should hold ', code(get('expected'))] : null,
		];

	const culprit = (get) =>
		get('culprit') && [
			(BLAME[get('blame')] || 'perhaps') + ' ',
			code(get('culprit')),
			get('culprit_bytes') !== null
				? ', ' +
					HF.bytes(get('culprit_bytes')) +
					(get('culprit_state') === 'inuse' ? ' in use' : ', free')
				: null,
			get('culprit_type') ? ': ' + get('culprit_type') : null,
			get('culprit_content')
				? [' ', HF.el('code', {}, get('culprit_content'))]
				: null,
			get('culprit_holder') ? ', held by ' + get('culprit_holder') : null,
		];

	const malloc = (get) =>
		get('malloc_says') &&
		(get('met')
			? 'stopped the process here'
			: 'would say \u201c' + get('malloc_says') + '\u201d');

	/* Lines are told apart by \n in the data; the broken word stands in brackets. */
	const dump = (text) =>
		HF.el(
			'pre',
			{},
			text
				.split('\\n')
				.filter((line) => line)
				.map((line) => {
					const part = /^(.*)(\[[0-9a-f ]+\])(.*)$/.exec(line);
					return part
						? [
								part[1],
								HF.el('mark', {}, part[2]),
								part[3] + '\n',
							]
						: line + '\n';
				}),
		);

	const card = (table, i) => {
		const get = (key) => table.get(key, i);
		const rows = [
			['word', word(get)],
			['culprit', culprit(get)],
			['pointers', get('dangling')],
			['malloc', malloc(get)],
		];
		return HF.el(
			'details',
			{class: 'leak finding', open: i < 3},
			HF.el(
				'summary',
				{},
				badge(get('severity')),
				HF.el('span', {class: 'name'}, get('code')),
				get('address')
					? HF.el(
							'span',
							{class: 'aside'},
							code(get('address')),
							get('arena') !== null
								? ', arena ' + get('arena')
								: null,
						)
					: null,
			),
			HF.el('p', {}, get('message')),
			HF.el(
				'dl',
				{class: 'fields'},
				rows
					.filter((row) => row[1])
					.map(([key, value]) =>
						HF.el(
							'div',
							{},
							HF.el('dt', {}, key),
							HF.el('dd', {}, value),
						),
					),
			),
			get('hexdump') ? dump(get('hexdump')) : null,
		);
	};

	const short = (table, rows) =>
		new HF.Table({
			label: 'More findings',
			rows,
			page: 40,
			filter: 'Filter findings',
			matches: (i) =>
				[
					table.get('severity', i),
					table.get('code', i),
					table.get('message', i),
					'0x' + table.get('address', i),
				].join(' '),
			columns: [
				{
					key: 'severity',
					label: 'severity',
					kind: 'text',
					value: (i) => table.get('severity', i),
					cell: (i) => badge(table.get('severity', i)),
				},
				{
					key: 'code',
					label: 'code',
					kind: 'text',
					value: (i) => table.get('code', i),
				},
				{
					key: 'address',
					label: 'address',
					kind: 'address',
					value: (i) => table.get('address', i),
				},
				{
					key: 'message',
					label: 'what',
					kind: 'text',
					wide: true,
					value: (i) => table.get('message', i),
				},
			],
		});

	HF.findingsSection = () => {
		const table = HF.data.table('findings'),
			fields = HF.data.fields;
		if (!table || !table.rows) return null;
		const rows = Array.from({length: table.rows}, (unused, i) => i),
			told = (i) => table.get('word', i) || table.get('hexdump', i);
		const cards = rows.filter(told),
			others = rows.filter((i) => !told(i));
		return HF.section(
			'x-findings',
			'Broken invariants',
			HF.plural(fields.findings_count, 'finding'),
			HF.el(
				'div',
				{class: 'leaks'},
				cards.map((i) => card(table, i)),
			),
			others.length ? short(table, others).root : null,
			fields.findings_count > table.rows
				? HF.el('p', {class: 'note'}, 'Of each code the first are kept.')
				: null,
		);
	};
})();
