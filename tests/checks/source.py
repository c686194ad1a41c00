"""What the checks share: the C files of src/, with comments and texts blanked out."""
import os
import re

ROOT = os.environ.get("ROOT", os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__)))))
TOKEN = re.compile(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])+'", re.S)


def blank(match):
    return re.sub(r"[^\n]", " ", match.group(0))


def files(top="src"):
    """(path below ROOT, text) of each C file"""
    for folder, dirs, names in os.walk(os.path.join(ROOT, top)):
        dirs.sort()
        for name in sorted(names):
            if name.endswith((".c", ".h")):
                path = os.path.join(folder, name)
                with open(path) as f:
                    yield os.path.relpath(path, ROOT), f.read()


def code(text):
    return TOKEN.sub(blank, text)


class Report:
    """Findings, and the exit status they make."""

    def __init__(self):
        self.bad = 0

    def say(self, path, line, what):
        print("%s:%d: %s" % (path, line, what))
        self.bad += 1

    def end(self, what):
        print("%s: %d findings" % (what, self.bad))
        return 1 if self.bad else 0
