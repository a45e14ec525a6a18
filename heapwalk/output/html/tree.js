/*
 * tree.js - the dominator tree, or the tree of what grew: nodes, measures, colours, search.
 *
 * Nodes are numbered in preorder, the root is 0. A measure gives every node a size; where the
 * children of a node have more than the node itself (what grew may hide what shrank), the
 * node is drawn as wide as they are.
 */
(() => {
	const COLORS = 10; /* .c0 to .c9 of the style sheet; then .other */

	const KINDS = {
		variable: 'variable',
		section: 'section',
		tls: 'thread-local',
		frame: 'stack frame',
		register: 'register',
		stack: 'stack word',
		mapping: 'mapping',
		lost: 'lost',
		object: 'shared object',
		group: 'shared objects',
		rest: 'small parts',
		root: 'all',
	};
	HF.kindName = (kind) => KINDS[kind] || kind || '';

	const links = (table) => {
		const parent = new Int32Array(table.rows).fill(-1),
			children = [],
			open = [];
		for (let i = 0; i < table.rows; i++) {
			const depth = table.depth[i];
			children.push([]);
			open[depth] = i;
			if (depth > 0) {
				parent[i] = open[depth - 1];
				children[parent[i]].push(i);
			}
		}
		return {parent, children};
	};

	const widths = (tree, value) => {
		const width = new Float64Array(tree.count);
		for (let i = tree.count - 1; i >= 0; i--) {
			let below = 0;
			for (const child of tree.children[i]) below += width[child];
			width[i] = Math.max(value(i), below, 0);
		}
		return width;
	};

	/*
	 * What @keyOf tells apart: those that take most room in the picture get the colours, and the
	 * legend says what they have by @sizeOf.
	 */
	const ranked = (tree, keyOf, sizeOf) => {
		const sizes = new Map(),
			rooms = new Map();
		for (let i = 0; i < tree.count; i++) {
			const key = keyOf(i);
			if (key === null) continue;
			sizes.set(key, (sizes.get(key) || 0) + sizeOf(i));
			if (tree.parent[i] < 0 || keyOf(tree.parent[i]) !== key)
				rooms.set(key, (rooms.get(key) || 0) + Math.max(tree.size(i), 0));
		}
		const order = [...sizes].sort((a, b) => rooms.get(b[0]) - rooms.get(a[0]));
		const classes = new Map(
			order.slice(0, COLORS).map(([key], index) => [key, 'c' + index]),
		);
		const legend = order.slice(0, COLORS).map(([key, size]) => ({
			class: classes.get(key),
			name: key,
			value: HF.bytes(size),
		}));
		if (order.length > COLORS) {
			const others = order
				.slice(COLORS)
				.reduce((sum, entry) => sum + entry[1], 0);
			legend.push({
				class: 'other',
				name: HF.plural(order.length - COLORS, 'other'),
				value: HF.bytes(others),
			});
		}
		return {
			legend,
			classOf: (i) =>
				keyOf(i) === null ? 'plain' : classes.get(keyOf(i)) || 'other',
		};
	};

	const owners = (tree) => {
		const owner = new Int32Array(tree.count);
		for (let i = 0; i < tree.count; i++)
			owner[i] = tree.depth[i] <= 1 ? i : owner[tree.parent[i]];
		return owner;
	};

	HF.buildTree = (table) => {
		const tree = {table, count: table.rows, depth: table.depth, ...links(table)};
		tree.kind = (i) => table.get('kind', i);
		tree.isRest = (i) => tree.kind(i) === 'rest';
		tree.type = (i) => table.get('type', i);
		tree.owner = owners(tree);
		tree.path = (i) => {
			const path = [];
			for (; i >= 0; i = tree.parent[i]) path.unshift(i);
			return path;
		};
		tree.widths = (value) => widths(tree, value);
		tree.ranked = (keyOf, sizeOf) => ranked(tree, keyOf, sizeOf);
		return tree;
	};

	/* Colours of the kinds of roots: fixed, so that two pages can be compared. */
	const KIND_CLASS = {
		variable: 'c0',
		section: 'c5',
		tls: 'c4',
		frame: 'c2',
		register: 'c6',
		stack: 'c7',
		mapping: 'c8',
		lost: 'c3',
		object: 'c1',
		group: 'c1',
	};
	const byKind = (tree, sizeOf) => {
		const sizes = new Map();
		for (const top of tree.children[0]) {
			const kind = tree.kind(top) === 'group' ? 'object' : tree.kind(top);
			sizes.set(kind, (sizes.get(kind) || 0) + sizeOf(top));
		}
		const name = (kind) =>
			kind === 'object' ? 'shared by several roots' : HF.kindName(kind);
		return {
			legend: [...sizes]
				.sort((a, b) => b[1] - a[1])
				.map(([kind, size]) => ({
					class: KIND_CLASS[kind] || 'other',
					name: name(kind),
					value: HF.bytes(size),
				})),
			classOf: (i) =>
				i === 0 ? 'plain' : KIND_CLASS[tree.kind(tree.owner[i])] || 'other',
		};
	};
	HF.byKind = byKind;

	/* ---- the heap ------------------------------------------------------------------------- */

	HF.heapTree = (table) => {
		const tree = HF.buildTree(table),
			get = (name, i) => table.get(name, i);
		const total = get('retained_bytes', 0);
		tree.label = (i) => {
			const count = get('count', i),
				kind = tree.kind(i);
			if (kind === 'rest') return HF.count(count) + ' more';
			if (kind === 'group') return tree.type(i) + '  \u00d7 ' + HF.count(count);
			if (kind === 'object') return tree.type(i) || '?';
			return get('name', i) || '?';
		};
		tree.figures = (i) => {
			const rows = [
				[
					'retained',
					HF.bytes(get('retained_bytes', i)) +
						', ' +
						HF.share(get('retained_bytes', i) / total),
				],
				['objects kept', HF.count(get('objects', i))],
			];
			if (get('shallow_bytes', i))
				rows.push(['own bytes', HF.bytes(get('shallow_bytes', i))]);
			if (tree.kind(i) === 'group')
				rows.push(['in this group', HF.count(get('count', i))]);
			if (tree.kind(i) === 'rest')
				rows.push(['merged', 'small parts, not told apart here']);
			if (get('address', i))
				rows.push([
					tree.kind(i) === 'group' ? 'the biggest at' : 'address',
					'0x' + get('address', i),
				]);
			if (get('content', i)) rows.push(['content', get('content', i)]);
			if (tree.type(i) && get('name', i)) rows.push(['note', get('name', i)]);
			return rows;
		};
		tree.command = (i) => {
			const address = get('address', i),
				name =
					tree.kind(i) === 'variable' &&
					(get('name', i) || '').split(' (')[0];
			if (i === 0) return HF.command('dominators');
			if (tree.kind(i) === 'lost') return HF.command('leaks');
			return name || address
				? HF.command('dominators', name || '0x' + address)
				: null;
		};
		tree.searchText = (i) =>
			[
				tree.label(i),
				get('name', i),
				get('content', i),
				get('address', i) ? '0x' + get('address', i) : '',
			]
				.join('\n')
				.toLowerCase();
		tree.size = (i) => get('retained_bytes', i);
		tree.sizeText = (i) => HF.bytes(tree.size(i));
		const own = (i) => get('shallow_bytes', i);
		tree.measures = [
			{
				key: 'bytes',
				label: 'bytes',
				value: (i) => get('retained_bytes', i),
				text: HF.bytes,
			},
			{
				key: 'objects',
				label: 'objects',
				value: (i) => get('objects', i),
				text: HF.count,
			},
		];
		tree.colorings = [
			{key: 'type', label: 'type', make: () => tree.ranked(tree.type, own)},
			{
				key: 'holder',
				label: 'holder',
				make: () => {
					const top = new Map(
						tree.children[0].map((i) => [i, tree.label(i)]),
					);
					return tree.ranked(
						(i) => (i === 0 ? null : top.get(tree.owner[i])),
						(i) => (tree.depth[i] === 1 ? tree.size(i) : 0),
					);
				},
			},
			{key: 'kind', label: 'kind of root', make: () => byKind(tree, tree.size)},
		];
		tree.columns = [
			{key: 'retained_bytes', label: 'retained', kind: 'bytes'},
			{
				key: 'share',
				label: 'of the heap',
				kind: 'share',
				value: (i) => get('retained_bytes', i) / total,
			},
			{
				key: 'bar',
				label: 'of this part',
				kind: 'bar',
				value: (i) =>
					get('retained_bytes', i) /
					(get('retained_bytes', Math.max(tree.parent[i], 0)) || 1),
			},
			{key: 'objects', label: 'objects', kind: 'count'},
			{key: 'count', label: 'count', kind: 'count'},
			{key: 'shallow_bytes', label: 'own', kind: 'bytes'},
		];
		return tree;
	};

	/* ---- what grew ------------------------------------------------------------------------ */

	HF.growthTree = (table) => {
		const tree = HF.buildTree(table),
			get = (name, i) => table.get(name, i);
		const growth = (i) => get('after_bytes', i) - get('before_bytes', i);
		tree.label = (i) => {
			const count = get('after_count', i) || get('before_count', i);
			if (tree.kind(i) === 'rest') return 'smaller ones';
			return (
				(get('name', i) || '?') +
				(tree.kind(i) === 'object' && count > 1
					? '  \u00d7 ' + HF.count(count)
					: '')
			);
		};
		tree.type = (i) => (tree.kind(i) === 'object' ? get('name', i) : null);
		tree.figures = (i) => {
			const rows = [
				[
					'growth',
					HF.format('change_bytes', growth(i)) +
						' (' +
						HF.format('change_count', growth(i)) +
						' bytes)',
				],
				[
					'before',
					HF.bytes(get('before_bytes', i)) +
						', ' +
						HF.count(get('before_count', i)),
				],
				[
					'after',
					HF.bytes(get('after_bytes', i)) +
						', ' +
						HF.count(get('after_count', i)),
				],
			];
			if (get('address', i))
				rows.push(['the biggest at', '0x' + get('address', i)]);
			return rows;
		};
		tree.command = (i) =>
			get('address', i)
				? HF.command('dominators', '0x' + get('address', i))
				: null;
		tree.searchText = (i) =>
			(
				tree.label(i) +
				(get('address', i) ? '\n0x' + get('address', i) : '')
			).toLowerCase();
		tree.size = growth;
		tree.sizeText = (i) => HF.format('change_bytes', growth(i));
		tree.measures = [
			{
				key: 'growth',
				label: 'what grew',
				value: (i) => growth(i),
				text: (n) => HF.format('change_bytes', n),
			},
			{
				key: 'after',
				label: 'after',
				value: (i) => get('after_bytes', i),
				text: HF.bytes,
			},
			{
				key: 'before',
				label: 'before',
				value: (i) => get('before_bytes', i),
				text: HF.bytes,
			},
		];
		tree.colorings = [
			{
				key: 'growth',
				label: 'growth',
				make: () => ({
					legend: [
						{
							class: 'grew2',
							name: 'new, or twice as big and more',
						},
						{class: 'grew1', name: 'grew'},
						{class: 'same', name: 'as before'},
						{class: 'shrank', name: 'shrank'},
					],
					classOf: (i) => {
						const before = get('before_bytes', i),
							by = growth(i);
						return by < 0
							? 'shrank'
							: by === 0
								? 'same'
								: by >= before
									? 'grew2'
									: 'grew1';
					},
				}),
			},
			{
				key: 'type',
				label: 'type',
				make: () => tree.ranked(tree.type, (i) => Math.max(growth(i), 0)),
			},
			{
				key: 'kind',
				label: 'kind of root',
				make: () => byKind(tree, (i) => get('after_bytes', i)),
			},
		];
		tree.columns = [
			{key: 'growth', label: 'growth', kind: 'change_bytes', value: growth},
			{key: 'before_bytes', label: 'before', kind: 'bytes'},
			{key: 'after_bytes', label: 'after', kind: 'bytes'},
			{
				key: 'count',
				label: 'count',
				kind: 'change_count',
				value: (i) => get('after_count', i) - get('before_count', i),
			},
			{key: 'after_count', label: 'after', kind: 'count'},
		];
		return tree;
	};
})();
