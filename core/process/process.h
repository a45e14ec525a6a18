/*
 * process.h - everything that a core (or a snapshot) says of its process, apart from malloc.
 *
 * hf_process_open() reads notes first, then the program headers; it finds the mappings,
 * the modules (NT_FILE, link map, build-ids), their files on this machine, the threads
 * and their registers. What is damaged or missing becomes a diagnostic, and the rest is
 * still there. Only three things are errors: the file cannot be read, it is no ELF core,
 * or memory ran out.
 */
#ifndef HF_CORE_PROCESS_PROCESS_H
#define HF_CORE_PROCESS_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/base/diag.h"
#include "core/base/error.h"
#include "core/base/progress.h"
#include "core/base/stash.h"
#include "core/base/vec.h"
#include "core/image/image.h"

/* ---- what it is opened with ------------------------------------------------ */

struct hf_process_options {
	const char *core;	    /* path of the core */
	const char *core_name;	    /* told instead of its path; NULL: the path */
	const char *executable;	    /* -e or BINARY; NULL: found by the core's own notes */
	const char *sysroot;	    /* prefix for files named by the core; NULL: "" */
	const char *debuginfo_path; /* as elfutils' --debuginfo-path; NULL: the default */
	const struct hf_progress *progress;
};

/* ---- threads ---------------------------------------------------------------- */

enum { HF_MAX_REGISTERS = 48, HF_FRAME_REGISTERS = 32 };

struct hf_register {
	const char *name; /* "rax": static */
	uint64_t value;
};

struct hf_frame {
	uint64_t pc;	      /* return address less one where libdwfl says that it is one */
	uint64_t sp;	      /* lowest address that belongs to this frame (its stack pointer) */
	uint64_t cfa;	      /* one past the highest: the caller's stack pointer; 0 if unknown */
	const char *function; /* owned by the process's string pool; NULL if unknown */
	const char *file;     /* source file, NULL if unknown */
	uint32_t line;
	uint32_t module; /* index, or HF_NO_INDEX */
	bool inlined;	 /* reserved: physical frames only, so false */
	/* By DWARF number, where the unwinder knows them: bit i of `known` speaks for register i.
	 */
	uint32_t known;
	uint64_t registers[HF_FRAME_REGISTERS];
};

struct hf_thread {
	uint32_t tid;
	int signal;	     /* pr_cursig */
	uint64_t pc, sp, tp; /* tp: thread pointer (fs base, TPIDR_EL0, ...); 0 if unknown */
	uint32_t gs;	     /* i386: the selector that names the thread pointer */
	struct hf_register registers[HF_MAX_REGISTERS]; /* general registers only */
	uint32_t register_count;
	uint32_t number;		 /* 1-based, in gdb's order (1 is the first in the core) */
	char name[17];			 /* comm if a sidecar or our snapshot told it, else "" */
	uint64_t stack_start, stack_end; /* the mapping around sp, or that it overflowed */
	uint64_t stack_top; /* where this thread's stack ends within it (TLS block, next stack) */
	HF_VEC(, struct hf_frame) frames; /* innermost first; empty: could not unwind */
};

/* ---- mappings and modules ---------------------------------------------------- */

#define HF_NO_INDEX UINT32_MAX

enum hf_mapping_kind {
	HF_MAPPING_ANONYMOUS,
	HF_MAPPING_FILE,  /* a module's or another file's */
	HF_MAPPING_STACK, /* the main thread's, or one that holds a thread's stack pointer */
	HF_MAPPING_BRK,	  /* the brk heap, where it can be told */
	HF_MAPPING_VDSO,
};

struct hf_mapping {
	uint64_t start, end;
	uint64_t file_offset;
	uint64_t present; /* bytes in the image */
	const char *path; /* NULL for anonymous; as the target named it, "(deleted)" removed */
	uint32_t flags;	  /* HF_SEGMENT_* */
	uint32_t module;  /* index or HF_NO_INDEX; .bss behind a module's data belongs to it */
	uint8_t kind;	  /* enum hf_mapping_kind */
	bool undumped;	  /* no segment of the core covers it: known by its file's name only */
};

