/*
 * ending.c - how the process ended: the signal, the address, the thread and the function that tells
 * most.
 *
 * What the kernel's fault address says:
 *	SI_KERNEL	no address at all: one was used that cannot be (not canonical); it says 0
 *	else		where the access went
 * A fault is a stack overflow if the faulting address and the stack pointer are together at the
 * lower end of the thread's stack, and below it is nothing to write to:
 *
 *	|- nothing, or a guard page -|-- the stack, to its lowest word in use -----|
 *	            ^fault   ^sp within NEAR_BYTES of both
 */
#include <signal.h>
#include <string.h>

#include "core/base/demangle.h"
#include "heapwalk/views/sections.h"

enum {
	NEAR_BYTES = 64 << 10, /* a frame this big reaches over its stack's end in one step */
	GUARD_BYTES = 1 << 20, /* Linux keeps so much free below a growing stack */
	FROM_KERNEL = 0x80,    /* SI_KERNEL */
};

static const char *base_name(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;
	return slash ? slash + 1 : path;
}

static bool starts_with_any(const char *text, const char *const *starts, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!strncmp(text, starts[i], strlen(starts[i])))
			return true;
	}
	return false;
}

/*
 * C++'s own library: by its file; what of it is in the program, instances of its templates or all
 * of it, by names.
 */
static bool is_cxx_runtime(const struct hf_module *module, const struct hf_frame *frame)
{
	static const char *const files[] = {"libstdc++.so", "libc++.so", "libc++abi.so",
					    "libgcc_s.so", "libunwind.so"};
	static const char *const names[] = {"std::",  "__gnu_cxx::", "__cxxabiv1::", "__cxa_",
					    "__gxx_", "_Unwind_",    "operator new"};

	return starts_with_any(base_name(module->name), files, sizeof(files) / sizeof(files[0])) ||
	       (frame->function &&
		starts_with_any(frame->function, names, sizeof(names) / sizeof(names[0])));
}

/*
 * The frame that tells most: the first of the program's own. If those have no names, the function
 * of libc that they had called; in a static program libc's frames are those without source lines.
 */
static const struct hf_frame *telling_frame(const struct hf_analysis *analysis,
					    const struct hf_thread *thread)
{
	const struct hf_frame *named = NULL;
	bool in_libc = true; /* so far */

	hf_vec_foreach (frame, &thread->frames) {
		const struct hf_module *module =
		    frame->module < analysis->process->modules.count
			? &analysis->process->modules.data[frame->module]
			: NULL;
		bool libc = module && module->is_libc;
		bool own = module && (!libc || (module->is_executable && frame->file)) &&
			   strcmp(module->name, "[vdso]") != 0 && !is_cxx_runtime(module, frame);
		if (frame->function && own)
			return frame;
		in_libc = in_libc && libc && !module->is_executable;
		if (frame->function && (in_libc || !named))
			named = frame;
	}
	return named;
}

static const char *frame_text(struct hf_doc *doc, const struct hf_frame *frame)
{
	const char *brackets = hf_call_brackets(frame->function);
	if (frame->file)
		return hf_doc_printf(doc, "%s%s (%s:%u)", frame->function, brackets,
				     base_name(frame->file), frame->line);
	return hf_doc_printf(doc, "%s%s", frame->function, brackets);
}

const char *hf_thread_name(const struct hf_analysis *analysis, struct hf_doc *doc, uint32_t index)
{
	if (index >= analysis->process->threads.count)
		return "an unknown thread";
	const struct hf_thread *thread = &analysis->process->threads.data[index];
	if (thread->name[0])
		return hf_doc_printf(doc, "thread %u \"%s\"", thread->number, thread->name);
	return hf_doc_printf(doc, "thread %u", thread->number);
}

const char *hf_thread_place(const struct hf_analysis *analysis, struct hf_doc *doc, uint32_t index)
{
	if (index >= analysis->process->threads.count)
		return NULL;
	const struct hf_frame *frame =
	    telling_frame(analysis, &analysis->process->threads.data[index]);
	return frame ? frame_text(doc, frame) : NULL;
}

/* The function of a library of the language's that the program had called to die in; or NULL. */
static const char *library_function(const struct hf_analysis *analysis,
				    const struct hf_thread *thread, const struct hf_frame *own)
{
	const struct hf_frame *inner = thread->frames.data;
	const struct hf_process *process = analysis->process;

	if (!own || own == inner || own[-1].module >= process->modules.count || !own[-1].function)
		return NULL;
	const struct hf_module *module = &process->modules.data[own[-1].module];
	if (!module->is_libc && !is_cxx_runtime(module, &own[-1]))
		return NULL;
	const char *name = own[-1].function;
	return !strncmp(name, "__GI_", 5) ? name + 5 : name;
}

/* Why C++'s library called abort(), and how who is to blame comes into it. */
struct cause {
	const struct hf_frame *frame; /* that says so; NULL: there is none */
	const char *what, *by;
};

static struct cause terminate_cause(const struct hf_thread *thread)
{
	struct cause cause = {0};

	hf_vec_foreach (frame, &thread->frames) {
		const char *name = frame->function ? frame->function : "";
		if (!strcmp(name, "__cxa_pure_virtual"))
			return (struct cause){frame, "a call of a pure virtual function", " by "};
		if (!strncmp(name, "std::terminate", strlen("std::terminate")))
			cause = (struct cause){frame, "std::terminate()", " called by "};
		else if (!strcmp(name, "__cxa_throw") || !strcmp(name, "__cxa_rethrow"))
			return (struct cause){frame, "an uncaught exception", ", thrown by "};
	}
	return cause;
}

