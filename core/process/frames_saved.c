/*
 * frames_saved.c - the unwound stacks into an index and out of it (see process.h).
 */
#include <string.h>

#include "core/base/stash_text.h"
#include "core/process/private.h"

struct saved_frame {
	uint64_t pc, sp, cfa;
	uint64_t registers[HF_FRAME_REGISTERS];
	uint32_t function, file; /* offsets */
	uint32_t line, module, known, unused;
};

struct hf_error *hf_process_save_frames(const struct hf_process *process,
					struct hf_stash_writer *writer)
{
	struct hf_stash_text text = {0};
	bool done = true;

	hf_stash_begin(writer, "frames.counts");
	hf_vec_foreach (thread, &process->threads) {
		uint32_t count = (uint32_t)thread->frames.count;
		hf_stash_append(writer, &count, sizeof(count));
	}
	hf_stash_begin(writer, "frames");
	hf_vec_foreach (thread, &process->threads) {
		hf_vec_foreach (frame, &thread->frames) {
			struct saved_frame saved = {
			    .pc = frame->pc,
			    .sp = frame->sp,
			    .cfa = frame->cfa,
			    .line = frame->line,
			    .module = frame->module,
			    .known = frame->known,
			};
			memcpy(saved.registers, frame->registers, sizeof(saved.registers));
			done = done && hf_stash_text_add(&text, frame->function, &saved.function) &&
			       hf_stash_text_add(&text, frame->file, &saved.file);
			hf_stash_append(writer, &saved, sizeof(saved));
		}
	}
	hf_stash_text_save(&text, writer, "frames.text");
	return done ? NULL : hf_error_nomem();
}

bool hf_process_load_frames(struct hf_process *process, const struct hf_stash *stash)
{
	struct hf_strpool *pool = process->priv->strings;
	struct hf_stash_strings strings;
	size_t bytes = 0, at = 0;
	const struct saved_frame *saved = hf_stash_get(stash, "frames", &bytes);
	const uint32_t *counts =
	    hf_stash_array(stash, "frames.counts", process->threads.count, sizeof(*counts));

	if (!saved || !counts || !hf_stash_strings_open(stash, "frames.text", &strings))
		return false;
	for (size_t i = 0; i < process->threads.count; i++) {
		struct hf_thread *thread = &process->threads.data[i];
		for (uint32_t j = 0; j < counts[i]; j++, at++) {
			if (at >= bytes / sizeof(*saved))
				return false;
			struct hf_frame frame = {
			    .pc = saved[at].pc,
			    .sp = saved[at].sp,
			    .cfa = saved[at].cfa,
			    .function = hf_stash_string(&strings, pool, saved[at].function),
			    .file = hf_stash_string(&strings, pool, saved[at].file),
			    .line = saved[at].line,
			    .module = saved[at].module,
			    .known = saved[at].known,
			};
			memcpy(frame.registers, saved[at].registers, sizeof(frame.registers));
			if (!hf_vec_push(&thread->frames, frame))
				return false;
		}
	}
	return true;
}
