/*
 * option_table.c - the table of options: --help, manual pages, completion and parsing read it, and
 * nothing else has to know an option.
 */
#include "heapwalk/cli/commands.h"
#include "heapwalk/cli/option_values.h"

/* Where a field is; comparing its address to the like makes the compiler look at its type. */
#define FIELD(type, field)                                                                         \
	(offsetof(struct hf_options, field) +                                                      \
	 0 * sizeof(&((struct hf_options *)0)->field == (type *)0))
#define FLAG(field)                                                                                \
	{                                                                                          \
		.kind = HF_OPTION_FLAG, .offset = FIELD(bool, field)                               \
	}
#define TEXT(field)                                                                                \
	{                                                                                          \
		.kind = HF_OPTION_TEXT, .offset = FIELD(const char *, field)                       \
	}
#define SIZE(field)                                                                                \
	{                                                                                          \
		.kind = HF_OPTION_SIZE, .offset = FIELD(uint64_t, field)                           \
	}
#define SECONDS(field)                                                                             \
	{                                                                                          \
		.kind = HF_OPTION_SECONDS, .offset = FIELD(double, field)                          \
	}
#define COUNT(field, most)                                                                         \
	{                                                                                          \
		.kind = HF_OPTION_COUNT, .offset = FIELD(uint32_t, field), .value = (most)         \
	}
#define LONG_COUNT(field, most)                                                                    \
	{                                                                                          \
		.kind = HF_OPTION_LONG_COUNT, .offset = FIELD(uint64_t, field), .value = (most)    \
	}
#define CHOICE(field, choice)                                                                      \
	{                                                                                          \
		.kind = HF_OPTION_CHOICE, .offset = FIELD(uint32_t, field), .value = (choice)      \
	}
#define CALL(function)                                                                             \
	{                                                                                          \
		.kind = HF_OPTION_CALL, .take = (function)                                         \
	}
#define FORMAT(name)                                                                               \
	{                                                                                          \
		.kind = HF_OPTION_CALL, .take = hf_take_format, .text = (name)                     \
	}

