/*
 * propagate.h - DWARF types along pointers: the candidates, the queues, the memory that is read.
 *
 * A typed pointer proposes a type for the object that it leads to. The object's size must fit,
 * and what stands in it must not speak against it (a bool that is 7, a function pointer that is
 * no code, a pointer to nowhere). Of several candidates the one with the better evidence wins
 * (enum rank); between equals what the object holds decides. An object that got a type is put
 * into the queue of its rank, and is opened when no queue of a better rank has one: its pointers,
 * field by field, propose in their turn.
 *
 *	roots -> [exact] [pointers] [array] ... -> open: fields -> candidates -> queues
 *
 * Each object is opened at most once a rank, so the time is linear in the words that are read.
 * Opening goes in batches: the objects' memory, the lookup of what their words point at and the
 * targets' types are prefetched one step ahead, since each is a random access.
 */
#ifndef HF_HEAPWALK_TYPING_PROPAGATE_H
#define HF_HEAPWALK_TYPING_PROPAGATE_H

#include "heapwalk/typing/layout.h"
#include "heapwalk/typing/private.h"

enum { QUEUE_BLOCK = 1 << 14, LINK_BATCH = 128, OPEN_BATCH = 64 };

struct queue_block {
	struct queue_block *next;
	uint32_t head, tail;
	uint32_t objects[QUEUE_BLOCK];
};

struct queue {
	struct queue_block *first, *last;
};

/* A word that is a typed pointer, on its way. */
struct link {
	struct hf_location location;
	uint64_t value;
	uint32_t target; /* what it points at by its type */
	uint32_t object; /* what it does point at */
	bool start;	 /* and whether at its start */
	uint8_t source, rank;
};

struct propagation {
	struct hf_typing *typing;
	struct hf_symbols *symbols;
	const struct hf_extents *extents;
	const struct hf_image *image;
	uint64_t low, high; /* hull of the heap */
	uint32_t region_hint;
	const struct hf_segment *segment; /* that was read last */
	uint64_t *opened;		  /* bit per object */
	struct queue queues[RANKS];
	struct link links[LINK_BATCH];
	uint32_t link_count;
	struct limits *limits;	   /* NULL: there are none */
	struct closures *closures; /* the same */
	uint64_t parts, rejected;
	struct outer_list *outers; /* made when first asked; NULL: not yet */
	struct contents *contents; /* the same */
	bool failed;		   /* out of memory */
};

/* A piece of memory that is @count of a type, whose pointers propose. */
struct typed_memory {
	uint64_t address, bytes; /* what may be read */
	uint64_t count;
	const struct layout *layout;
	uint32_t ctype;
	enum hf_type_source source; /* of what it proposes */
	enum rank rank;		    /* what it proposes is at best so sure */
};

/* propagate.c */
void propagation_init(struct propagation *prop, struct hf_typing *typing);
/* hf_image_at(), quick where the last segment is meant again. */
const uint8_t *propagation_view(struct propagation *prop, uint64_t address,
				uint64_t *ret_available);
void propagation_offer(struct propagation *prop, uint32_t object, uint64_t value, uint32_t target,
		       enum hf_type_source source, enum rank rank);
void propagation_push(struct propagation *prop, uint32_t object, enum rank rank);
void propagation_drain(struct propagation *prop);

/* open.c */
/*
 * The bytes of @memory that are there, *@ret_available of them. A variable may begin in the last
 * page of its module's .data and go on in what is mapped behind that for .bss: its pieces are put
 * together in *@ret_copy, which the caller frees; NULL: nothing was copied.
 */
const uint8_t *propagation_whole(struct propagation *prop, const struct typed_memory *memory,
				 uint64_t *ret_available, uint8_t **ret_copy);
void propagation_open_memory(struct propagation *prop, const struct typed_memory *memory);
void propagation_open_object(struct propagation *prop, uint32_t object);
/* False: nothing in it is of a type that DWARF describes. */
bool propagation_memory_of(struct propagation *prop, uint32_t object, struct typed_memory *ret);
void propagation_flush(struct propagation *prop);
/* The word @value leads to a @target. */
void propagation_propose(struct propagation *prop, uint64_t value, uint32_t target,
			 enum hf_type_source source, enum rank rank);

