"""What tests/boot/seat does with its three machines."""
import os
import pty
import random
import re
import signal
import subprocess
import sys
import termios
import time
from rfb import Rfb

sys.dont_write_bytecode = True
VIADUCT = os.environ["VIADUCT"]
CTRL, ALT, SHIFT, F8 = 0xffe3, 0xffe9, 0xffe1, 0xffc5
CODE = dict(zip("qwertyuiop", range(16, 26))) | dict(zip("asdfghjkl", range(30, 39))) | \
    dict(zip("zxcvbnm", range(44, 51)))  # input-event-codes.h
CODES = {ord(c): n for c, n in CODE.items()} | {CTRL: 29, ALT: 56, SHIFT: 42, F8: 66}
done = 0


def check(good, name, more=""):
    global done
    done += 1
    print("%sok %d - %s" % ("" if good else "not ", done, name), flush=True)
    if not good and more:
        print("# " + str(more)[:2000].replace("\n", "\n# "), flush=True)


def until(what, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        got = what()
        if got:
            return got
        time.sleep(0.02)
    return what()


def run(*words):
    p = subprocess.run((VIADUCT,) + words, capture_output=True, text=True, timeout=60)
    return p.returncode, p.stdout, p.stderr


def ctl(vm, *words):
    return run("ctl", "vm%d/ctl.sock" % vm, *words)


def machines(sock="seat.sock"):
    """{name: how it is}, who has the seat"""
    code, out, _ = run("seat", "list", sock)
    rows = [line[2:].split(" ", 1) + [line[0]] for line in out.splitlines()]
    return ({n: how for n, how, _ in rows}, next((n for n, _, star in rows if star == "*"), None)) \
        if not code else ({}, None)


def all_run(sock="seat.sock"):
    return until(lambda: set(machines(sock)[0].values()) == {"running"})


def seat_start(*words):
    names = ["m%d=vm%d/ctl.sock" % (i, i) for i in (1, 2, 3)]
    return subprocess.Popen([VIADUCT, "seat", *names, *words], stderr=open("seat.err", "a"))


class Log:
    """What a machine's guest was told by its keyboard and mouse."""

    def __init__(self, vm):
        self.path, self.seen = "vm%d/console" % vm, 0

    def events(self):
        with open(self.path, errors="replace") as f:
            text = f.read().replace("\r", "")
        return [tuple(line.split()) for line in text.splitlines()
                if re.match(r"(kbd|mouse|tablet|vkbd) \d+ \d+ -?\d+$", line)]

    def new(self):
        """Since last asked."""
        events = self.events()
        fresh, self.seen = events[self.seen:], len(events)
        return fresh

    def peek(self):
        return self.events()[self.seen:]


def keys(events):
    return [(int(e[2]), int(e[3])) for e in events if e[0] == "kbd" and e[1] == "1" and e[3] != "2"]


def balanced(pairs):
    """Each key goes down and comes up by turns, and is up at the end."""
    down = set()
    for code, value in pairs:
        if (code in down) == bool(value):
            return False
        (down.add if value else down.discard)(code)
    return not down


def hot(viewer, n):
    viewer.type(CTRL, ALT, ord(str(n)))


def mark(viewer, logs, vm):
    """All that was typed until now has arrived: a key that is nowhere else comes last, and is up."""
    def marks():
        return keys(logs[vm].events()).count((66, 0))
    before = marks()
    viewer.type(F8)
    return until(lambda: marks() > before)


def storm(viewer, logs):
    rnd, now, down = random.Random(5), 1, set()
    want = {1: [], 2: [], 3: []}
    dead = set()
    for _ in range(1500):
        if rnd.random() < 0.06:
            to = rnd.randint(1, 3)
            want[now] += [29, 56]
            hot(viewer, to)
            if to != now:
                dead = set(down)
                now = to
            continue
        sym = rnd.choice([ord(c) for c in "qwertyasdfgzxcvb"] + [SHIFT])
        if sym in down:
            viewer.key(sym, 0)
            down.discard(sym)
            dead.discard(sym)
        else:
            viewer.key(sym, 1)
            down.add(sym)
            want[now].append(CODES[sym])
        if rnd.random() < 0.1 and down:  # a viewer that repeats what is held
            viewer.key(rnd.choice(sorted(down)), 1)
    for sym in down:
        viewer.key(sym, 0)
    for vm in (1, 2, 3):
        hot(viewer, vm)
        want[now] += [29, 56]
        now = vm
        mark(viewer, logs, vm)
        want[vm].append(66)
    hot(viewer, 1)
    want[3] += [29, 56]
    mark(viewer, logs, 1)
    want[1].append(66)
    for vm in (1, 2, 3):  # the last releases of those that were left by a hot key
        until(lambda: balanced(keys(logs[vm].peek())), 20)
        got = keys(logs[vm].new())
        pressed = [code for code, value in got if value]
        check(pressed == want[vm], "machine %d got the %d keys pressed for it, in order, no other"
              % (vm, len(want[vm])), (pressed, want[vm]))
        check(balanced(got), "machine %d: each of them came up once" % vm, got)


def storm_commands(viewer, logs):
    """Switches that come from elsewhere: whose a key is, is a race; that it is one machine's, not."""
    total = {}
    script = "for i in $(seq 25); do for n in 2 3 1; do $VIADUCT seat switch seat.sock m$n; done; done"
    switcher = subprocess.Popen(["sh", "-c", script])
    count = 0
    while switcher.poll() is None or count < 300:
        c = random.choice("qwertyuiop")
        viewer.type(ord(c))
        total[CODE[c]] = total.get(CODE[c], 0) + 1
        count += 1
        time.sleep(0.001 if count < 300 else 0.02)  # a busy host switches for longer, and its guests read slower
        if count == 1500:
            break
    switcher.wait()
    code, _, _ = run("seat", "switch", "seat.sock", "m1")
    mark(viewer, logs, 1)
    for vm in (2, 3):
        run("seat", "switch", "seat.sock", "m%d" % vm)
        mark(viewer, logs, vm)
    run("seat", "switch", "seat.sock", "m1")
    for vm in (1, 2, 3):
        until(lambda: balanced(keys(logs[vm].peek())), 20)
    got = {vm: keys(logs[vm].new()) for vm in (1, 2, 3)}
    sums = {}
    for vm in got:
        for k, value in got[vm]:
            if value and k != 66:
                sums[k] = sums.get(k, 0) + 1
    check(code == 0 and sums == total, "%d keys while a command switches: each in one machine, once"
          % count, (sums, total))
    check(all(balanced(g) for g in got.values()), "and each came up there")
    check(sum(1 for g in got.values() if len(g) > 10) >= 2, "and several machines had some",
          [len(g) for g in got.values()])


def ppm(vm):
    code, _, err = ctl(vm, "screendump", "now.ppm")
    assert not code, err
    data = open("now.ppm", "rb").read()
    _, size, _, rows = data.split(b"\n", 3)
    w, h = map(int, size.split())
    return w, h, rows


def screens(viewer):
    seen = {}
    for vm in (1, 2, 3):
        hot(viewer, vm)
        want = until(lambda: viewer.look() == ppm(vm) and ppm(vm), 20)
        check(want, "the view of machine %d is its screen, pixel by pixel" % vm)
        seen[vm] = want
    check(len({s[:2] for s in seen.values() if s}) == 3, "the view has each machine's size")
    check(len({s[2] for s in seen.values() if s}) == 3, "what is on them differs")
    check(all(s and any(s[2]) for s in seen.values()), "and none is black")
    hot(viewer, 1)
    check(until(lambda: viewer.look() == seen[1], 20), "back again, the first is as it was")


def pointers(viewer, logs):
    logs[1].new()
    viewer.pointer(100, 100)
    viewer.pointer(150, 130)
    viewer.pointer(150, 130, 1)
    viewer.pointer(150, 130, 0)
    viewer.pointer(150, 130, 8)
    viewer.pointer(150, 130, 0)
    until(lambda: ("mouse", "2", "8", "1") in logs[1].peek())
    got = logs[1].new()
    moved = [sum(int(e[3]) for e in got if e[:3] == ("mouse", "2", axis)) for axis in "01"]
    check(moved == [150, 130], "a mouse is told the way", moved)
    check([e[3] for e in got if e[:3] == ("mouse", "1", "272")] == ["1", "0"], "its button", got)
    hot(viewer, 3)
    logs[3].new()
    viewer.pointer(639, 0)
    viewer.pointer(0, 399, 4)
    viewer.pointer(0, 399, 0)
    until(lambda: ("tablet", "1", "273", "0") in logs[3].peek())
    got = [e for e in logs[3].new() if e[0] == "tablet"]
    check(("tablet", "3", "0", "32767") in got and ("tablet", "3", "1", "32767") in got and
          ("tablet", "1", "273", "1") in got, "a tablet is told the place", got)
    check(not [e for vm in (1, 2) for e in logs[vm].new() if e[0] != "kbd"], "nobody else is")
    hot(viewer, 1)


def pid_of(vm):
    out = subprocess.run(["pgrep", "-f", "^[^ ]*viaduct run .*ctl.sock"], capture_output=True,
                         text=True).stdout.split()
    return next(int(p) for p in out if os.readlink("/proc/%s/cwd" % p) == os.path.abspath("vm%d" % vm))


def hangs(viewer, logs):
    logs[2].new()
    hot(viewer, 2)
    mark(viewer, logs, 2)
    logs[2].new()
    os.kill(pid_of(2), signal.SIGSTOP)
    for c in "qwertyuiop":
        viewer.type(ord(c))
    begin = time.monotonic()
    hot(viewer, 1)
    logs[1].new()
    check(mark(viewer, logs, 1) and machines()[1] == "m1", "a machine that hangs keeps nobody",
          time.monotonic() - begin)
    check([k for k, v in keys(logs[1].new()) if v] == [66], "what was typed to it is not the next one's")
    check(until(lambda: machines()[0].get("m2") == "does not answer", 20), "and it is told", machines())
    os.kill(pid_of(2), signal.SIGCONT)
    want = [CODE[c] for c in "qwertyuiop"] + [29, 56]
    until(lambda: len([1 for _, v in keys(logs[2].peek()) if not v]) >= len(want))
    got = keys(logs[2].new())
    check([k for k, v in got if v] == want and balanced(got), "when it goes on, it has its keys", got)


def killed_seat(seat, viewer, logs):
    other = subprocess.Popen([VIADUCT, "seat", "m1=vm1/ctl.sock", "x=vm2/ctl.sock", "--vnc", "unix:v2.sock",
                              "--ctl", "other.sock"], stderr=subprocess.DEVNULL)
    check(until(lambda: set(machines("other.sock")[0].values()) == {"has another seat"}),
          "a second seat is turned away", machines("other.sock"))
    other.terminate()
    other.wait()
    logs[1].new()
    viewer.key(SHIFT, 1)
    viewer.key(ord("a"), 1)
    until(lambda: (30, 1) in keys(logs[1].peek()))
    seat.kill()
    seat.wait()
    until(lambda: balanced(keys(logs[1].peek())), 20)
    got = keys(logs[1].new())
    check(got[:2] == [(42, 1), (30, 1)] and balanced(got), "a seat that is killed holds no key", got)
    check(all(ctl(vm, "status")[1] == "running\n" for vm in (1, 2, 3)), "its machines run on")


class Screen:
    """A terminal, as far as viaduct seat uses one."""

    def __init__(self, rows, cols):
        self.rows, self.cols, self.at, self.raw = rows, cols, [0, 0], b""
        self.cell = [[" "] * cols for _ in range(rows)]

    def feed(self, data):
        self.raw += data
        for found in re.finditer(r"\x1b\[([?0-9;]*)([A-Za-z])|(.)", data.decode(errors="replace"), re.S):
            args, letter, char = found.groups()
            if char and char >= " ":
                if self.at[0] < self.rows and self.at[1] < self.cols:
                    self.cell[self.at[0]][self.at[1]] = char
                self.at[1] += 1
            elif letter == "H":
                self.at = [int(n) - 1 for n in args.split(";")]
            elif letter == "J":
                self.cell = [[" "] * self.cols for _ in range(self.rows)]

    def text(self):
        return "\n".join("".join(row) for row in self.cell)


class Terminal:
    def __init__(self, *words):
        self.master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (25, 80))
        self.slave, self.was, self.screen = slave, termios.tcgetattr(slave), Screen(25, 80)
        self.seat = subprocess.Popen([VIADUCT, "seat", *words, "--terminal"], stdin=slave, stdout=slave,
                                     stderr=open("seat.err", "a"))
        os.set_blocking(self.master, False)

    def read(self):
        try:
            while True:
                self.screen.feed(os.read(self.master, 65536))
        except OSError:
            pass
        return self.screen.text()

    def type(self, text):
        os.write(self.master, text.encode())

    def sees(self, text, seconds=30):
        return until(lambda: text in self.read(), seconds)


