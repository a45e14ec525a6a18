/*
 * oom.c - the report after an OOM kill (see oom.h).
 *
 * The ledger: pages of the core that are not all zero were resident, so they are counted by what
 * they belong to; their sum stands beside the kernel's anon-rss, and the difference is told as
 * unexplained. (A page of zeros may have been resident as well: the sum is a lower bound.)
 */
#include "heapwalk/views/oom.h"

#include <stdlib.h>
#include <string.h>

#include "heapwalk/spans.h"
#include "heapwalk/views/human.h"
#include "heapwalk/views/sections.h"

enum { TOP_TASKS = 8, MAX_KILLS = 20, RSS_SLACK = 1 << 20 };

static bool known(uint64_t bytes)
{
	return bytes != HF_OOM_UNKNOWN && bytes != HF_OOM_NO_LIMIT;
}

static struct hf_value bytes_or_none(uint64_t bytes)
{
	return known(bytes) ? hf_bytes(bytes) : hf_none();
}

static const char *when(struct hf_doc *doc, const struct hf_oom_kill *kill)
{
	if (kill->time.wall)
		return hf_doc_printf(doc, " at %s", kill->time.wall);
	if (kill->time.monotonic_usecs != HF_OOM_UNKNOWN)
		return hf_doc_printf(doc, " %.1f s after boot",
				     (double)kill->time.monotonic_usecs / 1e6);
	return "";
}

static const char *why(struct hf_doc *doc, const struct hf_oom_kill *kill)
{
	const struct hf_oom_event *event = kill->event;

	if (kill->reason)
		return hf_doc_printf(doc, "systemd-oomd: %s", kill->reason);
	if (kill->scope == HF_OOM_SCOPE_MEMCG && known(event->memory.limit))
		return hf_doc_printf(doc, "memory cgroup %s was at its limit of %s",
				     event->oom_memcg ? event->oom_memcg : "(unnamed)",
				     hf_doc_bytes_text(doc, event->memory.limit));
	if (kill->scope == HF_OOM_SCOPE_MEMCG)
		return hf_doc_printf(doc, "memory cgroup %s was at its limit",
				     event->oom_memcg ? event->oom_memcg : "(unnamed)");
	if (kill->scope == HF_OOM_SCOPE_GLOBAL)
		return "the whole host was out of memory";
	return "the log does not say whether a cgroup or the host was out of memory";
}

static const char *killer(const struct hf_oom_kill *kill)
{
	return kill->by == HF_OOM_BY_EARLYOOM ? "earlyoom"
	       : kill->by == HF_OOM_BY_OOMD   ? "systemd-oomd"
					      : "The kernel";
}

static void tell_verdict(const struct hf_oom_kill *kill, struct hf_doc *doc)
{
	const struct hf_oom_event *event = kill->event;
	bool other = event->invoker &&
		     (event->invoker_pid ? event->invoker_pid != kill->pid
					 : !kill->name || strcmp(event->invoker, kill->name) != 0);
	const char *invoker = "";

	hf_doc_paragraph(doc, "sentence", "%s killed %s (pid %u)%s: %s.", killer(kill),
			 kill->name ? kill->name : "a cgroup", kill->pid, when(doc, kill),
			 why(doc, kill));
	hf_doc_emphasize(doc, HF_BAD);
	if (known(kill->anon_rss))
		hf_doc_paragraph(doc, "held", "It held %s of anonymous memory%s.",
				 hf_doc_bytes_text(doc, kill->anon_rss),
				 known(event->memory.limit) && event->memory.limit
				     ? hf_doc_printf(doc, ", %.0f %% of that limit",
						     100.0 * (double)kill->anon_rss /
							 (double)event->memory.limit)
				     : "");
	if (other && event->invoker_pid)
		invoker = hf_doc_printf(doc, " (pid %u)", event->invoker_pid);
	if (other)
		hf_doc_paragraph(doc, "invoker",
				 "The allocation that found no memory was %s's%s: the victim is "
				 "chosen by size, not by guilt.",
				 event->invoker, invoker);
	if (event->group)
		hf_doc_paragraph(doc, "group",
				 "memory.oom.group is set: the whole cgroup was killed with it.");
}

