/*
 * test_explore.c - the browser of explore without a terminal: the lazy sort against qsort, and its
 * lists against brute force over random heaps: rows, sums, groups with their chains, filters,
 * orders, jumps and pointers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "heapwalk/explore/browser.h"
#include "heapwalk/explore/page.h"
#include "heapwalk/typing/private.h"
#include "tests/unit/fake_heap.h"

enum { HEAPS = 400, MAX_OBJECTS = 60, TYPES = 3 };

static const char *const type_names[TYPES] = {"alpha", "beta \033[2J", "Gamma"};

/* A heap of its own types: what object @id is, is a matter of chance. */
struct world {
	struct fake_heap heap;
	struct hf_analysis analysis;
	struct hf_process process;
	struct hf_typing typing;
};

static void world_init(struct world *world, uint32_t objects, uint32_t holders, uint64_t *random)
{
	struct fake_heap *heap = &world->heap;

	memset(world, 0, sizeof(*world));
	fake_init(heap, objects, holders, random);
	for (uint32_t id = 0; id < objects; id++) {
		for (uint32_t slot = 0; slot < 2; slot++) {
			if (fake_random(random) % 100 < 60)
				fake_words(heap, id)[slot] =
				    fake_object(heap, (uint32_t)(fake_random(random) % objects));
		}
	}
	for (uint32_t i = 0; i < holders; i++)
		heap->root_memory[i] = fake_object(heap, (uint32_t)(fake_random(random) % objects));
	world->process.image = heap->image;
	world->analysis.process = &world->process;
	world->analysis.roots = heap->roots;
	assert_null(fake_graph(heap, &world->analysis.extents, &world->analysis.graph));
	for (uint32_t i = 0; i < TYPES; i++)
		assert_true(
		    hf_vec_push(&world->typing.types, (struct hf_type){.name = type_names[i]}));
	world->typing.of = calloc(objects + 1, sizeof(uint32_t));
	for (uint32_t id = 0; id < objects; id++)
		world->typing.of[id] = (uint32_t)(fake_random(random) % TYPES);
	world->analysis.typing = &world->typing;
	assert_null(hf_symbols_create(&world->process, &world->analysis.symbols));
	world->typing.symbols = world->analysis.symbols;
}

static void world_deinit(struct world *world)
{
	hf_symbols_destroy(world->analysis.symbols);
	hf_graph_destroy(world->analysis.graph);
	hf_extents_destroy(world->analysis.extents);
	free(world->typing.of);
	hf_vec_free(&world->typing.types);
	fake_deinit(&world->heap);
}

static bool is_object(const struct world *world, uint32_t node)
{
	return node < world->heap.objects;
}

static bool is_lost(const struct world *world, uint32_t node)
{
	return hf_graph_is_leader(world->analysis.graph, node);
}

/* ---- the lazy sort --------------------------------------------------------------------------- */

struct ranks {
	const uint64_t *value;
	uint64_t asked;
};

static bool rank_before(const void *ctx, uint32_t a, uint32_t b)
{
	struct ranks *ranks = (struct ranks *)ctx;

	ranks->asked++;
	return ranks->value[a] != ranks->value[b] ? ranks->value[a] < ranks->value[b] : a < b;
}

static void test_lazy_sort(void **state)
{
	enum { COUNT = 20000 };
	uint32_t *data = calloc(COUNT, sizeof(*data));
	uint64_t *value = calloc(COUNT, sizeof(*value)), random = 88172645463325252u;
	struct ranks ranks = {.value = value};
	struct hf_lazy_sort sort = {0};
	size_t place = 0;

	(void)state;
	for (uint32_t range = 1; range < 1u << 20; range *= 32) {
		for (uint32_t i = 0; i < COUNT; i++) {
			data[i] = i;
			value[i] = fake_random(&random) % range;
		}
		ranks.asked = 0;
		hf_lazy_sort_start(&sort, data, COUNT, rank_before, &ranks);
		assert_true(hf_lazy_sort_upto(&sort, 20));
		assert_true(ranks.asked < 8 * COUNT); /* and not n log n */
		for (size_t upto = 20; upto < COUNT + 3000; upto += 3000) {
			assert_true(hf_lazy_sort_upto(&sort, upto));
			for (size_t i = 1; i < (upto < COUNT ? upto : COUNT); i++)
				assert_true(rank_before(&ranks, data[i - 1], data[i]));
		}
		uint32_t row = data[COUNT / 3];
		for (uint32_t i = 0; i < COUNT; i++)
			data[i] = COUNT - 1 - i;
		hf_lazy_sort_start(&sort, data, COUNT, rank_before, &ranks);
		assert_true(hf_lazy_sort_place(&sort, row, &place));
		assert_int_equal(place, COUNT / 3);
		assert_int_equal(data[place], row);
	}
	hf_lazy_sort_deinit(&sort);
	free(data);
	free(value);
}

