/*
 * test_export_ids.c - the 31-bit numbers of objects in heap snapshots: distinct, the same in
 * another dump of the process, and told as not stable where the heap does not fit.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "heapwalk/output/export_ids.h"
#include "tests/unit/fake_heap.h"

static void distinct_and_stable(void **state)
{
	(void)state;
	uint64_t random = 7;
	struct fake_heap heap;
	struct hf_extents *extents = NULL;
	struct hf_export_ids ids, later;
	uint32_t last = 0;

	fake_init(&heap, 2000, 1, &random);
	assert_null(hf_extents_create(&heap.base, 1, NULL, &extents));
	struct hf_analysis analysis = {.allocator = &heap.base, .extents = extents};
	assert_null(hf_export_ids_init(&analysis, &ids));
	/* A later dump: the region grew, and there is another. */
	struct hf_heap_region more = {0x7f1200000000, 0x7f1200100000, 1, HF_REGION_HEAP};
	heap.base.regions.data[0].end += 0x100000;
	assert_true(hf_vec_push(&heap.base.regions, more));
	assert_null(hf_export_ids_init(&analysis, &later));
	assert_true(ids.stable && later.stable);
	for (uint32_t id = 0; id < 2000; id++) {
		uint32_t number = hf_export_id(&ids, id);
		assert_true(number < UINT32_C(1) << 31);
		assert_true(id == 0 || number > last);
		assert_int_equal(number, hf_export_id(&later, id));
		last = number;
	}
	hf_export_ids_deinit(&ids);
	hf_export_ids_deinit(&later);
	hf_extents_destroy(extents);
	fake_deinit(&heap);
}

/* Regions of 40 GiB in all do not fit into 2^31 granules of 16 bytes. */
static void too_large(void **state)
{
	(void)state;
	uint64_t random = 7;
	struct fake_heap heap;
	struct hf_extents *extents = NULL;
	struct hf_export_ids ids;

	fake_init(&heap, 100, 1, &random);
	assert_null(hf_extents_create(&heap.base, 1, NULL, &extents));
	struct hf_analysis analysis = {.allocator = &heap.base, .extents = extents};
	struct hf_heap_region more = {0x7f0000000000, 0x7f0000000000 + (UINT64_C(40) << 30),
				      HF_NO_ARENA, HF_REGION_MMAPPED};
	assert_true(hf_vec_push(&heap.base.regions, more));
	assert_null(hf_export_ids_init(&analysis, &ids));
	assert_false(ids.stable);
	for (uint32_t id = 0; id < 100; id++)
		assert_int_equal(hf_export_id(&ids, id), id);
	hf_export_ids_deinit(&ids);
	hf_extents_destroy(extents);
	fake_deinit(&heap);
}

/* Names get the numbers of their hashes: the same in any order, but where two collide. */
static void names(void **state)
{
	(void)state;
	struct hf_export_names first, second;
	char name[32];
	uint32_t numbers[1000];

	assert_null(hf_export_names_init(1001, &first));
	assert_null(hf_export_names_init(1001, &second));
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "variable_%u", i);
		numbers[i] = hf_export_name_id(&first, name, 100);
		assert_true(numbers[i] >= 100 && numbers[i] < UINT32_C(1) << 31);
	}
	for (unsigned i = 1000; i-- > 0;) {
		snprintf(name, sizeof(name), "variable_%u", i);
		assert_int_equal(hf_export_name_id(&second, name, 100), numbers[i]);
	}
	assert_int_not_equal(hf_export_name_id(&second, "variable_5", 100), numbers[5]);
	hf_export_names_deinit(&first);
	hf_export_names_deinit(&second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(distinct_and_stable),
	    cmocka_unit_test(too_large),
	    cmocka_unit_test(names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
