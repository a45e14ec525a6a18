#!/usr/bin/env python3
"""A GDB session as a person has it, on a terminal of 80 columns and 24 lines.

usage: gdb_session.py GDB SCRIPT PROGRAM CORE SLOW

SCRIPT is heapforensics.gdb. SLOW is a file that makes the next answer slow while it exists:
Ctrl-C must end it. Prints what was wrong, and the session up to there; silent if all is well.
"""
import fcntl
import os
import pty
import re
import select
import struct
import sys
import termios
import time

PROMPT = "(gdb) "
PAGER = "--Type <RET> for more, q to quit, c to continue without paging--"


class Session:
    def __init__(self, argv):
        self.log = ""
        pid, self.fd = pty.fork()
        if pid == 0:
            os.environ.update(TERM="xterm-256color", COLUMNS="80", LINES="24")
            os.environ.pop("NO_COLOR", None)
            os.execvp(argv[0], argv)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))

    def read(self, until, seconds=60):
        """All that comes up to @until, without what only moves the cursor."""
        got, end = "", time.time() + seconds
        while time.time() < end:
            if select.select([self.fd], [], [], 0.2)[0]:
                try:
                    data = os.read(self.fd, 65536).decode(errors="replace")
                except OSError:
                    break
                self.log += data
                got += re.sub(r"\x1b\[\?\d+[hl]|\x1b\[[CK]|\r|\a", "", data)
                if re.sub(r"\x1b\[[0-9;]*m", "", got).endswith(until):
                    return got
        self.wrong("waited for %r in vain" % until)

    def type(self, text):
        os.write(self.fd, text.encode())

    def run(self, line, until=PROMPT):
        self.type(line + "\n")
        return self.read(until)

    def expect(self, text, pattern, what):
        if not re.search(pattern, text, re.M):
            self.wrong("%s: nothing like %r" % (what, pattern))

    def wrong(self, what):
        print("WRONG:", what)
        print(self.log[-3000:])
        sys.exit(1)


def plain(text):
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def main():
    gdb, script, program, core, slow = sys.argv[1:]
    s = Session([gdb, "-nx", "-q", "-ex", "set auto-load safe-path /",
                 "-ex", "set debuginfod enabled off", "-ex", "source " + script, program, core])
    s.read(PROMPT)

    # The pager, and leaving it; abbreviations; an ambiguous one.
    text = s.run("heap-rep", PAGER)
    s.expect(plain(text), r"^VERDICT", "report")
    if len(plain(text).split("\n")) > 26:
        s.wrong("more than a screen before the pager")
    s.run("q")
    text = s.run("heap-su", PAGER)
    text = s.run("c")
    s.expect(plain(text), r"struct node +x 21", "summary to its end")
    s.expect(s.run("heap-d"), r'Ambiguous command "heap-d": heap-diff, heap-dominators', "ambiguity")
    s.expect(plain(s.run("heap dom head")), r"head .gdb_steps", "the prefix form, abbreviated")

    # Colours as GDB has them, and none where the output is captured or GDB's are off.
    s.run("set height 0")
    s.expect(s.run("heap-leaks"), r"\x1b\[1mLEAKS", "colours")
    s.expect(s.run("pipe heap-leaks | head -n 1"), r"^LEAKS$", "no colours in a pipe")
    s.expect(s.run("pipe heap-leaks | wc -l"), r"^ *1\d$", "pipe")
    s.run("set style enabled off")
    s.expect(s.run("heap-leaks"), r"^LEAKS$", "no colours")

    # Width.
    s.run("set width 60")
    if "nothing leads here" in s.run("heap-leaks"):
        s.wrong("set width 60: the widest column is there")
    s.run("set width 200")
    s.expect(s.run("heap-leaks"), r"nothing leads here: lost$", "set width 200")
    s.run("set width 80")

    # Help and completion.
    text = s.run("help heap")
    for name in ("report", "dominators", "path", "refresh"):
        s.expect(text, "heap %s, *(\n *)?heap-%s -- " % (name, name), "help heap")
    s.expect(s.run("help heap-path"), r"^Usage: heap-path", "help heap-path")
    s.expect(s.run("apropos chain of pointers"), r"heap path", "apropos")
    s.type("heap-le\t")
    s.expect(s.read("heap-leaks "), r"heap-leaks", "completion of a command")
    s.expect(s.run(""), r"^LEAKS$", "the completed command")
    s.type("heap-path g_tab\t")
    s.expect(s.read("g_table "), r"g_table", "completion of a variable")
    s.type("\x15")

    # Ctrl-C in the middle: GDB is sound, and the next command is not spoilt.
    open(slow, "w").close()
    s.type("heap-leaks\n")
    time.sleep(1.5)
    begin = time.time()
    s.type("\x03")
    s.read(PROMPT)
    if time.time() - begin > 10:
        s.wrong("Ctrl-C took %.1f s" % (time.time() - begin))
    os.unlink(slow)
    s.expect(s.run("print 6 * 7"), r"= 42$", "GDB after Ctrl-C")
    s.expect(s.run("heap-path head->next"), r"^object +struct node", "a command after Ctrl-C")
    s.expect(s.run("print *$hf1"), r"value = ", "print *$hf1")
    s.expect(s.run("info inferiors"), r"\(core\)", "the target after Ctrl-C")

    s.type("quit\n")
    end = time.time() + 20
    while time.time() < end:
        try:
            if not os.read(s.fd, 4096):
                break
        except OSError:
            break


main()
