#!/usr/bin/env python3
"""The demo's ledger, side by side: what the same work cost through IDE and through virtio."""
import json
import sys

rows = json.load(open(sys.argv[1]))["rows"]


def count(kinds, dev, names=None):
    return sum(r["reads"] + r["writes"] for r in rows
               if r["kind"] in kinds and r["dev"] == dev and (names is None or r["name"] in names))


def moved(dev):
    return sum(r["read_bytes"] + r["write_bytes"] for r in rows
               if r["kind"] == "dma" and r["dev"] == dev)


ways = [("IDE (ata_piix)", "ide0", count(["irq"], "irq", ["14", "15"])),
        ("virtio (virtio_blk)", "virtio0", count(["msi"], "virtio0"))]
print("%-20s %8s %8s %8s %12s %14s %14s" % ("way", "PIO", "MMIO", "IRQs", "DMA bytes",
                                            "traps per MiB", "IRQs per MiB"))
for name, dev, irqs in ways:
    pio, mmio, size = count(["pio"], dev), count(["mmio"], dev), moved(dev)
    mib = size / 2**20
    if not size:
        sys.exit("demo: the ledger shows no DMA through %s" % name)
    print("%-20s %8d %8d %8d %12d %14.1f %14.1f" % (name, pio, mmio, irqs, size,
                                                    (pio + mmio) / mib, irqs / mib))
disk = [r for r in rows if r["kind"] == "blk" and r["dev"] == "disk0"]
print("image: " + ", ".join("%d %s" % (r["reads"] + r["writes"], r["name"]) for r in disk
                            if r["reads"] + r["writes"]) + " requests at the backend")
