/*
 * sarif.c - writing SARIF 2.1.0 (see sarif.h; docs.oasis-open.org/sarif/sarif/v2.1.0).
 *
 *	run	tool.driver (rules), invocations (what evidence was missing), results
 *	result	rule, level, message, location, logical location, fingerprint, properties
 *
 * A result's location is the source line where one is known (the class that was lost, the
 * variable that holds), else the program. Addresses stand in the properties: SARIF's own
 * address.absoluteAddress is 32 bits wide in Microsoft's SDK, which then reads nothing at all.
 * partialFingerprints tell whether a result is that of the run before: a hash over rule and
 * identity (views/issues.h), which hold no addresses and no counts.
 */
#include "heapwalk/output/sarif.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "heapwalk/output/escape.h"

static json_object *text_of(const char *text)
{
	HF_AUTO(free_ptr) char *escaped = hf_escape(text);
	return escaped ? json_object_new_string(escaped) : NULL;
}

static void put(json_object *into, const char *key, json_object *value)
{
	json_object_object_add(into, key, value);
}

static void put_text(json_object *into, const char *key, const char *text)
{
	if (text)
		put(into, key, text_of(text));
}

/* {"text": ...}: SARIF's messages. */
static json_object *message_of(const char *text)
{
	json_object *message = json_object_new_object();
	put_text(message, "text", text);
	return message;
}

static const char *level_of(enum hf_severity severity)
{
	static const char *const levels[] = {
	    [HF_SEV_NOTE] = "note", [HF_SEV_WARNING] = "warning", [HF_SEV_ERROR] = "error"};
	return levels[severity];
}

/* ---- places ---------------------------------------------------------------------------------- */

/* A path as part of a URI: RFC 3986's unreserved characters and '/' stand, others are %XX. */
static char *uri_path(const char *path)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "-._~/";
	char *uri = malloc(strlen(path) * 3 + 1), *to = uri;

	for (; uri && *path; path++) {
		if (strchr(plain, *path))
			*to++ = *path;
		else
			to += sprintf(to, "%%%02X", (unsigned char)*path);
	}
	if (uri)
		*to = '\0';
	return uri;
}

/* Below @root: relative to it. Else as it is: file:///... where it is absolute. */
static json_object *artifact_of(const char *path, const char *root)
{
	json_object *artifact = json_object_new_object();
	size_t length = root ? strlen(root) : 0;
	bool below = length && !strncmp(path, root, length) && path[length] == '/';
	HF_AUTO(free_ptr) char *uri = uri_path(below ? path + length + 1 : path);
	HF_AUTO(free_ptr) char *absolute = NULL;

	if (uri && *uri == '/' && asprintf(&absolute, "file://%s", uri) < 0)
		absolute = NULL;
	put_text(artifact, "uri", absolute ? absolute : uri);
	if (below || *path != '/')
		put_text(artifact, "uriBaseId", "SRCROOT");
	return artifact;
}

static json_object *physical_of(const struct hf_analysis *analysis, const struct hf_issue *issue,
				const char *root)
{
	json_object *physical = json_object_new_object();
	const struct hf_process_info *info = &analysis->process->info;

	if (issue->path) {
		put(physical, "artifactLocation", artifact_of(issue->path, root));
		if (issue->line) {
			json_object *region = json_object_new_object();
			put(region, "startLine", json_object_new_int64(issue->line));
			put(physical, "region", region);
		}
	} else {
		put(physical, "artifactLocation",
		    artifact_of(info->executable ? info->executable : info->core_path, root));
	}
	return physical;
}

static json_object *location_of(const struct hf_analysis *analysis, const struct hf_issue *issue,
				const char *root)
{
	json_object *location = json_object_new_object();

	put(location, "physicalLocation", physical_of(analysis, issue, root));
	if (issue->subject) {
		json_object *logical = json_object_new_object();
		json_object *all = json_object_new_array();
		put_text(logical, "fullyQualifiedName", issue->subject);
		put_text(logical, "kind", issue->variable ? "variable" : "type");
		json_object_array_add(all, logical);
		put(location, "logicalLocations", all);
	}
	return location;
}

/* ---- results --------------------------------------------------------------------------------- */

/* FNV-1a over the rule and the identity. */
static void fingerprint(const struct hf_issues *issues, const struct hf_issue *issue, char ret[17])
{
	const char *const parts[] = {issues->rules.data[issue->rule].id, issue->identity};
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (unsigned i = 0; i < 2; i++) {
		for (const char *at = parts[i];; at++) { /* the zero at its end too */
			hash = (hash ^ (uint8_t)*at) * UINT64_C(0x100000001b3);
			if (!*at)
				break;
		}
	}
	snprintf(ret, 17, "%016" PRIx64, hash);
}

static json_object *result_of(const struct hf_analysis *analysis, const struct hf_issues *issues,
			      const struct hf_issue *issue, const char *root)
{
	json_object *result = json_object_new_object(), *locations = json_object_new_array();
	json_object *prints = json_object_new_object(), *properties = json_object_new_object();
	char print[17], address[32];

	put_text(result, "ruleId", issues->rules.data[issue->rule].id);
	put(result, "ruleIndex", json_object_new_int64(issue->rule));
	put_text(result, "level", level_of(issue->severity));
	put(result, "message", message_of(issue->message));
	json_object_array_add(locations, location_of(analysis, issue, root));
	put(result, "locations", locations);
	fingerprint(issues, issue, print);
	put_text(prints, "heapforensics/v1", print);
	put(result, "partialFingerprints", prints);
	put(properties, "count", json_object_new_uint64(issue->count));
	if (issue->bytes)
		put(properties, "bytes", json_object_new_uint64(issue->bytes));
	if (issue->address) {
		snprintf(address, sizeof(address), "0x%" PRIx64, issue->address);
		put_text(properties, "address", address);
	}
	put(result, "properties", properties);
	return result;
}

