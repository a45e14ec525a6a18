/*
 * util.js - elements, numbers as people read them, and what is said to screen readers.
 *
 * Strings of a core reach the page only as text nodes and attribute values: nothing here makes
 * markup from text.
 */
'use strict';
const HF = {};
(() => {
	const put = (element, attributes, children) => {
		for (const [key, value] of Object.entries(attributes || {})) {
			if (value === null || value === undefined || value === false) continue;
			if (key === 'on') {
				for (const [name, fn] of Object.entries(value))
					element.addEventListener(name, fn);
			} else if (key === 'css') {
				for (const [name, to] of Object.entries(value))
					element.style.setProperty(name, to);
			} else {
				element.setAttribute(key, value === true ? '' : String(value));
			}
		}
		for (const child of children.flat(Infinity)) {
			if (child !== null && child !== undefined && child !== false)
				element.append(child);
		}
		return element;
	};
	HF.el = (tag, attributes, ...children) =>
		put(document.createElement(tag), attributes, children);
	HF.svg = (tag, attributes, ...children) =>
		put(
			document.createElementNS('http://www.w3.org/2000/svg', tag),
			attributes,
			children,
		);

	const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];
	/* As printf rounds, so that the page's figures are those of the text: ties go to even. */
	const fixed = (value, digits) => {
		const scale = 10 ** digits,
			down = Math.floor(value * scale);
		const tie = value * scale - down === 0.5 && down % 2 === 0;
		return (tie ? down / scale : value).toFixed(digits);
	};
	HF.bytes = (number) => {
		let value = Math.abs(number),
			unit = 0;
		while (value >= 999.5 && unit + 1 < UNITS.length) {
			value /= 1024;
			unit++;
		}
		const digits = unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
		return (number < 0 ? '-' : '') + fixed(value, digits) + ' ' + UNITS[unit];
	};
	HF.count = (number) =>
		Math.round(number)
			.toString()
			.replace(/\B(?=(\d{3})+$)/g, ',');
	HF.share = (value) => {
		const percent = value * 100;
		if (percent > 0 && percent < 0.05) return '<0.1 %';
		return fixed(percent, percent > 0 && percent < 9.95 ? 1 : 0) + ' %';
	};
	const signed = (number, text) => (number > 0 ? '+' : '') + text(number);
	HF.format = (kind, value) => {
		if (value === null || value === undefined) return '-';
		switch (kind) {
			case 'bytes':
				return HF.bytes(value);
			case 'count':
				return HF.count(value);
			case 'share':
				return HF.share(value);
			case 'change_bytes':
				return signed(value, HF.bytes);
			case 'change_count':
				return signed(value, HF.count);
			case 'address':
				return '0x' + value;
			case 'bool':
				return value ? 'yes' : 'no';
			default:
				return String(value);
		}
	};
	HF.numeric = (kind) => !['text', 'address', 'bool', 'none', 'bar'].includes(kind);
	HF.plural = (count, one, many) =>
		HF.count(count) + ' ' + (count === 1 ? one : many || one + 's');
	HF.change = (number) => (number > 0 ? ' up' : number < 0 ? ' down' : '');

	HF.say = (text) => {
		document.getElementById('live').textContent = text;
	};

	/* A button that copies what text() gives. */
	HF.copyButton = (text, label) => {
		const button = HF.el(
			'button',
			{type: 'button', class: 'copy', 'aria-label': label || 'Copy'},
			'copy',
		);
		const done = (word) => {
			button.textContent = word;
			HF.say(word === 'copied' ? 'Copied' : 'Could not copy');
			setTimeout(() => {
				button.textContent = 'copy';
			}, 1500);
		};
		button.addEventListener('click', () => {
			/* A page from disk may have no clipboard: then a selection has. */
			const area = HF.el('textarea', {class: 'hidden', 'aria-hidden': 'true'});
			area.value = text();
			document.body.append(area);
			area.select();
			let fine = false;
			try {
				fine = document.execCommand('copy');
			} catch (error) {
				fine = false;
			}
			area.remove();
			button.focus();
			done(fine ? 'copied' : 'failed');
		});
		return button;
	};

	/* A word of a command line. */
	HF.shellWord = (word) =>
		/^[\w./:@%+,=-]+$/.test(word) ? word : "'" + word.replace(/'/g, "'\\''") + "'";

	/* A group of toggles of which one is on: [{key, label}]. */
	let groups = 0;
	HF.choice = (label, options, chosen, change) => {
		const name = 'choice' + groups++;
		return HF.el(
			'fieldset',
			{class: 'choice'},
			HF.el('legend', {}, label),
			options.map((option) =>
				HF.el(
					'label',
					{},
					HF.el('input', {
						type: 'radio',
						name,
						value: option.key,
						checked: option.key === chosen,
						on: {change: () => change(option.key)},
					}),
					HF.el('span', {}, option.label),
				),
			),
		);
	};

	HF.section = (id, title, note, ...children) =>
		HF.el(
			'section',
			{id, class: 'explore'},
			HF.el(
				'h2',
				{},
				title,
				note ? ' ' : null,
				note ? HF.el('small', {}, note) : null,
			),
			children,
		);

	HF.legend = (entries) =>
		HF.el(
			'ul',
			{class: 'legend'},
			entries.map((entry) =>
				HF.el(
					'li',
					{},
					HF.el('span', {
						class: 'swatch ' + entry.class,
						'aria-hidden': 'true',
					}),
					HF.el('span', {class: 'name'}, entry.name),
					entry.value
						? HF.el('span', {class: 'value'}, entry.value)
						: null,
				),
			),
		);

	/*
	 * A picture with a cursor: the mouse or the arrow keys choose one of @count places, @tell
	 * says what is there, in the line below and to screen readers.
	 */
	HF.cursor = (picture, label, count, place, tell) => {
		const mark = HF.el('span', {class: 'mark', hidden: true});
		const line = HF.el('p', {class: 'readout'});
		let at = -1;
		const go = (index) => {
			at = Math.max(0, Math.min(count - 1, index));
			const [left, width] = place(at);
			mark.hidden = false;
			mark.style.setProperty('left', left * 100 + '%');
			mark.style.setProperty('width', Math.max(width * 100, 0.15) + '%');
			line.textContent = tell(at);
			frame.setAttribute('aria-valuenow', at);
			frame.setAttribute('aria-valuetext', line.textContent);
		};
		const idle = () => {
			mark.hidden = true;
			line.textContent = '\u00a0';
		};
		const frame = HF.el(
			'div',
			{
				class: 'cursor',
				tabindex: 0,
				role: 'slider',
				'aria-label': label,
				'aria-valuemin': 0,
				'aria-valuemax': Math.max(count - 1, 0),
				'aria-valuenow': 0,
				'aria-valuetext': 'not chosen yet',
			},
			picture,
			mark,
		);
		frame.addEventListener('mousemove', (event) => {
			const box = frame.getBoundingClientRect(),
				x = (event.clientX - box.left) / box.width;
			let low = 0,
				high = count - 1;
			while (low < high) {
				/* the last place that starts at or before x */
				const middle = (low + high + 1) >> 1;
				if (place(middle)[0] <= x) low = middle;
				else high = middle - 1;
			}
			if (count) go(low);
		});
		frame.addEventListener('mouseleave', () => {
			if (document.activeElement !== frame) idle();
		});
		frame.addEventListener('focus', () => {
			if (count && at < 0) go(0);
		});
		frame.addEventListener('keydown', (event) => {
			const step = {
				ArrowRight: 1,
				ArrowLeft: -1,
				ArrowUp: 1,
				ArrowDown: -1,
				PageUp: 10,
				PageDown: -10,
			}[event.key];
			if (step) go(at + step);
			else if (event.key === 'Home') go(0);
			else if (event.key === 'End') go(count - 1);
			else return;
			event.preventDefault();
		});
		idle();
		return [frame, line];
	};
})();
