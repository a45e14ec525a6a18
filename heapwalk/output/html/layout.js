/*
 * layout.js - which blocks of a tree are drawn, and where (see icicle.js).
 *
 * A block is {key, node, x, width, row, above, below, at, of}: where it is in pixels, the keys of
 * the block above and of those below it, and its place among its siblings. Children too narrow to
 * be seen share one block, which has them in `more`. That one can be zoomed to as well: then @only
 * is laid out instead of all children of the node, as many of them as have room.
 */
(() => {
	const NARROW = 3,
		WIDE = 12,
		REST = 30,
		MAX_BLOCKS = 3500,
		MAX_ROWS = 40;

	const place = (blocks, above, block) => {
		block.row = above ? above.row + 1 : 0;
		block.above = above ? above.key : null;
		block.key = (block.more ? 'more' : 'node') + block.node;
		block.below = [];
		if (above) above.below.push(block.key);
		blocks.push(block);
	};

	/* Children that are wide enough, then the rest in one. */
	const below = (blocks, above, children, width) => {
		const scale = width[above.node] > 0 ? above.width / width[above.node] : 0,
			narrow = [];
		let x = above.x,
			left = 0;
		for (const node of children) {
			const wide = width[node] * scale;
			if (wide < NARROW) {
				narrow.push(node);
				left += wide;
				continue;
			}
			place(blocks, above, {node, x, width: wide});
			x += wide;
		}
		if (left >= 1)
			place(blocks, above, {node: above.node, more: narrow, x, width: left});
	};

	/*
	 * Only some children, over the whole width: those that are wide enough there, or, where
	 * all are narrow, as many as can be seen.
	 */
	const some = (blocks, above, children, width) => {
		const sum = (list) => list.reduce((whole, node) => whole + width[node], 0);
		const limit = (NARROW / above.width) * sum(children);
		const wide = children.filter((node) => width[node] >= limit);
		const first = wide.length
			? wide
			: children.slice(0, Math.max(1, Math.floor(above.width / WIDE)));
		const chosen = new Set(first),
			rest = children.filter((node) => !chosen.has(node));
		const scale = (above.width - (rest.length ? REST : 0)) / (sum(first) || 1);
		let x = above.x;
		for (const node of first) {
			place(blocks, above, {node, x, width: width[node] * scale});
			x += width[node] * scale;
		}
		if (rest.length)
			place(blocks, above, {node: above.node, more: rest, x, width: REST});
	};

	HF.layout = (tree, width, zoom, only, pixels) => {
		const blocks = [];
		place(blocks, null, {node: zoom, x: 0, width: pixels});
		for (let at = 0; at < blocks.length && blocks.length < MAX_BLOCKS; at++) {
			const block = blocks[at];
			if (block.more || block.row + 1 >= MAX_ROWS) continue;
			if (at === 0 && only) some(blocks, block, only, width);
			else below(blocks, block, tree.children[block.node], width);
		}
		const byKey = new Map(blocks.map((block) => [block.key, block]));
		for (const block of blocks) {
			block.of = block.above === null ? 1 : byKey.get(block.above).below.length;
			block.at =
				block.above === null
					? 1
					: byKey.get(block.above).below.indexOf(block.key) + 1;
		}
		return byKey;
	};
})();
