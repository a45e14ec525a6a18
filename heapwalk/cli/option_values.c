/*
 * option_values.c - the values of options: numbers and sizes of all of them, and what one option
 * alone understands.
 */
#include "heapwalk/cli/option_values.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/base/cleanup.h"
#include "heapwalk/cli/commands.h"

/* ---- numbers --------------------------------------------------------------------------------- */

static struct hf_error *parse_count(const char *name, const char *text, uint64_t max, uint64_t *ret)
{
	char *end = NULL;
	errno = 0;
	unsigned long long value = strtoull(text, &end, 0);
	if (errno || end == text || *end || *text == '-' || value > max)
		return hf_error_create(HF_ERR_USAGE, "--%s=%s: not a number it can be", name, text);
	*ret = value;
	return NULL;
}

/* "4096", "64KiB", "1.5M" */
static struct hf_error *parse_size(const char *name, const char *text, uint64_t *ret)
{
	static const char units[] = "kmgt";
	char *end = NULL;
	double value = strtod(text, &end);
	const char *unit = *end ? strchr(units, *end | 0x20) : NULL;

	if (end == text || value < 0)
		return hf_error_create(HF_ERR_USAGE, "--%s=%s: not a size", name, text);
	if (unit) {
		bool decimal = (end[1] | 0x20) == 'b';
		for (long i = 0; i <= unit - units; i++)
			value *= decimal ? 1000 : 1024;
		end += !strcasecmp(end + 1, "ib") ? 3 : !strcasecmp(end + 1, "b") ? 2 : 1;
	} else if (!strcasecmp(end, "b")) {
		end++;
	}
	if (*end || value > 1e19)
		return hf_error_create(HF_ERR_USAGE, "--%s=%s: not a size (try 64KiB)", name, text);
	*ret = (uint64_t)value;
	return NULL;
}

static struct hf_error *parse_seconds(const char *name, const char *text, double *ret)
{
	char *end;
	double value = strtod(text, &end);
	if (end == text || *end || !(value >= 0 && value < 1e9))
		return hf_error_create(HF_ERR_USAGE, "--%s=%s: not a number of seconds", name,
				       text);
	*ret = value;
	return NULL;
}

/* The field of @options that @option is kept in. */
static void *field_of(const struct hf_option *option, struct hf_options *options)
{
	return (char *)options + option->effect.offset;
}

static struct hf_error *take_count(const struct hf_option *option, const char *text,
				   struct hf_options *options)
{
	uint64_t value = 0;
	struct hf_error *err = parse_count(option->name, text, option->effect.value, &value);

	if (!err && option->effect.kind == HF_OPTION_LONG_COUNT)
		*(uint64_t *)field_of(option, options) = value;
	else if (!err)
		*(uint32_t *)field_of(option, options) = (uint32_t)value;
	return err;
}

struct hf_error *hf_option_take(const struct hf_option *option, const char *text,
				struct hf_options *options)
{
	const struct hf_option_effect *effect = &option->effect;
	void *field = field_of(option, options);

	switch (effect->kind) {
	case HF_OPTION_FLAG:
		*(bool *)field = true;
		return NULL;
	case HF_OPTION_TEXT:
		*(const char **)field = text;
		return NULL;
	case HF_OPTION_CHOICE:
		*(uint32_t *)field = (uint32_t)effect->value;
		return NULL;
	case HF_OPTION_COUNT:
	case HF_OPTION_LONG_COUNT:
		return take_count(option, text, options);
	case HF_OPTION_SIZE:
		return parse_size(option->name, text, field);
	case HF_OPTION_SECONDS:
		return parse_seconds(option->name, text, field);
	default:
		return effect->take(effect->text ? effect->text : text, options);
	}
}

/* ---- options of their own -------------------------------------------------------------------- */

struct hf_error *hf_take_roots(const char *list, struct hf_options *options)
{
	HF_AUTO(free_ptr) char *copy = strdup(list);
	uint32_t with = 0, without = 0;
	char *save = NULL;