enum hf_file_match {
	HF_FILE_NONE,	    /* no file found on this machine */
	HF_FILE_MATCHES,    /* build-ids are equal */
	HF_FILE_UNVERIFIED, /* one of the two has no build-id */
	HF_FILE_DIFFERS,    /* build-ids differ: the file is not used */
};

struct hf_section { /* a writable allocated section of the module's file */
	const char *name;
	uint64_t start, end; /* target addresses */
};

struct hf_module {
	const char *name;    /* base name: "libc.so.6" */
	const char *path;    /* as the target named it */
	const char *file;    /* found on this machine and used; NULL if none */
	uint64_t start, end; /* lowest and one past highest mapped address */
	uint64_t bias;	     /* target address - address in the file */
	uint8_t build_id[32];
	uint8_t build_id_bytes; /* 0: unknown */
	uint8_t match;		/* enum hf_file_match */
	bool is_executable;	/* the main program */
	bool is_libc;		/* the module that holds malloc: libc.so.6, or a static program */
	bool has_symtab, has_dwarf; /* in the file or in its separate debug file */
	bool tls_static;	    /* tls_offset is known and TLS is static */
	uint64_t tls_size;	    /* memsz of PT_TLS, 0 if none */
	uint64_t tls_align;
	uint64_t tls_offset; /* link map's l_tls_offset; variant II: block = tp - offset */
	uint64_t tls_modid;  /* link map's l_tls_modid; 0 unknown */
	HF_VEC(, struct hf_section) sections;
	const uint8_t *contents; /* of `file`, contents_bytes of it; private to core/ */
	uint64_t contents_bytes;
	void *dwfl;  /* Dwfl_Module *, private to core/ */
	void *units; /* units.h: what it knows of them; private to core/ */
};

/* ---- the process -------------------------------------------------------------- */

enum hf_core_kind { HF_CORE_KERNEL, HF_CORE_GCORE, HF_CORE_SNAPSHOT, HF_CORE_QEMU, HF_CORE_OTHER };

/* What our own snapshots tell beside the core; zero and NULL where it is unknown. */
struct hf_snapshot_info {
	bool there;
	const char *trigger; /* "snapshot", "threshold", "kill" */
	const char *reason;  /* in words: the threshold, the killer */
	const char *mode;    /* "pause", "freeze", "no-pause", "exit" */
	const char *time;    /* UTC, ISO 8601 */
	uint64_t time_ns;    /* since the epoch */
	bool consistent;     /* nothing ran while memory was read */
	bool killed;	     /* SIGKILL had struck */
	double pause_seconds;
	uint32_t threads_missing;
	uint64_t memory_bytes;				      /* in the core */
	uint64_t swapped_bytes, unreadable_bytes, gone_bytes; /* not in it */
	uint64_t dontdump_bytes;			      /* nor these: MADV_DONTDUMP */
	uint64_t shared_bytes; /* nor these: shared, not in its page tables */
	const char *cgroup;
	uint64_t cgroup_limit, cgroup_usage, cgroup_cache;
	uint64_t data_limit, address_limit; /* RLIMIT_DATA, RLIMIT_AS */
	uint64_t resident_bytes;
};

struct hf_process_info {
	const char *core_path;
	enum hf_core_kind core_kind;
	uint64_t core_bytes;	/* size of the file as given */
	uint64_t missing_bytes; /* of PT_LOAD contents that the headers promise */
	uint32_t pid, ppid, uid;
	char command[17];	/* pr_fname */
	const char *arguments;	/* the command line, "" if unknown; owned by the process */
	const char *executable; /* path in the target, NULL if unknown */
	int signal;		/* 0: none (gcore of a live process) */
	int signal_code;	/* si_code */
	uint64_t fault_address; /* si_addr for SIGSEGV, SIGBUS, SIGFPE, SIGILL */
	uint32_t sender_pid;	/* si_pid for SI_USER, SI_TKILL */
	bool has_siginfo;
	uint64_t taken_ns; /* since the epoch: by the snapshot's note, else the file's time */
	struct hf_snapshot_info snapshot;
};

