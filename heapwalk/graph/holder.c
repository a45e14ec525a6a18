/*
 * holder.c - how a root holder is called, for people.
 */
#include "core/base/demangle.h"
#include "heapwalk/graph/roots.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

const char *hf_holder_kind_name(enum hf_holder_kind kind)
{
	static const char *const names[HF_HOLDER_KINDS] = {
	    [HF_HOLDER_VARIABLE] = "variable", [HF_HOLDER_SECTION] = "section",
	    [HF_HOLDER_TLS] = "tls",	       [HF_HOLDER_FRAME] = "frame",
	    [HF_HOLDER_REGISTER] = "register", [HF_HOLDER_STACK] = "stack",
	    [HF_HOLDER_MAPPING] = "mapping",
	};
	return kind < HF_HOLDER_KINDS ? names[kind] : "unknown";
}

/* `thread 3 "worker"`, or `thread 3` where it has no name. */
static int format_thread(char *buffer, size_t size, const struct hf_holder *holder,
			 const struct hf_process *process)
{
	if (holder->thread >= process->threads.count)
		return snprintf(buffer, size, "unknown thread");
	const struct hf_thread *thread = &process->threads.data[holder->thread];
	if (thread->name[0])
		return snprintf(buffer, size, "thread %" PRIu32 " \"%s\"", thread->number,
				thread->name);
	return snprintf(buffer, size, "thread %" PRIu32, thread->number);
}

static const char *module_name(const struct hf_holder *holder, const struct hf_process *process)
{
	return holder->module < process->modules.count ? process->modules.data[holder->module].name
						       : NULL;
}

static char *describe_variable(const struct hf_holder *holder, const struct hf_process *process)
{
	const char *module = module_name(holder, process);
	bool own = holder->module < process->modules.count &&
		   process->modules.data[holder->module].is_executable;
	char *text = NULL;
	int length;

	if (holder->file && holder->line)
		length = asprintf(&text, "%s (%s:%" PRIu32 ")", holder->name, holder->file,
				  holder->line);
	else if (holder->file)
		length = asprintf(&text, "%s (%s)", holder->name, holder->file);
	else if (module && !own)
		length = asprintf(&text, "%s in %s", holder->name, module);
	else
		length = asprintf(&text, "%s", holder->name);
	return length < 0 ? NULL : text;
}

char *hf_holder_describe(const struct hf_holder *holder, const struct hf_process *process)
{
	const char *module = module_name(holder, process);
	char thread[64], *text = NULL;
	int length = -1;

	format_thread(thread, sizeof(thread), holder, process);
	switch ((enum hf_holder_kind)holder->kind) {
	case HF_HOLDER_VARIABLE:
		return describe_variable(holder, process);
	case HF_HOLDER_SECTION:
		length = asprintf(&text, "%s of %s", holder->name, module ? module : "?");
		break;
	case HF_HOLDER_TLS:
		length = module ? asprintf(&text, "TLS %s in %s, %s", holder->name, module, thread)
				: asprintf(&text, "TLS %s, %s", holder->name, thread);
		break;
	case HF_HOLDER_FRAME:
		length =
		    asprintf(&text, "%s frame #%" PRIu32 " %s%s%s%s", thread, holder->frame,
			     holder->name ? holder->name : "??",
			     holder->name ? hf_call_brackets(holder->name) : "",
			     holder->local ? ": local " : "", holder->local ? holder->local : "");
		break;
	case HF_HOLDER_REGISTER:
		length = holder->local
			     ? asprintf(&text, "%s register %s: local %s of frame #%" PRIu32,
					thread, holder->name, holder->local, holder->frame)
			     : asprintf(&text, "%s register %s", thread, holder->name);
		break;
	case HF_HOLDER_STACK:
		length = asprintf(&text, "%s stack", thread);
		break;
	case HF_HOLDER_MAPPING:
	case HF_HOLDER_KINDS:
		length =
		    asprintf(&text, "mapping 0x%" PRIx64 " (%s)", holder->address, holder->name);
		break;
	}
	return length < 0 ? NULL : text;
}
