/*
 * issues.c - collecting issues (see issues.h).
 */
#include "heapwalk/views/issues.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "core/base/strpool.h"
#include "core/symbols/types.h"
#include "heapwalk/views/human.h"
#include "heapwalk/views/leak_groups.h"
#include "heapwalk/views/suspects.h"

enum { DEFAULT_TOP = 5000 };

static const struct hf_issue_rule definite_rule = {
    .id = "definite-leak",
    .name = "DefiniteLeak",
    .brief = "Memory that nothing points to any more.",
    .help = "No chain of pointers leads to these blocks from a variable, a stack, a register or "
	    "any other root: they can be neither used nor freed. Blocks of one type and size are "
	    "told together; what only they lead to is lost with them.",
    .severity = HF_SEV_ERROR,
};
static const struct hf_issue_rule possible_rule = {
    .id = "possible-leak",
    .name = "PossibleLeak",
    .brief = "Memory that only pointers into the middle of blocks lead to.",
    .help = "A chain of pointers leads here, but one of them does not point to the start of its "
	    "block: it may be a number that looks like an address, or a program that keeps such "
	    "pointers on purpose.",
    .severity = HF_SEV_WARNING,
};
static const struct hf_issue_rule suspect_rule = {
    .id = "retention-suspect",
    .name = "RetentionSuspect",
    .brief = "One holder keeps more than a tenth of the heap alive.",
    .help = "If this holder let go of what it holds, so much of the heap would be freed. A cache "
	    "without a limit or a list that only grows looks like this; so does the main table of "
	    "a healthy program.",
    .severity = HF_SEV_NOTE,
};

struct collector {
	struct hf_analysis *analysis;
	const struct hf_view_options *options;
	struct hf_issues issues;
	struct hf_strpool *strings;
	uint64_t top;
	bool failed;
};

static const char *copy(struct collector *collector, const char *text)
{
	const char *made = text ? hf_strpool_dup(collector->strings, text) : NULL;
	collector->failed = collector->failed || (text && !made);
	return made;
}

/* Index of @rule; rules are few. */
static uint32_t rule_index(struct collector *collector, const struct hf_issue_rule *rule)
{
	for (uint32_t i = 0; i < collector->issues.rules.count; i++) {
		if (!strcmp(collector->issues.rules.data[i].id, rule->id))
			return i;
	}
	if (!hf_vec_push(&collector->issues.rules, *rule))
		collector->failed = true;
	return (uint32_t)collector->issues.rules.count - 1;
}

static void add_issue(struct collector *collector, struct hf_issue issue)
{
	if (!issue.message || !issue.identity || collector->failed) {
		collector->failed = true;
		return;
	}
	if (!hf_vec_push(&collector->issues.list, issue))
		collector->failed = true;
}

/* By rule and identity, those that are equal in their order. */
static int by_identity(const void *a, const void *b)
{
	const struct hf_issue *x = *(struct hf_issue *const *)a, *y = *(struct hf_issue *const *)b;
	int order =
	    x->rule != y->rule ? (x->rule < y->rule ? -1 : 1) : strcmp(x->identity, y->identity);
	return order ? order : (x > y) - (x < y);
}

/* Of issues with one identity, the second and the following get numbers. */
static void number_identities(struct collector *collector)
{
	size_t count = collector->issues.list.count, first = 0;
	struct hf_issue **sorted = calloc(count + 1, sizeof(*sorted));

	collector->failed = collector->failed || !sorted;
	if (collector->failed)
		count = 0;
	for (size_t i = 0; i < count; i++)
		sorted[i] = &collector->issues.list.data[i];
	if (count)
		qsort(sorted, count, sizeof(*sorted), by_identity);
	for (size_t i = 1; i < count; i++) {
		const struct hf_issue *like = sorted[first];
		if (sorted[i]->rule != like->rule || strcmp(sorted[i]->identity, like->identity)) {
			first = i;
			continue;
		}
		sorted[i]->identity = hf_strpool_printf(
		    collector->strings, "%s#%lu", like->identity, (unsigned long)(i - first + 1));
		collector->failed = collector->failed || !sorted[i]->identity;
	}
	free(sorted);
}

static bool declared(const struct collector *collector, uint32_t type, struct hf_issue *issue)
{
	const struct hf_type *of = hf_typing_type(collector->analysis->typing, type);
	return of->ctype && hf_ctype_declared(collector->analysis->symbols, of->ctype, &issue->path,
					      &issue->line);
}

/* ---- leaks ----------------------------------------------------------------------------------- */

