"""What the benchmarks share: the two machines to compare, one archive for their guest, rounds that
take turns, and tables. Every number of a table is the median of its rounds, with min-max behind it:
the machine is shared, so look at the spread before believing a ratio. "cpu" is the user and system
time of the whole VMM process, which other people's load touches less than the wall clock."""
import argparse
import os
import re
import select
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("BUILD", os.path.join(ROOT, "build"))
VIADUCT = os.environ.get("VIADUCT", os.path.join(BUILD, "viaduct"))
QEMU = os.environ.get("QEMU", "qemu-system-x86_64")
GUEST = os.environ.get("VIADUCT_GUEST") or os.path.join(
    os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share"), "viaduct")
MEMORY = "512M"
APPEND = "console=ttyS0 reboot=t panic=-1 cryptomgr.notests noreplace-smp quiet"


def guest_file(name):
    path = os.path.join(GUEST, name)
    if not os.path.exists(path):
        sys.exit("bench: no %s: run viaduct guest fetch" % path)
    return path


def viaduct(kernel, initrd, append, *more):
    return [VIADUCT, "run", "--engine", "dbt", "--memory", MEMORY, "--kernel", kernel, "--initrd",
            initrd, "--append", append, *more]


def qemu(kernel, initrd, append, *more):
    """The machine a user gets: -M pc, its firmware, its default CPU."""
    return [QEMU, "-accel", "tcg", "-M", "pc", "-nographic", "-no-reboot", "-nodefaults", "-serial",
            "stdio", "-m", MEMORY, "-kernel", kernel, "-initrd", initrd, "-append", append, *more]


class Run:
    """One run of a command: its output, when the marker came, CPU time, and how it ended."""

    def __init__(self, cmd, marker=None, limit=300, watch=None):
        """With a marker the process is ended when that came; watch(pid) is called just before."""
        err = tempfile.TemporaryFile()
        start = time.monotonic()
        proc = subprocess.Popen(cmd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=err)
        self.out, self.at, self.seen = "", None, None
        raw = b""
        while True:
            left = start + limit - time.monotonic()
            ready = left > 0 and select.select([proc.stdout], [], [], left)[0]
            part = os.read(proc.stdout.fileno(), 65536) if ready else b""
            raw += part
            if marker and marker.encode() in raw:
                self.at = time.monotonic() - start
                self.seen = watch(proc.pid) if watch else None
            if not part or self.at is not None:
                break
        if marker or not ready:
            proc.kill()
        _, status, use = os.wait4(proc.pid, 0)
        proc.returncode = os.waitstatus_to_exitcode(status)
        self.wall = time.monotonic() - start
        self.cpu = use.ru_utime + use.ru_stime
        self.out = raw.decode(errors="replace")
        err.seek(0)
        self.err = err.read().decode(errors="replace")
        if marker and self.at is None or not marker and proc.returncode not in (0, 1):
            sys.exit("bench: %s\nended with %s\n%s\n%s" % (" ".join(cmd), proc.returncode,
                                                          self.out[-2000:], self.err[-2000:]))


class Samples(dict):
    """key -> list of numbers"""

    def add(self, key, value):
        self.setdefault(key, []).append(float(value))

    def mid(self, key):
        return statistics.median(self[key]) if self.get(key) else None

    def show(self, key, form="%.2f"):
        if not self.get(key):
            return "–"
        return (form + " (" + form + "–" + form + ")") % (self.mid(key), min(self[key]),
                                                          max(self[key]))

    def ratio(self, a, b):
        x, y = self.mid(a), self.mid(b)
        return "%.2f" % (x / y) if x is not None and y else "–"


def take_turns(rounds, sides):
    """A B A B …: sides are (name, function of nothing); what is running goes to stderr."""
    for r in range(rounds):
        for name, go in sides:
            print("  round %d/%d: %s" % (r + 1, rounds, name), file=sys.stderr, flush=True)
            go()


def table(head, rows):
    print("| " + " | ".join(head) + " |")
    print("|" + " --- |" * len(head))
    for row in rows:
        print("| " + " | ".join(str(x) for x in row) + " |")
    print(flush=True)


def rounds_option(text, default):
    p = argparse.ArgumentParser(description=text.strip().split("\n")[0])
    p.add_argument("--rounds", type=int, default=default)
    return p


def pad(n):
    return b"\0" * (-n % 4)


def member(name, mode, data=b""):
    """One entry of a cpio archive as Linux reads its initramfs ("newc")."""
    fields = (0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
    head = b"070701" + b"".join(b"%08X" % f for f in fields) + name.encode() + b"\0"
    return head + pad(len(head)) + data + pad(len(data))


def initrd(work, files):
    """The bundled guest's archive with files (name -> host path) behind it: one file for both."""
    path = os.path.join(work, "initrd.cpio")
    with open(path, "wb") as out:
        with open(guest_file("initramfs.cpio"), "rb") as base:
            shutil.copyfileobj(base, out)
        for name, host in files.items():
            with open(host, "rb") as f:
                out.write(member(name, 0o100755, f.read()))
        out.write(member("TRAILER!!!", 0))
    return path


def program(work, name):
    """bench/guest/NAME.c as a static program."""
    path = os.path.join(work, name)
    subprocess.run([os.environ.get("CC", "gcc"), "-O2", "-static", "-Wall", "-Wextra", "-o", path,
                    os.path.join(ROOT, "bench", "guest", name + ".c")], check=True)
    return path


def scratch():
    """A directory in tmpfs that goes away with the script."""
    return tempfile.TemporaryDirectory(prefix="viaduct-bench-", dir="/dev/shm")


def lines(text, word):
    """The fields behind WORD in the lines that start with it."""
    return [x.split()[1:] for x in re.split(r"[\r\n]+", text) if x.startswith(word + " ")]
