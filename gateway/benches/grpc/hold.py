"""A server that takes calls and never answers one; when asked by HTTP/1, it says how many it has. Its argument is its port."""

import asyncio
import sys

import frames

CALLS = 0


async def serve(reader, writer):
    global CALLS
    try:
        if await reader.readexactly(len(frames.PREFACE)) != frames.PREFACE:
            writer.write(f"{CALLS}\n".encode())
            return
        writer.write(frames.frame(frames.SETTINGS))
        rest = b""
        while data := await reader.read(65536):
            found, rest = frames.split(rest + data)
            for kind, flags, payload in found:
                writer.write(frames.answer(kind, flags, payload))
                CALLS += kind == frames.HEADERS
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main():
    async with await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]), backlog=4096) as server:
        await server.serve_forever()


asyncio.run(main())
