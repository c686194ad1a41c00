"""What processes in jails may call and what they call, from traces that strace(1) wrote.

A trace has each filter as the kernel got it (seccomp(2)): it is run here, instruction by instruction, to learn which calls
it lets through, and which rows of src/sandbox (build/tests/unit/box_rows) it was made of. Calls after that are the use made of it.
Arguments are numbers (strace -X raw -e raw=…). box_used says what is done with it; by itself:

    box_trace.py TRACE…      of all that went into a jail: the calls that its filters let through, and those that were made"""
import os
import re
import sys

FLAGS = ["-f", "-qq", "-v", "-X", "raw", "-e", "raw=!seccomp,execve", "-e", "signal=none"]
ALLOW, ERRNO, X86_64, ANY = 0x7fff0000, 5, 0xc000003e, 0xffffffffffffffff
SELF = object()
LINE = re.compile(r"^(\d+) +(\w+)\((.*)$")
RESUMED = re.compile(r"^(\d+) +<\.\.\. (\w+) resumed>.*= (-?\w+)")
CLONE_THREAD = 0x10000
CALLS_END = 470


def number(word):
    word = word.strip()
    try:
        return int(word, 0)
    except ValueError:
        return None


class Filter:
    """A program of classic BPF over struct seccomp_data (seccomp(2), bpf(4))."""

    def __init__(self, text):
        self.code = []
        for kind, args in re.findall(r"BPF_(STMT|JUMP)\(([^()]*)\)", text):
            parts = [sum(int(v, 0) for v in p.split("|")) for p in args.split(", ")]
            self.code.append((parts[0], parts[1] & 0xffffffff, *(parts[2:] or (0, 0))))

    def field(self, at, nr, args):
        if at == 0:
            return nr
        if at == 4:
            return X86_64
        arg = args[(at - 16) // 8] if at >= 16 else 0
        return None if arg is None else arg >> 32 * (at // 4 % 2) & 0xffffffff

    def results(self, nr, args):
        """All that it may return for this call; an argument that is None may be anything."""
        todo, seen, found = [(0, 0)], set(), set()
        while todo:
            state = todo.pop()
            if state in seen:
                continue
            seen.add(state)
            at, acc = state
            op, k, jt, jf = self.code[at]
            if op & 7 == 0:
                todo.append((at + 1, self.field(k, nr, args)))
            elif op & 7 == 4:
                assert op == 0x54, "only AND"
                todo.append((at + 1, None if acc is None else acc & k))
            elif op & 7 == 5:
                how = op & 0xf0
                yes = {0x00: True, 0x10: acc == k, 0x20: acc is None or acc > k, 0x30: acc is None or acc >= k,
                       0x40: bool((acc or 0) & k)}[how]
                if how == 0x00:
                    todo.append((at + 1 + k, acc))
                elif acc is None:
                    todo += [(at + 1 + jt, acc), (at + 1 + jf, acc)]
                else:
                    todo.append((at + 1 + (jt if yes else jf), acc))
            elif op & 7 == 6:
                found.add(k)
            else:
                raise ValueError("instruction %#x" % op)
        return found


class Row:
    """A line of src/sandbox/rows_*.c."""

    def __init__(self, line):
        self.set, self.call, nr, conds, unseen = line.rstrip("\n").split(" ", 4)
        self.nr, self.unseen = int(nr, 16), "" if unseen == "-" else unseen
        self.conds = []
        for c in conds.split(",") if conds != "-" else ():
            arg, mask, value = (int(x, 16) for x in c.split(":"))
            self.conds.append((arg, mask or ANY, value if mask else SELF))
        self.key = self.call + "".join(" %d%s=%s" % (a, "" if m == ANY else "&%#x" % m, "self" if v is SELF else "%#x" % v)
                                       for a, m, v in self.conds)

    def example(self, pid):
        args = [0] * 6
        for arg, _, value in self.conds:
            args[arg] = pid if value is SELF else value
        return args

    def holds(self, nr, args, pid):
        return nr == self.nr and all(a < len(args) and args[a] is not None and
                                     args[a] & m == (pid if v is SELF else v) for a, m, v in self.conds)

    def allowed(self, filters, pid):
        """Let through, or answered in the kernel's place."""
        results = [f.results(self.nr, self.example(pid)) for f in filters]
        return all(len(r) == 1 and (r == {ALLOW} or min(r) >> 16 == ERRNO) for r in results)


class Process:
    def __init__(self, pid, argv=(), forked=False):
        self.pid, self.argv, self.forked = pid, list(argv), forked
        self.filters, self.calls = [], {}  # calls: of a process in jail, (name, arguments), once each

    def role(self):
        """As messages name it, without the engine; NAME+ is a process that NAME forked."""
        base = os.path.basename(self.argv[0]) if self.argv else ""
        if base == "viaduct":
            base = self.argv[1] if len(self.argv) > 1 else ""
        return base + ("+" if self.forked else "")


MAKES = ("clone", "clone3", "fork", "vfork")


def makers(lines):
    """thread: (who made it, whether it is of the same process, at which line that was asked for)"""
    made, asked = {}, {}
    for n, line in enumerate(lines):
        m = LINE.match(line)
        r = None if m else RESUMED.match(line)
        if m and m[2] in MAKES:
            same = m[2] == "clone" and bool((number(m[3].split(",")[0]) or 0) & CLONE_THREAD)
            asked[m[1]] = m[1], same, n
            done = re.search(r"\) += (\w+)$", line)
            if done and (number(done[1]) or 0) > 0:
                made[str(number(done[1]))] = asked[m[1]]
        elif r and r[2] in MAKES and (number(r[3]) or 0) > 0 and r[1] in asked:
            made[str(number(r[3]))] = asked[r[1]]
    return made


class Trace:
    def __init__(self, path):
        with open(path, errors="replace") as f:
            lines = f.readlines()
        self.makers, self.of, self.processes = makers(lines), {}, []
        self.then, self.pending = {}, {}  # filters at a line that made a process; a seccomp that has not returned
        for n, line in enumerate(lines):
            m = LINE.match(line)
            if m:
                self.line(n, m[1], m[2], m[3])
                continue
            r = RESUMED.match(line)
            if r and r[2] == "seccomp" and r[1] in self.pending and number(r[3]) == 0:
                self.process(r[1]).filters.append(Filter(self.pending.pop(r[1])))

    def process(self, tid):
        if tid not in self.of:
            maker, same, at = self.makers.get(tid, (None, False, 0))
            if same:
                self.of[tid] = self.process(maker)
            else:
                self.of[tid] = Process(int(tid), self.process(maker).argv if maker else (), bool(maker))
                self.of[tid].filters = list(self.then.get(at, ()))
                self.processes.append(self.of[tid])
        return self.of[tid]

    def line(self, n, tid, call, rest):
        p = self.process(tid)
        if call in MAKES:
            self.then[n] = list(p.filters)
        if p.filters:
            args = rest.split(" <unfinished")[0].rsplit(") ", 1)[0].rstrip(")")
            p.calls.setdefault((call, args), None)
        if call == "execve" and re.search(r"\) += 0$|<unfinished", rest):
            words = re.search(r"\[(.*?)\]", rest)
            p.argv = re.findall(r'"((?:[^"\\]|\\.)*)"', words[1]) if words else []
            p.forked = False
        elif call == "seccomp" and "filter=[" in rest:
            if re.search(r"\) += 0$", rest):
                p.filters.append(Filter(rest))
            else:
                self.pending[tid] = rest


def processes(paths):
    """All that went into a jail."""
    return [p for path in paths for p in Trace(path).processes if p.filters]


def free(nr, filters):
    """Whatever its arguments: then rows with some are other roles'."""
    return all(f.results(nr, [None] * 6) == {ALLOW} for f in filters)


def used(p, rows):
    """Keys of the rows that this process made use of."""
    names, found = {}, set()
    for r in rows:
        names.setdefault(r.call, []).append(r)
    for call, text in p.calls:
        args = [number(a) for a in text.split(",")]
        found |= {r.key for r in names.get(call, ()) if r.holds(r.nr, args, p.pid)}
    return found


def may(p, names):
    """Names of all calls that some arguments get through its filters."""
    anything = [None] * 6
    return {names[nr] for nr in range(CALLS_END) if nr in names and
            all(any(k == ALLOW for k in f.results(nr, anything)) for f in p.filters)}


def names():
    """Calls by number, as this machine's C compiler knows them (asm/unistd_64.h)."""
    found = {}
    for where in ("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "/usr/include/asm/unistd_64.h"):
        if os.path.exists(where) and not found:
            with open(where) as f:
                found = {int(nr): name for name, nr in re.findall(r"#define __NR_(\w+) (\d+)", f.read())}
    return found


def main():
    mine, known = processes(sys.argv[1:]), names()
    allowed = set().union(*(may(p, known) for p in mine)) if mine else set()
    called = {call for p in mine for call, _ in p.calls}
    print("allowed " + " ".join(sorted(allowed)))
    print("called " + " ".join(sorted(called)))


if __name__ == "__main__":
    main()
