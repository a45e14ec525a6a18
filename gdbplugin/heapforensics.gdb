# heapforensics.gdb - the heap commands inside GDB, without Python.
#
# source heapforensics.gdb	(GDB 10 or newer; with or without Python and Guile)
# help heap			what there is
#
# How it works. A command pipes what GDB knows of its target (_hf-context) to the program
# heapforensics, which leaves a GDB script `next` in a private folder; sourced, its `echo` prints
# the answer: so it is GDB's own output, paged, captured by `pipe`, proper under MI. The exit
# status says which folder, /tmp/heapforensics-STATUS. A script that needs more of GDB (the
# words that the user gave, the value of an expression, a core of a live process) says so in
# $hf_step and _hf-drive gives it.
#
# What runs in the user's language must parse in all of them: no assignment, no comparison for
# equality. Assignments are in a file that is sourced as C, inside a pipe, which swallows GDB's
# warning that the language does not match the frame. What the user wrote never reaches a shell.
#
# The program is found by PATH; the environment variable HEAPFORENSICS names another.

# A second `source` redefines the commands, quietly.
pipe with language c -- set $hf_confirm = $_gdb_setting("confirm") | cat >/dev/null
set confirm off
# The name in a variable, because some languages have other strings than C.
pipe with language c -- set $hf_width = "width" | cat >/dev/null

define-prefix heap

# What the program must know. Nothing here can fail.
define _hf-context
  echo @inferiors\n
  info inferiors
  eval "echo @thread %d.%d\n", $_inferior, $_thread
  echo @style\n
  show style enabled
  echo @language\n
  show language
  echo @sysroot\n
  show sysroot
  echo @debugdir\n
  show debug-file-directory
  echo @files\n
  info files
end

# These print what the user wrote, or a path, and so stand before the bar only by their names.
define _hf-ptype
  eval "ptype %s", $hf_expression
end
define _hf-gcore
  eval "gcore %s", $hf_core
end
define _hf-threads
  thread apply all -s -q thread
end
define _hf-tasks
  eval "source /tmp/heapforensics-%d/tasks", $hf_folder
end
define _hf-nothing
  echo \n
end

# After it $_shell_exitcode is the folder's number, or 0 and one line was printed. The shell has
# sorted the status: 1 no program, 2 a program that failed, else a folder. One that was killed
# killed the shell too. The empty loop lets GDB take note of a Ctrl-C.
define _hf-check
  if $_isvoid ($_shell_exitcode)
    while 1
      loop_break
    end
    eval "echo heapforensics was ended by signal %d.\n", $_shell_exitsignal
    _hf-failed
  else
    if $_shell_exitcode - 1
      if $_shell_exitcode - 2
      else
        echo heapforensics could not answer.\n
        _hf-failed
      end
    else
      echo heapforensics was not found: put it on the PATH, or its path in HEAPFORENSICS.\n
      _hf-failed
    end
  end
end
define _hf-failed
  pipe with language c -- set $hf_status = 2 | cat >/dev/null
end

# _hf-ask PRODUCER STAGE WORD WORD WORD: what PRODUCER prints goes to the program. What that does not
# read `cat` does: a pipe without a reader kills older GDBs.
define _hf-ask
  pipe $arg0 | "${HEAPFORENSICS:-heapforensics}" gdb-helper $arg1 $PPID $arg2 $arg3 $arg4; s=$?; cat >/dev/null; case $s in 1[1-9]|[2-9]?|100) exit $s;; 127) exit 1;; 129|1[3-5]?) ulimit -c 0; kill -$((s-128)) $$;; esac; exit 2
  _hf-check
end

# _hf-start COMMAND COUNT. In a pipe GDB's width is unlimited: it is told beside it.
define _hf-start
  eval "_hf-ask _hf-context start %d $arg0 $arg1", $_gdb_setting ($hf_width)
end

# Give what a script asks for: 1 the expression's type, 2 its value, 3 a core of the process, 4 its
# threads, 5 what those have done so far.
define _hf-drive
  while $hf_step
    if $hf_step - 1
      if $hf_step - 2
        if $hf_step - 3
          if $hf_step - 4
            _hf-ask _hf-tasks tasks 0 0 0
          else
            _hf-ask _hf-threads threads 0 0 0
          end
        else
          pipe _hf-gcore | cat >/dev/null
          _hf-ask _hf-nothing dumped 0 0 0
        end
      else
        eval "eval \"_hf-ask _hf-nothing address %%#lx 0 0\", %s", $hf_expression
      end
    else
      _hf-ask _hf-ptype type 0 0 0
    end
    if $_shell_exitcode
      eval "source /tmp/heapforensics-%d/next", $_shell_exitcode
    else
      loop_break
    end
  end
end

# The first script is sourced by the command itself: what it has in an `if` are then the user's $arg0
# and so on, as many as the script wants.

define heap report
  _hf-start report $argc
  if $_shell_exitcode
    eval "source /tmp/heapforensics-%d/next", $_shell_exitcode
    _hf-drive
  end
end
document heap report
The post-mortem of the heap.
Verdict, memory, leaks, who holds what, types, suspects, broken invariants.
Usage: heap-report [--top=N] [--all]
end

define heap summary
  _hf-start summary $argc
  if $_shell_exitcode
    eval "source /tmp/heapforensics-%d/next", $_shell_exitcode
    _hf-drive
  end
end
document heap summary
One screen of heap-report.
Usage: heap-summary
end

define heap arenas
  _hf-start arenas $argc
  if $_shell_exitcode
    eval "source /tmp/heapforensics-%d/next", $_shell_exitcode
    _hf-drive
  end