static void add_leak(struct collector *collector, const struct hf_leak_group *group)
{
	const struct hf_analysis *analysis = collector->analysis;
	bool definite = group->kind == HF_DEFINITE, one = group->count == 1;
	const char *type = hf_typing_type(analysis->typing, group->type)->name;
	uint64_t address = hf_extents_address(analysis->extents, group->example);
	char count[HF_HUMAN_BYTES], each[HF_HUMAN_BYTES], bytes[HF_HUMAN_BYTES];
	HF_AUTO(free_ptr)
	char *content = hf_typing_preview(analysis->process, analysis->extents, group->example);
	const struct hf_issue_rule *rule = definite ? &definite_rule : &possible_rule;
	struct hf_issue issue = {
	    .rule = rule_index(collector, rule),
	    .severity = rule->severity,
	    .subject = copy(collector, type),
	    .address = address,
	    .count = group->count,
	    .bytes = group->retained,
	};

	issue.message = hf_strpool_printf(
	    collector->strings,
	    "%s block%s of %s (%s%s) %s: %s. With what only %s lead%s to that is %s; %s at "
	    "0x%lx%s%s.",
	    hf_human_count(group->count, count), one ? "" : "s", type,
	    hf_human_bytes(group->usable, each), one ? "" : " each",
	    definite ? (one ? "is lost" : "are lost")
		     : (one ? "is possibly lost" : "are possibly lost"),
	    definite ? "nothing points there any more"
		     : "only pointers into the middle of blocks lead there",
	    one ? "it" : "they", one ? "s" : "", hf_human_bytes(group->retained, bytes),
	    one ? "it stands" : "the biggest stands", (unsigned long)address,
	    content ? " with " : "", content ? content : "");
	issue.identity = hf_strpool_printf(collector->strings, "%s of %lu bytes", type,
					   (unsigned long)group->usable);
	declared(collector, group->type, &issue);
	add_issue(collector, issue);
}

static struct hf_error *add_leaks(struct collector *collector)
{
	struct hf_suppressions *suppressions = NULL;
	struct hf_leak_groups groups = {0};
	struct hf_leak_total suppressed = {0};
	struct hf_error *err = NULL;

	if (collector->options->suppressions)
		err = hf_suppressions_read(collector->options->suppressions, &suppressions);
	if (!err)
		err = hf_leak_groups_add(collector->analysis, HF_DEFINITE, suppressions,
					 &suppressed, &groups);
	if (!err)
		err = hf_leak_groups_add(collector->analysis, HF_POSSIBLE, suppressions,
					 &suppressed, &groups);
	if (!err) {
		hf_leak_groups_sort(&groups);
		for (size_t i = 0; i < groups.count && i < collector->top; i++)
			add_leak(collector, &groups.data[i]);
		if (groups.count > collector->top)
			collector->issues.left_out += groups.count - collector->top;
		collector->issues.suppressed = suppressed.count;
	}
	hf_suppressions_destroy(suppressions);
	free(groups.data);
	return err;
}

/* ---- findings -------------------------------------------------------------------------------- */

/* Where malloc noticed: the innermost frame with a source line of the thread that aborted. */
static void noticed_at(const struct hf_process *process, struct hf_issue *issue)
{
	const struct hf_thread *thread = process->threads.count ? &process->threads.data[0] : NULL;

	if (!thread || !process->info.signal)
		return;
	hf_vec_foreach (frame, &thread->frames) {
		bool libc = frame->module < process->modules.count &&
			    process->modules.data[frame->module].is_libc;
		if (!libc && frame->file && frame->line) {
			issue->path = frame->file;
			issue->line = frame->line;
			return;
		}
	}
}

static void add_findings(struct collector *collector)
{
	const struct hf_analysis *analysis = collector->analysis;
	uint64_t kept = 0;

	for (size_t i = 0; i < hf_diags_count(analysis->diags); i++) {
		const struct hf_diag *diag = hf_diags_get(analysis->diags, i);
		if (diag->kind != HF_DIAG_HEAP)
			continue;
		struct hf_issue_rule rule = {
		    .id = diag->code,
		    .brief = "A broken invariant of the heap.",
		    .help = "malloc's own data is not as malloc leaves it: something wrote where "
			    "it should not, or freed what was not to be freed. What lies before "
			    "the address is the first to look at.",
		    .severity = diag->severity,
		};
		struct hf_issue issue = {
		    .rule = rule_index(collector, &rule),
		    .severity = diag->severity,
		    .identity = diag->code,
		    .address = diag->address,
		    .count = 1,
		};
		issue.message = diag->address
				    ? hf_strpool_printf(collector->strings, "At 0x%lx %s.",
							(unsigned long)diag->address, diag->message)
				    : copy(collector, diag->message);
		if (analysis->allocator && analysis->allocator->abort_message)
			noticed_at(analysis->process, &issue);
		kept++;
		add_issue(collector, issue);
	}
	for (size_t i = 0; i < hf_diags_codes(analysis->diags); i++) {
		enum hf_diag_kind kind;
		enum hf_severity worst;
		uint64_t count = 0;
		hf_diags_code(analysis->diags, i, &kind, &worst, &count);
		if (kind == HF_DIAG_HEAP)
			collector->issues.left_out += count;
	}
	collector->issues.left_out -= kept;
}

/* ---- suspects -------------------------------------------------------------------------------- */

