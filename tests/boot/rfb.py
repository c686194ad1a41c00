"""A small VNC viewer (RFC 6143): looks and types. For tests of viaduct seat."""
import socket
import struct

RAW, DESKTOP_SIZE = 0, -223


class Rfb:
    def __init__(self, path, timeout=60):
        self.s = socket.socket(socket.AF_UNIX)
        self.s.settimeout(timeout)
        self.s.connect(path)
        assert self.take(12).startswith(b"RFB 003.")
        self.s.sendall(b"RFB 003.008\n")
        kinds = self.take(self.take(1)[0])
        assert 1 in kinds, kinds  # no authentication
        self.s.sendall(b"\1")
        assert self.take(4) == bytes(4)
        self.s.sendall(b"\0")
        self.w, self.h = struct.unpack(">HH", self.take(4))
        self.take(16)
        self.name = self.take(struct.unpack(">I", self.take(4))[0]).decode()
        # 32 bits a pixel, blue lowest
        self.s.sendall(struct.pack(">B3xBBBBHHHBBB3x", 0, 32, 24, 0, 1, 255, 255, 255, 16, 8, 0))
        self.s.sendall(struct.pack(">BxHii", 2, 2, RAW, DESKTOP_SIZE))
        self.pixels = bytearray(4 * self.w * self.h)

    def take(self, n):
        b = bytearray()
        while len(b) < n:
            got = self.s.recv(n - len(b))
            if not got:
                raise EOFError
            b += got
        return bytes(b)

    def key(self, sym, down):
        self.s.sendall(struct.pack(">BBxxI", 4, down, sym))

    def type(self, *syms):
        for sym in syms:
            self.key(sym, 1)
        for sym in reversed(syms):
            self.key(sym, 0)

    def pointer(self, x, y, buttons=0):
        self.s.sendall(struct.pack(">BBHH", 5, buttons, x, y))

    def ask(self, whole):
        self.s.sendall(struct.pack(">BBHHHH", 3, not whole, 0, 0, self.w, self.h))

    def update(self):
        """One message; true: it had pixels."""
        kind = self.take(1)[0]
        if kind == 2:  # bell
            return False
        assert kind == 0, kind
        pixels = False
        for _ in range(struct.unpack(">xH", self.take(3))[0]):
            x, y, w, h, encoding = struct.unpack(">HHHHi", self.take(12))
            if encoding == DESKTOP_SIZE:
                self.w, self.h, self.pixels = w, h, bytearray(4 * w * h)
                continue
            assert encoding == RAW, encoding
            data, pixels = self.take(4 * w * h), True
            for row in range(h):
                at = 4 * ((y + row) * self.w + x)
                self.pixels[at:at + 4 * w] = data[4 * w * row:4 * w * (row + 1)]
        return pixels

    def look(self):
        """The whole screen, as RGB."""
        size = None
        while size != (self.w, self.h):
            size = self.w, self.h
            self.ask(True)
            while not self.update():
                if size != (self.w, self.h):
                    self.ask(True)
                    size = self.w, self.h
        rgb = bytearray(3 * self.w * self.h)
        rgb[0::3], rgb[1::3], rgb[2::3] = self.pixels[2::4], self.pixels[1::4], self.pixels[0::4]
        return self.w, self.h, bytes(rgb)
