/*
 * issues.h - what a build should be told of: leaks, broken invariants, what keeps most alive.
 *
 * An issue has a rule ("definite-leak"), a severity, a sentence, and where the source says
 * something of it: the class that was lost, the variable that holds. Its identity is made of
 * names and sizes, never of addresses or counts, so that the same issue has the same
 * identity in the next core of the program. Issues of one rule and identity get numbers.
 */
#ifndef HF_HEAPWALK_VIEWS_ISSUES_H
#define HF_HEAPWALK_VIEWS_ISSUES_H

#include "heapwalk/analysis.h"
#include "heapwalk/views/view.h"

enum hf_issue_kinds {
	HF_ISSUES_LEAKS = 1,	/* groups of lost leaders, definite and possible */
	HF_ISSUES_FINDINGS = 2, /* broken invariants of the heap */
	HF_ISSUES_SUSPECTS = 4, /* what keeps more than a tenth of the heap */
};

struct hf_issue_rule {
	const char *id;	   /* "definite-leak", or the code of a diagnostic */
	const char *name;  /* "DefiniteLeak"; NULL: none of its own */
	const char *brief; /* a sentence */
	const char *help;
	enum hf_severity severity; /* of most of its issues */
};

struct hf_issue {
	uint32_t rule; /* index in rules */
	enum hf_severity severity;
	const char *message;
	const char *identity;
	const char *subject; /* type or variable; NULL */
	bool variable;	     /* what the subject is */
	const char *path;    /* source; NULL if unknown */
	uint32_t line;	     /* 0 if unknown */
	uint64_t address;    /* an example; 0: none */
	uint64_t count, bytes;
};

struct hf_issues {
	HF_VEC(, struct hf_issue_rule) rules;
	HF_VEC(, struct hf_issue) list;
	uint64_t left_out;   /* issues beyond options->top */
	uint64_t suppressed; /* leaders */
	void *strings;	     /* private */
};

/*
 * Issues of @kinds (a mask); options->top (0: 5,000) of a kind at most, what is left out is
 * counted. options->suppressions is heeded.
 */
struct hf_error *hf_issues_create(struct hf_analysis *analysis,
				  const struct hf_view_options *options, unsigned kinds,
				  struct hf_issues *ret);
void hf_issues_deinit(struct hf_issues *issues);

#endif
