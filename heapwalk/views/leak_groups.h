/*
 * leak_groups.h - leaders of leaks, those of the same kind, type and size together.
 *
 *	group.bytes = chunk bytes of its leaders;	group.retained = what they drag along
 *
 * `retained` counts the leaders and the lost objects that only they lead to; one that two
 * leaders share is in neither.
 */
#ifndef HF_HEAPWALK_VIEWS_LEAK_GROUPS_H
#define HF_HEAPWALK_VIEWS_LEAK_GROUPS_H

#include "heapwalk/analysis.h"
#include "heapwalk/views/suppress.h"

struct hf_leak_group {
	uint64_t usable, count, bytes, retained;
	uint32_t type, example; /* the leader that retains most */
	uint8_t kind;		/* enum hf_leak_kind */
};

HF_VEC(hf_leak_groups, struct hf_leak_group);

/*
 * Add the objects of @kind that are not suppressed to @ret; of the others, how many there are
 * and what they retain is added to @suppressed. NULL @suppressions: none are.
 */
struct hf_error *hf_leak_groups_add(const struct hf_analysis *analysis, enum hf_leak_kind kind,
				    const struct hf_suppressions *suppressions,
				    struct hf_leak_total *suppressed, struct hf_leak_groups *ret);

/* What retains most comes first. */
void hf_leak_groups_sort(struct hf_leak_groups *groups);

#endif
