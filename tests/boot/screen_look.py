"""What tests/boot/screen looks for in pictures.
  screen_look.py pattern PPM      the lower half is exactly what screen_draw.c draws
  screen_look.py text PPM WORD    a line of text of the kernel's 8x16 font has WORD's pattern of equal
                                  and different letters, and nothing before it
  screen_look.py same PPM PNG     both are one picture, in its lower half
"""
import struct
import sys
import zlib


def ppm(path):
    data = open(path, "rb").read()
    magic, size, most, rows = data.split(b"\n", 3)
    w, h = map(int, size.split())
    assert magic == b"P6" and most == b"255" and len(rows) == 3 * w * h, (magic, size, len(rows))
    return w, h, rows


def png(path):
    data, at, packed = open(path, "rb").read(), 8, b""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    while at < len(data):
        n, kind = struct.unpack(">I4s", data[at:at + 8])
        body, (crc,) = data[at + 8:at + 8 + n], struct.unpack(">I", data[at + 8 + n:at + 12 + n])
        assert zlib.crc32(kind + body) == crc, kind
        if kind == b"IHDR":
            w, h, bits, colour = struct.unpack(">IIBB", body[:10])
            assert (bits, colour) == (8, 2)
        packed += body if kind == b"IDAT" else b""
        at += 12 + n
    assert kind == b"IEND"
    raw = zlib.decompress(packed)
    assert len(raw) == h * (3 * w + 1) and not any(raw[::3 * w + 1]), "rows with no filter"
    return w, h, b"".join(raw[y * (3 * w + 1) + 1:(y + 1) * (3 * w + 1)] for y in range(h))


def pattern(path):
    w, h, rows = ppm(path)
    want = bytearray()
    for y in range(h // 2, h):
        for x in range(w):
            want += bytes(((x * y) & 255, (x + y) & 255, (x * 7 ^ y * 13) & 255))
    got = rows[3 * w * (h // 2):]
    bad = sum(1 for i in range(0, len(want), 3) if got[i:i + 3] != want[i:i + 3])
    assert not bad, "%d of %d pixels differ" % (bad, len(want) // 3)


def cells(w, rows, line):
    """The cells of a line of text, each its 16 rows of 8 pixels."""
    return [b"".join(rows[3 * ((16 * line + y) * w + 8 * x):][:24] for y in range(16))
            for x in range(w // 8)]


def text(path, word):
    w, h, rows = ppm(path)
    blank = b"\0" * (24 * 16)
    for line in range(h // 32):
        row = cells(w, rows, line)
        seen, end = row[:len(word)], row[len(word) + 1:]  # between them may be the cursor
        equal = all((a == b) == (x == y) for a, x in zip(seen, word) for b, y in zip(seen, word))
        if equal and blank not in seen and all(c == blank for c in end):
            return
    sys.exit("no line looks like %s" % word)


def same(first, second):
    a, b = ppm(first), png(second)
    half = 3 * a[0] * (a[1] // 2)
    assert a[:2] == b[:2] and a[2][half:] == b[2][half:]


{"pattern": pattern, "text": text, "same": same}[sys.argv[1]](*sys.argv[2:])
