/*
 * unwind.c - the frames of every thread, by libdwfl's unwinder over our image.
 *
 *	frame i owns [sp of i, sp of its caller): the caller's stack pointer is its CFA.
 *
 * Stack pointers must rise from frame to frame (a signal stack may make a jump); a walk
 * that stands still is a loop and ends.
 */
#include <dwarf.h>
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "core/base/demangle.h"
#include "core/process/private.h"
#include "core/process/units.h"

enum { MAX_JUMPS = 4, MAX_SCOPES = 256, PLACES = 1024 };

/* What libdwfl hands back to us for each thread. */
struct unwinding {
	struct hf_process *process;
	struct hf_thread *thread;
	uint64_t pc, sp; /* where libdwfl begins */
	uint32_t max_frames, jumps;
	int sp_register;
	bool out_of_memory;
};

struct code_place { /* what a frame is called by; pc 0: none */
	uint64_t pc;
	const char *function, *file;
	uint32_t line, module;
};

struct unwindings { /* lives as long as the Dwfl, which keeps a pointer to it */
	struct code_place places[PLACES]; /* found last, by pc: many threads stand in one */
	size_t count;
	struct unwinding data[];
};

/* ---- what libdwfl asks -------------------------------------------------------------------- */

static pid_t next_thread(Dwfl *dwfl, void *arg, void **thread_arg)
{
	struct unwindings *all = arg;
	struct unwinding *next = *thread_arg ? (struct unwinding *)*thread_arg + 1 : all->data;
	(void)dwfl;
	if (next >= all->data + all->count)
		return 0;
	*thread_arg = next;
	return (pid_t)next->thread->tid;
}

static bool get_thread(Dwfl *dwfl, pid_t tid, void *arg, void **thread_arg)
{
	struct unwindings *all = arg;
	(void)dwfl;
	for (size_t i = 0; i < all->count; i++) {
		if ((pid_t)all->data[i].thread->tid == tid) {
			*thread_arg = &all->data[i];
			return true;
		}
	}
	return false;
}

static bool memory_read(Dwfl *dwfl, Dwarf_Addr address, Dwarf_Word *ret, void *arg)
{
	const struct unwindings *all = arg;
	uint64_t value;
	(void)dwfl;
	if (!hf_image_word(&all->data[0].process->image, address, &value))
		return false;
	*ret = value;
	return true;
}

static uint64_t register_value(const struct hf_thread *thread, const char *name)
{
	for (uint32_t i = 0; i < thread->register_count; i++) {
		if (!strcmp(thread->registers[i].name, name))
			return thread->registers[i].value;
	}
	return 0;
}

static bool set_registers(Dwfl_Thread *dwfl_thread, void *thread_arg)
{
	const struct unwinding *unwinding = thread_arg;
	const struct hf_thread *thread = unwinding->thread;
	const struct hf_machine *machine = unwinding->process->priv->machine;

	for (uint8_t i = 0; i < machine->register_count; i++) {
		const struct hf_machine_register *reg = &machine->registers[i];
		Dwarf_Word value = reg->role & HF_REG_PC   ? unwinding->pc
				   : reg->role & HF_REG_SP ? unwinding->sp
							   : register_value(thread, reg->name);
		if (reg->dwarf >= 0 &&
		    !dwfl_thread_state_registers(dwfl_thread, reg->dwarf, 1, &value))
			return false;
	}
	dwfl_thread_state_register_pc(dwfl_thread, unwinding->pc);
	return true;
}

/* ---- one frame ------------------------------------------------------------------------------- */

/* Of a function whose rare part the compiler put elsewhere ("main.cold") the function's name. */
static const char *pooled_name(struct hf_process *process, const char *name)
{
	const char *cold = strstr(name, ".cold");
	HF_AUTO(free_ptr)
	char *whole = cold ? strndup(name, (size_t)(cold - name)) : NULL;
	const char *linkage = whole ? whole : name;
	HF_AUTO(free_ptr)
	char *plain = hf_demangle(linkage);
	return hf_strpool_dup(process->priv->strings, plain ? plain : linkage);
}

/* The child of @scope that has @pc: a function, a block, or a function that was inlined. */
static bool inner_scope(Dwarf_Die *scope, Dwarf_Addr pc, Dwarf_Die *ret)
{
	Dwarf_Die child;

	for (int more = dwarf_child(scope, &child); more == 0;
	     more = dwarf_siblingof(&child, &child)) {
		int tag = dwarf_tag(&child);
		bool is_scope = tag == DW_TAG_subprogram || tag == DW_TAG_lexical_block ||
				tag == DW_TAG_inlined_subroutine;
		if (is_scope && dwarf_haspc(&child, pc) > 0) {
			*ret = child;
			return true;
		}
	}
	return false;
}

