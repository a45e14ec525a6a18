/*
 * browser.c - moving through the lists (see browser.h).
 */
#include "heapwalk/explore/browser.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "heapwalk/explore/line.h"
#include "heapwalk/output/escape.h"
#include "heapwalk/views/human.h"

/* A jump into the midst of more rows than this finds its goal among them by address: as many by
 * size would have to be sorted, with a look at the graph for each comparison. */
enum { MANY_ROWS = 1 << 18 };

struct hf_browser {
	struct hf_analysis *analysis;
	struct hf_names *names;
	struct hf_lines *lines;
	HF_VEC(, struct hf_level) levels;
	uint32_t serial;
	bool grouped; /* what new lists start with */
};

static struct hf_level *here(const struct hf_browser *browser)
{
	return &browser->levels.data[browser->levels.count - 1];
}

const struct hf_level *hf_browser_here(const struct hf_browser *browser)
{
	return here(browser);
}

uint32_t hf_browser_depth(const struct hf_browser *browser)
{
	return (uint32_t)browser->levels.count;
}

const struct hf_level *hf_browser_level(const struct hf_browser *browser, uint32_t depth)
{
	return &browser->levels.data[depth];
}

uint64_t hf_browser_rows(const struct hf_browser *browser)
{
	return here(browser)->list.rows.count;
}

static bool is_object(const struct hf_browser *browser, uint32_t node)
{
	return node < hf_graph_objects(browser->analysis->graph);
}

/* ---- levels ---------------------------------------------------------------------------------- */

/* What a list is of, for the line of where one is: the caller frees it. */
static char *title_of(const struct hf_browser *browser, const struct hf_list *list, uint32_t focus)
{
	static const char *const forms[] = {
	    [HF_LIST_CHILDREN] = "%s",
	    [HF_LIST_MEMBERS] = "each %s",
	    [HF_LIST_SOURCES] = "pointers to %s",
	    [HF_LIST_TARGETS] = "pointers from %s",
	    [HF_LIST_PATH] = "path to %s",
	};
	char count[HF_HUMAN_BYTES], *text = NULL, *whole = NULL;
	bool group = list->subject.type != HF_NO_TYPE && list->members > 1;

	if (group) {
		if (asprintf(&text, "%s x %s", hf_names_of(browser->names, focus),
			     hf_human_count(list->members, count)) < 0)
			return NULL;
	} else {
		text = hf_analysis_describe(browser->analysis, focus);
	}
	HF_AUTO(free_ptr) char *plain = text;
	HF_AUTO(free_ptr) char *safe = plain ? hf_escape(plain) : NULL;
	const char *form = forms[list->kind];
	const char *hole = strstr(form, "%s");
	if (!safe || asprintf(&whole, "%.*s%s", (int)(hole - form), form, safe) < 0)
		return NULL;
	return whole;
}

static void level_deinit(struct hf_level *level)
{
	hf_list_deinit(&level->list);
	free(level->title);
}

/* Takes over @subject's memory. */
static struct hf_error *push_level(struct hf_browser *browser, enum hf_list_kind kind,
				   struct hf_subject *subject, uint32_t focus, bool keep_empty,
				   bool *ret)
{
	struct hf_level level = {.focus = focus, .serial = ++browser->serial};
	struct hf_error *err = hf_list_open(browser->analysis, browser->names, kind, subject,
					    browser->grouped, &level.list);

	if (err)
		return err;
	bool empty = level.list.rows.count == 0 && !keep_empty;
	level.title = title_of(browser, &level.list, focus);
	if (empty || !level.title || !hf_vec_push(&browser->levels, level)) {
		level_deinit(&level);
		*ret = false;
		return empty ? NULL : hf_error_nomem();
	}
	*ret = true;
	return NULL;
}

static struct hf_error *push_node(struct hf_browser *browser, enum hf_list_kind kind, uint32_t node,
				  bool keep_empty, bool *ret)
{
	struct hf_subject subject = {.type = HF_NO_TYPE};

	if (!hf_vec_push(&subject.tops, node))
		return hf_error_nomem();
	return push_level(browser, kind, &subject, node, keep_empty, ret);
}

struct hf_error *hf_browser_create(struct hf_analysis *analysis, struct hf_browser **ret)
{
	struct hf_browser *browser = calloc(1, sizeof(*browser));
	bool pushed;

	if (!browser)
		return hf_error_nomem();
	browser->analysis = analysis;
	browser->grouped = true;
	struct hf_error *err = hf_names_create(analysis, &browser->names);
	if (!err)
		err = hf_lines_create(analysis, browser->names, &browser->lines);
	if (!err)
		err = push_node(browser, HF_LIST_CHILDREN, hf_graph_root(analysis->graph), true,
				&pushed);
	if (err)
		hf_browser_destroy(browser);
	else
		*ret = browser;
	return err;
}

void hf_browser_destroy(struct hf_browser *browser)
{
	if (!browser)
		return;
	hf_vec_foreach (level, &browser->levels)
		level_deinit(level);
	hf_vec_free(&browser->levels);
	hf_lines_destroy(browser->lines);
	hf_names_destroy(browser->names);
	free(browser);
}

/* ---- the cursor ------------------------------------------------------------------------------ */

struct hf_error *hf_browser_line(struct hf_browser *browser, uint64_t index, struct hf_line *ret)
{
	uint32_t row = HF_NO_ROW;
	struct hf_error *err = hf_list_row(&here(browser)->list, index, &row);

	if (!err && row == HF_NO_ROW)
		err = hf_error_create(HF_ERR_NOT_FOUND, "there is no such row");
	return err ? err : hf_lines_make(browser->lines, here(browser), row, ret);
}