	if (!copy)
		return hf_error_nomem();
	for (char *word = strtok_r(copy, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		bool minus = *word == '-';
		unsigned kind = 0;
		while (kind < HF_HOLDER_KINDS && strcmp(word + minus, hf_holder_kind_name(kind)))
			kind++;
		if (kind == HF_HOLDER_KINDS)
			return hf_error_create(
			    HF_ERR_USAGE,
			    "--roots: there is no kind \"%s\"; there are variable, "
			    "section, tls, frame, register, stack, mapping",
			    word + minus);
		*(minus ? &without : &with) |= 1u << kind;
	}
	uint32_t all = (1u << HF_HOLDER_KINDS) - 1;
	options->root_kinds = (with ? with : all) & ~without;
	if (options->root_kinds == 0)
		return hf_error_create(HF_ERR_USAGE, "--roots=%s leaves no roots at all", list);
	return NULL;
}

const char *hf_format_name(unsigned index)
{
	static const char *const names[HF_FORMATS] = {"text", "json", "csv", "html"};
	return index < HF_FORMATS ? names[index] : NULL;
}

struct hf_error *hf_take_format(const char *text, struct hf_options *options)
{
	options->format_name = NULL;
	for (unsigned i = 0; i < HF_FORMATS; i++) {
		if (!strcmp(text, hf_format_name(i))) {
			options->format = (enum hf_format)i;
			options->format_given = true;
			return NULL;
		}
	}
	options->format_name = text; /* the command knows it, or refuses it */
	return NULL;
}

struct hf_error *hf_take_color(const char *text, struct hf_options *options)
{
	if (!strcmp(text, "auto"))
		options->color = HF_COLOR_AUTO;
	else if (!strcmp(text, "always"))
		options->color = HF_COLOR_ALWAYS;
	else if (!strcmp(text, "never"))
		options->color = HF_COLOR_NEVER;
	else
		return hf_error_create(HF_ERR_USAGE, "--color=%s: auto, always or never", text);
	return NULL;
}

struct hf_error *hf_take_gate(const char *text, struct hf_options *options)
{
	struct hf_gate gate;
	struct hf_error *err = hf_gate_parse(text, &gate);
	if (!err && !hf_vec_push(&options->gates.list, gate))
		err = hf_error_nomem();
	return err;
}

struct hf_error *hf_take_type(const char *text, struct hf_options *options)
{
	if (!strchr(text, '=')) {
		options->view.type = text;
		return NULL;
	}
	return hf_vec_push(&options->types, text) ? NULL : hf_error_nomem();
}

/* The lines of a file as so many --type. */
struct hf_error *hf_take_type_file(const char *path, struct hf_options *options)
{
	FILE *file = fopen(path, "re");
	size_t size = 0;
	char *save = NULL;

	if (!file)
		return hf_error_errno(errno, "%s", path);
	free(options->type_file);
	options->type_file = NULL;
	ssize_t length = getdelim(&options->type_file, &size, '\0', file);
	fclose(file);
	if (length <= 0)
		return NULL;
	for (char *line = strtok_r(options->type_file, "\r\n", &save); line;
	     line = strtok_r(NULL, "\r\n", &save)) {
		line += strspn(line, " \t");
		if (*line && *line != '#' && !hf_vec_push(&options->types, line))
			return hf_error_nomem();
	}
	return NULL;
}

struct hf_error *hf_take_by(const char *text, struct hf_options *options)
{
	if (strcmp(text, "type") && strcmp(text, "holder") && strcmp(text, "module"))
		return hf_error_create(HF_ERR_USAGE, "--by=%s: type, holder or module", text);
	options->view.by = text;
	return NULL;
}

struct hf_error *hf_take_index(const char *text, struct hf_options *options)
{
	options->index_mode = HF_INDEX_ON;
	options->index_folder = text;
	return NULL;
}

struct hf_error *hf_take_thresholds(const char *list, struct hf_options *options)
{
	struct hf_watch_options *watch = &options->watch;
	HF_AUTO(free_ptr) char *copy = strdup(list);
	char *save = NULL;

	if (!copy)
		return hf_error_nomem();
	for (char *word = strtok_r(copy, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		struct hf_watch_threshold threshold = {0};
		char *end;
		double value = strtod(word, &end);
		if (watch->threshold_count == HF_WATCH_THRESHOLDS)
			return hf_error_create(HF_ERR_USAGE, "--at: too many thresholds");
		if (end != word && !strcmp(end, "%")) {
			if (!(value > 0 && value <= 100))
				return hf_error_create(HF_ERR_USAGE,
						       "--at=%s: more than 0, at most 100", word);
			threshold.percent = value;
		} else {
			struct hf_error *err = parse_size("at", word, &threshold.bytes);
			if (!err && !threshold.bytes)
				err = hf_error_create(HF_ERR_USAGE, "--at=%s: not a size", word);
			if (err)
				return err;
		}
		watch->thresholds[watch->threshold_count++] = threshold;
	}
	return NULL;
}
