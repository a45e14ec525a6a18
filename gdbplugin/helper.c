/*
 * helper.c - `heapforensics gdb-helper STAGE GDBPID ...`: what heapforensics.gdb pipes to.
 *
 *	start GDBPID COMMAND COUNT	the context on standard input, COUNT words behind the
 *command words GDBPID			the words on standard input type GDBPID			what
 *`ptype` says of the expression address GDBPID ADDRESS		the expression's value dumped GDBPID
 *GDB wrote the core that it was asked for; the context again
 *
 * What GDB printed for a stage is on standard input; words that a stage does not know are left
 * alone. Each stage leaves a script `next` in GDB's folder and exits with the folder's number; what
 *an earlier stage learnt lies there in files. Only where there is no folder does a message go to
 * standard error, and the status is above HF_GDB_LAST_FOLDER.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "gdbplugin/answer.h"
#include "gdbplugin/input.h"
#include "gdbplugin/live.h"
#include "gdbplugin/script.h"
#include "gdbplugin/terminal.h"
#include "gdbplugin/words.h"
#include "heapwalk/cli/run.h"

enum {
	STATUS_NO_FOLDER = 120,
	STEP_TYPE = 1,
	STEP_ADDRESS = 2,
	STEP_CORE = 3,
	STEP_THREADS = 4,
	STEP_TASKS = 5
};

struct stage {
	struct hf_gdb_folder folder;
	uint32_t gdb;
	char **arguments; /* behind GDBPID */
	int argument_count;
	struct hf_gdb_context context;
	char *command;
};

static bool takes_expression(const char *command)
{
	static const char *const names[] = {"object", "path", "refs", "dominators"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(command, names[i]))
			return true;
	}
	return false;
}

static struct hf_error *load(struct stage *stage)
{
	HF_AUTO(free_ptr) char *text = NULL, *width = NULL;
	struct hf_error *err = hf_gdb_folder_read(&stage->folder, "command", &stage->command);

	if (!err)
		err = hf_gdb_folder_read(&stage->folder, "context", &text);
	if (!err && (!text || !stage->command))
		err = hf_error_create(HF_ERR_USAGE, "gdb-helper start comes first");
	if (!err)
		err = hf_gdb_folder_read(&stage->folder, "width", &width);
	if (!err)
		err = hf_gdb_context_parse(text, &stage->context);
	if (!err && width)
		stage->context.width = (unsigned)strtoul(width, NULL, 10);
	return err;
}

/* ---- answering ------------------------------------------------------------------------------- */

static struct hf_error *forget(const struct stage *stage)
{
	if (stage->context.target == HF_GDB_CORE)
		return hf_gdb_tell(&stage->folder, HF_EXIT_DONE,
				   "A core does not change: there is nothing to take anew.");
	hf_gdb_live_forget(&stage->folder);
	return hf_gdb_tell(&stage->folder, HF_EXIT_DONE,
			   "The next heap command looks at the process anew.");
}

/* heap-export FORMAT FILE is export --format=FORMAT -o FILE. */
static struct hf_error *take_export(struct hf_gdb_words *words, struct hf_gdb_request *request)
{
	if (words->count < 2 || request->option_count + 4 > HF_GDB_MAX_WORDS)
		return hf_error_create(HF_ERR_USAGE,
				       "heap-export FORMAT FILE (see help heap-export)");
	request->options[request->option_count++] = "--format";
	request->options[request->option_count++] = words->list[0];
	request->options[request->option_count++] = "--output";
	request->options[request->option_count++] =
	    hf_gdb_file_name(words->list[1], words->file, sizeof(words->file));
	for (unsigned i = 2; i < words->count; i++)
		request->words[request->word_count++] = words->list[i];
	return NULL;
}

/* heap-path --type=TYPE: of all objects of a type. */
static bool is_of_a_type(const struct hf_gdb_request *request)
{
	for (unsigned i = 0; i < request->option_count; i++) {
		if (!strncmp(request->options[i], "--type", 6))
			return !strcmp(request->command, "path");
	}
	return false;
}

static struct hf_error *take_words(struct hf_gdb_words *words, const char *address,
				   struct hf_gdb_request *request)
{
	const char *command = request->command;

	request->option_count = words->option_count;
	memcpy(request->options, words->options, sizeof(words->options[0]) * words->option_count);
	if (!strcmp(command, "export"))
		return take_export(words, request);
	if (!strcmp(command, "query")) {
		if (!*words->rest)
			return hf_error_create(HF_ERR_USAGE,
					       "heap-query \"SQL\" (see help heap-query)");
		request->words[request->word_count++] = words->rest;
		return NULL;
	}
	if (address) {
		request->address = strtoull(address, NULL, 0);
		request->name = hf_gdb_plain_name(words->rest) && !strcmp(command, "dominators")
				    ? words->rest
				    : NULL;
		request->words[request->word_count++] = address;
		return NULL;
	}
	if (takes_expression(command) && strcmp(command, "dominators") && !is_of_a_type(request))
		return hf_error_create(HF_ERR_USAGE, "heap-%s EXPR (see help heap-%s)", command,
				       command);
	if (!strcmp(command, "diff") && words->count != 1)
		return hf_error_create(HF_ERR_USAGE, "heap-diff CORE (see help heap-diff)");
	if (!strcmp(command, "diff"))
		words->list[0] = hf_gdb_file_name(words->list[0], words->file, sizeof(words->file));
	for (unsigned i = 0; i < words->count; i++)
		request->words[request->word_count++] = words->list[i];
	return NULL;
}

