#!/bin/sh
# shell.sh - at home in a shell: completion in real bash, zsh and fish, manual pages without
# warnings, "did you mean", a pager, NO_COLOR.
. fixtures/core.sh
HF=${HF:-$PWD/build/heapforensics}
FIX=${FIX:-$PWD/build/fixtures}
work=$(new_folder)
unset TMUX COLUMNS LINES NO_COLOR PAGER HEAPFORENSICS_PAGER LESS
TMUX_TMPDIR=$work
export TMUX_TMPDIR
servers=0
mux() { tmux -u -L "shell$servers" -f /dev/null "$@"; }
# A shell that is ended may still write a file or two.
trap 'mux kill-server 2>/dev/null; rm -rf "$work" 2>/dev/null || { sleep 1; rm -rf "$work"; }' EXIT
status=0
wrong() { echo "WRONG: $*"; status=1; }

for shell in bash zsh fish; do
	"$HF" help-completion $shell >"$work/$shell" || wrong "no completion for $shell"
done
"$HF" help-completion csh >/dev/null 2>&1 && wrong "completion for csh"
commands=$("$HF" --help | awk '/^Commands/ { on = 1; next } /^$/ { on = 0 } on { print $1 }')
mkdir "$work/here" "$work/here/a folder"
touch "$work/here/core.1" "$work/here/server"

# ---- bash: the function with the words of a line, as readline splits it
if command -v bash >/dev/null; then
	cat >"$work/drive.bash" <<'BASH'
