/*
 * junit.c - writing JUnit XML (see junit.h; the dialect is that of Apache Ant's junitreport, which
 * Jenkins, GitLab and others read).
 *
 *	<testsuite name="heapforensics.leaks" tests="2" failures="1" ...>
 *	  <properties> the core </properties>
 *	  <testcase classname="heapforensics.leaks" name="leaked_bytes > 1MiB">
 *	    <failure type="gate" message="it is 21.9 MiB"/>
 *	  </testcase>
 *	  <testcase name="evidence is complete"/>	skipped if it is not; failed with --strict
 *	  <system-out> what the command prints </system-out>
 *
 * A test case is a gate: it fails if the gate's condition holds. The figure's unit follows its
 * name: ..._objects and findings are counts.
 */
#include "heapwalk/cli/junit.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "heapwalk/output/escape.h"
#include "heapwalk/views/human.h"

/* Valid UTF-8 without control characters but newlines; U+FFFE and U+FFFF are no XML. */
static void put_xml(FILE *to, const char *text)
{
	for (; *text; text++) {
		if (!strncmp(text, "\xef\xbf\xbe", 3) || !strncmp(text, "\xef\xbf\xbf", 3)) {
			fputs("\\xffff", to);
			text += 2;
		} else if (*text == '&') {
			fputs("&amp;", to);
		} else if (*text == '<') {
			fputs("&lt;", to);
		} else if (*text == '>') {
			fputs("&gt;", to);
		} else if (*text == '"') {
			fputs("&quot;", to);
		} else {
			fputc(*text, to);
		}
	}
}

static void put_attribute(FILE *to, const char *name, const char *value)
{
	HF_AUTO(free_ptr) char *escaped = hf_escape(value);

	fprintf(to, " %s=\"", name);
	put_xml(to, escaped ? escaped : "");
	fputc('"', to);
}

static void put_property(FILE *to, const char *name, const char *value)
{
	if (!value)
		return;
	fputs("    <property", to);
	put_attribute(to, "name", name);
	put_attribute(to, "value", value);
	fputs("/>\n", to);
}

static void put_properties(FILE *to, const struct hf_process *process)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%u", process->info.pid);
	fputs("  <properties>\n", to);
	put_property(to, "heapforensics", HF_VERSION);
	put_property(to, "core", process->info.core_path);
	put_property(to, "executable", process->info.executable);
	put_property(to, "pid", pid);
	fputs("  </properties>\n", to);
}

static bool counts(const char *figure)
{
	size_t length = strlen(figure);
	return (length > 8 && !strcmp(figure + length - 8, "_objects")) ||
	       !strcmp(figure, "findings") || !strcmp(figure, "partial");
}

static void put_gate(FILE *to, const char *suite, const struct hf_gate_result *result)
{
	char exact[48], human[HF_HUMAN_BYTES], message[128];
	double size = result->value < 0 ? -result->value : result->value;

	fputs("  <testcase", to);
	put_attribute(to, "classname", suite);
	put_attribute(to, "name", result->gate->text);
	if (!result->trips) {
		fputs(" time=\"0\"/>\n", to);
		return;
	}
	snprintf(exact, sizeof(exact), "%.0f", result->value);
	if (counts(result->gate->figure) || size < 1024)
		snprintf(message, sizeof(message), "it is %s", exact);
	else
		snprintf(message, sizeof(message), "it is %s%s (%s bytes)",
			 result->value < 0 ? "-" : "", hf_human_bytes((uint64_t)size, human),
			 exact);
	fputs(" time=\"0\">\n    <failure", to);
	put_attribute(to, "type", "gate");
	put_attribute(to, "message", message);
	fputs("/>\n  </testcase>\n", to);
}

static void put_evidence(FILE *to, const char *suite, const struct hf_junit *junit)
{
	fputs("  <testcase", to);
	put_attribute(to, "classname", suite);
	put_attribute(to, "name", "evidence is complete");
	if (!junit->partial) {
		fputs(" time=\"0\"/>\n", to);
		return;
	}
	fputs(" time=\"0\">\n    ", to);
	fputs(junit->strict ? "<failure type=\"evidence\"" : "<skipped", to);
	put_attribute(to, "message", "evidence was missing: figures are lower bounds");
	fputs("/>\n  </testcase>\n", to);
}

/* The document's text: it is safe for a terminal, so only XML's own characters are left. */
static struct hf_error *put_output(FILE *to, const struct hf_doc *doc)
{
	const struct hf_output_options options = {.format = HF_FORMAT_TEXT};
	char *text = NULL;
	size_t size = 0;
	FILE *memory = open_memstream(&text, &size);

	if (!memory)
		return hf_error_nomem();
	struct hf_error *err = hf_output_text(doc, &options, memory);
	if (fclose(memory) && !err)
		err = hf_error_nomem();
	fputs("  <system-out>", to);
	put_xml(to, text ? text : "");
	fputs("</system-out>\n", to);
	free(text);
	return err;
}

struct hf_error *hf_junit_write(const struct hf_junit *junit, FILE *to)
{
	HF_AUTO(free_ptr) char *suite = NULL;
	size_t failures = junit->partial && junit->strict;

	if (asprintf(&suite, "heapforensics.%s", junit->command) < 0) {
		suite = NULL;
		return hf_error_nomem();
	}
	hf_vec_foreach (result, junit->gates)
		failures += result->trips;
	fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n<testsuite", to);
	put_attribute(to, "name", suite);
	fprintf(to, " tests=\"%zu\" failures=\"%zu\" errors=\"0\" skipped=\"%d\" time=\"0\">\n",
		junit->gates->count + 1, failures, junit->partial && !junit->strict);
	put_properties(to, junit->process);
	hf_vec_foreach (result, junit->gates)
		put_gate(to, suite, result);
	put_evidence(to, suite, junit);
	struct hf_error *err = put_output(to, junit->doc);
	fputs("</testsuite>\n</testsuites>\n", to);
	return err;
}