static bool is_fault(const struct hf_process_info *info)
{
	return info->has_siginfo && info->signal_code > 0 &&
	       (info->signal == SIGSEGV || info->signal == SIGBUS || info->signal == SIGILL ||
		info->signal == SIGFPE);
}

/* What si_code adds. */
static const char *signal_detail(struct hf_doc *doc, const struct hf_process_info *info)
{
	if (info->has_siginfo && info->signal_code <= 0 && info->sender_pid &&
	    info->sender_pid != info->pid)
		return hf_doc_printf(doc, " (sent by process %u)", info->sender_pid);
	if (!is_fault(info))
		return "";
	if (info->signal == SIGSEGV && info->signal_code == FROM_KERNEL)
		return " at an address that cannot be (not canonical)";
	return hf_doc_printf(doc, " at address 0x%lx", (unsigned long)info->fault_address);
}

/* "a call of 0x0, which is no code, by ": a pointer to a function that leads nowhere; or NULL. */
static const char *bad_call(const struct hf_analysis *analysis, struct hf_doc *doc,
			    const struct hf_thread *thread)
{
	const struct hf_mapping *at = hf_process_mapping(analysis->process, thread->pc);

	if (!is_fault(&analysis->process->info) || thread->frames.count < 2 ||
	    thread->frames.data[0].module < analysis->process->modules.count ||
	    (at && at->flags & HF_SEGMENT_X))
		return NULL;
	return hf_doc_printf(doc, "a call of 0x%lx, which is no code, by ",
			     (unsigned long)thread->pc);
}

/* Bytes of the stack that @thread has used up; 0 if it did not die of that. */
static uint64_t overflowed_stack(const struct hf_process *process, const struct hf_thread *thread)
{
	const struct hf_process_info *info = &process->info;
	uint64_t fault = info->fault_address;

	if (!is_fault(info) || (info->signal != SIGSEGV && info->signal != SIGBUS))
		return 0;
	hf_vec_foreach (mapping, &process->mappings) {
		if (mapping->end <= fault || !(mapping->flags & HF_SEGMENT_W))
			continue;
		bool below = fault < mapping->start && mapping->start - fault <= GUARD_BYTES;
		bool used_up = thread->sp < mapping->start + NEAR_BYTES &&
			       thread->sp < mapping->end &&
			       thread->sp > fault - (fault < NEAR_BYTES ? fault : NEAR_BYTES);
		if (!below || !used_up || mapping->module != HF_NO_INDEX)
			return 0;
		bool known =
		    thread->stack_start == mapping->start && thread->stack_top > mapping->start;
		return (known ? thread->stack_top : mapping->end) - mapping->start;
	}
	return 0;
}

/* "strlen() called by handle() (server.c:9)": what happened at @frame, who made it happen. */
static const char *deed_text(const struct hf_analysis *analysis, struct hf_doc *doc,
			     const struct hf_thread *thread, const struct hf_frame *frame)
{
	bool fault = is_fault(&analysis->process->info);
	const char *called = fault ? library_function(analysis, thread, frame) : NULL;
	struct cause cause = {0};

	if (analysis->process->info.signal == SIGABRT)
		cause = terminate_cause(thread);
	if (cause.frame && (!frame || frame <= cause.frame))
		return cause.what;
	if (!frame)
		return NULL;
	if (called)
		called = hf_doc_printf(doc, "%s%s called by ", called, hf_call_brackets(called));
	else if (cause.frame)
		called = hf_doc_printf(doc, "%s%s", cause.what, cause.by);
	else
		called = bad_call(analysis, doc, thread);
	return hf_doc_printf(doc, "%s%s", called ? called : "", frame_text(doc, frame));
}

/* " in thread 3 "worker", strlen() called by handle() (server.c:9), by a stack overflow": where. */
static const char *place_text(const struct hf_analysis *analysis, struct hf_doc *doc,
			      const struct hf_thread *thread)
{
	const char *deed = deed_text(analysis, doc, thread, telling_frame(analysis, thread));
	uint64_t overflowed = overflowed_stack(analysis->process, thread);

	return hf_doc_printf(
	    doc, " in %s%s%s%s%s", hf_thread_name(analysis, doc, 0), deed ? ", " : "",
	    deed ? deed : "", overflowed ? ": a stack overflow, all of its " : "",
	    overflowed ? hf_doc_printf(doc, "%s are used", hf_doc_bytes_text(doc, overflowed))
		       : "");
}

const char *hf_ending_text(const struct hf_analysis *analysis, struct hf_doc *doc)
{
	const struct hf_process_info *info = &analysis->process->info;
	const struct hf_thread *thread =
	    analysis->process->threads.count ? analysis->process->threads.data : NULL;

	if (info->signal == 0)
		return "was running when the core was taken";
	bool killed = info->snapshot.killed && info->snapshot.reason;
	const char *by = killed ? info->snapshot.reason
				: hf_doc_printf(doc, "ended by %s", hf_signal_name(info->signal));
	return hf_doc_printf(doc, "%s%s%s%s", by, signal_detail(doc, info),
			     thread && killed ? ";" : "",
			     thread ? place_text(analysis, doc, thread) : "");
}
