/*
 * output.c - choosing the renderer, and noticing that what was printed did not arrive.
 */
#include "heapwalk/output/output.h"

#include <errno.h>

struct hf_error *hf_output(const struct hf_doc *doc, const struct hf_output_options *options,
			   FILE *to)
{
	struct hf_error *err = NULL;

	switch (options->format) {
	case HF_FORMAT_JSON:
		err = hf_output_json(doc, to);
		break;
	case HF_FORMAT_CSV:
		err = hf_output_csv(doc, to);
		break;
	case HF_FORMAT_HTML:
		err = hf_output_html(doc, options, to);
		break;
	default:
		err = hf_output_text(doc, options, to);
		break;
	}
	/* A reader that closes the pipe early (head, a pager) has what it wanted. */
	if (!err && (fflush(to) || ferror(to)) && errno != EPIPE)
		err = hf_error_errno(errno, "%s", options->name ? options->name : "the output");
	return err;
}