static void tell_figures(const struct hf_oom_kill *kill, struct hf_doc *doc)
{
	const struct hf_oom_event *event = kill->event;

	hf_doc_field(doc, "victim", "victim", hf_text(kill->name));
	hf_doc_field(doc, "victim_pid", "pid", hf_number(kill->pid));
	hf_doc_field(doc, "scope", "scope", hf_text(hf_oom_scope_name(kill->scope)));
	if (event->oom_memcg)
		hf_doc_field(doc, "cgroup", "cgroup", hf_text(event->oom_memcg));
	hf_doc_field(doc, "usage_bytes", "usage", bytes_or_none(event->memory.usage));
	hf_doc_field(doc, "limit_bytes", "limit", bytes_or_none(event->memory.limit));
	hf_doc_field(doc, "anon_rss_bytes", "anon-rss", bytes_or_none(kill->anon_rss));
	hf_doc_field(doc, "file_rss_bytes", "file-rss", bytes_or_none(kill->file_rss));
	hf_doc_field(doc, "shmem_rss_bytes", "shmem-rss", bytes_or_none(kill->shmem_rss));
	hf_doc_field(doc, "total_vm_bytes", "total-vm", bytes_or_none(kill->total_vm));
	hf_doc_field(doc, "pgtables_bytes", "page tables", bytes_or_none(kill->pgtables));
	if (kill->line_lost)
		hf_doc_note(doc, "The line that tells the kill itself is not in the log.");
}

static int by_rss(const void *a, const void *b)
{
	const struct hf_oom_task *const *x = a, *const *y = b;
	return (*x)->rss_pages < (*y)->rss_pages ? 1 : (*x)->rss_pages > (*y)->rss_pages ? -1 : 0;
}

static void tell_tasks(const struct hf_oom_kill *kill, uint32_t page_size, struct hf_doc *doc)
{
	static const struct hf_column columns[] = {
	    {"pid", "pid", 0},
	    {"name", "name", HF_COLUMN_ELASTIC},
	    {"rss_bytes", "resident", 0},
	    {"swap_bytes", "swapped", HF_COLUMN_OPTIONAL},
	    {"total_vm_bytes", "virtual", HF_COLUMN_OPTIONAL},
	    {"oom_score_adj", "adj", HF_COLUMN_OPTIONAL},
	    {"victim", "", HF_COLUMN_BLANK},
	};
	const struct hf_oom_event *event = kill->event;
	size_t count = event->tasks.count;
	const struct hf_oom_task **sorted = calloc(count + 1, sizeof(const struct hf_oom_task *));

	if (count == 0 || !sorted) {
		free(sorted);
		return;
	}
	for (size_t i = 0; i < count; i++)
		sorted[i] = &event->tasks.data[i];
	qsort(sorted, count, sizeof(const struct hf_oom_task *), by_rss);
	struct hf_table *table = hf_doc_table(doc, "tasks", "WHO WAS THERE", columns,
					      sizeof(columns) / sizeof(columns[0]));
	for (size_t i = 0; i < count && i < TOP_TASKS; i++) {
		const struct hf_oom_task *task = sorted[i];
		hf_doc_row(doc, table, 0);
		hf_doc_cell(doc, table, hf_number(task->pid));
		hf_doc_cell(doc, table, hf_text(task->name));
		hf_doc_cell(doc, table,
			    bytes_or_none(hf_oom_bytes(event, task->rss_pages, page_size)));
		hf_doc_cell(doc, table,
			    bytes_or_none(hf_oom_bytes(event, task->swap_pages, page_size)));
		hf_doc_cell(doc, table,
			    bytes_or_none(hf_oom_bytes(event, task->total_vm_pages, page_size)));
		hf_doc_cell(doc, table, hf_text(hf_doc_printf(doc, "%d", task->oom_score_adj)));
		hf_doc_cell(doc, table, task->pid == kill->pid ? hf_text("killed") : hf_none());
	}
	free(sorted);
}

/* ---- the resident set ------------------------------------------------------------------------ */

enum resident { RESIDENT_HEAP, RESIDENT_STACKS, RESIDENT_ANONYMOUS, RESIDENT_DATA, RESIDENTS };

struct resident_count {
	const struct hf_image *image;
	uint64_t bytes;
};

static bool all_zero(const uint8_t *data, uint64_t bytes)
{
	return data[0] == 0 && !memcmp(data, data + 1, bytes - 1);
}

/* Pages of [start, end) that are in the core and hold anything. */
static bool count_pages(void *ctx, uint64_t start, uint64_t end)
{
	struct resident_count *count = ctx;
	uint64_t page = count->image->page_bytes;

	for (uint64_t at = start & ~(page - 1); at < end;) {
		uint64_t available = 0;
		const uint8_t *data = hf_image_at(count->image, at, &available);
		if (!data) {
			const struct hf_segment *segment = hf_image_find(count->image, at);
			at = segment && segment->end > at ? segment->end : at + page;
			continue;
		}
		for (; available >= page && at < end; at += page, data += page, available -= page)
			count->bytes += all_zero(data, page) ? 0 : page;
		if (available && available < page)
			at += page;
	}
	return true;
}

