/*
 * tables.js - tables that sort and filter; and the sorting of those that stand in the report.
 *
 * A header is a button; what is sorted by says so with aria-sort. Rows beyond a page's worth come
 * on request.
 */
(() => {
	const compare = (a, b) => {
		if (a === b) return 0;
		if (a === null || a === undefined) return 1;
		if (b === null || b === undefined) return -1;
		return typeof a === 'string' && typeof b === 'string'
			? a.localeCompare(b)
			: a < b
				? -1
				: 1;
	};

	const bar = (value, className) =>
		HF.svg(
			'svg',
			{
				class: 'bar',
				viewBox: '0 0 100 8',
				preserveAspectRatio: 'none',
				'aria-hidden': 'true',
			},
			HF.svg('rect', {
				width: Math.max(0, Math.min(1, value || 0)) * 100,
				height: 8,
				class: className,
			}),
		);

	/*
	 * options: label, columns [{key, label, kind, value(row), cell(row)?, wide?}], rows, sort,
	 * page, filter (a word for the field; absent: none), matches(row) -> text to look in, rest
	 */
	HF.Table = class {
		constructor(options) {
			Object.assign(this, options);
			this.sort = options.sort || null;
			this.down = true;
			this.limit = this.page;
			this.query = '';
			this.head = HF.el('tr', {});
			this.body = HF.el('tbody', {});
			this.foot = HF.el('div', {class: 'more'});
			this.shown = HF.el('output', {class: 'found'});
			this.input = this.filter
				? HF.el('input', {
						type: 'search',
						class: 'search',
						placeholder: this.filter,
						'aria-label': this.filter,
						spellcheck: 'false',
						autocomplete: 'off',
					})
				: null;
			this.root = HF.el(
				'div',
				{class: 'datatable'},
				this.input
					? HF.el(
							'div',
							{class: 'controls'},
							HF.el(
								'span',
								{class: 'searching'},
								this.input,
								this.shown,
							),
						)
					: null,
				HF.el(
					'div',
					{class: 'scroll'},
					HF.el(
						'table',
						{},
						HF.el('caption', {class: 'hidden'}, this.label),
						HF.el('thead', {}, this.head),
						this.body,
					),
				),
				this.foot,
			);
			if (this.input)
				this.input.addEventListener('input', () => {
					this.query = this.input.value.trim().toLowerCase();
					this.limit = this.page;
					this.draw();
				});
			this.drawHead();
			this.draw();
		}

		setRows(rows) {
			this.rows = rows;
			this.limit = this.page;
			this.draw();
		}

		drawHead() {
			this.head.replaceChildren(
				...this.columns.map((column) => {
					const on = column.key === this.sort;
					if (!column.label) return HF.el('td', {});
					return HF.el(
						'th',
						{
							scope: 'col',
							class: HF.numeric(column.kind) ? 'n' : 't',
							'aria-sort': on
								? this.down
									? 'descending'
									: 'ascending'
								: 'none',
						},
						HF.el(
							'button',
							{
								type: 'button',
								class: 'sort',
								'data-key': column.key,
								on: {
									click: () =>
										this.sortBy(column),
								},
							},
							column.label,
						),
					);
				}),
			);
		}

		sortBy(column) {
			this.down =
				this.sort === column.key
					? !this.down
					: HF.numeric(column.kind) || column.kind === 'bar';
			this.sort = column.key;
			this.drawHead();
			this.draw();
			this.head.querySelector('[data-key="' + column.key + '"]').focus();
		}

		chosen() {
			const rows = this.query
				? this.rows.filter((row) =>
						this.matches(row)
							.toLowerCase()
							.includes(this.query),
					)
				: this.rows.slice();
			const column = this.columns.find((one) => one.key === this.sort);
			if (!column) return rows;
			const keys = new Map(rows.map((row) => [row, column.value(row)]));
			return rows.sort((a, b) =>
				this.down
					? compare(keys.get(b), keys.get(a))
					: compare(keys.get(a), keys.get(b)),
			);
		}

		cell(column, row) {
			const value = column.value(row),
				numeric = HF.numeric(column.kind);
			const content = column.cell
				? column.cell(row)
				: column.kind === 'bar'
					? bar(value, column.class)
					: column.kind === 'address' && value
						? HF.el('code', {}, '0x' + value)
						: HF.format(column.kind, value);
			return HF.el(
				'td',
				{
					class:
						(numeric ? 'n' : 't') +
						(column.wide ? ' wide' : '') +
						(column.kind.startsWith('change')
							? HF.change(value)
							: ''),
				},
				content,
			);
		}

		draw() {
			const rows = this.chosen(),
				few = rows.slice(0, this.limit);
			this.body.replaceChildren(
				...few.map((row) =>
					HF.el(
						'tr',
						{},
						this.columns.map((column) =>
							this.cell(column, row),
						),
					),
				),
			);
			this.shown.textContent = this.query ? HF.plural(rows.length, 'row') : '';
			const buttons =
				few.length < rows.length
					? [
							HF.el(
								'button',
								{
									type: 'button',
									on: {
										click: () => {
											this.limit +=
												this
													.page *
												5;
											this.draw();
										},
									},
								},
								'Show more',
							),
							HF.el(
								'button',
								{
									type: 'button',
									on: {
										click: () => {
											this.limit =
												Infinity;
											this.draw();
										},
									},
								},
								'Show all',
							),
							HF.el(
								'span',
								{},
								HF.count(few.length) +
									' of ' +
									HF.count(rows.length),
							),
						]
					: [];
			this.foot.replaceChildren(
				...buttons,
				this.rest && !this.query
					? HF.el('span', {class: 'rest-note'}, this.rest)
					: '',
			);
		}
	};
	HF.bar = bar;

	/* ---- tables of the report ------------------------------------------------------------- */

	const sortStatic = (table, button, index) => {
		const header = button.parentElement,
			down = header.getAttribute('aria-sort') !== 'descending';
		for (const other of table.tHead.rows[0].cells) {
			if (other.querySelector('button')) other.setAttribute('aria-sort', 'none');
		}
		header.setAttribute('aria-sort', down ? 'descending' : 'ascending');
		const key = (row) => {
			const cell = row.cells[index];
			return cell.dataset.v === undefined
				? cell.textContent
				: Number(cell.dataset.v);
		};
		const rows = [...table.tBodies[0].rows].sort((a, b) =>
			down ? compare(key(b), key(a)) : compare(key(a), key(b)),
		);
		table.tBodies[0].append(...rows);
	};

	/* A tree's rows have an order of their own, and a ledger's last line is its sum. */
	HF.sortable = () => {
		for (const table of document.querySelectorAll('.report table.flat')) {
			if (table.tBodies[0].rows.length < 3 || table.closest('#s-memory'))
				continue;
			[...table.tHead.rows[0].cells].forEach((header, index) => {
				if (!header.textContent) return;
				const button = HF.el(
					'button',
					{type: 'button', class: 'sort'},
					header.textContent,
				);
				button.addEventListener('click', () =>
					sortStatic(table, button, index),
				);
				header.replaceChildren(button);
				header.setAttribute('aria-sort', 'none');
			});
		}
	};

	/* ---- types ---------------------------------------------------------------------------- */

	HF.typesSection = () => {
		const table = HF.data.table('types'),
			fields = HF.data.fields;
		if (!table || !table.rows) return null;
		const rows = Array.from({length: table.rows}, (unused, i) => i);
		const column = (key, label, kind, more) => ({
			key,
			label,
			kind,
			value: (i) => table.get(key, i),
			...more,
		});
		const growth = table.kind('before_bytes') !== 'none';
		const whole =
			fields.types_bytes ||
			table.sum(growth ? 'after_bytes' : 'shallow_bytes') ||
			1;
		const rest = fields.types_left_out
			? HF.plural(fields.types_left_out, 'more type') + ' changed less.'
			: fields.types_count > table.rows
				? HF.plural(fields.types_count - table.rows, 'smaller type') +
					' with ' +
					HF.bytes(fields.types_bytes - table.sum('shallow_bytes')) +
					' are not in this table.'
				: null;
		/* A type leads to its places in the tree. */
		const name = (i) =>
			HF.el(
				'button',
				{
					type: 'button',
					class: 'link',
					title: 'Search the tree for it',
					on: {
						click: () =>
							HF.icicle &&
							HF.icicle.show(table.get('type', i) || ''),
					},
				},
				table.get('type', i) || '?',
			);
		const columns = growth
			? [
					column('type', 'type or shape', 'text', {
						wide: true,
						cell: name,
					}),
					{
						key: 'growth',
						label: 'growth',
						kind: 'change_bytes',
						value: (i) =>
							table.get('after_bytes', i) -
							table.get('before_bytes', i),
					},
					column('before_bytes', 'before', 'bytes'),
					column('after_bytes', 'after', 'bytes'),
					{
						key: 'growth_count',
						label: 'objects',
						kind: 'change_count',
						value: (i) =>
							table.get('after_count', i) -
							table.get('before_count', i),
					},
					column('after_count', 'after', 'count'),
					column('source', 'known by', 'text'),
				]
			: [
					column('type', 'type or shape', 'text', {
						wide: true,
						cell: name,
					}),
					column('count', 'objects', 'count'),
					column('shallow_bytes', 'bytes', 'bytes'),
					{
						key: 'share',
						label: 'share',
						kind: 'share',
						value: (i) => table.get('shallow_bytes', i) / whole,
					},
					{
						key: 'bar',
						label: '',
						kind: 'bar',
						value: (i) => table.get('shallow_bytes', i) / whole,
					},
					column('retained_bytes', 'retained', 'bytes'),
					{
						key: 'each',
						label: 'each',
						kind: 'bytes',
						value: (i) =>
							Math.round(
								table.get('shallow_bytes', i) /
									Math.max(
										table.get(
											'count',
											i,
										),
										1,
									),
							),
					},
					column('source', 'known by', 'text'),
				];
		const view = new HF.Table({
			label: 'Types',
			columns,
			rows,
			sort: growth ? 'growth' : 'shallow_bytes',
			page: 30,
			filter: 'Filter types',
			matches: (i) => table.get('type', i) + ' ' + table.get('source', i),
			rest,
		});
		return HF.section(
			'x-types',
			growth ? 'All types that changed' : 'All types',
			HF.plural(table.rows, 'type'),
			view.root,
		);
	};
})();
