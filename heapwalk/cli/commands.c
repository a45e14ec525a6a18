/*
 * commands.c - the table of commands.
 */
#include "heapwalk/cli/commands.h"

#include <string.h>

#include "heapwalk/cli/run.h"

#define SILENT (HF_GROUP_ANY | HF_GROUP_INPUT | HF_GROUP_ANALYSIS)
#define COMMON (SILENT | HF_GROUP_OUTPUT | HF_GROUP_GATE)
#define VIEW   (COMMON | HF_GROUP_JUNIT)

const struct hf_command hf_commands[] = {
    {"report", "CORE|PID [BINARY]", "the post-mortem of a heap",
     "What the process was and how it ended; a verdict; where its memory is; what is lost; who "
     "keeps what alive; what looks suspicious; which invariants are broken; what evidence was "
     "missing. The last lines name the commands that tell more.",
     "heapforensics core.1234 ./server\nheapforensics report --json core.1234 -o report.json\n"
     "heapforensics report core.1234 --oom-log=/var/log/kern.log\n"
     "heapforensics report core.kill --baseline=core.80",
     HF_ARGUMENT_NONE, HF_DEPTH_TYPES, hf_view_report, hf_run_report,
     VIEW | HF_GROUP_LIST | HF_GROUP_OOM | HF_GROUP_SARIF | HF_GROUP_METRICS},
    {"summary", "CORE|PID [BINARY]", "one screen of the report", "The report's first answers only.",
     "heapforensics summary core.1234\n"
     "heapforensics summary core.1234 --fail-if 'leaked_bytes > 1MiB'",
     HF_ARGUMENT_NONE, HF_DEPTH_TYPES, hf_view_summary, hf_run_view,
     VIEW | HF_GROUP_LIST | HF_GROUP_METRICS},
    {"arenas", "CORE|PID [BINARY]", "malloc's own figures, per arena, free list and thread cache",
     "The figures equal mallinfo2(3) and malloc_info(3) of the same moment; beside them stands "
     "what those cannot tell: what tcaches hold, and what is overhead.",
     "heapforensics arenas core.1234\nheapforensics arenas --json core.1234 | jq .mallinfo2",
     HF_ARGUMENT_NONE, HF_DEPTH_HEAP, hf_view_arenas, hf_run_view, VIEW},
    {"leaks", "CORE|PID [BINARY]", "what is lost, by kind, with the leaders in groups",
     "Kinds are memcheck's: reachable, possible, indirect, definite. Leaders of the same type and "
     "size make one line, with what they drag along.",
     "heapforensics leaks core.1234 ./server\n"
     "heapforensics leaks core.1234 --suppressions=known.txt --fail-if 'definite_objects > 0'",
     HF_ARGUMENT_NONE, HF_DEPTH_TYPES, hf_view_leaks, hf_run_view,
     VIEW | HF_GROUP_LIST | HF_GROUP_LEAKS | HF_GROUP_SARIF},
    {"dominators", "CORE|PID [BINARY] [ADDR|VARIABLE]", "who keeps what alive, biggest first",
     "The dominator tree from all roots, or below one object or variable. Objects of the same type "
     "below one node make one line, and chains of one type are folded into it. Retained is what "
     "would be freed if the line went.",
     "heapforensics dominators core.1234 ./server g_sessions\n"
     "heapforensics dominators core.1234 --depth=6 --top=20 --min=1MiB\n"
     "heapforensics dominators core.1234 ./server --by=module",
     HF_ARGUMENT_OPTIONAL, HF_DEPTH_TYPES, hf_view_dominators, hf_run_view,
     VIEW | HF_GROUP_LIST | HF_GROUP_TREE | HF_GROUP_BY},
    {"explore", "CORE|PID [BINARY] [ADDR|VARIABLE]",
     "the dominator tree, full screen, to walk through",
     "A browser of the dominator tree in the terminal, in the manner of ncdu. Enter opens what a "
     "root "
     "or an object keeps alive, Left goes back; s, S, c, n and o sort by retained size, own size, "
     "count, name and address; / filters by name, a goes to an address or a variable; p shows the "
     "path from a root, r who points at it, R whom it points at, x its memory, i all about it; t "
     "takes groups of one type apart, ? lists all keys, q quits. With ADDR or VARIABLE it starts "
     "there.",
     "heapforensics explore core.1234 ./server\nheapforensics explore core.1234 ./server "
     "g_sessions",
     HF_ARGUMENT_OPTIONAL, HF_DEPTH_TYPES, NULL, hf_run_explore, SILENT},
    {"types", "CORE|PID [BINARY]", "histogram by type, or shape where the type is unknown",
     "Objects, bytes and retained bytes by type; each type says by what it is known.",
     "heapforensics types core.1234 ./server --top=50", HF_ARGUMENT_NONE, HF_DEPTH_TYPES,
     hf_view_types, hf_run_view, VIEW | HF_GROUP_LIST},
    {"waste", "CORE|PID [BINARY]", "memory that is held and does nothing",
     "The same content more than once; containers of the C++ library with their cost and their "
     "fill; "
     "tables of pointers that are mostly null; slack behind types; blocks of nothing but zeros: by "
     "type, with the bytes that could be gained.",
     "heapforensics waste core.1234 ./server --top=20", HF_ARGUMENT_NONE, HF_DEPTH_TYPES,
     hf_view_waste, hf_run_view, VIEW | HF_GROUP_LIST},
    {"object", "CORE|PID [BINARY] ADDR|VARIABLE", "what an address is",
     "Object, free chunk, root or mapping; its type, content, size, neighbours, and who keeps it "
     "alive.",
     "heapforensics object core.1234 ./server 0x55d0c0de2a0", HF_ARGUMENT_REQUIRED, HF_DEPTH_TYPES,
     hf_view_object, hf_run_view, VIEW},
    {"path", "CORE|PID [BINARY] ADDR|VARIABLE|--type=TYPE",
     "the shortest chain of pointers from a root",
     "Each hop with the field that points; long lists are folded. --all gives a chain through each "
     "object that points at it. --type=TYPE merges the shortest chains to all objects of a type.",
     "heapforensics path core.1234 ./server 0x55d0c0de2a0\n"
     "heapforensics path core.1234 ./server --type='struct session'",
     HF_ARGUMENT_REQUIRED, HF_DEPTH_TYPES, hf_view_path, hf_run_view, VIEW | HF_GROUP_LIST},
    {"refs", "CORE|PID [BINARY] ADDR|VARIABLE", "who points at it, and whom it points at",
     "Every pointing word, with its holder and offset.",
     "heapforensics refs core.1234 ./server 0x55d0c0de2a0", HF_ARGUMENT_REQUIRED, HF_DEPTH_TYPES,
     hf_view_refs, hf_run_view, VIEW | HF_GROUP_LIST},
    {"check", "CORE|PID [BINARY]", "every broken invariant of the heap",
     "For all arenas at once: the broken word among the bytes around it, what it should hold, the "
     "block whose use probably broke it, its content and holder, and what malloc says or said of "
     "it. The walk goes on behind it; figures that became doubtful are named. Below stand live "
     "pointers to free blocks, which are no findings.",
     "heapforensics check core.1234 ./server\n"
     "heapforensics check --json core.1234 --fail-if 'findings > 0'",
     HF_ARGUMENT_NONE, HF_DEPTH_TYPES, hf_view_check, hf_run_view,
     VIEW | HF_GROUP_LIST | HF_GROUP_SARIF},
    {"diff", "OLD NEW [BINARY]", "what grew between two cores: by type, size, holder and path",
     "The holder that grew most comes first, with where below it the growth piles up. Cores of one "
     "process are also matched object by object. Paths are compared with addresses and the sizes "
     "of big arrays masked, so that two runs of one program can be compared. What several holders "
     "share counts for the strongest of them. A second BINARY is that of NEW.",
     "heapforensics diff core.before core.after ./server\n"
     "heapforensics diff base.core new.core --fail-if 'growth(\"g_sessions\") > 10%'",
     HF_ARGUMENT_REQUIRED, HF_DEPTH_TYPES, NULL, hf_run_diff, VIEW | HF_GROUP_LIST | HF_GROUP_TREE},
    {"query", "CORE|PID [BINARY] [SQL]", "SQL over the heap; a shell without SQL",
     "Tables: objects, nodes, refs, chunks, holders, arenas, threads, mappings, modules, types, "
     "findings; .schema in the shell prints them. \"-\" reads the SQL from standard input.",
     "heapforensics query core.1234 \"SELECT type, count(*), sum(chunk_size) FROM objects GROUP BY "
     "1 ORDER BY 3 DESC LIMIT 10\"\nheapforensics query --csv core.1234 \"SELECT * FROM holders\"",
     HF_ARGUMENT_OPTIONAL, HF_DEPTH_TYPES, NULL, hf_run_query, COMMON | HF_GROUP_QUERY},
    {"export", "--format=F CORE|PID [BINARY] [ADDR|VARIABLE]",
     "the heap as a file for other viewers",
     "F is pprof (go tool pprof: flat is shallow, cum is retained), heapsnapshot (Chrome DevTools, "
     "memlab), speedscope, folded (flame graphs), dot (Graphviz; a part of the dominator tree), "
     "hprof (Eclipse MAT, VisualVM), sqlite (the tables of query, indexed) or ndjson (the same, a "
     "row a line). What a format cannot hold as it is, is told on standard error.",
     "heapforensics export --format=pprof core.1234 ./server -o heap.pb && go tool pprof -top "
     "heap.pb\n"
     "heapforensics export --format=dot core.1234 ./server g_sessions --depth=3 | dot -Tsvg",
     HF_ARGUMENT_OPTIONAL, HF_DEPTH_TYPES, NULL, hf_run_export, COMMON | HF_GROUP_TREE},
    {"snapshot", "PID", "a core of a running process, which runs on",
     "All threads are stopped while present memory is read, and run on; the file, core.PID unless "
     "-o "
     "names another, appears under its name when it is whole. It opens in gdb and eu-stack too. "
     "Beside it FILE.json tells what the kernel said of the process, and what was left out. "
     "Swapped pages are left out, for reading them would charge the process.",
     "heapforensics snapshot 1234 -o /var/tmp/server.core\n"
     "heapforensics snapshot --zstd 1234 && heapforensics core.1234.zst",
     HF_ARGUMENT_NONE, HF_DEPTH_PROCESS, NULL, hf_run_snapshot, HF_GROUP_ANY | HF_GROUP_CAPTURE},
    {"watch", "--pid=PID | --cgroup=PATH | -- COMMAND [ARG...]",
     "wait for the memory limit or the kill, and take the core then",
     "A snapshot is taken at each threshold of --at: percent of the limit that is nearest (of the "
     "memory cgroup, RLIMIT_DATA or RLIMIT_AS; else of the machine's memory), or resident bytes. "
     "An "
     "exit trap holds the process when SIGKILL strikes, the OOM killer's too, and its last image "
     "is "
     "written then, as far as the kernel leaves time (2 seconds after an OOM kill). Cores go to "
     "the "
     "folder of -o; their paths are printed. --exec runs a shell command at each, with HF_CORE, "
     "HF_SIDECAR, HF_EVENT (threshold or kill), HF_PID, HF_NAME and HF_REASON in its environment. "
     "Whatever ends the watcher, the process runs on; while it watches, no debugger can attach. "
     "With "
     "a COMMAND, the exit status is the command's.",
     "heapforensics watch --pid 1234 --at 80%,95% -o /var/tmp\n"
     "heapforensics watch --cgroup /sys/fs/cgroup/system.slice/server.service --at 90%\n"
     "heapforensics watch --at 2GiB -- ./server --port 8080",
     HF_ARGUMENT_NONE, HF_DEPTH_PROCESS, NULL, hf_run_watch,
     HF_GROUP_ANY | HF_GROUP_CAPTURE | HF_GROUP_WATCH},
    {NULL, NULL, NULL, NULL, NULL, HF_ARGUMENT_NONE, HF_DEPTH_PROCESS, NULL, NULL, 0},
};

const struct hf_command *hf_command_find(const char *name)
{
	for (const struct hf_command *command = hf_commands; command->name; command++) {
		if (!strcmp(command->name, name))
			return command;
	}
	return NULL;
}