static void count_residents(const struct hf_analysis *analysis, uint64_t bytes[RESIDENTS])
{
	struct hf_spans heap = {0};

	if (analysis->allocator)
		hf_vec_foreach (region, &analysis->allocator->regions)
			hf_spans_add(&heap, region->start, region->end);
	hf_spans_normalize(&heap);
	hf_vec_foreach (span, &heap) {
		struct resident_count count = {&analysis->process->image, 0};
		count_pages(&count, span->start, span->end);
		bytes[RESIDENT_HEAP] += count.bytes;
	}
	hf_vec_foreach (mapping, &analysis->process->mappings) {
		struct resident_count count = {&analysis->process->image, 0};
		if (!(mapping->flags & HF_SEGMENT_W) ||
		    (mapping->kind == HF_MAPPING_FILE && mapping->module == HF_NO_INDEX))
			continue;
		hf_spans_outside(&heap, mapping->start, mapping->end, count_pages, &count);
		enum resident of = mapping->module != HF_NO_INDEX      ? RESIDENT_DATA
				   : mapping->kind == HF_MAPPING_STACK ? RESIDENT_STACKS
								       : RESIDENT_ANONYMOUS;
		bytes[of] += count.bytes;
	}
	free(heap.data);
}

static void tell_residents(const struct hf_oom_kill *kill, const struct hf_analysis *analysis,
			   struct hf_doc *doc)
{
	static const struct hf_column columns[] = {
	    {"kind", NULL, HF_COLUMN_JSON_ONLY},
	    {"what", "", HF_COLUMN_ELASTIC},
	    {"bytes", "bytes", 0},
	    {"share", "of anon-rss", 0},
	};
	static const char *const names[RESIDENTS][2] = {
	    {"heap", "heap (arenas and mmapped blocks)"},
	    {"stacks", "thread stacks"},
	    {"anonymous", "other anonymous memory"},
	    {"module_data", "written data of program and libraries"}};
	uint64_t bytes[RESIDENTS] = {0}, sum = 0;

	if (!known(kill->anon_rss))
		return;
	count_residents(analysis, bytes);
	struct hf_table *table =
	    hf_doc_table(doc, "resident", "RESIDENT MEMORY BY THE CORE, AND BY THE KERNEL", columns,
			 sizeof(columns) / sizeof(columns[0]));
	for (unsigned i = 0; i <= RESIDENTS + 1; i++) {
		uint64_t value = i < RESIDENTS ? bytes[i]
				 : i == RESIDENTS
				     ? (kill->anon_rss > sum ? kill->anon_rss - sum : 0)
				     : kill->anon_rss;
		sum += i < RESIDENTS ? value : 0;
		hf_doc_row(doc, table, 0);
		hf_doc_cell(doc, table,
			    hf_text(i < RESIDENTS    ? names[i][0]
				    : i == RESIDENTS ? "unexplained"
						     : "anon_rss"));
		hf_doc_cell(doc, table,
			    hf_text(i < RESIDENTS ? names[i][1]
				    : i == RESIDENTS
					? "unexplained (pages of zeros, or not in the core)"
					: "the kernel's anon-rss"));
		hf_doc_cell(doc, table, hf_bytes(value));
		hf_doc_cell(doc, table, hf_share(value, kill->anon_rss));
	}
	/* The kernel's own figure lags by some pages a thread. */
	if (sum > kill->anon_rss + kill->anon_rss / 100 + RSS_SLACK)
		hf_doc_note(
		    doc,
		    "The core holds %s more than the kernel counted: it was not taken at the "
		    "moment of the kill.",
		    hf_doc_bytes_text(doc, sum - kill->anon_rss));
}

/* ---- what can be done ------------------------------------------------------------------------ */

static void tell_levers(const struct hf_analysis *analysis, struct hf_doc *doc)
{
	struct hf_heap_totals totals;
	size_t arenas = analysis->allocator ? analysis->allocator->arenas.count : 0;
	size_t threads =
	    analysis->process->threads.count + analysis->process->info.snapshot.threads_missing;

	if (!arenas)
		return;
	hf_heap_totals(analysis, &totals);
	/* malloc's alone: what is layered over it gives nothing back by malloc_trim(3). */
	uint64_t free_bytes = totals.free_bytes - totals.pools_bytes;
	uint64_t taken = totals.system_bytes - totals.layer_bytes + totals.mmapped_bytes;
	if (free_bytes * 4 >= taken)
		hf_doc_paragraph(
		    doc, "lever",
		    "%s of the heap's %s are free: malloc_trim(3), or a lower "
		    "M_TRIM_THRESHOLD, would have given back what of it is whole pages.",
		    hf_doc_bytes_text(doc, free_bytes), hf_doc_bytes_text(doc, taken));
	else
		hf_doc_paragraph(
		    doc, "lever",
		    "Only %s of the heap's %s are free: no setting of malloc would have "
		    "helped; what holds the rest does (below).",
		    hf_doc_bytes_text(doc, free_bytes), hf_doc_bytes_text(doc, taken));
	if (arenas > threads && arenas > 2)
		hf_doc_paragraph(doc, "arenas",
				 "%lu arenas for %lu threads: MALLOC_ARENA_MAX would bound them.",
				 (unsigned long)arenas, (unsigned long)threads);
}

