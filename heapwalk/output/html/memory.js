/*
 * memory.js - arenas with their fragmentation, what is where in the heap, and the address
 * space as a whole.
 */
(() => {
	const STATES = [
		['inuse', 'in use'],
		['tcache', 'free in tcache'],
		['bins', 'free in bins'],
		['top', 'free at the top'],
		['overhead', 'overhead, or not malloc\u2019s'],
	];

	/* The allocator over malloc that @arena is of; null: it is malloc's. */
	const layerOf = (arena) => {
		const table = HF.data.table('arenas');
		return table && arena < table.rows ? table.get('layer', arena) : null;
	};
	HF.anyLayer = () => {
		const table = HF.data.table('arenas');
		for (let i = 0; table && i < table.rows; i++)
			if (table.get('layer', i)) return table.get('layer', i);
		return null;
	};
	/* What a layer has in the place of bins and of the top. */
	const LAYER_STATES = {bins: 'free in its pools', top: 'never used'};

	/* ---- arenas ----------------------------------------------------------------------------- */

	const arenaBar = (parts) => {
		const whole = parts.reduce((sum, part) => sum + part, 0) || 1;
		let x = 0;
		return HF.svg(
			'svg',
			{
				class: 'bar stack',
				viewBox: '0 0 100 8',
				preserveAspectRatio: 'none',
				'aria-hidden': 'true',
			},
			parts.map((part, i) => {
				const rect = HF.svg('rect', {
					x,
					width: (part / whole) * 100,
					height: 8,
					class: STATES[i][0],
				});
				x += (part / whole) * 100;
				return rect;
			}),
		);
	};

	const arenasTable = (table) => {
		const get = (key, i) => table.get(key, i) || 0;
		const parts = (i) =>
			[
				'inuse_bytes',
				'tcache_bytes',
				'bins_bytes',
				'top_bytes',
				'overhead_bytes',
			].map((key) => get(key, i));
		const free = (i) =>
			get('tcache_bytes', i) + get('bins_bytes', i) + get('top_bytes', i);
		const plain = ([key, label, kind]) => ({
			key,
			label,
			kind,
			value: (i) => get(key, i),
		});
		return new HF.Table({
			label: 'Arenas',
			rows: Array.from({length: table.rows}, (unused, i) => i),
			sort: 'system_bytes',
			page: 16,
			columns: [
				{
					key: 'arena',
					label: 'arena',
					kind: 'number',
					value: (i) => get('arena', i),
					cell: (i) =>
						get('arena', i) +
						(table.get('main', i) ? ' (main)' : '') +
						(table.get('layer', i)
							? ` (${table.get('layer', i)})`
							: ''),
				},
				{
					key: 'parts',
					label: 'parts',
					kind: 'bar',
					value: (i) => get('inuse_bytes', i),
					cell: (i) => arenaBar(parts(i)),
				},
				plain(['system_bytes', 'from the system', 'bytes']),
				plain(['inuse_bytes', 'in use', 'bytes']),
				{
					key: 'free',
					label: 'free',
					kind: 'share',
					value: (i) => free(i) / (get('system_bytes', i) || 1),
				},
				plain([
					'bins_bytes',
					HF.anyLayer() ? 'in bins or pools' : 'in bins',
					'bytes',
				]),
				plain(['bins_count', 'chunks', 'count']),
				plain(['biggest_bytes', 'biggest', 'bytes']),
				{
					key: 'fragmented',
					label: 'fragmented',
					kind: 'share',
					value: (i) =>
						get('bins_bytes', i)
							? 1 -
								get('biggest_bytes', i) /
									get('bins_bytes', i)
							: null,
				},
				plain(['top_bytes', 'top', 'bytes']),
				plain(['tcache_bytes', 'tcache', 'bytes']),
				plain(['page_bytes', 'free pages', 'bytes']),
			],
		});
	};

	/* ---- regions: where the free parts are -------------------------------------------------- */

	const regionPicture = (cells, first, count, size) => {
		const paths = STATES.map(() => '');
		for (let i = 0; i < count; i++) {
			let y = 40;
			const values = STATES.slice(0, 4).map(
				([key]) => cells.get(key, first + i) || 0,
			);
			values.push(
				Math.max(
					0,
					size(i) - values.reduce((sum, value) => sum + value, 0),
				),
			);
			values.forEach((value, state) => {
				const high = size(i) > 0 ? (value / size(i)) * 40 : 0;
				if (high < 0.02) return;
				paths[state] +=
					'M' +
					i +
					' ' +
					y.toFixed(2) +
					'v-' +
					high.toFixed(2) +
					'h1.02v' +
					high.toFixed(2) +
					'z';
				y -= high;
			});
		}
		return HF.svg(
			'svg',
			{
				viewBox: '0 0 ' + count + ' 40',
				preserveAspectRatio: 'none',
				class: 'region',
				'aria-hidden': 'true',
			},
			paths.map((d, state) =>
				d ? HF.svg('path', {d, class: STATES[state][0]}) : null,
			),
		);
	};

	const REGIONS = {brk: 'brk heap', heap: 'heap', pools: 'pools'};

	const region = (table, cells, i, first) => {
		const count = table.get('cells', i),
			bytes = table.get('bytes', i),
			start = BigInt('0x' + table.get('start', i));
		const edge = (cell) => Math.floor((bytes * cell) / count),
			size = (cell) => edge(cell + 1) - edge(cell);
		const layer = layerOf(table.get('arena', i));
		const name =
			'arena ' +
			table.get('arena', i) +
			(layer ? ` (${layer})` : '') +
			', ' +
			(REGIONS[table.get('kind', i)] || 'mmap');
		const used = Array.from(
			{length: count},
			(unused, k) => cells.get('inuse', first + k) || 0,
		).reduce((sum, value) => sum + value, 0);
		const tell = (cell) =>
			'0x' +
			(start + BigInt(edge(cell))).toString(16) +
			', ' +
			HF.bytes(size(cell)) +
			': ' +
			STATES.slice(0, 4)
				.map(([key, label]) => [
					cells.get(key, first + cell),
					(layer && LAYER_STATES[key]) || label,
				])
				.filter(([value]) => value)
				.map(([value, label]) => label + ' ' + HF.share(value / size(cell)))
				.join(', ');
		const [frame, line] = HF.cursor(
			regionPicture(cells, first, count, size),
			'Map of ' + name,
			count,
			(cell) => [cell / count, 1 / count],
			tell,
		);
		return HF.el(
			'div',
			{class: 'regionrow'},
			HF.el(
				'div',
				{class: 'caption'},
				HF.el('strong', {}, name),
				HF.el('code', {}, '0x' + table.get('start', i)),
				HF.el(
					'span',
					{},
					HF.bytes(bytes) + ', ' + HF.share(used / bytes) + ' in use',
				),
			),
			frame,
			line,
		);
	};

	const regions = () => {
		const table = HF.data.table('regions'),
			cells = HF.data.table('cells'),
			rows = [];
		if (!table || !cells) return [];
		for (let i = 0, first = 0; i < table.rows; first += table.get('cells', i), i++)
			rows.push({i, first});
		rows.sort((a, b) => table.get('bytes', b.i) - table.get('bytes', a.i));
		const some = rows.slice(0, 6).map((row) => region(table, cells, row.i, row.first));
		const more = rows.slice(6);
		const rest = more.length
			? HF.el(
					'details',
					{},
					HF.el(
						'summary',
						{},
						HF.plural(more.length, 'smaller region'),
					),
				)
			: null;
		/* Drawn when first opened. */
		if (rest)
			rest.addEventListener('toggle', () => {
				if (rest.open && rest.children.length === 1)
					rest.append(
						...more.map((row) =>
							region(table, cells, row.i, row.first),
						),
					);
			});
		const merged = HF.data.fields.regions_merged;
		return [
			some,
			rest,
			merged
				? HF.el(
						'p',
						{class: 'note'},
						HF.plural(merged, 'small region') +
							' with ' +
							HF.bytes(
								HF.data.fields.regions_merged_bytes,
							) +
							' are not drawn.',
					)
				: null,
		];
	};

	/* ---- the address space ------------------------------------------------------------------ */

	const KINDS = {
		heap: ['inuse', 'malloc\u2019s heap'],
		pools: ['c1', 'arenas of another allocator over malloc'],
		stack: ['c2', 'stacks'],
		data: ['c4', 'data of program and libraries'],
		code: ['c8', 'code and read-only data'],
		anonymous: ['c5', 'other anonymous memory'],
		file: ['c7', 'other mapped files'],
		reserved: ['other', 'reserved'],
	};

	const kindName = (kind) =>
		kind === 'pools' && HF.anyLayer()
			? `${HF.anyLayer()}\u2019s arenas`
			: (KINDS[kind] || ['', '?'])[1];

	const strip = (table) => {
		const shown = Array.from({length: table.rows}, (unused, i) => i).filter(
			(i) => table.get('kind', i) !== 'reserved',
		);
		const total = shown.reduce((sum, i) => sum + table.get('bytes', i), 0) || 1,
			edges = [0];
		const paths = {};
		/* Every part is seen, however small: the square root of its share. */
		const weight = (i) => Math.sqrt(table.get('bytes', i) / total) + 0.004;
		const whole = shown.reduce((sum, i) => sum + weight(i), 0) || 1;
		for (const i of shown) {
			const x = edges[edges.length - 1],
				wide = weight(i) / whole,
				kind = table.get('kind', i);
			paths[kind] =
				(paths[kind] || '') +
				'M' +
				x * 1000 +
				' 0h' +
				Math.max(wide * 1000 - 0.6, 0.4) +
				'v10h-' +
				Math.max(wide * 1000 - 0.6, 0.4) +
				'z';
			edges.push(x + wide);
		}
		const picture = HF.svg(
			'svg',
			{
				viewBox: '0 0 1000 10',
				preserveAspectRatio: 'none',
				class: 'region',
				'aria-hidden': 'true',
			},
			Object.entries(paths).map(([kind, d]) =>
				HF.svg('path', {d, class: (KINDS[kind] || ['other'])[0]}),
			),
		);
		return HF.cursor(
			picture,
			'Address space',
			shown.length,
			(k) => [edges[k], edges[k + 1] - edges[k]],
			(k) => {
				const i = shown[k];
				return (
					'0x' +
					table.get('start', i) +
					' to 0x' +
					table.get('end', i) +
					': ' +
					kindName(table.get('kind', i)) +
					', ' +
					HF.bytes(table.get('bytes', i)) +
					(table.get('name', i) ? ', ' + table.get('name', i) : '') +
					(table.get('present', i) < table.get('bytes', i)
						? ' (' +
							HF.bytes(table.get('present', i)) +
							' of it in the core)'
						: '')
				);
			},
		);
	};

	const addressSpace = () => {
		const table = HF.data.table('mappings'),
			sums = new Map(),
			fields = HF.data.fields;
		if (!table || !table.rows) return [];
		for (let i = 0; i < table.rows; i++)
			sums.set(
				table.get('kind', i),
				(sums.get(table.get('kind', i)) || 0) + table.get('bytes', i),
			);
		const legend = HF.legend(
			[...sums]
				.sort((a, b) => b[1] - a[1])
				.map(([kind, bytes]) => ({
					class: (KINDS[kind] || ['other'])[0],
					name: kindName(kind),
					value: HF.bytes(bytes),
				})),
		);
		const list = new HF.Table({
			label: 'Mappings',
			rows: Array.from({length: table.rows}, (unused, i) => i),
			page: 40,
			filter: 'Filter mappings',
			matches: (i) =>
				[
					table.get('name', i),
					kindName(table.get('kind', i)),
					'0x' + table.get('start', i),
				].join(' '),
			rest: fields.mappings_merged
				? HF.plural(fields.mappings_merged, 'more mapping') +
					' with ' +
					HF.bytes(fields.mappings_merged_bytes) +
					'.'
				: null,
			columns: [
				{
					key: 'start',
					label: 'start',
					kind: 'address',
					value: (i) => table.get('start', i).padStart(16, '0'),
					cell: (i) =>
						HF.el('code', {}, '0x' + table.get('start', i)),
				},
				{
					key: 'end',
					label: 'end',
					kind: 'address',
					value: (i) => table.get('end', i).padStart(16, '0'),
					cell: (i) => HF.el('code', {}, '0x' + table.get('end', i)),
				},
				{
					key: 'bytes',
					label: 'bytes',
					kind: 'bytes',
					value: (i) => table.get('bytes', i),
				},
				{
					key: 'present',
					label: 'in the core',
					kind: 'bytes',
					value: (i) => table.get('present', i),
				},
				{
					key: 'kind',
					label: 'what',
					kind: 'text',
					value: (i) => kindName(table.get('kind', i)),
				},
				{
					key: 'name',
					label: 'name',
					kind: 'text',
					wide: true,
					value: (i) => table.get('name', i),
					cell: (i) => table.get('name', i) || '',
				},
			],
		});
		return [
			HF.el('h3', {}, 'Address space'),
			HF.el(
				'p',
				{class: 'note'},
				'In the order of addresses; widths by the square root of the size, so that small mappings are seen.',
			),
			...strip(table),
			legend,
			HF.el(
				'details',
				{},
				HF.el('summary', {}, HF.plural(table.rows, 'mapping')),
				list.root,
			),
		];
	};

	HF.memorySection = () => {
		const arenas = HF.data.table('arenas'),
			space = addressSpace(),
			maps = regions();
		if (!arenas && !space.length) return null;
		const parts = [];
		if (arenas && arenas.rows) {
			parts.push(
				HF.el('h3', {}, 'Arenas and fragmentation'),
				arenasTable(arenas).root,
				HF.el(
					'p',
					{class: 'note'},
					'Fragmented: the part of the bins that is not in their biggest chunk. Free pages: whole pages without anything in use, what malloc_trim(3) could give back at most.' +
						(HF.data.fields.mmapped_count
							? ' Beside the arenas, ' +
								HF.plural(
									HF.data.fields
										.mmapped_count,
									'block',
								) +
								' with ' +
								HF.bytes(
									HF.data.fields
										.mmapped_bytes,
								) +
								' have mappings of their own.'
							: ''),
				),
				HF.el('h3', {}, 'Where in the heap'),
				HF.el(
					'p',
					{class: 'note'},
					'Each region from its lowest address on. Point at a place, or go there with the arrow keys.',
				),
				HF.legend(STATES.map(([key, name]) => ({class: key, name}))),
				...maps.flat(),
			);
		}
		return HF.section('x-memory', 'Memory map', null, parts, space);
	};
})();