/* All is known but, perhaps, the memory of a live process. */
static struct hf_error *answer(struct stage *stage)
{
	HF_AUTO(free_ptr) char *text = NULL, *address = NULL, *core = NULL, *index = NULL;
	struct hf_gdb_words words = {0};
	struct hf_gdb_request request = {
	    .gdb = stage->gdb, .command = stage->command, .context = &stage->context};
	enum hf_gdb_need need = HF_GDB_NEED_NOTHING;

	if (!strcmp(stage->command, "refresh"))
		return forget(stage);
	struct hf_error *err = hf_gdb_live_core(&stage->folder, &stage->context, &core, &need);
	if (!err && need == HF_GDB_NEED_THREADS)
		return hf_gdb_ask(&stage->folder, STEP_THREADS, NULL, NULL);
	if (!err && need == HF_GDB_NEED_CORE)
		return hf_gdb_ask(&stage->folder, STEP_CORE, "hf_core", core);
	if (!err)
		err = hf_gdb_folder_read(&stage->folder, "words", &text);
	if (!err)
		err = hf_gdb_folder_read(&stage->folder, "address", &address);
	if (!err)
		err = hf_gdb_words_parse(text ? text : "", &words);
	if (!err && stage->context.target != HF_GDB_CORE)
		err = hf_gdb_folder_big(&stage->folder, "index", &index);
	if (!err) {
		request.core = core;
		request.index = index;
		request.color = stage->context.style && hf_gdb_shows_colors(stage->gdb);
		err = take_words(&words, address, &request);
	}
	if (!err)
		err = hf_gdb_answer(&stage->folder, &request);
	hf_gdb_words_deinit(&words);
	return err;
}

/* ---- stages ---------------------------------------------------------------------------------- */

/* This program, if its path is plain enough for a shell's quotes; else by its name. */
static void own_path(char ret[PATH_MAX])
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "_-./+,:@%";
	ssize_t got = readlink("/proc/self/exe", ret, PATH_MAX - 1);

	ret[got > 0 ? got : 0] = '\0';
	if (got <= 0 || strspn(ret, plain) != (size_t)got)
		strcpy(ret, "heapforensics");
}

/*
 * GDB replaces $arg0 .. in a block of a script by the words of the command that sources it. The
 * words are echoed by a script of their own: they never stand in a line that goes to a shell.
 */
static struct hf_error *ask_words(const struct stage *stage, unsigned long count)
{
	/* As _hf-ask has it, which cannot be used: its $arg0 would be its own. */
	static const char sort[] =
	    "s=$?; cat >/dev/null; case $s in 1[1-9]|[2-9]?|100) exit $s;; 127) exit 1;; "
	    "129|1[3-5]?) ulimit -c 0; kill -$((s-128)) $$;; esac; exit 2";
	char program[PATH_MAX];
	FILE *file = NULL;
	struct hf_error *err = hf_gdb_folder_create(&stage->folder, "ask", &file);

	if (err)
		return err;
	fputs("if 1\n  echo ", file);
	for (unsigned long i = 0; i < count; i++)
		fprintf(file, "$arg%lu ", i);
	fputs("\nend\n", file);
	err = hf_gdb_folder_publish(&stage->folder, "ask", file);
	if (!err)
		err = hf_gdb_folder_create(&stage->folder, "next", &file);
	if (err)
		return err;
	own_path(program);
	fprintf(file,
		"pipe source %s/ask | \"${HEAPFORENSICS:-%s}\" gdb-helper words $PPID; %s\n"
		"_hf-check\nif $_shell_exitcode\n  source %s/next\nend\n",
		stage->folder.path, program, sort, stage->folder.path);
	return hf_gdb_folder_publish(&stage->folder, "next", file);
}

static struct hf_error *start(struct stage *stage)
{
	HF_AUTO(free_ptr) char *text = NULL;
	static const char *const old[] = {"words", "address"};

	if (stage->argument_count != 3)
		return hf_error_create(HF_ERR_USAGE, "gdb-helper start GDBPID WIDTH COMMAND COUNT");
	for (size_t i = 0; i < sizeof(old) / sizeof(old[0]); i++)
		hf_gdb_folder_remove(&stage->folder, old[i]);
	hf_gdb_live_restart(&stage->folder);
	struct hf_error *err = hf_gdb_read_input(&text);
	if (!err)
		err = hf_gdb_folder_write(&stage->folder, "context", text);
	if (!err)
		err = hf_gdb_folder_write(&stage->folder, "command", stage->arguments[1]);
	if (!err)
		err = hf_gdb_folder_write(&stage->folder, "width", stage->arguments[0]);
	if (!err)
		err = load(stage);
	unsigned long count = strtoul(stage->arguments[2], NULL, 10);
	if (err)
		return err;
	return count ? ask_words(stage, count) : answer(stage);
}

