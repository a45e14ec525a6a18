/*
 * glibc.c - the glibc back end of the allocator contract: probing, and what it owns.
 */
#include <stdlib.h>
#include <string.h>

#include "heapwalk/glibc/glibc.h"

static void glibc_destroy(struct hf_allocator *allocator)
{
	struct glibc *glibc = (struct glibc *)allocator; /* base is its first member */

	hf_vec_foreach (walk, &glibc->walks) {
		free(walk->checkpoints.data);
		free(walk->gaps.data);
		glibc_forget_told(walk);
	}
	free(glibc->walks.data);
	free(glibc->tcaches.data);
	free(glibc->free.data);
	free(allocator->regions.data);
	free(allocator->own.data);
	free(allocator->gaps.data);
	free(allocator->arenas.data);
	free(allocator->bins.data);
	free(allocator->caches.data);
	free(allocator->findings.data);
	free(allocator->doubtful.data);
	pthread_mutex_destroy(&glibc->findings_lock);
	hf_strpool_destroy(glibc->strings);
	free(glibc);
}

static const struct hf_allocator_ops ops = {
    .name = "glibc",
    .destroy = glibc_destroy,
    .walk = glibc_walk,
    .walk_big = glibc_walk_big,
    .finish = glibc_finish,
    .chunks = glibc_chunks,
    .chunk_at = glibc_chunk_at,
    .mallinfo2 = glibc_mallinfo2,
    .save = glibc_save,
    .load = glibc_load,
    .check = glibc_check,
};

/*
 * Who else may manage the memory: a library that takes malloc's place, or an allocator inside the
 * program, told by a variable of its own.
 */
static const char *other_allocator(const struct glibc *glibc)
{
	static const struct {
		const char *library, *variable, *name;
	} others[] = {
	    {"libjemalloc", "je_malloc_conf", "jemalloc"},
	    {"libtcmalloc", NULL, "tcmalloc"},
	    {"libmimalloc", "_mi_heap_main", "mimalloc"},
	    {"libsnmalloc", NULL, "snmalloc"},
	    {"ld-musl", "__thread_list_lock", "musl"},
	    {"libhoard", NULL, "Hoard"},
	    {"libasan", NULL, "AddressSanitizer"},
	    {"libhwasan", NULL, "HWAddressSanitizer"},
	    {NULL, "runtime.mheap_", "Go's runtime"},
	};
	uint64_t address, size;

	for (uint32_t i = 0; i < glibc->process->modules.count; i++) {
		const struct hf_module *module = &glibc->process->modules.data[i];
		for (size_t j = 0; j < sizeof(others) / sizeof(others[0]); j++) {
			if ((others[j].library && !strncmp(module->name, others[j].library,
							   strlen(others[j].library))) ||
			    (others[j].variable && glibc->symbols &&
			     hf_symbols_find(glibc->symbols, i, others[j].variable, &address,
					     &size)))
				return others[j].name;
		}
		/* musl's C library is its dynamic linker, too: one file, mostly by this path. */
		if (!strcmp(module->name, "libc.so") && strstr(module->path, "musl"))
			return "musl";
	}
	return NULL;
}

/* Bytes of written memory that is no stack and no module's: what such an allocator has. */
static uint64_t anonymous_bytes(const struct glibc *glibc)
{
	uint64_t bytes = 0;
	hf_vec_foreach (mapping, &glibc->process->mappings) {
		if ((mapping->kind == HF_MAPPING_ANONYMOUS || mapping->kind == HF_MAPPING_BRK) &&
		    (mapping->flags & HF_SEGMENT_W) && mapping->module == HF_NO_INDEX)
			bytes += mapping->present;
	}
	return bytes;
}

enum arena_evidence { ARENA_UNKNOWN, ARENA_ABSENT, ARENA_UNUSED };

/* What the symbol main_arena, or libc's data as a whole, says where no arena was found. */
static enum arena_evidence arena_evidence(const struct glibc *glibc)
{
	uint64_t address, size, word;

	for (uint32_t i = 0; i < glibc->process->modules.count; i++) {
		if (!glibc->process->modules.data[i].is_libc)
			continue;
		if (glibc->symbols &&
		    hf_symbols_find(glibc->symbols, i, "main_arena", &address, &size))
			return glibc_word(glibc, address, &word) ? ARENA_UNUSED : ARENA_ABSENT;
		hf_vec_foreach (mapping, &glibc->process->mappings) {
			if (mapping->module == i && (mapping->flags & HF_SEGMENT_W) &&
			    mapping->present < mapping->end - mapping->start)
				return ARENA_ABSENT;
		}
	}
	return ARENA_UNKNOWN;
}