const struct hf_option hf_option_table[] = {
    {'e', "executable", "FILE", "the program that the core is of (else found by the core)",
     HF_GROUP_INPUT, TEXT(binary)},
    {0, "core", "FILE", "the core (else the first word that is one)", HF_GROUP_INPUT, TEXT(core)},
    {'p', "pid", "PID", "a running process (it is analysed by way of a private snapshot)",
     HF_GROUP_INPUT | HF_GROUP_CAPTURE, COUNT(pid, INT32_MAX)},
    {0, "sysroot", "DIR", "look for the files that the core names below DIR", HF_GROUP_INPUT,
     TEXT(sysroot)},
    {0, "debuginfo-path", "PATH", "where separate debug files are, as for elfutils", HF_GROUP_INPUT,
     TEXT(debuginfo_path)},
    {0, "format", "FORMAT", "text, json, csv or html; of export: pprof, heapsnapshot, ...",
     HF_GROUP_OUTPUT, CALL(hf_take_format)},
    {0, "json", NULL, "short for --format=json", HF_GROUP_OUTPUT, FORMAT("json")},
    {0, "csv", NULL, "short for --format=csv", HF_GROUP_OUTPUT, FORMAT("csv")},
    {0, "html", NULL, "short for --format=html: one page for a browser, with -o FILE",
     HF_GROUP_OUTPUT, FORMAT("html")},
    {'o', "output", "FILE",
     "write to FILE instead of standard output (-); of watch: the folder for cores",
     HF_GROUP_OUTPUT | HF_GROUP_CAPTURE, TEXT(output)},
    {0, "pause", NULL, "stop all threads while memory is read (the default)", HF_GROUP_CAPTURE,
     CHOICE(mode, HF_SNAPSHOT_PAUSE)},
    {0, "freeze", NULL, "freeze the whole cgroup meanwhile (cgroup v2)", HF_GROUP_CAPTURE,
     CHOICE(mode, HF_SNAPSHOT_FREEZE)},
    {0, "no-pause", NULL,
     "stop for the registers only: what runs on makes memory fuzzy, and the "
     "snapshot says so",
     HF_GROUP_CAPTURE, CHOICE(mode, HF_SNAPSHOT_NO_PAUSE)},
    {0, "zstd", NULL, "compress while writing (so does a FILE that ends in .zst)", HF_GROUP_CAPTURE,
     FLAG(zstd)},
    {0, "swapped", NULL,
     "read swapped pages too: that swaps them in, which can bring the OOM killer", HF_GROUP_CAPTURE,
     FLAG(read_swap)},
    {0, "color", "WHEN", "auto (the default), always or never; NO_COLOR is heeded", HF_GROUP_ANY,
     CALL(hf_take_color)},
    {0, "no-pager", NULL, "do not send long output through $PAGER", HF_GROUP_OUTPUT,
     FLAG(no_pager)},
    {'q', "quiet", NULL, "no progress on standard error", HF_GROUP_ANY, FLAG(quiet)},
    {0, "roots", "LIST",
     "kinds of roots that count, with commas: variable, section, tls, frame, register, stack, "
     "mapping; or kinds that do not, each with a minus before it",
     HF_GROUP_ANALYSIS, CALL(hf_take_roots)},
    {0, "no-heuristics", NULL,
     "take interior pointers for what they are (see memcheck's "
     "--leak-check-heuristics)",
     HF_GROUP_ANALYSIS, CHOICE(heuristics, 0)},
    {0, "threads", "N", "processors to use", HF_GROUP_ANALYSIS, COUNT(threads, 1024)},
    {0, "max-memory", "SIZE",
     "give up rather than take more memory of one's own than SIZE (the core's pages, which the "
     "kernel can drop, do not count)",
     HF_GROUP_ANALYSIS, SIZE(max_memory)},
    {0, "work-dir", "DIR",
     "keep big arrays in files in DIR instead of memory: for heaps that are larger than memory",
     HF_GROUP_ANALYSIS, TEXT(work_folder)},
    {0, "index", "[=DIR]",
     "keep what was found in DIR (~/.cache/heapforensics), so that the next command on this core "
     "answers at once; done by itself when the analysis takes over two seconds",
     HF_GROUP_ANALYSIS, CALL(hf_take_index)},
    {0, "no-index", NULL, "neither use nor keep an index", HF_GROUP_ANALYSIS,
     CHOICE(index_mode, HF_INDEX_OFF)},
    {0, "type", "ADDR=TYPE",
     "the object at ADDR, or that a variable points at, is of this type; repeatable. Of path: "
     "--type=TYPE for the chains to all objects of it",
     HF_GROUP_ANALYSIS, CALL(hf_take_type)},
    {0, "type-file", "FILE", "the same, a line each; lines with # in front are comments",
     HF_GROUP_ANALYSIS, CALL(hf_take_type_file)},
    {0, "timing", NULL, "tell on standard error what took how long", HF_GROUP_ANALYSIS,
     FLAG(timing)},
    {0, "top", "N", "rows of a table, children of a node", HF_GROUP_LIST,
     LONG_COUNT(view.top, UINT32_MAX)},
    {0, "all", NULL, "leave nothing out", HF_GROUP_LIST, FLAG(view.all)},
    {0, "depth", "N", "levels of the tree", HF_GROUP_TREE, COUNT(view.depth, 10000)},
    {0, "by", "WHAT", "no tree but sums: by type, holder or module", HF_GROUP_BY, CALL(hf_take_by)},
    {0, "min", "SIZE", "leave out what keeps less (1MiB)", HF_GROUP_TREE, SIZE(view.min_bytes)},
    {0, "fail-if", "CONDITION", "exit with 1 if it holds: 'leaked_bytes > 1MiB'; repeatable",
     HF_GROUP_GATE, CALL(hf_take_gate)},
    {0, "junit", NULL, "the --fail-if conditions as the test cases of a JUnit report (XML)",
     HF_GROUP_JUNIT, FORMAT("junit")},
    {0, "sarif", NULL, "what it found as SARIF 2.1.0, for code scanning and editors",
     HF_GROUP_SARIF, FORMAT("sarif")},
    {0, "openmetrics", NULL, "the figures as OpenMetrics text, for Prometheus", HF_GROUP_METRICS,
     FORMAT("openmetrics")},
    {0, "strict", NULL, "exit with 3 if evidence was missing", HF_GROUP_GATE, FLAG(strict)},
    {0, "suppressions", "FILE", "leaks that are known: type:GLOB, text:GLOB, size:N a line",
     HF_GROUP_LEAKS, TEXT(view.suppressions)},
    {0, "oom-log", "FILE",
     "the kernel's log of the OOM kill (dmesg, syslog; \"-\" or \"journal\"): the report begins "
     "with "
     "it; without a core it tells the log alone",
     HF_GROUP_OOM, TEXT(oom_log)},
    {0, "baseline", "OLDER", "an older core of the process: what grew since, and how fast",
     HF_GROUP_OOM, TEXT(baseline)},
    {0, "cgroup", "PATH", "watch all processes of a cgroup", HF_GROUP_WATCH, TEXT(watch.cgroup)},
    {0, "at", "LIST", "thresholds, with commas: 80%, 2GiB", HF_GROUP_WATCH,
     CALL(hf_take_thresholds)},
    {0, "keep", "N", "threshold snapshots to keep (3; 0: all)", HF_GROUP_WATCH,
     COUNT(watch.keep, 1000000)},
    {0, "cooldown", "SECONDS", "before the same threshold counts again (60)", HF_GROUP_WATCH,
     SECONDS(watch.cooldown)},
    {0, "disk", "SIZE", "disk space for all cores together", HF_GROUP_WATCH, SIZE(watch.budget)},
    {0, "window", "SECONDS", "how long a killed process is held at most (10)", HF_GROUP_WATCH,
     SECONDS(watch.window)},
    {0, "no-trap", NULL, "thresholds only: debuggers can attach, and a kill leaves nothing",
     HF_GROUP_WATCH, FLAG(watch.no_trap)},
    {0, "exec", "COMMAND", "a shell command to run at each core", HF_GROUP_WATCH, TEXT(watch_exec)},
    {'f', "file", "FILE", "read the SQL from FILE", HF_GROUP_QUERY, TEXT(sql_file)},
    {'h', "help", NULL, "this help", HF_GROUP_ANY, FLAG(help)},
    {'V', "version", NULL, "the version", HF_GROUP_ANY, FLAG(version)},
    {0},
};
