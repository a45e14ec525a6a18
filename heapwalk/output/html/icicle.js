/*
 * icicle.js - a tree as rows of blocks: a block is as wide as what it keeps, its children stand
 * below it. One block is the whole width: the one that was zoomed to.
 *
 * Mouse: a click zooms. Keys, with a block in focus: left and right go to neighbours, down and
 * up to the biggest child and the parent, Enter zooms, Escape and Backspace zoom out, Home shows
 * all. For screen readers it is a tree whose items say level, position and figures; the
 * table below holds the same. Blocks too narrow to be seen share one hatched block.
 */
(() => {
	const NARROW = 3,
		LABEL = 26,
		MAX_BLOCKS = 3500,
		MAX_ROWS = 40;

	/* Blocks to draw, biggest rows first: {node, x, width, row}; narrow ones: {more, parent}. */
	const layout = (tree, width, zoom, pixels) => {
		const blocks = [{node: zoom, x: 0, width: pixels, row: 0}];
		for (let at = 0; at < blocks.length && blocks.length < MAX_BLOCKS; at++) {
			const block = blocks[at];
			if (block.more || block.row + 1 >= MAX_ROWS) continue;
			const scale = width[block.node] > 0 ? block.width / width[block.node] : 0;
			let x = block.x,
				narrow = 0,
				count = 0;
			for (const child of tree.children[block.node]) {
				const wide = width[child] * scale;
				if (wide < NARROW) {
					narrow += wide;
					count++;
					continue;
				}
				blocks.push({node: child, x, width: wide, row: block.row + 1});
				x += wide;
			}
			if (narrow >= 1)
				blocks.push({
					more: count,
					node: block.node,
					x,
					width: narrow,
					row: block.row + 1,
				});
		}
		return blocks;
	};

	class Icicle {
		constructor(tree, name) {
			this.tree = tree;
			this.zoom = 0;
			this.focus = 0;
			this.query = '';
			this.matches = new Set();
			this.order = [];
			this.measure = tree.measures[0];
			this.width = tree.widths(this.measure.value);
			this.coloring = tree.colorings[0].make();
			this.text = null;
			this.build(name);
		}

		build(name) {
			const tree = this.tree;
			this.canvas = HF.el('div', {
				class: 'icicle',
				role: 'tree',
				'aria-label': name,
			});
			this.crumbs = HF.el('ol', {});
			this.detail = HF.el('div', {class: 'detail'});
			this.legend = HF.el('div', {});
			this.found = HF.el('output', {class: 'found'});
			this.search = HF.el('input', {
				type: 'search',
				placeholder: 'Search names, types, text, 0x\u2026',
				'aria-label': 'Search the tree',
				spellcheck: 'false',
				autocomplete: 'off',
				class: 'search',
			});
			this.table = new HF.Table({
				label: 'Parts of what is shown',
				columns: [
					{
						key: 'name',
						label: 'part',
						kind: 'text',
						wide: true,
						value: (i) => tree.label(i),
						cell: (i) => this.nameCell(i),
					},
				].concat(
					tree.columns.map((column) => ({
						value: (i) => tree.table.get(column.key, i),
						...column,
					})),
				),
				rows: [],
				sort: tree.columns[0].key,
				page: 20,
			});
			this.root = HF.el(
				'div',
				{class: 'tree'},
				HF.el(
					'div',
					{class: 'controls'},
					HF.el(
						'span',
						{class: 'searching'},
						this.search,
						this.found,
					),
					HF.choice('Width', tree.measures, this.measure.key, (key) =>
						this.setMeasure(key),
					),
					HF.choice(
						'Colour',
						tree.colorings,
						tree.colorings[0].key,
						(key) => this.setColoring(key),
					),
				),
				HF.el(
					'nav',
					{class: 'crumbs', 'aria-label': 'Zoomed to'},
					this.crumbs,
				),
				this.canvas,
				this.detail,
				this.legend,
				HF.el(
					'p',
					{class: 'hint'},
					'Click or Enter zooms, Esc zooms out, arrow keys move, / searches.',
				),
				this.table.root,
			);
			this.listen();
		}

		listen() {
			this.canvas.addEventListener('click', (event) => this.onClick(event));
			this.canvas.addEventListener('keydown', (event) => this.onKey(event));
			this.canvas.addEventListener('mouseover', (event) => {
				const block = event.target.closest('.block');
				if (block) this.tell(Number(block.dataset.node));
			});
			this.canvas.addEventListener('mouseleave', () => this.tell(this.focus));
			this.canvas.addEventListener('focusin', (event) => {
				const block = event.target.closest('.block');
				if (block) this.setFocus(Number(block.dataset.node));
			});
			this.search.addEventListener('input', () => this.find(this.search.value));
			this.search.addEventListener('keydown', (event) => {
				if (event.key === 'Enter') {
					event.preventDefault();
					this.nextMatch(event.shiftKey ? -1 : 1);
				} else if (event.key === 'Escape') {
					this.search.value = '';
					this.find('');
				}
			});
			new ResizeObserver(() => {
				if (this.canvas.clientWidth !== this.pixels) this.draw();
			}).observe(this.canvas);
		}

		/* ---- drawing ------------------------------------------------------------------ */

		draw() {
			const tree = this.tree;
			const focused = this.canvas.contains(document.activeElement);
			this.pixels = this.canvas.clientWidth;
			if (!this.pixels) return;
			const blocks = layout(tree, this.width, this.zoom, this.pixels);
			const shown = new Set(
				blocks.filter((block) => !block.more).map((block) => block.node),
			);
			if (!shown.has(this.focus)) this.focus = this.zoom;
			this.elements = new Map();
			this.canvas.replaceChildren(...blocks.map((block) => this.block(block)));
			const rows =
				blocks.reduce((most, block) => Math.max(most, block.row), 0) + 1;
			this.canvas.style.setProperty('--rows', Math.max(rows, 4));
			this.canvas.classList.toggle('searching', this.query !== '');
			if (focused) this.elements.get(this.focus).focus({preventScroll: true});
			this.drawCrumbs();
			this.tell(this.focus);
			this.table.setRows(tree.children[this.zoom]);
		}

		block(block) {
			const tree = this.tree,
				node = block.node;
			/* Parts of the width: paper has another one. */
			const part = (pixels) => ((pixels / this.pixels) * 100).toFixed(4) + '%';
			const css = {
				left: part(block.x),
				width: part(Math.max(block.width - 1, 1)),
				'--row': block.row,
			};
			if (block.more)
				return HF.el('div', {
					class: 'block more',
					role: 'presentation',
					css,
					'data-node': node,
					title:
						HF.plural(block.more, 'narrow part') +
						': zoom in to see them',
				});
			const siblings =
				node === this.zoom ? [node] : tree.children[tree.parent[node]];
			const label = tree.label(node),
				below = tree.children[node].length;
			const element = HF.el(
				'div',
				{
					class:
						'block ' +
						(tree.isRest(node)
							? 'rest'
							: this.coloring.classOf(node)) +
						(this.matches.has(node) ? ' match' : ''),
					role: 'treeitem',
					tabindex: node === this.focus ? 0 : -1,
					'data-node': node,
					css,
					'aria-level': block.row + 1,
					'aria-setsize': siblings.length,
					'aria-posinset': siblings.indexOf(node) + 1,
					'aria-expanded': below ? 'true' : null,
					'aria-selected': node === this.focus ? 'true' : 'false',
					'aria-label':
						label +
						', ' +
						this.measure.text(this.measure.value(node)),
				},
				block.width < LABEL
					? null
					: [
							HF.el('span', {class: 'label'}, label),
							block.width < 150
								? null
								: HF.el(
										'span',
										{class: 'size'},
										this.measure.text(
											this.measure.value(
												node,
											),
										),
									),
						],
			);
			this.elements.set(node, element);
			return element;
		}

		drawCrumbs() {
			const path = this.tree.path(this.zoom);
			this.crumbs.replaceChildren(
				...path.map((node, index) =>
					HF.el(
						'li',
						{},
						index + 1 === path.length
							? HF.el(
									'span',
									{'aria-current': 'true'},
									this.tree.label(node),
								)
							: HF.el(
									'button',
									{
										type: 'button',
										on: {
											click: () =>
												this.zoomTo(
													node,
													true,
												),
										},
									},
									this.tree.label(node),
								),
					),
				),
			);
		}

		nameCell(node) {
			const tree = this.tree;
			if (!tree.children[node].length) return HF.el('span', {}, tree.label(node));
			return HF.el(
				'button',
				{
					type: 'button',
					class: 'link',
					on: {click: () => this.zoomTo(node, false)},
				},
				tree.label(node),
			);
		}

		/* The figures of @node, below the picture. */
		tell(node) {
			const tree = this.tree,
				command = tree.command(node);
			this.detail.replaceChildren(
				HF.el(
					'p',
					{class: 'title'},
					HF.el('strong', {}, tree.label(node)),
					HF.el(
						'span',
						{class: 'kind'},
						tree.depth[node] === 1 || !tree.type(node)
							? HF.kindName(tree.kind(node))
							: '',
					),
				),
				HF.el(
					'dl',
					{},
					tree
						.figures(node)
						.map(([key, value]) =>
							HF.el(
								'div',
								{},
								HF.el('dt', {}, key),
								HF.el('dd', {}, value),
							),
						),
				),
				command
					? HF.el(
							'p',
							{class: 'run'},
							HF.el('code', {class: 'command'}, command),
							HF.copyButton(
								() => command,
								'Copy the command',
							),
						)
					: '',
			);
		}

		/* ---- moving ------------------------------------------------------------------- */

		setFocus(node) {
			const before = this.elements.get(this.focus),
				now = this.elements.get(node);
			if (before) {
				before.tabIndex = -1;
				before.setAttribute('aria-selected', 'false');
			}
			this.focus = node;
			if (now) {
				now.tabIndex = 0;
				now.setAttribute('aria-selected', 'true');
			}
			this.tell(node);
		}

		zoomTo(node, keepFocus) {
			this.zoom = node;
			this.focus = node;
			this.draw();
			if (keepFocus) this.elements.get(node).focus({preventScroll: true});
			HF.say(
				'Zoomed to ' +
					this.tree.label(node) +
					', ' +
					this.tree.sizeText(node) +
					', ' +
					HF.plural(this.tree.children[node].length, 'part'),
			);
		}

		zoomOut() {
			const from = this.zoom;
			if (this.tree.parent[from] < 0) return;
			this.zoomTo(this.tree.parent[from], true);
			if (this.elements.has(from))
				this.elements.get(from).focus({preventScroll: true});
		}

		onClick(event) {
			const block = event.target.closest('.block');
			if (!block) return;
			const node = Number(block.dataset.node);
			if (node === this.zoom && node !== 0 && !block.classList.contains('more'))
				this.zoomOut();
			else if (this.tree.children[node].length) this.zoomTo(node, true);
			else block.focus({preventScroll: true});
		}

		/* The next of the siblings that is drawn. */
		sibling(node, step) {
			if (node === this.zoom) return -1;
			const siblings = this.tree.children[this.tree.parent[node]];
			for (
				let at = siblings.indexOf(node) + step;
				at >= 0 && at < siblings.length;
				at += step
			) {
				if (this.elements.has(siblings[at])) return siblings[at];
			}
			return -1;
		}

		onKey(event) {
			const tree = this.tree,
				node = this.focus;
			let to = -1;
			if (event.ctrlKey || event.altKey || event.metaKey) return;
			switch (event.key) {
				case 'ArrowLeft':
					to = this.sibling(node, -1);
					break;
				case 'ArrowRight':
					to = this.sibling(node, 1);
					break;
				case 'ArrowUp':
					to = node === this.zoom ? -1 : tree.parent[node];
					break;
				case 'ArrowDown':
					to =
						tree.children[node].find((child) =>
							this.elements.has(child),
						) ?? -1;
					break;
				case 'Enter':
				case ' ':
					if (tree.children[node].length) this.zoomTo(node, true);
					break;
				case 'Escape':
				case 'Backspace':
					this.zoomOut();
					break;
				case 'Home':
					this.zoomTo(0, true);
					break;
				default:
					return;
			}
			event.preventDefault();
			if (to >= 0) this.elements.get(to).focus({preventScroll: true});
		}

		/* ---- choices and search ------------------------------------------------------- */

		setMeasure(key) {
			this.measure = this.tree.measures.find((measure) => measure.key === key);
			this.width = this.tree.widths(this.measure.value);
			this.draw();
		}

		setColoring(key) {
			this.coloring = this.tree.colorings
				.find((coloring) => coloring.key === key)
				.make();
			this.drawLegend();
			this.draw();
		}

		drawLegend() {
			this.legend.replaceChildren(HF.legend(this.coloring.legend));
		}

		/* What matches; what they keep, without counting one below another twice. */
		find(query) {
			const tree = this.tree;
			this.query = query.trim().toLowerCase();
			this.matches = new Set();
			this.order = [];
			this.at = -1;
			let bytes = 0;
			if (this.query) {
				this.text =
					this.text ||
					Array.from({length: tree.count}, (unused, i) =>
						tree.searchText(i),
					);
				const under = new Uint8Array(tree.count);
				for (let i = 0; i < tree.count; i++) {
					const above = tree.parent[i] >= 0 && under[tree.parent[i]];
					const match =
						!tree.isRest(i) &&
						this.text[i].includes(this.query);
					under[i] = above || match ? 1 : 0;
					if (!match) continue;
					this.matches.add(i);
					this.order.push(i);
					if (!above) bytes += tree.measures[0].value(i);
				}
				this.order.sort((a, b) => this.width[b] - this.width[a]);
			}
			this.found.textContent = !this.query
				? ''
				: this.order.length
					? HF.plural(this.order.length, 'part') +
						', ' +
						tree.measures[0].text(bytes)
					: 'nothing found';
			this.draw();
		}

		nextMatch(step) {
			if (!this.order.length) return;
			if (this.at < 0) this.at = step > 0 ? 0 : this.order.length - 1;
			else this.at = (this.at + step + this.order.length) % this.order.length;
			const node = this.order[this.at];
			this.zoom = this.tree.parent[node] >= 0 ? this.tree.parent[node] : 0;
			this.focus = node;
			this.draw();
			if (this.elements.has(node)) this.setFocus(node);
			else this.tell(node);
			HF.say(
				'Match ' +
					(this.at + 1) +
					' of ' +
					this.order.length +
					': ' +
					this.tree.label(node) +
					', ' +
					this.tree.sizeText(node),
			);
			this.found.textContent =
				this.at + 1 + ' of ' + HF.plural(this.order.length, 'part');
		}

		/* Search from elsewhere on the page. */
		show(text) {
			this.search.value = text;
			this.zoom = 0;
			this.find(text);
			this.search.focus({preventScroll: true});
			this.root.closest('section').scrollIntoView();
		}

		start() {
			this.drawLegend();
			this.draw();
		}
	}
	HF.Icicle = Icicle;
})();
