"""smp_irqs.py CONSOLE LEDGER CPUS: local interrupts by CPU, as /proc/interrupts says at the guest's
end, against the vectors the ledger saw taken (Linux 6.1, arch/x86/include/asm/irq_vectors.h). The
guest goes on for some milliseconds after it was read, so that the ledger may have a few more."""
import json
import re
import sys

VECTORS = {"LOC": ["0xec"], "RES": ["0xfd"], "CAL": ["0xfb", "0xfc"]}
LATER = 400

console, ledger, cpus = open(sys.argv[1], errors="replace").read(), json.load(open(sys.argv[2])), int(sys.argv[3])
taken = {(r["dev"], r["name"]): r["writes"] for r in ledger["rows"] if r["kind"] == "vec"}
bad = 0
for name, vectors in VECTORS.items():
    line = re.search(r"^\s*%s:((?:\s+\d+){%d})\s" % (name, cpus), console, re.M)
    if not line:
        sys.exit("# no line %s of %d CPUs" % (name, cpus))
    for cpu, said in enumerate(map(int, line.group(1).split())):
        row = sum(taken.get(("cpu%d" % cpu, v), 0) for v in vectors)
        if not 0 < said <= row <= said + LATER:
            print("# %s on CPU %d: the guest says %d, the ledger %d" % (name, cpu, said, row))
            bad = 1
sys.exit(bad)