. "$1"
complete_line() { # LINE: what could stand at its end, one a line
	local text=${1//=/ = }
	COMP_WORDS=($text)
	[[ $1 != *' ' ]] || COMP_WORDS+=('')
	COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
	COMPREPLY=()
	_heapforensics 2>/dev/null
	printf '%s\n' "${COMPREPLY[@]}"
}
cd "$2"
complete -p heapforensics | grep -q -- '-F _heapforensics' || echo "not registered"
while IFS= read -r line; do
	echo "> $line"
	complete_line "$line"
done
BASH
	ask() { # LINE: the answer goes to out
		printf '%s\n' "$1" | bash --norc "$work/drive.bash" "$work/bash" "$work/here" >"$work/out"
	}
	offers() { # LINE WORD...
		ask "$1"
		line=$1
		shift
		for word in "$@"; do
			grep -qxF -e "$word" "$work/out" || {
				wrong "bash: \"$line\" does not offer $word but:"
				cat "$work/out"
			}
		done
	}
	refuses() { # LINE WORD
		ask "$1"
		grep -qxF -e "$2" "$work/out" && wrong "bash: \"$1\" offers $2"
	}
	offers 'heapforensics ' $commands core.1 server 'a folder'
	offers 'heapforensics dom' dominators
	refuses 'heapforensics dom' report
	offers 'heapforensics leaks ' core.1 server
	refuses 'heapforensics leaks ' dominators
	offers 'heapforensics leaks --' --suppressions= --json --top= --fail-if= --help
	refuses 'heapforensics types --' --suppressions=
	refuses 'heapforensics explore --' --json
	offers 'heapforensics --js' --json
	offers 'heapforensics --color=' auto always never
	offers 'heapforensics --color=al' always
	offers 'heapforensics report --color ' auto always never
	offers 'heapforensics --format=' text json csv
	offers 'heapforensics export --format=' pprof heapsnapshot speedscope folded dot hprof sqlite ndjson
	refuses 'heapforensics export --format=' csv
	refuses 'heapforensics report --format=' pprof
	offers 'heapforensics export --format=pprof -o ' core.1
	offers 'heapforensics --roots=variable,t' variable,tls
	offers 'heapforensics dominators --by=' type holder module
	refuses 'heapforensics watch --at=' stack
	offers 'heapforensics --fail-if ' leaked_bytes heap_bytes
	offers 'heapforensics --sysroot ' 'a folder'
	refuses 'heapforensics --sysroot ' core.1
	offers 'heapforensics -p ' 1
	offers 'heapforensics -o out dom' dominators
	offers 'heapforensics --json core.1 ser' server
	for command in $commands; do # every option that the help names, and no other
		"$HF" "$command" --help | sed -n 's/^ *\(-.,\)\{0,1\} *\(--[a-z-]*=\{0,1\}\).*/\2/p' |
			sort >"$work/wanted"
		ask "heapforensics $command --"
		sed 1d "$work/out" | sort | diff "$work/wanted" - || wrong "bash: options of $command"
	done
else
	echo "bash is not installed: not tried"
fi

# ---- fish: its own `complete -C`
if command -v fish >/dev/null; then
	HOME=$work
	export HOME
	offers() { # LINE WORD...
		(cd "$work/here" && fish --no-config -c "source $work/fish; complete -C '$1'") >"$work/out" 2>&1
		line=$1
		shift
		for word in "$@"; do
			cut -f 1 "$work/out" | grep -qxF -e "$word" || {
				wrong "fish: \"$line\" does not offer $word but:"
				cat "$work/out"
			}
		done
	}
	offers 'heapforensics ' $commands core.1
	grep -q "^leaks	what is lost" "$work/out" || wrong "fish: commands are not described"
	offers 'heapforensics leaks --s' --suppressions --sysroot
	offers 'heapforensics types --s'
	grep -q -e --suppressions "$work/out" && wrong "fish: types takes no suppressions"
	offers 'heapforensics export --format=' --format=pprof --format=hprof
	cut -f 1 "$work/out" | grep -q csv && wrong "fish: csv is no format of export"
	offers 'heapforensics --format=j' --format=json
	offers 'heapforensics report --color ' auto always never
	offers 'heapforensics leaks c' core.1
else
	echo "fish is not installed: not tried"
fi

# ---- zsh and bash at a terminal: the Tab key
shows() { # WHAT PATTERN
	tries=0
	while ! mux capture-pane -p -t test >"$work/screen" 2>/dev/null ||
		! grep -q -e "$2" "$work/screen"; do
		tries=$((tries + 1))
		if [ $tries -gt 100 ]; then
			wrong "$1: \"$2\" is not on the screen:"
			cat "$work/screen"
			return 1
		fi
		sleep 0.1
	done
}
tab() { # WHAT TYPED PATTERN: after a Tab; then the line is given up
	mux send-keys -t test -l "$2"
	mux send-keys -t test Tab
	shows "$1" "$3"
	mux send-keys -t test C-u
	mux send-keys -t test -l clear
	mux send-keys -t test Enter
	shows "$1, cleared" '^READY> *$'
}
terminal() { # COMMAND
	mux kill-server 2>/dev/null
	servers=$((servers + 1))
	mux new-session -d -s test -x 100 -y 50 "cd '$work/here'; env TERM=screen LC_ALL=C.UTF-8 HOME=$work HISTFILE=/dev/null $1"
}
mkdir "$work/functions"
cp "$work/zsh" "$work/functions/_heapforensics"
cat >"$work/.zshrc" <<'ZSH'
fpath=($HOME/functions $fpath)
autoload -U compinit
compinit -u -d $HOME/zcompdump
PS1='READY> '
setopt list_ambiguous
ZSH
printf 'PS1="READY> "\n. %s\nbind "set show-all-if-ambiguous on"\n' "$work/bash" >"$work/bashrc"
if command -v tmux >/dev/null; then
	for shell in zsh bash; do
		command -v $shell >/dev/null || { echo "$shell is not installed: not tried"; continue; }
		case $shell in
		zsh) terminal "zsh -d -i" ;;
		bash) terminal "bash --noprofile --rcfile $work/bashrc -i" ;;
		esac
		shows "$shell" '^READY>' || continue
		tab "$shell, a command" 'heapforensics expo' '^READY> heapforensics export *$'
		tab "$shell, an option" 'heapforensics leaks --sup' '^READY> heapforensics leaks --suppressions='
		tab "$shell, a value" 'heapforensics export --format=heaps' 'export --format=heapsnapshot'
		tab "$shell, a word after an option" 'heapforensics --json domi' '^READY> heapforensics --json dominators'
		tab "$shell, a file" 'heapforensics leaks cor' '^READY> heapforensics leaks core.1'
		tab "$shell, of a list" 'heapforensics --roots=variable,regi' 'roots=variable,register'
	done