static struct hf_error *take_user_words(struct stage *stage)
{
	HF_AUTO(free_ptr) char *text = NULL, *expression = NULL;
	struct hf_gdb_words words = {0};
	struct hf_error *err = hf_gdb_read_input(&text);

	if (!err)
		err = hf_gdb_folder_write(&stage->folder, "words", text);
	if (!err)
		err = load(stage);
	if (!err)
		err = hf_gdb_words_parse(text, &words);
	bool ask = !err && takes_expression(stage->command) && *words.rest;
	if (ask && asprintf(&expression, "(%s)", words.rest) < 0)
		err = hf_error_nomem();
	hf_gdb_words_deinit(&words);
	if (err)
		return err;
	if (ask)
		return hf_gdb_ask(&stage->folder, STEP_TYPE, "hf_expression", expression);
	return answer(stage);
}

static struct hf_error *take_type(struct stage *stage)
{
	HF_AUTO(free_ptr) char *text = NULL, *type = NULL, *expression = NULL;
	struct hf_gdb_words words = {0};
	struct hf_error *err = hf_gdb_read_input(&type);

	if (!err)
		err = load(stage);
	if (!err)
		err = hf_gdb_folder_read(&stage->folder, "words", &text);
	if (!err)
		err = hf_gdb_words_parse(text ? text : "", &words);
	if (!err)
		err =
		    hf_gdb_place_expression(words.rest, type, stage->context.language, &expression);
	hf_gdb_words_deinit(&words);
	return err ? err : hf_gdb_ask(&stage->folder, STEP_ADDRESS, "hf_expression", expression);
}

static struct hf_error *take_address(struct stage *stage)
{
	char text[32];

	if (stage->argument_count < 1)
		return hf_error_create(HF_ERR_USAGE, "gdb-helper address GDBPID ADDRESS");
	snprintf(text, sizeof(text), "0x%llx", strtoull(stage->arguments[0], NULL, 0));
	struct hf_error *err = hf_gdb_folder_write(&stage->folder, "address", text);
	if (!err)
		err = load(stage);
	return err ? err : answer(stage);
}

static struct hf_error *take_threads(struct stage *stage)
{
	HF_AUTO(free_ptr) char *text = NULL;
	struct hf_error *err = hf_gdb_read_input(&text);

	if (!err)
		err = load(stage);
	if (!err)
		err = hf_gdb_live_threads(&stage->folder, &stage->context, text);
	return err ? err : hf_gdb_ask(&stage->folder, STEP_TASKS, NULL, NULL);
}

static struct hf_error *take_tasks(struct stage *stage)
{
	HF_AUTO(free_ptr) char *text = NULL;
	struct hf_error *err = hf_gdb_read_input(&text);

	if (!err)
		err = load(stage);
	if (!err)
		err = hf_gdb_live_tasks(&stage->folder, &stage->context, text);
	return err ? err : answer(stage);
}

static struct hf_error *take_dump(struct stage *stage)
{
	struct hf_error *err = load(stage);

	if (!err)
		err = hf_gdb_live_dumped(&stage->folder);
	return err ? err : answer(stage);
}

int hf_gdb_helper(int argc, char **argv)
{
	static const struct {
		const char *name;
		struct hf_error *(*run)(struct stage *stage);
	} stages[] = {{"start", start},		 {"words", take_user_words}, {"type", take_type},
		      {"address", take_address}, {"threads", take_threads},  {"tasks", take_tasks},
		      {"dumped", take_dump}};
	struct stage stage = {.arguments = argv + 4, .argument_count = argc - 4};
	struct hf_error *err = NULL;
	size_t i = 0;

	while (argc > 3 && i < sizeof(stages) / sizeof(stages[0]) &&
	       strcmp(argv[2], stages[i].name))
		i++;
	if (argc <= 3 || i == sizeof(stages) / sizeof(stages[0]))
		err = hf_error_create(HF_ERR_USAGE, "gdb-helper is for heapforensics.gdb, in GDB");
	stage.gdb = err ? 0 : (uint32_t)strtoul(argv[3], NULL, 10);
	if (!err)
		err = hf_gdb_folder_open(stage.gdb, &stage.folder);
	if (err) {
		hf_fail(err);
		return STATUS_NO_FOLDER;
	}
	hf_gdb_folder_remove(&stage.folder, "next");
	err = stages[i].run(&stage);
	if (err) {
		HF_AUTO(free_ptr) char *line = NULL;
		int made = asprintf(&line, "heapforensics: %s", hf_error_message(err));
		hf_error_destroy(err);
		err =
		    made < 0 ? hf_error_nomem() : hf_gdb_tell(&stage.folder, HF_EXIT_FAILED, line);
	}
	hf_gdb_context_deinit(&stage.context);
	free(stage.command);
	if (!err)
		return (int)stage.folder.number;
	hf_fail(err);
	return STATUS_NO_FOLDER;
}