/* ---- the run --------------------------------------------------------------------------------- */

static json_object *rules_of(const struct hf_issues *issues)
{
	json_object *rules = json_object_new_array();

	hf_vec_foreach (rule, &issues->rules) {
		json_object *object = json_object_new_object();
		json_object *level = json_object_new_object();
		put_text(object, "id", rule->id);
		put_text(object, "name", rule->name);
		put(object, "shortDescription", message_of(rule->brief));
		put(object, "fullDescription", message_of(rule->help));
		put(object, "help", message_of(rule->help));
		put_text(level, "level", level_of(rule->severity));
		put(object, "defaultConfiguration", level);
		json_object_array_add(rules, object);
	}
	return rules;
}

static json_object *tool_of(const struct hf_issues *issues)
{
	json_object *tool = json_object_new_object(), *driver = json_object_new_object();

	put_text(driver, "name", "heapforensics");
	put_text(driver, "fullName", "heapforensics " HF_VERSION);
	put_text(driver, "version", HF_VERSION);
	put_text(driver, "semanticVersion", HF_VERSION);
	put(driver, "rules", rules_of(issues));
	put(tool, "driver", driver);
	return tool;
}

static void notify(json_object *into, const char *id, enum hf_severity severity, const char *text)
{
	json_object *notification = json_object_new_object();
	json_object *descriptor = json_object_new_object();

	put_text(descriptor, "id", id);
	put(notification, "descriptor", descriptor);
	put_text(notification, "level", level_of(severity));
	put(notification, "message", message_of(text));
	json_object_array_add(into, notification);
}

/* What evidence was missing, and what is not told. */
static json_object *invocations_of(const struct hf_analysis *analysis,
				   const struct hf_issues *issues)
{
	json_object *all = json_object_new_array(), *invocation = json_object_new_object();
	json_object *told = json_object_new_array();
	char text[96];

	for (size_t i = 0; i < hf_diags_count(analysis->diags); i++) {
		const struct hf_diag *diag = hf_diags_get(analysis->diags, i);
		if (diag->kind == HF_DIAG_EVIDENCE)
			notify(told, diag->code, diag->severity, diag->message);
	}
	if (issues->left_out) {
		snprintf(text, sizeof(text), "%" PRIu64 " more issues are not told here.",
			 issues->left_out);
		notify(told, "left-out", HF_SEV_WARNING, text);
	}
	if (issues->suppressed) {
		snprintf(text, sizeof(text), "%" PRIu64 " lost blocks are suppressed.",
			 issues->suppressed);
		notify(told, "suppressed", HF_SEV_NOTE, text);
	}
	put(invocation, "executionSuccessful", json_object_new_boolean(true));
	put(invocation, "toolExecutionNotifications", told);
	json_object_array_add(all, invocation);
	return all;
}

static json_object *run_of(const struct hf_analysis *analysis, const struct hf_issues *issues,
			   const struct hf_sarif_options *options)
{
	json_object *run = json_object_new_object(), *results = json_object_new_array();
	json_object *details = json_object_new_object();
	const char *command = analysis->process->info.command;
	HF_AUTO(free_ptr) char *id = NULL;
	HF_AUTO(free_ptr) char *root = options->source_root ? uri_path(options->source_root) : NULL;
	HF_AUTO(free_ptr) char *root_uri = NULL;

	put(run, "tool", tool_of(issues));
	put(run, "invocations", invocations_of(analysis, issues));
	/* The same command over another core of the program belongs to the same series. */
	if (asprintf(&id, "heapforensics/%s/%s/", options->command, command) < 0)
		id = NULL;
	put_text(details, "id", id);
	put(run, "automationDetails", details);
	if (root && asprintf(&root_uri, "file://%s/", root) >= 0) {
		json_object *bases = json_object_new_object(), *base = json_object_new_object();
		put_text(base, "uri", root_uri);
		put(bases, "SRCROOT", base);
		put(run, "originalUriBaseIds", bases);
	}
	put_text(run, "columnKind", "utf16CodeUnits");
	hf_vec_foreach (issue, &issues->list)
		json_object_array_add(results,
				      result_of(analysis, issues, issue, options->source_root));
	put(run, "results", results);
	return run;
}

struct hf_error *hf_output_sarif(const struct hf_analysis *analysis, const struct hf_issues *issues,
				 const struct hf_sarif_options *options, FILE *to)
{
	json_object *log = json_object_new_object(), *runs = json_object_new_array();

	put_text(log, "$schema", "https://json.schemastore.org/sarif-2.1.0.json");
	put_text(log, "version", "2.1.0");
	json_object_array_add(runs, run_of(analysis, issues, options));
	put(log, "runs", runs);
	const char *text =
	    json_object_to_json_string_ext(log, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
						    JSON_C_TO_STRING_NOSLASHESCAPE);
	if (text)
		fprintf(to, "%s\n", text);
	json_object_put(log);
	return text ? NULL : hf_error_nomem();
}