static void tell_kills(const struct hf_oomlog *log, struct hf_doc *doc)
{
	static const struct hf_column columns[] = {
	    {"time", "time", HF_COLUMN_OPTIONAL},
	    {"pid", "pid", 0},
	    {"name", "name", HF_COLUMN_ELASTIC},
	    {"anon_rss_bytes", "anon-rss", 0},
	    {"scope", "scope", 0},
	    {"cgroup", "cgroup", HF_COLUMN_ELASTIC},
	};
	struct hf_table *table = hf_doc_table(doc, "kills", "KILLS IN THE LOG", columns,
					      sizeof(columns) / sizeof(columns[0]));
	size_t first = log->kills.count > MAX_KILLS ? log->kills.count - MAX_KILLS : 0;

	for (size_t i = first; i < log->kills.count; i++) {
		const struct hf_oom_kill *kill = &log->kills.data[i];
		hf_doc_row(doc, table, 0);
		hf_doc_cell(doc, table, hf_text(kill->time.wall));
		hf_doc_cell(doc, table, hf_number(kill->pid));
		hf_doc_cell(doc, table, hf_text(kill->name));
		hf_doc_cell(doc, table, bytes_or_none(kill->anon_rss));
		hf_doc_cell(doc, table, hf_text(hf_oom_scope_name(kill->scope)));
		hf_doc_cell(doc, table, hf_text(kill->event->oom_memcg));
	}
}

/* Of the last event's victims (a group may have several) the one that held most. */
static const struct hf_oom_kill *biggest_of_last(const struct hf_oomlog *log)
{
	const struct hf_oom_kill *best = NULL;
	for (size_t i = log->kills.count; i-- > 0;) {
		const struct hf_oom_kill *kill = &log->kills.data[i];
		if (best && kill->event != best->event)
			break;
		if (!best || !known(best->anon_rss) ||
		    (known(kill->anon_rss) && kill->anon_rss > best->anon_rss))
			best = kill;
	}
	return best;
}

static const struct hf_oom_kill *find_kill(const struct hf_oomlog *log,
					   const struct hf_analysis *analysis, struct hf_doc *doc)
{
	if (!analysis)
		return biggest_of_last(log);
	const struct hf_process_info *info = &analysis->process->info;
	struct hf_oom_found found =
	    hf_oomlog_find(log, info->pid, info->command[0] ? info->command : NULL);
	if (log->kills.count == 0)
		hf_doc_note(doc, "The log tells of no kill.");
	else if (found.match == HF_OOM_MATCH_NONE)
		hf_doc_note(doc, "The log tells of %s kill%s, but of none of %s (pid %u).",
			    hf_doc_count_text(doc, log->kills.count),
			    log->kills.count == 1 ? "" : "s",
			    info->command[0] ? info->command : "this process", info->pid);
	else if (found.match == HF_OOM_MATCH_NAME)
		hf_doc_note(doc,
			    "The log's kill of pid %u has this process's name but not its pid %u: "
			    "another pid namespace, or another run.",
			    found.kill->pid, info->pid);
	return found.kill;
}

void hf_section_oom(const struct hf_oomlog *log, const struct hf_analysis *analysis,
		    struct hf_doc *doc)
{
	hf_doc_begin(doc, "oom", "OUT OF MEMORY");
	const struct hf_oom_kill *kill = find_kill(log, analysis, doc);
	if (kill) {
		tell_verdict(kill, doc);
		if (analysis)
			tell_levers(analysis, doc);
		tell_figures(kill, doc);
		tell_tasks(kill, analysis ? (uint32_t)analysis->process->image.page_bytes : 0, doc);
		if (analysis)
			tell_residents(kill, analysis, doc);
	} else if (!analysis) {
		hf_doc_note(doc, "The log tells of no kill.");
	}
	if (!analysis || !kill)
		tell_kills(log, doc);
	hf_doc_end(doc);
}