static void locate_holder(const struct collector *collector, const struct hf_holder *holder,
			  struct hf_issue *issue)
{
	const struct hf_process *process = collector->analysis->process;
	const struct hf_variable *variable =
	    holder->kind == HF_HOLDER_VARIABLE
		? hf_symbols_variable_at(collector->analysis->symbols, holder->address)
		: NULL;

	issue->path = variable && variable->path ? variable->path : holder->file;
	issue->line = holder->line;
	if (holder->kind != HF_HOLDER_FRAME || holder->thread >= process->threads.count)
		return;
	const struct hf_thread *thread = &process->threads.data[holder->thread];
	if (holder->frame < thread->frames.count) {
		issue->path = thread->frames.data[holder->frame].file;
		issue->line = thread->frames.data[holder->frame].line;
	}
}

static void add_suspect(struct collector *collector, const struct hf_suspect *suspect)
{
	const struct hf_analysis *analysis = collector->analysis;
	const struct hf_graph *graph = analysis->graph;
	uint64_t whole = hf_graph_retained(graph, hf_graph_root(graph));
	bool object = suspect->node < hf_graph_objects(graph);
	char count[HF_HUMAN_BYTES], bytes[HF_HUMAN_BYTES], share[HF_HUMAN_BYTES];
	HF_AUTO(free_ptr) char *name = hf_analysis_describe(analysis, suspect->node);
	struct hf_issue issue = {
	    .rule = rule_index(collector, &suspect_rule),
	    .severity = suspect_rule.severity,
	    .count = suspect->count,
	    .bytes = suspect->retained,
	};

	if (!name) {
		collector->failed = true;
		return;
	}
	hf_human_bytes(suspect->retained, bytes);
	hf_human_share((double)suspect->retained / (double)whole, share);
	if (object) {
		uint32_t type = hf_typing_of(analysis->typing, suspect->node);
		issue.subject = copy(collector, hf_typing_type(analysis->typing, type)->name);
		issue.identity = issue.subject;
		issue.address = hf_extents_address(analysis->extents, suspect->node);
		declared(collector, type, &issue);
	} else {
		const struct hf_holder *holder =
		    &analysis->roots.holders.data[hf_graph_holder_index(graph, suspect->node)];
		issue.subject = copy(collector, holder->name);
		issue.identity = hf_strpool_printf(collector->strings, "%s %s",
						   hf_holder_kind_name(holder->kind), holder->name);
		issue.variable = true;
		issue.address = holder->address;
		locate_holder(collector, holder, &issue);
	}
	if (suspect->count > 1)
		issue.message =
		    hf_strpool_printf(collector->strings,
				      "%s objects of %s keep %s alive together, %s of the heap; "
				      "the biggest stands at "
				      "0x%lx.",
				      hf_human_count(suspect->count, count), issue.subject, bytes,
				      share, (unsigned long)issue.address);
	else
		issue.message = hf_strpool_printf(
		    collector->strings, "%s keeps %s alive, %s of the heap.", name, bytes, share);
	add_issue(collector, issue);
}

/* What is lost is no suspect: it is told as a leak. */
static struct hf_error *add_suspects(struct collector *collector)
{
	const struct hf_graph *graph = collector->analysis->graph;
	struct hf_suspects suspects = {0};
	struct hf_error *err = hf_suspects_find(collector->analysis, &suspects);

	for (size_t i = 0; i < suspects.count && !err; i++) {
		uint32_t node = suspects.data[i].node;
		if (node >= hf_graph_objects(graph) || !hf_graph_is_leader(graph, node))
			add_suspect(collector, &suspects.data[i]);
	}
	free(suspects.data);
	return err;
}

struct hf_error *hf_issues_create(struct hf_analysis *analysis,
				  const struct hf_view_options *options, unsigned kinds,
				  struct hf_issues *ret)
{
	struct collector collector = {
	    .analysis = analysis,
	    .options = options,
	    .top = options->all	  ? UINT64_MAX
		   : options->top ? options->top
				  : DEFAULT_TOP,
	};
	struct hf_error *err = hf_strpool_create(&collector.strings);

	if (err)
		return err;
	collector.issues.strings = collector.strings;
	if (kinds & HF_ISSUES_FINDINGS)
		add_findings(&collector);
	if (analysis->graph && (kinds & HF_ISSUES_LEAKS))
		err = add_leaks(&collector);
	if (!err && analysis->graph && (kinds & HF_ISSUES_SUSPECTS))
		err = add_suspects(&collector);
	if (!err)
		number_identities(&collector);
	if (!err && collector.failed)
		err = hf_error_nomem();
	if (err) {
		hf_issues_deinit(&collector.issues);
		return err;
	}
	*ret = collector.issues;
	return NULL;
}

void hf_issues_deinit(struct hf_issues *issues)
{
	hf_vec_free(&issues->rules);
	hf_vec_free(&issues->list);
	hf_strpool_destroy(issues->strings);
	issues->strings = NULL;
}
