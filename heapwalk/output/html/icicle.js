/*
 * icicle.js - a tree as rows of blocks: a block is as wide as what it keeps, its children stand
 * below it. One block is the whole width: the one that was zoomed to.
 *
 * Mouse: a click zooms. Keys, with a block in focus: left and right go to neighbours, down and
 * up to the biggest child and the parent, Enter zooms, Escape and Backspace zoom out, Home shows
 * all. For screen readers it is a tree whose items say level, position and figures; the
 * table below holds the same. Blocks too narrow to be seen share one hatched block, which can be
 * zoomed to like any other. What is in focus is told by its key (layout.js).
 */
(() => {
	const LABEL = 26,
		SIZE = 150; /* pixels that a label, and a size beside it, need */

	class Icicle {
		constructor(tree, name) {
			this.tree = tree;
			this.zoom = 0;
			this.only = null; /* of the children of zoom; null: all */
			this.focus = 'node0';
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
				if (block) this.tell(block.dataset.key);
			});
			this.canvas.addEventListener('mouseleave', () => this.tell(this.focus));
			this.canvas.addEventListener('focusin', (event) => {
				const block = event.target.closest('.block');
				if (block) this.setFocus(block.dataset.key);
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
			const focused = this.canvas.contains(document.activeElement);
			this.pixels = this.canvas.clientWidth;
			if (!this.pixels) return;
			this.blocks = HF.layout(
				this.tree,
				this.width,
				this.zoom,
				this.only,
				this.pixels,
			);
			if (!this.blocks.has(this.focus)) this.focus = 'node' + this.zoom;
			this.elements = new Map();
			this.canvas.replaceChildren(
				...[...this.blocks.values()].map((block) => this.block(block)),
			);
			const rows = [...this.blocks.values()].pop().row + 1;
			this.canvas.style.setProperty('--rows', Math.max(rows, 4));
			this.canvas.classList.toggle('searching', this.query !== '');
			if (focused) this.go(this.focus);
			this.drawCrumbs();
			this.tell(this.focus);
			this.table.setRows(this.only || this.tree.children[this.zoom]);
		}

		moreText(list) {
			return HF.plural(list.length, 'smaller part');
		}
		moreSize(list) {
			return this.measure.text(
				list.reduce((sum, node) => sum + this.measure.value(node), 0),
			);
		}
		name(block) {
			return block.more ? this.moreText(block.more) : this.tree.label(block.node);
		}
		size(block) {
			return block.more
				? this.moreSize(block.more)
				: this.measure.text(this.measure.value(block.node));
		}

		look(block) {
			if (block.more)
				return (
					'more' +
					(block.more.some((node) => this.matches.has(node))
						? ' match'
						: '')
				);
			const color = this.tree.isRest(block.node)
				? 'rest'
				: this.coloring.classOf(block.node);
			return color + (this.matches.has(block.node) ? ' match' : '');
		}

		block(block) {
			/* Parts of the width: paper has another one. */
			const part = (pixels) => ((pixels / this.pixels) * 100).toFixed(4) + '%';
			const opens = block.more || this.tree.children[block.node].length;
			const text =
				block.width < LABEL || block.more
					? []
					: [HF.el('span', {class: 'label'}, this.name(block))];
			if (text.length && block.width >= SIZE)
				text.push(HF.el('span', {class: 'size'}, this.size(block)));
			const element = HF.el(
				'div',
				{
					class: 'block ' + this.look(block),
					role: 'treeitem',
					tabindex: block.key === this.focus ? 0 : -1,
					'data-key': block.key,
					css: {
						left: part(block.x),
						width: part(Math.max(block.width - 1, 1)),
						'--row': block.row,
					},
					'aria-level': block.row + 1,
					'aria-setsize': block.of,
					'aria-posinset': block.at,
					'aria-expanded': opens
						? String(block.below.length > 0)
						: null,
					'aria-selected':
						block.key === this.focus ? 'true' : 'false',
					'aria-label': this.name(block) + ', ' + this.size(block),
				},
				text,
			);
			this.elements.set(block.key, element);
			return element;
		}

		drawCrumbs() {
			const path = this.tree.path(this.zoom).map((node) => ({
				text: this.tree.label(node),
				go: () => this.zoomTo(node, true),
			}));
			if (this.only) path.push({text: this.moreText(this.only)});
			this.crumbs.replaceChildren(
				...path.map((step, index) =>
					HF.el(
						'li',
						{},
						index + 1 === path.length
							? HF.el(
									'span',
									{'aria-current': 'true'},
									step.text,
								)
							: HF.el(
									'button',
									{
										type: 'button',
										on: {
											click: step.go,
										},
									},
									step.text,
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

		/* The figures of a block, below the picture. */
		tell(key) {
			const tree = this.tree,
				block = this.blocks.get(key);
			if (!block) return;
			if (block.more) {
				this.detail.replaceChildren(
					HF.el(
						'p',
						{class: 'title'},
						HF.el('strong', {}, this.moreText(block.more)),
						HF.el(
							'span',
							{class: 'kind'},
							'of ' + tree.label(block.node),
						),
					),
					HF.el(
						'p',
						{},
						this.moreSize(block.more) +
							' together, too narrow to be drawn one by one: zoom in to see them.',
					),
				);
				return;
			}
			const node = block.node,
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

		go(key) {
			const element = this.elements.get(key);
			if (element) element.focus({preventScroll: true});
		}

		setFocus(key) {
			const before = this.elements.get(this.focus),
				now = this.elements.get(key);
			if (before) {
				before.tabIndex = -1;
				before.setAttribute('aria-selected', 'false');
			}
			this.focus = key;
			if (now) {
				now.tabIndex = 0;
				now.setAttribute('aria-selected', 'true');
			}
			this.tell(key);
		}

		zoomTo(node, keepFocus, only) {
			const parts = (only || this.tree.children[node]).length;
			this.zoom = node;
			this.only = only || null;
			this.focus = 'node' + node;
			this.draw();
			if (keepFocus) this.go(this.focus);
			HF.say(
				'Zoomed to ' +
					this.tree.label(node) +
					', ' +
					this.tree.sizeText(node) +
					', ' +
					(only ? this.moreText(only) : HF.plural(parts, 'part')),
			);
		}

		zoomIn(key) {
			const block = this.blocks.get(key);
			if (block.more) this.zoomTo(block.node, true, block.more);
			else if (this.tree.children[block.node].length)
				this.zoomTo(block.node, true);
			else this.go(key);
		}

		zoomOut() {
			const from = this.only ? 'more' + this.zoom : 'node' + this.zoom;
			if (!this.only && this.tree.parent[this.zoom] < 0) return;
			this.zoomTo(this.only ? this.zoom : this.tree.parent[this.zoom], true);
			this.go(from);
		}

		onClick(event) {
			const block = event.target.closest('.block');
			if (!block) return;
			if (block.dataset.key === 'node' + this.zoom) this.zoomOut();
			else this.zoomIn(block.dataset.key);
		}

		onKey(event) {
			const block = this.blocks.get(this.focus);
			const beside =
				block.above === null ? [] : this.blocks.get(block.above).below;
			let to = null;
			if (event.ctrlKey || event.altKey || event.metaKey) return;
			switch (event.key) {
				case 'ArrowLeft':
					to = beside[block.at - 2];
					break;
				case 'ArrowRight':
					to = beside[block.at];
					break;
				case 'ArrowUp':
					to = block.above;
					break;
				case 'ArrowDown':
					to = block.below[0];
					break;
				case 'Enter':
				case ' ':
					this.zoomIn(block.key);
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
			if (to) this.go(to);
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
			const parent = this.tree.parent[node] >= 0 ? this.tree.parent[node] : 0;
			this.zoomTo(parent, false);
			/* It may be among those too narrow to be seen. */
			const more = this.blocks.get('more' + parent);
			if (more && more.more.includes(node))
				this.zoomTo(
					parent,
					false,
					more.more.slice(more.more.indexOf(node)),
				);
			this.setFocus('node' + node);
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
			this.only = null;
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
