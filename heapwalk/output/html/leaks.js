/*
 * leaks.js - the groups of what is lost, each with the chain of one example.
 */
(() => {
	const at = (table, i) => (table.get('address', i) ? '0x' + table.get('address', i) : '');
	/* One object's name ends with its address, which has a column here. */
	const what = (table, i) => {
		const name = table.get('what', i) || '?',
			end = ' ' + at(table, i);
		return end.length > 1 && name.endsWith(end) ? name.slice(0, -end.length) : name;
	};

	const chain = (table, rows, above) =>
		HF.el(
			'table',
			{class: 'chain tree'},
			HF.el(
				'caption',
				{},
				above
					? 'The pointers that lead to the example; one of them points into the middle of a block:'
					: 'What only the example leads to, like objects together:',
			),
			HF.el(
				'thead',
				{},
				HF.el(
					'tr',
					{},
					['object', 'at', 'keeps'].map((name, i) =>
						HF.el(
							'th',
							{scope: 'col', class: i === 2 ? 'n' : 't'},
							name,
						),
					),
				),
			),
			HF.el(
				'tbody',
				{},
				rows.map((i) =>
					HF.el(
						'tr',
						{},
						HF.el(
							'th',
							{scope: 'row', class: 't wide'},
							Array.from({length: table.depth[i]}, () =>
								HF.el('i', {}),
							),
							what(table, i),
						),
						HF.el(
							'td',
							{class: 't'},
							HF.el('code', {}, at(table, i)),
						),
						HF.el(
							'td',
							{class: 'n'},
							HF.bytes(table.get('retained_bytes', i)),
						),
					),
				),
			),
		);

	const leak = (groups, chains, rows, i) => {
		const get = (key) => groups.get(key, i),
			possible = get('kind') === 'possible';
		const address = '0x' + get('example'),
			count = get('count');
		return HF.el(
			'details',
			{
				class: 'leak',
				'data-text': [
					get('type'),
					get('kind'),
					get('content') || '',
					address,
				]
					.join(' ')
					.toLowerCase(),
			},
			HF.el(
				'summary',
				{},
				HF.el('span', {class: 'badge ' + get('kind')}, get('kind')),
				HF.el('span', {class: 'name'}, get('type') || '?'),
				HF.el('span', {class: 'size'}, HF.bytes(get('retained_bytes'))),
				HF.el(
					'span',
					{class: 'aside'},
					HF.plural(count, possible ? 'object' : 'leader') +
						' of ' +
						HF.bytes(get('usable_bytes')),
				),
			),
			HF.el(
				'p',
				{},
				'For example ',
				HF.el('code', {}, address),
				get('content') ? [': ', HF.el('code', {}, get('content'))] : null,
			),
			rows && rows.length
				? HF.el('div', {class: 'scroll'}, chain(chains, rows, possible))
				: null,
			HF.el(
				'p',
				{class: 'run'},
				HF.el(
					'code',
					{class: 'command'},
					HF.command(possible ? 'path' : 'object', address),
				),
				HF.copyButton(
					() => HF.command(possible ? 'path' : 'object', address),
					'Copy the command',
				),
			),
		);
	};

	HF.leaksSection = () => {
		const groups = HF.data.table('groups'),
			chains = HF.data.table('chains');
		if (!groups || !groups.rows) return null;
		const rowsOf = new Map();
		for (let i = 0; chains && i < chains.rows; i++) {
			const group = chains.get('group', i);
			if (!rowsOf.has(group)) rowsOf.set(group, []);
			rowsOf.get(group).push(i);
		}
		const list = HF.el(
			'div',
			{class: 'leaks'},
			Array.from({length: groups.rows}, (unused, i) =>
				leak(groups, chains, rowsOf.get(i), i),
			),
		);
		const found = HF.el('output', {class: 'found'});
		const input = HF.el('input', {
			type: 'search',
			class: 'search',
			placeholder: 'Filter leaks',
			'aria-label': 'Filter leaks',
			spellcheck: 'false',
			autocomplete: 'off',
		});
		input.addEventListener('input', () => {
			const query = input.value.trim().toLowerCase();
			let shown = 0;
			for (const one of list.children) {
				one.hidden = query !== '' && !one.dataset.text.includes(query);
				shown += one.hidden ? 0 : 1;
			}
			found.textContent = query ? HF.plural(shown, 'group') : '';
		});
		if (list.firstElementChild) list.firstElementChild.open = true;
		return HF.section(
			'x-leaks',
			'Leaks with chains',
			'same type and size together; sizes are what they drag along',
			groups.rows > 5
				? HF.el(
						'div',
						{class: 'controls'},
						HF.el('span', {class: 'searching'}, input, found),
					)
				: null,
			list,
		);
	};
})();