struct hf_process {
	struct hf_process_info info;
	struct hf_image image;
	HF_VEC(, struct hf_thread) threads;
	HF_VEC(, struct hf_mapping) mappings; /* sorted by start, disjoint */
	HF_VEC(, struct hf_module) modules;   /* sorted by start; the executable is flagged */
	struct hf_diags *diags;		      /* not owned */
	struct hf_process_private *priv;
};

/* Open @options->core. @diags must outlive the process. */
struct hf_error *hf_process_open(const struct hf_process_options *options, struct hf_diags *diags,
				 struct hf_process **ret);
void hf_process_close(struct hf_process *process);

/*
 * Unwind every thread (libdwfl), at most @max_frames a thread, and fill its frames.
 * A thread that cannot be unwound keeps an empty list and gets a diagnostic.
 */
struct hf_error *hf_process_unwind(struct hf_process *process, uint32_t max_frames);

/* What unwinding found, into an index; and out of it, in place of unwinding. */
struct hf_error *hf_process_save_frames(const struct hf_process *process,
					struct hf_stash_writer *writer);
bool hf_process_load_frames(struct hf_process *process, const struct hf_stash *stash);

const struct hf_mapping *hf_process_mapping(const struct hf_process *process, uint64_t address);
const struct hf_module *hf_process_module(const struct hf_process *process, uint64_t address);

/*
 * What @address held when its module's file was mapped there: host view of the file, and in
 * *@ret_available the bytes to the end of the mapping or of the file. NULL: no module's file, or it
 * was not found.
 */
const uint8_t *hf_process_file_at(const struct hf_process *process, uint64_t address,
				  uint64_t *ret_available);

/* AT_* value of the auxiliary vector; false if it is not there. */
bool hf_process_auxv(const struct hf_process *process, uint64_t type, uint64_t *ret);

/* Bytes below the stack pointer that a leaf function may use (x86_64: 128, else 0). */
uint64_t hf_process_red_zone(const struct hf_process *process);

/* Start of @module's TLS block in @thread; false if it has none or it cannot be told. */
bool hf_process_tls_block(const struct hf_process *process, const struct hf_thread *thread,
			  const struct hf_module *module, uint64_t *ret);

/* The thread's dynamic thread vector as its TCB points at it (entry 0); false if unknown. */
bool hf_process_dtv(const struct hf_process *process, const struct hf_thread *thread,
		    uint64_t *ret);

struct hf_dead_stack {
	uint64_t start, end; /* the whole stack block, its dead TLS and descriptor included */
	uint64_t dtv; /* what its descriptor's dtv points at, which is kept with it; 0: none */
};

HF_VEC(hf_dead_stacks, struct hf_dead_stack);

/*
 * Stacks of ended threads that the C library keeps for reuse: mapped and writable, but no
 * root. Told by structure: a thread descriptor (TCB self pointers) that no thread of the
 * core uses, bounded by its own stackblock fields. The caller frees ret->data.
 */
struct hf_error *hf_process_dead_stacks(const struct hf_process *process,
					struct hf_dead_stacks *ret);

/*
 * Bytes that are zero in the core and cannot have been (zeroed.c): the core has holes. 0 says only
 * that none was noticed.
 */
uint64_t hf_process_zeroed(const struct hf_process *process);
/* Is all of [address, address + size) in the core, and zero? */
bool hf_process_zero_at(const struct hf_process *process, uint64_t address, uint64_t size);

/* "SIGSEGV" */
const char *hf_signal_name(int signal);

#endif
