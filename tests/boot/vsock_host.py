"""The host's side of tests/boot/vsock: PATH is the machine's --vsock path."""
import asyncio
import sys

PATH = sys.argv[1]


async def echo(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def serve(port):
    server = await asyncio.start_unix_server(echo, "%s_%d" % (PATH, port), backlog=128)
    print("up", flush=True)
    async with server:
        await server.serve_forever()


async def dial(port):
    reader, writer = await asyncio.open_unix_connection(PATH)
    writer.write(b"CONNECT %d\n" % port)
    return reader, writer, await reader.readline()


async def talk(port, i):
    """Bytes that tell which connection they are of; half-closed, so that the echo ends too."""
    reader, writer, line = await dial(port)
    if not line.startswith(b"OK "):
        return False
    want = (b"%d," % i) * (500 * (i % 40 + 1))
    writer.write(want)
    writer.write_eof()
    got = await reader.read(-1)
    writer.close()
    return got == want


async def many(port, n):
    same = await asyncio.gather(*(talk(port, i) for i in range(n)))
    print("%d of %d came back" % (sum(same), n))
    return 0 if all(same) else 1


async def nobody(port):
    """A port of the guest that nobody listens at; and greetings that are none."""
    bad = (await dial(port))[2] != b""
    for text in (b"HELLO\n", b"CONNECT\n", b"CONNECT 99999999999\n", b"CONNECT -1\n", b"x" * 100):
        reader, writer = await asyncio.open_unix_connection(PATH)
        writer.write(text)
        try:
            bad |= await reader.read(1) != b""
        except ConnectionError:
            pass
        writer.close()
    return 1 if bad else 0


WORK = {"serve": serve, "many": many, "nobody": nobody}
sys.exit(asyncio.run(WORK[sys.argv[2]](*map(int, sys.argv[3:]))))