static void tell_not_found(const struct glibc *glibc, const char *other)
{
	enum arena_evidence evidence = arena_evidence(glibc);

	if (other)
		hf_diag_add(glibc->diags, HF_DIAG_EVIDENCE, HF_SEV_WARNING, "no-glibc-heap", 0,
			    "%s manages this process's memory: its %.1f MiB are told as "
			    "other anonymous memory, not as objects; no glibc heap was found",
			    other, (double)anonymous_bytes(glibc) / (1 << 20));
	else if (evidence == ARENA_ABSENT)
		hf_diag_add(glibc->diags, HF_DIAG_EVIDENCE, HF_SEV_WARNING, "no-glibc-heap", 0,
			    "The heap cannot be told: malloc's arena, in libc's data, is missing "
			    "from the core");
	else if (evidence == ARENA_UNUSED)
		hf_diag_add(glibc->diags, HF_DIAG_EVIDENCE, HF_SEV_NOTE, "heap-unused", 0,
			    "glibc's heap was never used: the process had not called malloc");
	else
		hf_diag_add(glibc->diags, HF_DIAG_EVIDENCE, HF_SEV_WARNING, "no-glibc-heap", 0,
			    "No glibc heap was found: no writable memory holds an arena (another "
			    "allocator, or libc's data is missing from the core); %.1f MiB of "
			    "anonymous memory are told as mappings, not as objects",
			    (double)anonymous_bytes(glibc) / (1 << 20));
}

static struct hf_error *probe(struct glibc *glibc, bool *ret_found)
{
	struct hf_error *err = hf_strpool_create(&glibc->strings);
	if (!err)
		err = glibc_find(glibc, ret_found);
	if (err || !*ret_found)
		return err;
	glibc_read_crash(glibc);
	err = glibc_find_regions(glibc);
	*ret_found = glibc->main_arena || glibc->base.regions.count;
	if (err || !*ret_found)
		return err;
	if (!glibc->main_arena)
		hf_diag_add(glibc->diags, HF_DIAG_EVIDENCE, HF_SEV_WARNING, "main-arena-missing", 0,
			    "malloc's main arena, in libc's data, is not in the core: its blocks "
			    "are told by their chain alone; freed ones that caches and fast lists "
			    "keep look in use");
	glibc_settle_mangling(glibc);
	err = glibc_walk_tcaches(glibc);
	if (!err)
		err = glibc_walk_lists(glibc);
	if (!err)
		err = glibc_sort_free(glibc);
	if (err)
		return err;
	err = glibc_find_mmapped(glibc);
	const struct glibc_layout *layout = &glibc->layout;
	bool trailer = layout->class->mmapped_trailer;
	glibc->base.granule = layout->align;
	glibc->base.overhead[HF_OBJECT_MALLOC] = layout->word;
	glibc->base.overhead[HF_OBJECT_ALLOCATOR] = layout->word;
	glibc->base.overhead[HF_OBJECT_MMAP] = trailer ? layout->word : 2u * layout->word;
	return err;
}

struct hf_error *hf_glibc_probe(const struct hf_process *process, struct hf_symbols *symbols,
				struct hf_diags *diags, struct hf_allocator **ret)
{
	struct glibc *glibc = calloc(1, sizeof(*glibc));
	bool found = false;

	if (!glibc)
		return hf_error_nomem();
	pthread_mutex_init(&glibc->findings_lock, NULL);
	glibc->base.ops = &ops;
	glibc->process = process;
	glibc->image = &process->image;
	glibc->symbols = symbols;
	glibc->diags = diags;
	glibc->libc_module = HF_NO_INDEX;
	hf_vec_foreach (segment, &process->image.segments)
		glibc->present_bytes += segment->present;
	struct hf_error *err = probe(glibc, &found);
	const char *other = other_allocator(glibc);
	if (err || !found) {
		if (!err)
			tell_not_found(glibc, other);
		glibc_destroy(&glibc->base);
		if (!err)
			*ret = NULL;
		return err;
	}
	if (other)
		hf_diag_add(
		    diags, HF_DIAG_EVIDENCE, HF_SEV_WARNING, "other-allocator", 0,
		    "%s is loaded: what it manages is told as other anonymous memory, not as "
		    "objects",
		    other);
	*ret = &glibc->base;
	return NULL;
}
