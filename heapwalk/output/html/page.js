/*
 * page.js - puts the page together: tiles, sections to explore, navigation, theme, keys.
 */
(() => {
	const tile = (label, value, note, className) =>
		HF.el(
			'div',
			{class: 'tile ' + (className || '')},
			HF.el('span', {class: 'label'}, label),
			HF.el('strong', {}, value),
			HF.el('span', {class: 'note'}, note || ''),
		);

	const tiles = () => {
		const fields = HF.data.fields,
			share = (part) =>
				HF.share(part / (fields.inuse_bytes || 1)) + ' of the heap in use';
		if (fields.inuse_bytes === undefined) return [];
		if (fields.before_bytes !== undefined) {
			const grown = fields.inuse_bytes - fields.before_bytes,
				lost = fields.lost_bytes - fields.before_lost_bytes;
			return [
				tile(
					'heap in use, after',
					HF.bytes(fields.inuse_bytes),
					'before: ' + HF.bytes(fields.before_bytes),
				),
				tile(
					'growth',
					HF.format('change_bytes', grown),
					HF.format('change_count', grown) + ' bytes',
					grown > 0 ? 'warn' : 'good',
				),
				tile(
					'objects',
					HF.format(
						'change_count',
						fields.objects - fields.before_objects,
					),
					HF.count(fields.objects) + ' after',
				),
				tile(
					'lost',
					HF.format('change_bytes', lost),
					HF.bytes(fields.lost_bytes) + ' after',
					lost > 0 ? 'bad' : 'good',
				),
			];
		}
		const list = [
			tile(
				'heap in use',
				HF.bytes(fields.inuse_bytes),
				HF.bytes(fields.system_bytes) + ' from the system',
			),
			tile(
				'objects',
				HF.count(fields.objects),
				'of ' +
					HF.bytes(
						fields.objects
							? fields.inuse_bytes / fields.objects
							: 0,
					) +
					' on average',
			),
			tile(
				'lost',
				HF.bytes(fields.lost_bytes),
				fields.lost_bytes
					? HF.plural(fields.lost_count, 'object') +
							', ' +
							share(fields.lost_bytes)
					: 'every object is reached',
				fields.lost_bytes * 20 > fields.inuse_bytes
					? 'bad'
					: fields.lost_bytes
						? ''
						: 'good',
			),
		];
		if (fields.possible_bytes)
			list.push(
				tile(
					'possibly lost',
					HF.bytes(fields.possible_bytes),
					share(fields.possible_bytes),
				),
			);
		list.push(
			tile(
				'free',
				HF.bytes(fields.free_bytes),
				HF.share(fields.free_bytes / (fields.system_bytes || 1)) +
					' of what the system gave',
			),
		);
		const findings = fields.findings_count || 0;
		list.push(
			tile(
				'integrity',
				findings ? HF.plural(findings, 'finding') : 'intact',
				findings ? 'the heap is broken' : 'no broken invariant',
				findings ? 'bad' : 'good',
			),
		);
		return list;
	};

	const treeSection = () => {
		const table = HF.data.table('tree'),
			growth = table && table.kind('before_bytes') !== 'none';
		if (!table || table.rows < 2) return null;
		const tree = growth ? HF.growthTree(table) : HF.heapTree(table);
		const icicle = new HF.Icicle(
			tree,
			growth ? 'What grew, by holder and path' : 'Dominator tree',
		);
		const merged = HF.data.fields.tree_merged;
		const section = HF.section(
			'x-tree',
			growth ? 'Growth tree' : 'Dominator tree',
			growth
				? 'a block is as wide as what grew'
				: 'a block is as wide as what it keeps alive',
			icicle.root,
			merged
				? HF.el(
						'p',
						{class: 'note'},
						HF.plural(merged, 'group') +
							' that keep least are merged into \u201cmore\u201d blocks, so that this file stays small; the dominators command tells them apart.',
					)
				: null,
		);
		HF.icicle = icicle;
		return {section, start: () => icicle.start()};
	};

	const theme = () => {
		const names = {auto: 'Theme: auto', light: 'Theme: light', dark: 'Theme: dark'},
			order = ['auto', 'light', 'dark'];
		const button = HF.el('button', {type: 'button', id: 'theme'}, names.auto);
		let at = 0;
		button.addEventListener('click', () => {
			at = (at + 1) % order.length;
			document.documentElement.dataset.theme = order[at];
			button.textContent = names[order[at]];
		});
		return button;
	};

	const navigation = (sections) => {
		const nav = document.getElementById('nav');
		if (sections.length)
			nav.append(
				HF.el('h2', {}, 'Explore'),
				HF.el(
					'ul',
					{},
					sections.map((section) =>
						HF.el(
							'li',
							{},
							HF.el(
								'a',
								{href: '#' + section.id},
								section.querySelector('h2')
									.firstChild.textContent,
							),
						),
					),
				),
			);
		/* Which section is being read. */
		const links = new Map(
			[...nav.querySelectorAll('a')].map((link) => [
				link.getAttribute('href').slice(1),
				link,
			]),
		);
		const watcher = new IntersectionObserver(
			(entries) => {
				for (const entry of entries)
					links.get(entry.target.id).classList.toggle(
						'seen',
						entry.isIntersecting,
					);
				const first = [...links.values()].find((link) =>
					link.classList.contains('seen'),
				);
				for (const link of links.values()) {
					if (link === first)
						link.setAttribute('aria-current', 'true');
					else link.removeAttribute('aria-current');
				}
			},
			{rootMargin: '-48px 0px -60% 0px'},
		);
		for (const id of links.keys()) {
			const section = document.getElementById(id);
			if (section) watcher.observe(section);
		}
	};

	const keys = () => {
		document.addEventListener('keydown', (event) => {
			const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(
				document.activeElement.tagName,
			);
			if (
				event.key !== '/' ||
				typing ||
				event.ctrlKey ||
				event.altKey ||
				event.metaKey ||
				!HF.icicle
			)
				return;
			event.preventDefault();
			HF.icicle.search.focus();
			HF.icicle.search.scrollIntoView({block: 'center'});
		});
		/* On paper nothing can be opened. */
		window.addEventListener('beforeprint', () => {
			for (const one of document.querySelectorAll('details.leak'))
				one.open = true;
		});
	};

	const commands = () => {
		for (const code of document.querySelectorAll('.commands .command'))
			code.after(
				' ',
				HF.copyButton(() => code.textContent, 'Copy the command'),
			);
	};

	const tree = treeSection();
	const sections = [
		tree && tree.section,
		HF.typesSection(),
		HF.sizesSection(),
		HF.memorySection(),
		HF.leaksSection(),
		HF.findingsSection(),
	].filter((one) => one);
	document.getElementById('tiles').append(...tiles());
	document.getElementById('explore').append(...sections);
	document.getElementById('tools').append(theme());
	if (HF.data.left_out)
		document.getElementById('explore').append(
			HF.el(
				'p',
				{class: 'note'},
				HF.plural(HF.data.left_out, 'name') +
					' had to be left out to keep this file small.',
			),
		);
	if (tree) tree.start();
	HF.sortable();
	commands();
	navigation(sections);
	keys();
})();