/* ---- lists against brute force --------------------------------------------------------------- */

/* The group's rule, told again in the simplest way: is @node folded into what is above it? */
static bool folded(const struct world *world, uint32_t node, uint32_t type)
{
	return is_object(world, node) && world->typing.of[node] == type;
}

/* Members of a group with the top @node: itself, and children of its type, and theirs. */
static uint64_t count_chain(const struct world *world, uint32_t node)
{
	uint64_t count = 1;

	for (uint32_t id = 0; id < world->heap.objects; id++) {
		if (hf_graph_idom(world->analysis.graph, id) == node &&
		    folded(world, id, world->typing.of[node]))
			count += count_chain(world, id);
	}
	return count;
}

/* Every row of the list on top, and their sum, are what the dominators say. */
static void check_children(const struct world *world, struct hf_browser *browser, uint32_t node)
{
	const struct hf_graph *graph = world->analysis.graph;
	uint32_t nodes = hf_graph_root(graph);
	uint64_t sum = 0, last = UINT64_MAX, objects = 0, expected = 0;

	for (uint32_t i = 0; i < nodes; i++)
		expected += hf_graph_idom(graph, i) == node;
	for (uint64_t i = 0; i < hf_browser_rows(browser); i++) {
		struct hf_line line;
		assert_null(hf_browser_line(browser, i, &line));
		assert_true(line.retained <= last);
		last = line.retained;
		sum += line.retained;
		objects += line.objects;
		assert_int_equal(hf_graph_idom(graph, line.node), node);
		assert_null(strpbrk(line.name, "\033\n"));
	}
	const struct hf_list *list = &hf_browser_here(browser)->list;
	uint64_t own =
	    is_object(world, node) ? hf_extents_chunk_bytes(world->analysis.extents, node) : 0;
	assert_int_equal(list->own, own);
	assert_int_equal(sum + own, hf_graph_retained(graph, node));
	assert_int_equal(objects + is_object(world, node), hf_graph_retained_objects(graph, node));
	if (!list->grouped)
		assert_int_equal(hf_browser_rows(browser), expected);
}

static void check_groups(const struct world *world, struct hf_browser *browser)
{
	const struct hf_graph *graph = world->analysis.graph;
	const struct hf_list *list = &hf_browser_here(browser)->list;
	uint32_t root = hf_graph_root(graph);

	hf_vec_foreach (group, &list->groups) {
		uint64_t tops = 0, members = 0, retained = 0;
		for (uint32_t id = 0; id < world->heap.objects; id++) {
			if (hf_graph_idom(graph, id) != root ||
			    world->typing.of[id] != group->type ||
			    is_lost(world, id) != group->lost)
				continue;
			tops++;
			members += count_chain(world, id);
			retained += hf_graph_retained(graph, id);
		}
		assert_int_equal(group->tops, tops);
		assert_int_equal(group->members, members);
		assert_int_equal(group->retained, retained);
		assert_true(group->counted);
	}
}

/* Open each group: its rows and its own bytes are what the group retains; so for its members. */
static void check_inside_groups(const struct world *world, struct hf_browser *browser)
{
	uint64_t rows = hf_browser_rows(browser);

	for (uint64_t i = 0; i < rows; i++) {
		struct hf_line group, line;
		bool opened;
		uint64_t sum = 0;

		hf_browser_move(browser, i, 10);
		assert_null(hf_browser_line(browser, i, &group));
		bool opens = group.opens;
		assert_null(hf_browser_open(browser, HF_LIST_CHILDREN, &opened));
		assert_int_equal(opened, opens);
		if (!opened)
			continue;
		const struct hf_list *list = &hf_browser_here(browser)->list;
		for (uint64_t j = 0; j < hf_browser_rows(browser); j++) {
			assert_null(hf_browser_line(browser, j, &line));
			sum += line.retained;
			assert_true(!folded(world, line.node, list->subject.type));
		}
		uint64_t own = list->own, members = list->members;
		assert_int_equal(sum + own, group.retained);
		assert_true(hf_browser_back(browser));
		assert_null(hf_browser_open(browser, HF_LIST_MEMBERS, &opened));
		if (members) {
			assert_int_equal(hf_browser_rows(browser), members);
			assert_true(hf_browser_back(browser));
		}
	}
}