end
document heap arenas
malloc's own figures, per arena and free list.
Usage: heap-arenas
end

define heap leaks
  _hf-start leaks $argc
  if $_shell_exitcode
    eval "source /tmp/heapforensics-%d/next", $_shell_exitcode
    _hf-drive
  end
end
document heap leaks
What is lost on the heap, in groups.
The kinds are memcheck's; leaders of one type and size make one line.
Usage: heap-leaks [--top=N] [--all] [--suppressions=FILE]
$hf_leaked_bytes and $hf_leaked_objects hold the totals.
end

define heap dominators
  _hf-start dominators $argc
  if $_shell_exitcode
    eval "source /tmp/heapforensics-%d/next", $_shell_exitcode
    _hf-drive
  end
end
document heap dominators
Who keeps what alive, biggest first.
Usage: heap-dominators [--depth=N] [--top=N] [--min=SIZE] [EXPR]
With EXPR only what that variable or object keeps.
end

define heap types
  _hf-start types $argc
  if $_shell_exitcode
    eval "source /tmp/heapforensics-%d/next", $_shell_exitcode
    _hf-drive
  end
end
document heap types
Histogram of the heap by type, or shape.
Usage: heap-types [--top=N] [--all]
end

define heap object
  _hf-start object $argc
  if $_shell_exitcode
    eval "source /tmp/heapforensics-%d/next", $_shell_exitcode
    _hf-drive
  end
end
document heap object
What an address is, and who keeps it alive.
An object of the heap, a free chunk, a root, or a place in a mapping.
Usage: heap-object EXPR
EXPR is any expression of the language in use. A pointer or number means what it points
at; a structure or array means the place where it is (&VARIABLE is the variable itself).
end

define heap path
  _hf-start path $argc
  if $_shell_exitcode
    eval "source /tmp/heapforensics-%d/next", $_shell_exitcode
    _hf-drive
  end
end
document heap path
The shortest chain of pointers from a root.
Usage: heap-path [--all] EXPR, or heap-path [--all] --type "TYPE"
EXPR is as for heap-object. --all gives a chain through each object that points at it. --type
gives the chains to all objects of a type.
end

define heap refs
  _hf-start refs $argc
  if $_shell_exitcode
    eval "source /tmp/heapforensics-%d/next", $_shell_exitcode
    _hf-drive
  end
end
document heap refs
Who points at it, and whom it points at.
Usage: heap-refs [--top=N] EXPR
EXPR is as for heap-object.
end

define heap check
  _hf-start check $argc
  if $_shell_exitcode
    eval "source /tmp/heapforensics-%d/next", $_shell_exitcode
    _hf-drive
  end
end
document heap check
Every broken invariant of the heap.
Usage: heap-check
end

define heap query
  _hf-start query $argc
  if $_shell_exitcode
    eval "source /tmp/heapforensics-%d/next", $_shell_exitcode
    _hf-drive
  end
end
document heap query
SQL over the heap.
Usage: heap-query "SQL"
Tables: objects, nodes, refs, chunks, holders, arenas, threads, mappings, modules, types,
findings. Texts in the SQL stand in 'single quotes'; a backslash is written twice.
Example: heap-query "SELECT type, count(*) FROM objects GROUP BY 1 ORDER BY 2 DESC"
end

define heap diff
  _hf-start diff $argc
  if $_shell_exitcode
    eval "source /tmp/heapforensics-%d/next", $_shell_exitcode
    _hf-drive
  end
end
document heap diff
What grew since an older core.
By holder, path, type and size: CORE is the older one.
Usage: heap-diff [--top=N] CORE
end

define heap export
  _hf-start export $argc
  if $_shell_exitcode
    eval "source /tmp/heapforensics-%d/next", $_shell_exitcode
    _hf-drive
  end
end
document heap export
Write the heap to a file for other viewers.
Usage: heap-export FORMAT FILE
FORMAT is pprof, heapsnapshot, speedscope, folded, dot, hprof, sqlite or ndjson.
end

define heap refresh
  _hf-start refresh $argc
  if $_shell_exitcode
    eval "source /tmp/heapforensics-%d/next", $_shell_exitcode
    _hf-drive
  end
end
document heap refresh
Forget the snapshot of a live process.
The next heap command takes a new one.
Usage: heap-refresh
A process that ran on is taken anew by itself; this is for memory that you changed from
GDB (set variable ..) while it was stopped.
end

document heap
The heap of a core or a live process: what is on it, who holds it, what is lost.
Each "heap NAME" is also "heap-NAME": heap-report, heap-leaks, heap-path EXPR and so on.
After a command, $hf1, $hf2 .. are the addresses that it listed (p *$hf1 where the type is known),
$hf_count is their number, $hf_status 0 if all went well, and $hf_leaked_bytes,
$hf_heap_bytes and others are the figures of --fail-if (see heapforensics(1)).
end

# An alias cannot be made twice.
if $_isvoid ($hf_status)
  alias heap-report = heap report
  alias heap-summary = heap summary
  alias heap-arenas = heap arenas
  alias heap-leaks = heap leaks
  alias heap-dominators = heap dominators
  alias heap-types = heap types
  alias heap-object = heap object
  alias heap-path = heap path
  alias heap-refs = heap refs
  alias heap-check = heap check
  alias heap-query = heap query
  alias heap-diff = heap diff
  alias heap-export = heap export
  alias heap-refresh = heap refresh
end
pipe with language c -- set $hf_status = 0 | cat >/dev/null
if $hf_confirm
  set confirm on
end
