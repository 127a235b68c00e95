"""The API that scaling.py asks: its pages are made before the first request, each is held back for the latency."""

import asyncio
import collections
import contextlib
import datetime as dt
import multiprocessing
import os
import pathlib
import random
import re
import socket
import statistics
import time

HOUR, PER_PAGE = 3600, 100
TICK = os.sysconf("SC_CLK_TCK")
FIRST = int(dt.datetime(2026, 3, 1, tzinfo=dt.timezone.utc).timestamp())
WORDS = "paid by card for tea rice and two of milk at the shop near home, deliver before noon or call again later today".split()

TABLE = """\
version: 1
table: payments
primary_key: [id]
partition_by: created_at
raw_column: _raw
fields:
  - { name: id, type: string, required: true }
  - { name: amount, type: "decimal(18, 2)", integers: minor, required: true }
  - { name: currency, type: string }
  - { name: status, type: string }
  - { name: method, type: string }
  - { name: email, type: string }
  - { name: description, type: string }
  - { name: fee, type: "decimal(18, 2)", integers: minor }
  - { name: notes, type: json }
  - { name: created_at, type: timestamp, required: true }
"""

SOURCE = """\
version: 1
source: gateway
base_url: http://127.0.0.1:{port}/v1
{limit}streams:
  payments:
    schema: payments.yaml
    path: /payments
    params: {{ from: "{{{{ window.start | unix }}}}" }}
    records: /items
    total: /total
    pagination: {{ type: cursor, cursor: /cursor, param: cursor }}
"""


# The API.

def page(window, number, pages, per_page):
    """The body of one page: records of about 1 kB, or none."""
    r, start = random.Random(f"{window}-{number}"), FIRST + window * HOUR
    items = [
        '{"id":"pay_%05d%05d%04d","amount":%d,"currency":"INR","status":"%s","method":"%s","email":"user%06d@example.com","description":"%s","fee":%d,'
        '"notes":{"cart":"c-%08d","lines":[%s]},"created_at":%d}' % (
            window, number, n, r.randrange(100, 5_000_000), r.choice(["captured", "failed", "refunded"]), r.choice(["upi", "card", "wallet"]),
            r.randrange(10**6), f"Order {r.randrange(10**9)}: {' '.join(r.choices(WORDS, k=80))}", r.randrange(10_000), r.randrange(10**8),
            ",".join('{"sku":"%012x","n":%d,"price":%d.%02d}' % (r.getrandbits(48), r.randrange(9), r.randrange(10**4), r.randrange(100)) for _ in range(9)),
            start + (number * per_page + n) * HOUR // (pages * per_page))
        for n in range(per_page)
    ]
    cursor = f'"{number + 1}"' if number + 1 < pages else "null"
    return ('{"items":[%s],"total":%d,"cursor":%s}' % (",".join(items), pages * per_page, cursor)).encode()


def serve(ready, windows, pages, per_page, latency):
    """Answers over connections that stay open; each page as long after its request as the latency says."""
    made = {}
    for w in range(windows):
        for n in range(pages):
            body = page(w, n, pages, per_page)
            made[w, n] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    asks = re.compile(rb"GET /v1/payments\?from=(\d+)(?:&cursor=(\d+))? ")

    async def connection(reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                start, cursor = asks.match(head).groups()
                if latency:
                    await asyncio.sleep(latency)
                writer.write(made[(int(start) - FIRST) // HOUR, int(cursor or 0)])
                await writer.drain()
        writer.close()

    async def forever():
        async with await asyncio.start_server(connection, "127.0.0.1", 0, backlog=128) as server:
            ready.send((server.sockets[0].getsockname()[1], statistics.mean(map(len, made.values()))))
            await server.serve_forever()

    asyncio.run(forever())


class Api:
    """The server's process: its port, the CPU that it took, the mean size of its pages."""

    def __init__(self, windows, pages, per_page=PER_PAGE, latency=0.0):
        self.windows, self.pages = windows, pages
        ours, its = multiprocessing.Pipe()
        self.process = multiprocessing.get_context("spawn").Process(target=serve, args=(its, windows, pages, per_page, latency), daemon=True)
        self.process.start()
        self.port, self.page_bytes = ours.recv()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.join()

    def cpu(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK


def read_pages(port, requests):
    """A client that does nothing with what it reads; the median seconds from a request to the end of its page."""
    took = []
    with socket.create_connection(("127.0.0.1", port)) as s, s.makefile("rb") as file:
        for window, number in requests:
            start = time.monotonic()
            s.sendall(b"GET /v1/payments?from=%d%s HTTP/1.1\r\nHost: x\r\n\r\n" % (FIRST + window * HOUR, b"&cursor=%d" % number if number else b""))
            length = 0
            while (line := file.readline()) != b"\r\n":
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            file.read(length)
            took.append(time.monotonic() - start)
    return statistics.median(took)


def pages_a_second(api, clients, each):
    """What the server gives to so many idle clients at once."""
    fork = multiprocessing.get_context("fork")
    asked = [[(r % api.windows, r // api.windows % api.pages) for r in range(c * each, (c + 1) * each)] for c in range(clients)]
    workers = [fork.Process(target=read_pages, args=(api.port, requests)) for requests in asked]
    start, cpu = time.monotonic(), api.cpu()
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    took = time.monotonic() - start
    return clients * each / took, (api.cpu() - cpu) / took


# The binary.

def instant(window):
    return dt.datetime.fromtimestamp(FIRST + window * HOUR, dt.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def write_source(folder, port, limit=""):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "payments.yaml").write_text(TABLE)
    (folder / "source.yaml").write_text(SOURCE.format(port=port, limit=limit))
    return folder / "source.yaml"


Cost = collections.namedtuple("Cost", "wall cpu")