static void check_filter(const struct world *world, struct hf_browser *browser)
{
	uint64_t all = hf_browser_rows(browser), kept;
	struct hf_line line;

	assert_null(hf_browser_filter(browser, "GAM"));
	kept = hf_browser_rows(browser);
	for (uint64_t i = 0; i < kept; i++) {
		assert_null(hf_browser_line(browser, i, &line));
		assert_int_equal(world->typing.of[line.node], 2);
	}
	assert_int_equal(kept + hf_browser_here(browser)->list.hidden, all);
	assert_null(hf_browser_filter(browser, "no such name"));
	assert_int_equal(hf_browser_rows(browser), 0);
	uint32_t node = 0;
	assert_null(hf_browser_selected(browser, &node));
	assert_int_equal(node, HF_NO_NODE);
	assert_null(hf_browser_filter(browser, ""));
	assert_int_equal(hf_browser_rows(browser), all);
}

static uint64_t figure(const struct hf_line *line, enum hf_sort sort)
{
	return sort == HF_SORT_SHALLOW ? line->shallow
	       : sort == HF_SORT_COUNT ? line->objects
				       : line->retained;
}

static void check_orders(struct hf_browser *browser)
{
	struct hf_line line;

	for (int sort = HF_SORT_ADDRESS; sort >= HF_SORT_RETAINED; sort--) {
		for (int turned = 0; turned < 2; turned++) {
			uint64_t last = 0;
			char name[64] = "";
			assert_null(hf_browser_sort(browser, (enum hf_sort)sort));
			for (uint64_t i = 0; i < hf_browser_rows(browser); i++) {
				assert_null(hf_browser_line(browser, i, &line));
				uint64_t now = figure(&line, (enum hf_sort)sort);
				if (sort == HF_SORT_ADDRESS)
					now = UINT64_MAX - line.node;
				if (sort == HF_SORT_NAME)
					assert_true(i == 0 || turned ||
						    strncasecmp(name, line.name, 5) <= 0);
				else if (i)
					assert_true(turned ? now >= last : now <= last);
				last = now;
				snprintf(name, sizeof(name), "%s", line.name);
			}
		}
	}
	assert_null(hf_browser_sort(browser, HF_SORT_NAME));
	assert_null(hf_browser_sort(browser, HF_SORT_RETAINED));
}

/* From anywhere to each node: it stands under the cursor, in the list of its dominator. */
static void check_jumps(const struct world *world, struct hf_browser *browser)
{
	for (uint32_t id = 0; id < world->heap.objects; id++) {
		char text[32];
		uint32_t node, selected;
		uint64_t address;

		snprintf(text, sizeof(text), "0x%llx",
			 (unsigned long long)fake_object(&world->heap, id) + 8);
		assert_null(hf_browser_jump(browser, text, &node, &address));
		assert_int_equal(node, id);
		assert_null(hf_browser_selected(browser, &selected));
		assert_int_equal(selected, id);
		check_children(world, browser, hf_graph_idom(world->analysis.graph, id));
		hf_browser_back(browser); /* or it stood in the first list already */
	}
}

static bool points_at(const struct world *world, uint32_t from, uint32_t to)
{
	const uint64_t *words = is_object(world, from)
				    ? fake_words(&world->heap, from)
				    : &world->heap.root_memory[from - world->heap.objects];
	for (uint32_t i = 0; i < (is_object(world, from) ? 3u : 1u); i++) {
		if (words[i] == fake_object(&world->heap, to))
			return true;
	}
	return false;
}

static void check_pointers(const struct world *world, struct hf_browser *browser, uint32_t id)
{
	uint64_t sources = 0, rows;
	bool opened;
	struct hf_line line;

	for (uint32_t from = 0; from < hf_graph_root(world->analysis.graph); from++)
		sources += from != id && points_at(world, from, id);
	assert_null(hf_browser_go(browser, id));
	assert_null(hf_browser_open(browser, HF_LIST_SOURCES, &opened));
	assert_int_equal(opened, sources != 0);
	rows = opened ? hf_browser_rows(browser) : 0;
	assert_int_equal(rows, sources);
	for (uint64_t i = 0; i < rows; i++) {
		assert_null(hf_browser_line(browser, i, &line));
		assert_true(points_at(world, line.node, id));
		assert_memory_equal(line.pointer, "at +", 4);
	}
	if (opened)
		assert_true(hf_browser_back(browser));
	assert_null(hf_browser_open(browser, HF_LIST_PATH, &opened));
	rows = opened ? hf_browser_rows(browser) : 0;
	for (uint64_t i = 0; i < rows; i++) {
		uint32_t above = line.node;
		assert_null(hf_browser_line(browser, i, &line));
		assert_true(i == 0 || points_at(world, above, line.node));
	}
	if (opened)
		assert_int_equal(line.node, id);
	while (hf_browser_back(browser))
		;
}