void hf_browser_move(struct hf_browser *browser, uint64_t index, uint64_t height)
{
	struct hf_level *level = here(browser);
	uint64_t rows = level->list.rows.count;

	level->cursor = index < rows ? index : rows ? rows - 1 : 0;
	height = height ? height : 1;
	if (level->cursor < level->top)
		level->top = level->cursor;
	if (level->cursor - level->top >= height)
		level->top = level->cursor - height + 1;
	if (level->top && rows - level->top < height) /* the window has grown */
		level->top = rows > height ? rows - height : 0;
}

static struct hf_error *selected_row(struct hf_browser *browser, uint32_t *ret)
{
	return hf_list_row(&here(browser)->list, here(browser)->cursor, ret);
}

struct hf_error *hf_browser_selected(struct hf_browser *browser, uint32_t *ret)
{
	uint32_t row = HF_NO_ROW;
	struct hf_error *err = selected_row(browser, &row);

	if (!err)
		*ret = row == HF_NO_ROW ? HF_NO_NODE : hf_list_node(&here(browser)->list, row);
	return err;
}

/* ---- going ----------------------------------------------------------------------------------- */

struct hf_error *hf_browser_open(struct hf_browser *browser, enum hf_list_kind kind, bool *ret)
{
	struct hf_list *list = &here(browser)->list;
	struct hf_subject subject = {0};
	uint32_t row = HF_NO_ROW;
	struct hf_error *err = selected_row(browser, &row);

	*ret = false;
	if (err || row == HF_NO_ROW)
		return err;
	uint32_t node = hf_list_node(list, row);
	if (kind != HF_LIST_CHILDREN && kind != HF_LIST_MEMBERS)
		return push_node(browser, kind, node, false, ret);
	err = hf_list_subject(list, row, &subject);
	return err ? err : push_level(browser, kind, &subject, node, false, ret);
}

bool hf_browser_back(struct hf_browser *browser)
{
	if (browser->levels.count <= 1)
		return false;
	level_deinit(here(browser));
	browser->levels.count--;
	return true;
}

/* Is the list on top that of the children of @node, and would @child have a row of its own? */
static bool shows_children(const struct hf_browser *browser, uint32_t node, uint32_t child)
{
	const struct hf_list *list = &here(browser)->list;

	return list->kind == HF_LIST_CHILDREN && list->subject.type == HF_NO_TYPE &&
	       list->subject.tops.data[0] == node && !list->filter[0] &&
	       (!list->grouped || !is_object(browser, child));
}

struct hf_error *hf_browser_go(struct hf_browser *browser, uint32_t node)
{
	struct hf_graph *graph = browser->analysis->graph;
	uint32_t above = hf_graph_idom(graph, node);
	bool found = false;
	uint64_t index = 0;

	if (above == HF_NO_NODE) { /* the super root: its list is the first */
		while (hf_browser_back(browser))
			;
		return NULL;
	}
	bool grouped = browser->grouped;
	struct hf_error *err = NULL;
	if (is_object(browser, node))
		browser->grouped = false; /* it is to stand there itself */
	if (!shows_children(browser, above, node))
		err = push_node(browser, HF_LIST_CHILDREN, above, true, &found);
	browser->grouped = grouped;
	if (!err && hf_browser_rows(browser) > MANY_ROWS)
		err = hf_browser_sort(browser, HF_SORT_ADDRESS);
	if (!err)
		err = hf_list_find(&here(browser)->list, node, &found, &index);
	if (!err && found) {
		here(browser)->cursor = index;
		here(browser)->top = index > 3 ? index - 3 : 0;
	}
	return err;
}

struct hf_error *hf_browser_jump(struct hf_browser *browser, const char *text, uint32_t *ret,
				 uint64_t *ret_address)
{
	uint32_t node = HF_NO_NODE;
	uint64_t address = 0;
	struct hf_error *err = hf_analysis_resolve(browser->analysis, text, &address, &node);

	if (!err && node != HF_NO_NODE)
		err = hf_browser_go(browser, node);
	if (err)
		return err;
	*ret = node;
	*ret_address = address;
	return NULL;
}

/* ---- how it is shown ------------------------------------------------------------------------- */

static struct hf_error *refresh(struct hf_browser *browser)
{
	struct hf_level *level = here(browser);

	level->cursor = level->top = 0;
	level->serial = ++browser->serial;
	return hf_list_refresh(&level->list);
}

struct hf_error *hf_browser_sort(struct hf_browser *browser, enum hf_sort sort)
{
	struct hf_list *list = &here(browser)->list;

	if (list->kind == HF_LIST_PATH && sort == HF_SORT_ADDRESS) {
		list->reverse = false;
		list->sort = HF_SORT_ORDER;
		return refresh(browser);
	}
	list->reverse = list->sort == sort && !list->reverse;
	list->sort = sort;
	return refresh(browser);
}

struct hf_error *hf_browser_group(struct hf_browser *browser)
{
	struct hf_list *list = &here(browser)->list;

	if (list->kind != HF_LIST_CHILDREN)
		return hf_error_create(HF_ERR_USAGE, "these rows are single objects");
	list->grouped = !list->grouped;
	browser->grouped = list->grouped;
	return refresh(browser);
}

struct hf_error *hf_browser_filter(struct hf_browser *browser, const char *text)
{
	struct hf_list *list = &here(browser)->list;

	if (strlen(text) >= sizeof(list->filter))
		return hf_error_create(HF_ERR_USAGE, "a filter of less than %zu bytes, please",
				       sizeof(list->filter));
	memcpy(list->filter, text, strlen(text) + 1);
	return refresh(browser);
}
