/*
 * process_view.c - what the process was, and what of it the core has.
 */
#include <stdio.h>
#include <string.h>

#include "heapwalk/views/human.h"
#include "heapwalk/views/sections.h"

static const char *core_kind_name(enum hf_core_kind kind)
{
	switch (kind) {
	case HF_CORE_KERNEL:
		return "kernel core";
	case HF_CORE_GCORE:
		return "gdb gcore core";
	case HF_CORE_SNAPSHOT:
		return "heapforensics snapshot";
	case HF_CORE_QEMU:
		return "qemu core";
	default:
		return "core";
	}
}

static void tell_binary(const struct hf_analysis *analysis, struct hf_doc *doc)
{
	hf_vec_foreach (module, &analysis->process->modules) {
		char id[8 * 2 + 1] = "";
		if (!module->is_executable)
			continue;
		for (unsigned i = 0; i < module->build_id_bytes && i < 8; i++)
			snprintf(id + 2 * i, 3, "%02x", module->build_id[i]);
		const char *match = module->match == HF_FILE_MATCHES	  ? "matches"
				    : module->match == HF_FILE_DIFFERS	  ? "differs: not used"
				    : module->match == HF_FILE_UNVERIFIED ? "cannot be verified"
									  : "no file found here";
		const char *debug = module->has_dwarf	 ? ", with debug info"
				    : module->has_symtab ? ", with symbols"
				    : module->file	 ? ", no symbols"
							 : "";
		hf_doc_field(doc, "binary", "binary",
			     hf_text(hf_doc_printf(doc, "%s   build-id %s %s%s",
						   module->path ? module->path : module->name,
						   id[0] ? id : "unknown", match, debug)));
	}
}

void hf_section_process(const struct hf_analysis *analysis, struct hf_doc *doc)
{
	const struct hf_process_info *info = &analysis->process->info;
	char size[HF_HUMAN_BYTES];
	uint64_t threads = analysis->process->threads.count;

	hf_doc_begin(doc, "process", "PROCESS");
	const char *command = info->arguments[0] ? info->arguments : info->command;
	hf_doc_field(doc, "command_line", "command",
		     hf_text(command[0] ? command : "(the core does not say)"));
	hf_doc_emphasize(doc, HF_STRONG);
	hf_doc_json_field(doc, "pid", hf_number(info->pid));
	hf_doc_json_field(doc, "executable", hf_text(info->executable));
	hf_doc_json_field(doc, "thread_count", hf_count(threads));
	hf_doc_json_field(doc, "signal",
			  info->signal ? hf_text(hf_signal_name(info->signal)) : hf_none());
	hf_doc_json_field(doc, "ending", hf_text(hf_ending_text(analysis, doc)));
	hf_doc_text_field(doc, "state",
			  hf_text(hf_doc_printf(doc, "pid %u, %lu thread%s; %s", info->pid,
						(unsigned long)threads, threads == 1 ? "" : "s",
						hf_ending_text(analysis, doc))));
	if (analysis->allocator && analysis->allocator->abort_message) {
		hf_doc_field(doc, "abort_message", "message",
			     hf_text(analysis->allocator->abort_message));
		hf_doc_emphasize(doc, HF_BAD);
	}
	hf_doc_json_field(doc, "core", hf_text(info->core_path));
	hf_doc_json_field(doc, "core_bytes", hf_bytes(info->core_bytes));
	hf_doc_json_field(doc, "missing_bytes", hf_bytes(info->missing_bytes));
	hf_doc_json_field(doc, "core_kind", hf_text(core_kind_name(info->core_kind)));
	hf_doc_text_field(
	    doc, "core",
	    hf_text(hf_doc_printf(
		doc, "%s   %s, %s, %s", info->core_path, core_kind_name(info->core_kind),
		hf_human_bytes(info->core_bytes, size),
		info->missing_bytes
		    ? hf_doc_printf(doc, "%s missing", hf_doc_bytes_text(doc, info->missing_bytes))
		    : "complete")));
	tell_binary(analysis, doc);
	if (analysis->allocator)
		hf_doc_field(doc, "allocator", "malloc",
			     hf_text(hf_doc_printf(doc, "%s %s, layout by %s",
						   analysis->allocator->ops->name,
						   analysis->allocator->version,
						   analysis->allocator->layout_source)));
	hf_doc_end(doc);
}