static void test_lists(void **state)
{
	uint64_t random = 0x2545f4914f6cdd1d;

	(void)state;
	for (int i = 0; i < HEAPS; i++) {
		struct world world;
		struct hf_browser *browser = NULL;
		uint32_t objects = 2 + (uint32_t)(fake_random(&random) % MAX_OBJECTS);

		world_init(&world, objects, 1 + (uint32_t)(fake_random(&random) % 4), &random);
		assert_null(hf_browser_create(&world.analysis, &browser));
		uint32_t root = hf_graph_root(world.analysis.graph);
		check_children(&world, browser, root);
		check_groups(&world, browser);
		check_inside_groups(&world, browser);
		check_orders(browser);
		assert_null(hf_browser_group(browser));
		check_children(&world, browser, root);
		check_filter(&world, browser);
		check_orders(browser);
		check_inside_groups(&world, browser);
		check_jumps(&world, browser);
		check_pointers(&world, browser, (uint32_t)(fake_random(&random) % objects));
		hf_browser_destroy(browser);
		world_deinit(&world);
	}
}

/* ---- the cursor and pages -------------------------------------------------------------------- */

static void test_cursor(void **state)
{
	uint64_t random = 99;
	struct world world;
	struct hf_browser *browser = NULL;

	(void)state;
	world_init(&world, 200, 4, &random);
	assert_null(hf_browser_create(&world.analysis, &browser));
	assert_null(hf_browser_group(browser));
	uint64_t rows = hf_browser_rows(browser);
	assert_true(rows > 20);
	for (uint64_t step = 0; step < 500; step++) {
		uint64_t height = 1 + fake_random(&random) % 30;
		hf_browser_move(browser, fake_random(&random) % (rows + 5), height);
		const struct hf_level *level = hf_browser_here(browser);
		assert_true(level->cursor < rows);
		assert_true(level->top <= level->cursor && level->cursor < level->top + height);
		assert_true(rows <= height ? level->top == 0 : level->top + height <= rows);
	}
	hf_browser_destroy(browser);
	world_deinit(&world);
}

static void test_pages(void **state)
{
	uint64_t random = 5, found = 0;
	struct world world;
	struct hf_page *page = hf_page_text("a title", "first\nsecond\n\nfourth");
	char line[HF_PAGE_LINE], expected[64];

	(void)state;
	assert_non_null(page);
	assert_int_equal(hf_page_lines(page), 4);
	assert_string_equal(hf_page_line(page, 1, line, sizeof(line)), "second");
	assert_string_equal(hf_page_line(page, 2, line, sizeof(line)), "");
	assert_string_equal(hf_page_line(page, 9, line, sizeof(line)), "");
	assert_true(hf_page_search(page, "FOUR", 0, &found));
	assert_int_equal(found, 3);
	assert_false(hf_page_search(page, "second", 2, &found));
	assert_false(hf_page_toggle_words(page));
	hf_page_destroy(page);

	world_init(&world, 3, 1, &random);
	memset(fake_words(&world.heap, 1), 0, 40);
	memcpy(fake_words(&world.heap, 1), "\033hello", 6);
	fake_words(&world.heap, 1)[2] = fake_object(&world.heap, 2) + 8;
	assert_null(hf_page_dump(&world.analysis, 1, &page));
	uint64_t usable = fake_usable(&world.heap, 1);
	assert_int_equal(hf_page_lines(page), (usable + 15) / 16);
	assert_string_equal(hf_page_line(page, 0, line, sizeof(line)),
			    "+0      1b 68 65 6c 6c 6f 00 00  00 00 00 00 00 00 00 00  "
			    ".hello..........");
	assert_true(hf_page_toggle_words(page));
	assert_int_equal(hf_page_lines(page), usable / 8);
	snprintf(expected, sizeof(expected), "+16     0x%016llx  ",
		 (unsigned long long)fake_words(&world.heap, 1)[2]);
	assert_memory_equal(hf_page_line(page, 2, line, sizeof(line)), expected, strlen(expected));
	assert_non_null(strstr(line, " + 8"));
	assert_null(strpbrk(line, "\033"));
	hf_page_destroy(page);
	struct hf_error *err =
	    hf_page_dump(&world.analysis, hf_graph_root(world.analysis.graph), &page);
	assert_int_equal(hf_error_code(err), HF_ERR_NOT_FOUND); /* the super root has no memory */
	hf_error_destroy(err);
	world_deinit(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lazy_sort),
	    cmocka_unit_test(test_lists),
	    cmocka_unit_test(test_cursor),
	    cmocka_unit_test(test_pages),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
