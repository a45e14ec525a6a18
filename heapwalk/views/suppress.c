/*
 * suppress.c - reading and matching suppressions (see suppress.h).
 */
#include "heapwalk/views/suppress.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "core/base/vec.h"

enum rule_kind { RULE_TYPE = 1, RULE_TEXT = 2, RULE_SIZE = 4 };

struct rule {
	unsigned kinds;
	char *glob;
	uint64_t size;
};

struct hf_suppressions {
	HF_VEC(, struct rule) rules;
};

static char *make_glob(const char *pattern)
{
	char *glob = NULL;
	if (strpbrk(pattern, "*?["))
		return strdup(pattern);
	return asprintf(&glob, "*%s*", pattern) < 0 ? NULL : glob;
}

static bool parse_rule(char *line, struct rule *ret)
{
	char *colon = strchr(line, ':'), *end = NULL;
	if (!colon || !colon[1])
		return false;
	*colon = '\0';
	ret->kinds = !strcmp(line, "type")   ? RULE_TYPE
		     : !strcmp(line, "text") ? RULE_TEXT
		     : !strcmp(line, "leak") ? RULE_TYPE | RULE_TEXT
		     : !strcmp(line, "size") ? RULE_SIZE
					     : 0;
	if (ret->kinds == RULE_SIZE) {
		ret->size = strtoull(colon + 1, &end, 0);
		return *end == '\0';
	}
	ret->glob = ret->kinds ? make_glob(colon + 1) : NULL;
	return ret->glob != NULL;
}

struct hf_error *hf_suppressions_read(const char *path, struct hf_suppressions **ret)
{
	FILE *file = fopen(path, "re");
	struct hf_suppressions *list = calloc(1, sizeof(*list));
	struct hf_error *err = NULL;
	char *line = NULL;
	size_t capacity = 0;

	if (!file || !list) {
		err = file ? hf_error_nomem() : hf_error_errno(errno, "%s", path);
		free(list);
		if (file)
			fclose(file);
		return err;
	}
	for (unsigned number = 1; !err && getline(&line, &capacity, file) >= 0; number++) {
		struct rule rule = {0};
		line[strcspn(line, "#\r\n")] = '\0';
		char *start = line + strspn(line, " \t");
		for (size_t n = strlen(start); n && (start[n - 1] == ' ' || start[n - 1] == '\t');)
			start[--n] = '\0';
		if (!*start)
			continue;
		if (!parse_rule(start, &rule))
			err = hf_error_create(HF_ERR_USAGE,
					      "%s:%u: a rule is type:, text:, leak: with a pattern "
					      "or size: with a number",
					      path, number);
		else if (!hf_vec_push(&list->rules, rule))
			err = hf_error_nomem();
	}
	free(line);
	fclose(file);
	if (err) {
		hf_suppressions_destroy(list);
		return err;
	}
	*ret = list;
	return NULL;
}

void hf_suppressions_destroy(struct hf_suppressions *suppressions)
{
	if (!suppressions)
		return;
	hf_vec_foreach (rule, &suppressions->rules)
		free(rule->glob);
	free(suppressions->rules.data);
	free(suppressions);
}

bool hf_suppressed(const struct hf_suppressions *suppressions, const struct hf_analysis *analysis,
		   uint32_t object)
{
	if (!suppressions || suppressions->rules.count == 0)
		return false;
	const struct hf_type *type =
	    hf_typing_type(analysis->typing, hf_typing_of(analysis->typing, object));
	HF_AUTO(free_ptr)
	char *text = hf_typing_preview(analysis->process, analysis->extents, object);

	hf_vec_foreach (rule, &suppressions->rules) {
		if ((rule->kinds & RULE_SIZE) &&
		    hf_extents_usable(analysis->extents, object) == rule->size)
			return true;
		if ((rule->kinds & RULE_TYPE) && !fnmatch(rule->glob, type->name, 0))
			return true;
		if ((rule->kinds & RULE_TEXT) && text && !fnmatch(rule->glob, text, 0))
			return true;
	}
	return false;
}