else
	echo "tmux is not installed: no Tab was pressed"
fi

# ---- manual pages: one a command, and groff has nothing to say
for command in '' $commands; do
	"$HF" help-man $command >"$work/page.1" || wrong "no manual page $command"
	for part in NAME SYNOPSIS DESCRIPTION OPTIONS; do
		grep -q "^\.SH $part" "$work/page.1" || wrong "manual page $command: no $part"
	done
	command -v groff >/dev/null || continue
	groff -man -Tutf8 -ww -rCHECKSTYLE=3 "$work/page.1" >"$work/page" 2>"$work/warnings"
	[ -s "$work/warnings" ] && { wrong "groff on the manual page $command:"; head -5 "$work/warnings"; }
done

# ---- what was meant
meant() { # PATTERN ARG...
	pattern=$1
	shift
	"$HF" "$@" >"$work/out" 2>&1 </dev/null
	[ $? -eq 2 ] || wrong "$* does not exit with 2"
	grep -q -e "$pattern" "$work/out" || { wrong "$*: no \"$pattern\" but:"; cat "$work/out"; }
	[ "$(wc -l <"$work/out")" -eq 1 ] || { wrong "$*: more than a line:"; cat "$work/out"; }
}
meant 'did you mean "dominators"' dominatros core.1
meant 'did you mean "leaks"' leak core.1
meant 'did you mean "report"' reprot
meant 'no such core' something
meant 'did you mean --suppressions' leaks --supressions=x core.1
meant 'did you mean --json' --jsn
meant 'can be any of --core, --color' --co
meant 'there is no option --frobnicate' --frobnicate
meant 'there is no option -Z' -Z
meant 'format needs an argument' --format
meant 'json takes no argument' --json=yes
meant 'the command comes first: heapforensics leaks' "$work/here/server" leaks
"$HF" help leaks >"$work/out" || wrong "help leaks"
"$HF" leaks --help | diff - "$work/out" || wrong "help leaks is not leaks --help"
"$HF" help | grep -q '^Commands' || wrong "help"

# ---- a pager for long output on a terminal, no colours if they are not wanted
if command -v tmux >/dev/null && dump "$work/core.test" "$FIX/leak_cases" "$work/truth"; then
	files="$work/core.test $FIX/leak_cases"
	meant 'one core too many' leaks "$work/core.test" "$work/core.test"
	size=$(wc -c <"$work/core.test")
	head -c $((size - 8192)) "$work/core.test" >"$work/core.cut"
	terminal "$HF summary -q --no-pager $work/core.cut; sleep 60"
	shows "a long sentence whole" 'copy)'
	colored() { mux capture-pane -e -p -t test | grep -q "$(printf '\033')\[[0-9;]*[1-9]m"; }
	terminal "$HF leaks -q $files; echo the end; sleep 60"
	shows "less at its end or not needed" 'the end' || mux send-keys -t test q
	terminal "PAGER='sed s/^/paged:/' $HF leaks -q $files; sleep 60"
	shows "a pager" '^paged:LEAKS'
	colored || wrong "no colours on a terminal"
	terminal "PAGER='sed s/^/paged:/' $HF leaks -q --no-pager $files; sleep 60"
	shows "--no-pager" '^LEAKS'
	terminal "PAGER=cat HEAPFORENSICS_PAGER='sed s/^/ours:/' NO_COLOR=1 $HF leaks -q $files; sleep 60"
	shows "our own pager" '^ours:LEAKS'
	colored && wrong "colours in spite of NO_COLOR"
fi
exit $status
