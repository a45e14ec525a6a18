/*
 * test_demangle.c - names of C++ and Rust, and hostile ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/base/demangle.h"

static void names(void **state)
{
	static const struct {
		const char *name, *plain; /* NULL: stays as it is */
	} cases[] = {
	    {"main", NULL},
	    {"write@GLIBC_2.2.5", "write"},
	    {"_ZN3std6vectorIiE4pushEi", "std::vector<int>::push(int)"},
	    {"_ZN1r1G17hf858350fdceb2710E", "r::G"},
	    {"_ZN1r4main17h086b0cfd890a8ea9E", "r::main"},
	    {"_ZN70_$LT$alloc..vec..Vec$LT$T$C$A$GT$$u20$as$u20$core..ops..drop..Drop$GT$"
	     "4drop17h0123456789abcdefE",
	     "<alloc::vec::Vec<T,A> as core::ops::drop::Drop>::drop"},
	    /* Not Rust's: the tail is no hash. */
	    {"_ZN1a17h01234567_9abcdefE", "a::h01234567_9abcdef"},
	    {"_RNvNtNtNtCsjrHSEGnQ3l9_3std3sys3pal4unix14abort_internal",
	     "std::sys::pal::unix::abort_internal"},
	    {"_RNvC1r4main", "r::main"},
	    {"_RNCNvC1r4main0", "r::main::{closure}"},
	    {"_RNvC6_123abc4main", "123abc::main"},
	    {"_RINvC1r3fooiE", NULL},
	    {"_RNvC1r", NULL},
	    {"_RNvC9999999999999999999999r4main", NULL},
	    {"_RNvCs", NULL},
	    {"_RN", NULL},
	    {"_R", NULL},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *plain = hf_demangle(cases[i].name);
		if (!cases[i].plain)
			assert_null(plain);
		else
			assert_string_equal(plain, cases[i].plain);
		free(plain);
	}
}

/* Nested deeper than anybody writes: no crash, and no answer. */
static void deep(void **state)
{
	enum { DEPTH = 3000 };
	static char name[2 * DEPTH + 16] = "_R";
	(void)state;
	for (size_t i = 0; i < DEPTH; i++) {
		name[2 + 2 * i] = 'N';
		name[3 + 2 * i] = 'v';
	}
	assert_null(hf_demangle(name));
}

/* No name gets brackets twice, and none that has only a type's goes without. */
static void brackets(void **state)
{
	(void)state;
	assert_string_equal(hf_call_brackets("main"), "()");
	assert_string_equal(hf_call_brackets("work(int)"), "");
	assert_string_equal(hf_call_brackets("std::thread::join()"), "");
	assert_string_equal(hf_call_brackets("main::{lambda(int)#1}::operator()(int) const"), "");
	assert_string_equal(hf_call_brackets("work(int) [clone .cold]"), "");
	assert_string_equal(hf_call_brackets("(anonymous namespace)::work"), "()");
	assert_string_equal(hf_call_brackets("<(A,B) as r::Run>::run"), "()");
	assert_string_equal(hf_call_brackets("main::{lambda(int)#1}"), "()");
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(names), cmocka_unit_test(deep),
					   cmocka_unit_test(brackets)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