/* The outermost function that was inlined at @pc into the one of @unit that has it. */
static bool outermost_inline(Dwarf_Die *unit, Dwarf_Addr pc, Dwarf_Die *ret)
{
	Dwarf_Die scope = *unit, inner;

	for (int depth = 0; depth < MAX_SCOPES && inner_scope(&scope, pc, &inner); depth++) {
		scope = inner;
		if (dwarf_tag(&scope) != DW_TAG_inlined_subroutine)
			continue;
		*ret = scope;
		return true;
	}
	return false;
}

/* Where the frame's own function calls what was inlined into it at @pc; NULL: unknown. */
static const char *call_site(struct hf_unit *unit, Dwarf_Addr pc, int *ret_line)
{
	Dwarf_Word file = 0, line = 0;
	Dwarf_Attribute attribute;
	Dwarf_Files *files;
	Dwarf_Die inlined;
	size_t count = 0;

	if (!outermost_inline(&unit->die, pc, &inlined) ||
	    dwarf_formudata(dwarf_attr(&inlined, DW_AT_call_file, &attribute), &file) != 0 ||
	    dwarf_formudata(dwarf_attr(&inlined, DW_AT_call_line, &attribute), &line) != 0 ||
	    dwarf_getsrcfiles(&unit->die, &files, &count) != 0 || file >= count)
		return NULL;
	*ret_line = (int)line;
	return dwarf_filesrc(files, file, NULL, NULL);
}

/*
 * File and line of the code at @pc; NULL: unknown. Code of a header that was inlined is told by the
 * line that calls it: the frame's name is that of the function around it.
 */
static const char *source_of(struct hf_module *module, uint64_t pc, int *ret_line)
{
	struct hf_unit unit;
	Dwarf_Addr bias;
	Dwarf_Line *line;

	if (!hf_units_at(module, pc, &unit, &bias) ||
	    !(line = dwarf_getsrc_die(&unit.skeleton, pc - bias)) ||
	    dwarf_lineno(line, ret_line) != 0)
		return NULL;
	const char *file = dwarf_linesrc(line, NULL, NULL);
	const char *own = dwarf_diename(&unit.skeleton);
	if (!file || !own || !strcmp(process_base_name(file), process_base_name(own)))
		return file;
	int call_line = 0;
	const char *caller = call_site(&unit, pc - bias, &call_line);
	if (caller)
		*ret_line = call_line;
	return caller ? caller : file;
}

static void find_place(struct hf_process *process, uint64_t pc, struct code_place *ret)
{
	const struct hf_module *found = hf_process_module(process, pc);
	struct hf_module *module =
	    found ? &process->modules.data[found - process->modules.data] : NULL;
	Dwfl_Module *dwfl = module ? module->dwfl : NULL;
	GElf_Off offset;
	GElf_Sym sym;
	int line = 0;

	*ret = (struct code_place){.pc = pc, .module = HF_NO_INDEX};
	if (module)
		ret->module = (uint32_t)(module - process->modules.data);
	if (!dwfl)
		return;
	const char *name = dwfl_module_addrinfo(dwfl, pc, &offset, &sym, NULL, NULL, NULL);
	if (name)
		ret->function = pooled_name(process, name);
	const char *file = source_of(module, pc, &line);
	if (file && line > 0) {
		ret->file = hf_strpool_dup(process->priv->strings, process_base_name(file));
		ret->line = (uint32_t)line;
	}
}

static void name_frame(struct hf_process *process, struct hf_frame *frame)
{
	struct unwindings *all = process->priv->unwindings;
	struct code_place *place = &all->places[(frame->pc ^ frame->pc >> 10) % PLACES];

	if (place->pc != frame->pc)
		find_place(process, frame->pc, place);
	frame->module = place->module;
	frame->function = place->function;
	frame->file = place->file;
	frame->line = place->line;
}

static void take_registers(Dwfl_Frame *state, struct hf_frame *frame)
{
	for (unsigned i = 0; i < HF_FRAME_REGISTERS; i++) {
		Dwarf_Word value;
		if (dwfl_frame_reg(state, i, &value) != 0)
			continue;
		frame->registers[i] = value;
		frame->known |= UINT32_C(1) << i;
	}
}