def terminal():
    t = Terminal(*("m%d=vm%d/ctl.sock,console=vm%d/hvc.sock" % (i, i, i) for i in (1, 2, 3)))
    check(t.sees("[1 m1]"), "a terminal as the seat says who has it", t.read())
    check(termios.tcgetattr(t.slave) != t.was, "it is raw")
    t.type("\recho one-$((40+2))\r")
    check(t.sees("one-42"), "the first machine's shell answers", t.read())
    t.type("\x1d2\recho two-$((40+3))\r")
    check(t.sees("two-43") and "one-42" not in t.read() and "[2 m2]" in t.read(),
          "Ctrl-] 2: another's", t.read())
    # a title, questions, a reset: as much as a guest can do to a terminal. The answers are cat's: the
    # shell's line editor would take some of what is typed after them for more of them.
    t.type("printf '\\033]0;evil-title\\007\\033[6n\\033[5n\\033c\\033[31mred-%d' 7; cat\r")
    check(t.sees("red-7"), "it draws in colours", t.read())
    check(b"evil-title\x07" not in t.screen.raw and b"\x1b[6n" not in t.screen.raw and
          b"\x1bc" not in t.screen.raw and b"\x1b[0;31m" in t.screen.raw,
          "and nothing that it writes reaches the terminal as it is")
    t.type("\x1d1")
    check(t.sees("one-42") and "red-7" not in t.read(), "Ctrl-] 1: the first one's screen is as it was",
          t.read())
    t.type("x" * 20 + "\x1dn" + "y" * 20 + "\x1dp")
    check(t.sees("x" * 20) and "yy" not in t.read(), "typed before the switch: here", t.read())
    t.type("\x1d2")
    check(t.sees("y" * 20) and "xx" not in t.read(), "and after it: there", t.read())
    t.seat.terminate()
    code = t.seat.wait(30)
    t.read()
    check(code == 0 and termios.tcgetattr(t.slave) == t.was and b"\x1b[?1049l" in t.screen.raw,
          "SIGTERM: the terminal is what it was", code)
    t = Terminal("m1=vm1/ctl.sock,console=vm1/hvc.sock")
    t.sees("[1 m1]")
    t.type("\x1dq")
    check(t.seat.wait(30) == 0 and termios.tcgetattr(t.slave) == t.was, "Ctrl-] q: the same")


