/*
 * sizes.js - the histogram of chunk sizes.
 */
(() => {
	const sizeText = (table, i) => {
		const from = table.get('from_bytes', i),
			to = table.get('to_bytes', i);
		return from === to ? HF.bytes(to) : HF.bytes(from) + ' to ' + HF.bytes(to);
	};

	const histogram = (table, unit) => {
		const value = (state, i) => table.get(state + '_' + unit, i);
		const height = 100,
			count = table.rows;
		let most = 1,
			paths = {inuse: '', free: ''};
		for (let i = 0; i < count; i++)
			most = Math.max(most, value('inuse', i) + value('free', i));
		for (let i = 0; i < count; i++) {
			const used = (value('inuse', i) / most) * height,
				free = (value('free', i) / most) * height;
			paths.inuse +=
				'M' +
				(i + 0.08) +
				' ' +
				height +
				'v-' +
				used +
				'h.84v' +
				used +
				'z';
			if (free)
				paths.free +=
					'M' +
					(i + 0.08) +
					' ' +
					(height - used) +
					'v-' +
					free +
					'h.84v' +
					free +
					'z';
		}
		const picture = HF.svg(
			'svg',
			{
				viewBox: '0 0 ' + count + ' ' + height,
				preserveAspectRatio: 'none',
				class: 'histogram',
				'aria-hidden': 'true',
			},
			HF.svg('path', {d: paths.inuse, class: 'inuse'}),
			HF.svg('path', {d: paths.free, class: 'bins'}),
		);
		const text = unit === 'bytes' ? HF.bytes : HF.count;
		const [frame, line] = HF.cursor(
			picture,
			'Histogram of chunk sizes',
			count,
			(i) => [i / count, 1 / count],
			(i) =>
				'chunks of ' +
				sizeText(table, i) +
				': in use ' +
				HF.count(table.get('inuse_count', i)) +
				' (' +
				HF.bytes(table.get('inuse_bytes', i)) +
				'), free ' +
				HF.count(table.get('free_count', i)) +
				' (' +
				HF.bytes(table.get('free_bytes', i)) +
				')',
		);
		const every = Math.max(1, Math.ceil(count / 8));
		const axis = HF.el(
			'div',
			{class: 'axis', 'aria-hidden': 'true'},
			Array.from({length: count}, (unused, i) => i)
				.filter((i) => i % every === 0)
				.map((i) =>
					HF.el(
						'span',
						{
							class: i / count > 0.9 ? 'last' : '',
							css: {left: (i / count) * 100 + '%'},
						},
						HF.bytes(table.get('to_bytes', i)),
					),
				),
		);
		return HF.el(
			'div',
			{class: 'chart'},
			HF.el('span', {class: 'scale', 'aria-hidden': 'true'}, text(most)),
			frame,
			axis,
			line,
		);
	};

	const sizesTable = (table) =>
		new HF.Table({
			label: 'Chunks by size',
			rows: Array.from({length: table.rows}, (unused, i) => i),
			page: 30,
			columns: [
				{
					key: 'size',
					label: 'chunks of',
					kind: 'bytes',
					value: (i) => table.get('to_bytes', i),
					cell: (i) => sizeText(table, i),
				},
			].concat(
				[
					['inuse_count', 'in use', 'count'],
					['inuse_bytes', 'bytes in use', 'bytes'],
					['free_count', 'free', 'count'],
					['free_bytes', 'bytes free', 'bytes'],
				].map(([key, label, kind]) => ({
					key,
					label,
					kind,
					value: (i) => table.get(key, i),
				})),
			),
		});

	HF.sizesSection = () => {
		const table = HF.data.table('sizes');
		if (!table || !table.rows || table.kind('inuse_bytes') === 'none') return null;
		const place = HF.el('div', {});
		const draw = (unit) => place.replaceChildren(histogram(table, unit));
		draw('bytes');
		return HF.section(
			'x-sizes',
			'Sizes',
			'chunks by size class, headers included; point at a bar, or go there with the arrow keys',
			HF.el(
				'div',
				{class: 'controls'},
				HF.choice(
					'Height',
					[
						{key: 'bytes', label: 'bytes'},
						{key: 'count', label: 'objects'},
					],
					'bytes',
					draw,
				),
			),
			place,
			HF.legend([
				{class: 'inuse', name: 'in use'},
				{
					class: 'bins',
					name: HF.anyLayer()
						? 'free, in bins, tcaches and pools'
						: 'free, in bins and tcaches',
				},
			]),
			HF.el(
				'details',
				{},
				HF.el('summary', {}, 'As a table'),
				sizesTable(table).root,
			),
		);
	};
})();