/* closures.c: the values in the holders of an element of @memory, which lies at @base of @data. */
void propagation_open_holders(struct propagation *prop, const struct typed_memory *memory,
			      const uint8_t *data, uint64_t base, uint64_t available);
void closures_destroy(struct closures *closures);

/*
 * limits.c: how much of a buffer its container says is filled; what lies behind was there before.
 * Reads the containers in @data, an element of @layout.
 */
void propagation_note_limits(struct propagation *prop, const struct layout *layout,
			     const uint8_t *data, uint64_t available);
/* *@from .. *@to of the object's bytes are the container's; unchanged where no one says. */
void propagation_limit(const struct propagation *prop, uint32_t object, uint64_t *from,
		       uint64_t *to);
void limits_destroy(struct limits *limits);

/*
 * outers.c: structure @outer has at @offset a member of type @inner, at any depth (or, in a list
 * of infer_content.c, a pointer to one). Lists are sorted by inner, offset, outer.
 */
struct outer {
	uint32_t inner, outer;
	uint64_t offset;
};
HF_VEC(outer_list, struct outer);

/* What @add says of each structure with a size that counts, sorted; false: nothing was made. */
bool propagation_list_outers(struct propagation *prop,
			     void (*add)(struct propagation *prop, struct outer_list *list,
					 uint32_t outer),
			     struct outer_list *ret);
/* Index of the first that is not before (@inner, @offset). */
size_t propagation_first_outer(const struct outer_list *list, uint32_t inner, uint64_t offset);
/* Those with @inner at @offset (UINT64_MAX: anywhere) into *@ret; returns their number. */
uint32_t propagation_outers(struct propagation *prop, uint32_t inner, uint64_t offset,
			    const struct outer **ret);
void outers_destroy(struct outer_list *outers);

/* Is there a bigger structure that starts with @inner, and would fill @usable bytes? */
bool propagation_may_be_outer(struct propagation *prop, uint32_t inner, uint64_t usable);

/* infer.c: wholes of which a part is known; true if any object got a type. */
bool propagation_infer(struct propagation *prop);

/* infer_content.c: what its own pointers tell of an object that nothing else told of. */
bool propagation_infer_content(struct propagation *prop);
/* The structure that @object would be by its pointers, if only one is enough; 0: none. */
uint32_t propagation_by_content(struct propagation *prop, uint32_t object);
void contents_destroy(struct contents *contents);

/* infer_void.c: what void pointers lead to; true if any object got a type. */
bool propagation_infer_void(struct propagation *prop);

/* seeds.c: variables, TLS, locals, and what has a type already. */
void propagation_seed(struct propagation *prop);

typedef void memory_fn(void *ctx, const struct typed_memory *memory);

/* The typed memory of the roots: variables, TLS variables, locals that are in memory. */
void propagation_each_root(struct propagation *prop, memory_fn *fn, void *ctx);

/* check.c: does what stands in @object speak against it being @type? With @heap, what its pointers
 * lead to in the heap is looked up. */
struct verdict {
	uint32_t good, bad;
};
struct verdict propagation_check(struct propagation *prop, uint32_t object, uint32_t type,
				 bool heap);
/* The same for a type that has no number yet, all words of it looked at: a pointer where it has
 * none is bad, one that leads to an object of the right type is very good. */
struct verdict propagation_check_all(struct propagation *prop, uint32_t object, uint32_t ctype);

/* What is known to start at @address, an object or a variable; 0: nothing sure. */
uint32_t propagation_type_at(const struct propagation *prop, uint64_t address);

/* Give it to the object, and into the queue. */
void propagation_assign(struct propagation *prop, uint32_t object, uint32_t type,
			enum hf_type_source source, enum rank rank);

static inline bool verdict_fine(const struct verdict *verdict, enum rank rank)
{
	if (rank <= RANK_POINTERS)
		return verdict->bad <= verdict->good;
	return verdict->bad == 0;
}

#endif