def gone(viewer):
    before = machines()[1]
    os.kill(pid_of(1), signal.SIGKILL)
    check(until(lambda: machines()[0].get("m1") == "not there"), "a machine that is killed is told of")
    check(before == machines()[1] == "m1", "the seat doesn't wander off by itself", machines())
    viewer.type(ord("q"))
    hot(viewer, 2)
    check(until(lambda: machines()[1] == "m2") and until(lambda: viewer.look() == ppm(2), 20),
          "and the others are there")


def main():
    for vm in (1, 2, 3):
        if not until(lambda: os.path.exists("vm%d/console" % vm) and
                     "\nready" in open("vm%d/console" % vm, errors="replace").read(), 100):
            check(False, "machine %d is up" % vm, open("vm%d/err" % vm).read())
            return
    check(True, "three machines are up")
    logs = {vm: Log(vm) for vm in (1, 2, 3)}
    seat = seat_start("--vnc", "unix:vnc.sock", "--ctl", "seat.sock")
    check(all_run(), "the seat has all three", machines())
    viewer = Rfb("vnc.sock")
    check(viewer.name == "viaduct: m1" and (viewer.w, viewer.h) == (640, 480), "the first has the seat")
    storm(viewer, logs)
    storm_commands(viewer, logs)
    screens(viewer)
    pointers(viewer, logs)
    hangs(viewer, logs)
    killed_seat(seat, viewer, logs)
    terminal()
    seat = seat_start("--vnc", "unix:vnc.sock", "--ctl", "seat.sock")
    check(all_run(), "another seat, after all that", machines())
    gone(Rfb("vnc.sock"))
    seat.terminate()
    check(seat.wait(30) == 0 and not os.path.exists("vnc.sock") and not os.path.exists("seat.sock"),
          "a seat that ends leaves no sockets")
    print("1..%d" % done)


main()