static int take_frame(Dwfl_Frame *state, void *arg)
{
	struct unwinding *unwinding = arg;
	struct hf_thread *thread = unwinding->thread;
	Dwarf_Addr pc;
	Dwarf_Word sp;
	bool is_activation;

	if (!dwfl_frame_pc(state, &pc, &is_activation) ||
	    dwfl_frame_reg(state, (unsigned)unwinding->sp_register, &sp) != 0 || pc == 0)
		return DWARF_CB_ABORT;
	if (thread->frames.count) {
		struct hf_frame *inner = &thread->frames.data[thread->frames.count - 1];
		if (sp == inner->sp && pc == inner->pc)
			return DWARF_CB_ABORT;
		if (sp < inner->sp && unwinding->jumps++ >= MAX_JUMPS)
			return DWARF_CB_ABORT;
		inner->cfa = sp > inner->sp ? sp : 0;
	}
	struct hf_frame frame = {.pc = is_activation ? pc : pc - 1, .sp = sp};
	take_registers(state, &frame);
	name_frame(unwinding->process, &frame);
	if (!hf_vec_push(&thread->frames, frame)) {
		unwinding->out_of_memory = true;
		return DWARF_CB_ABORT;
	}
	return thread->frames.count < unwinding->max_frames ? DWARF_CB_OK : DWARF_CB_ABORT;
}

/* ---- calls that lead nowhere ----------------------------------------------------------------- */

static bool is_code(const struct hf_process *process, uint64_t pc)
{
	const struct hf_mapping *mapping = hf_process_mapping(process, pc);
	return mapping && mapping->flags & HF_SEGMENT_X;
}

/*
 * A pointer to a function that is NULL, or that a freed block held: no function is there to unwind
 * by, but the call has just put the return address on the stack.
 *
 *	pc: no code	sp -> | return address, in the caller |
 */
static struct hf_error *step_out_of_no_code(struct unwinding *unwinding)
{
	const struct hf_process *process = unwinding->process;
	struct hf_thread *thread = unwinding->thread;
	uint16_t machine = process->image.machine;
	uint64_t caller = 0;

	if ((machine != EM_X86_64 && machine != EM_386) || is_code(process, thread->pc) ||
	    hf_process_module(process, thread->pc) ||
	    !hf_image_word(&process->image, thread->sp, &caller) || !is_code(process, caller))
		return NULL;
	struct hf_frame frame = {.pc = thread->pc, .sp = thread->sp, .module = HF_NO_INDEX};
	if (!hf_vec_push(&thread->frames, frame))
		return hf_error_nomem();
	unwinding->pc = caller - 1;
	unwinding->sp = thread->sp + process->image.word_bytes;
	return NULL;
}

/* ---- all threads ----------------------------------------------------------------------------- */

static int sp_register(const struct hf_machine *machine)
{
	for (uint8_t i = 0; i < machine->register_count; i++) {
		if (machine->registers[i].role & HF_REG_SP)
			return machine->registers[i].dwarf;
	}
	return 0;
}

static const Dwfl_Thread_Callbacks callbacks = {
    .next_thread = next_thread,
    .get_thread = get_thread,
    .memory_read = memory_read,
    .set_initial_registers = set_registers,
};

static const char *why_not(void)
{
	int code = dwfl_errno();
	return code ? dwfl_errmsg(code) : "its program counter leads to no code";
}

static struct hf_error *unwind_threads(struct hf_process *process, struct unwindings *all)
{
	Dwfl *dwfl = process->priv->dwfl;

	if (!dwfl || !dwfl_attach_state(dwfl, NULL, (pid_t)process->info.pid, &callbacks, all)) {
		hf_diag_add(process->diags, HF_DIAG_EVIDENCE, HF_SEV_NOTE, "no-unwinding", 0,
			    "stacks cannot be unwound (no module's file is at hand): a stack's "
			    "words are told by thread only");
		return NULL;
	}
	for (size_t i = 0; i < all->count; i++) {
		struct unwinding *one = &all->data[i];
		struct hf_error *err = step_out_of_no_code(one);
		if (err)
			return err;
		dwfl_getthread_frames(dwfl, (pid_t)one->thread->tid, take_frame, one);
		if (one->out_of_memory)
			return hf_error_nomem();
		if (one->thread->frames.count == 0)
			hf_diag_add(process->diags, HF_DIAG_EVIDENCE, HF_SEV_NOTE,
				    "thread-not-unwound", one->thread->sp,
				    "thread %u could not be unwound: %s", one->thread->number,
				    why_not());
	}
	return NULL;
}

struct hf_error *hf_process_unwind(struct hf_process *process, uint32_t max_frames)
{
	size_t count = process->threads.count;
	struct unwindings *all;

	if (count == 0 || process->priv->unwindings || !process->priv->machine)
		return NULL;
	all = calloc(1, sizeof(*all) + count * sizeof(all->data[0]));
	if (!all)
		return hf_error_nomem();
	all->count = count;
	for (size_t i = 0; i < count; i++)
		all->data[i] = (struct unwinding){
		    .process = process,
		    .thread = &process->threads.data[i],
		    .pc = process->threads.data[i].pc,
		    .sp = process->threads.data[i].sp,
		    .max_frames = max_frames,
		    .sp_register = sp_register(process->priv->machine),
		};
	process->priv->unwindings = all;
	return unwind_threads(process, all);
}
