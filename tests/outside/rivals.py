#!/usr/bin/env python3
"""Eight processes on the same five windows, killed and started again at random.

    rivals.py serve PORT     six pages of fifty events an hour, each a moment late
"""

import asyncio
import json
import random
import re
import signal
import sys
import time

import harness

PROCESSES, WINDOWS, PAGES, PER_PAGE, ROUNDS, SECONDS = 8, 5, 6, 50, 5, 2.5
HOUR, FIRST = 3600, 1773619200  # 2026-03-16T00:00:00Z
RANGE = ("--from", "2026-03-16T00:00:00Z", "--to", "2026-03-16T05:00:00Z", "--every", "1h")

SOURCE = """version: 1
source: rivals
base_url: http://127.0.0.1:{port}/v1
checkpoint_every: 50ms
streams:
  events:
    schema: events.yaml
    path: /events
    params: {{ from: "{{{{ window.start | unix }}}}" }}
    records: /items
    total: /total
    pagination: {{ type: page, first: 1 }}
"""


def row(start, page, n):
    return {"id": f"{start}-{page}-{n}", "amount": start % 997 * 100 + n, "created_at": start + page * 100 + n}


async def serve(port):
    async def connection(reader, writer):
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                line = head.split(b"\r\n", 1)[0].decode()
                start, page = (int(re.search(rf"{key}=(\d+)", line).group(1)) for key in ("from", "page"))
                items = [row(start, page, n) for n in range(PER_PAGE)] if page <= PAGES else []
                body = json.dumps({"items": items, "total": PAGES * PER_PAGE}).encode()
                await asyncio.sleep(0.08)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, AttributeError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(connection, "127.0.0.1", port) as server:
        await server.serve_forever()


def contest(lakeward, source, lake, seed):
    """One round: whoever ends is started again, whoever is picked is killed; how they ended."""
    r, ended = random.Random(seed), {}

    def more():
        return r.choice([(), ("--refresh",)])

    def start():
        run = lakeward.start("extract", source, "--lake", lake, *RANGE, "--jobs", "2", *more())
        run.born = time.monotonic()
        return run

    def settle(run):
        _, err = run.communicate(timeout=120)
        ended[run.returncode] = ended.get(run.returncode, 0) + 1
        assert run.returncode in (0, 9, -signal.SIGKILL), f"seed {seed}: exit {run.returncode}\n{err[-1500:]}"

    runs = [start() for _ in range(PROCESSES)]
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        time.sleep(r.uniform(0.05, 0.25))
        # The eldest is at work; who finds all windows held has ended.
        min(runs, key=lambda run: run.born).kill()
        for slot, run in enumerate(runs):
            if run.poll() is not None:
                settle(run)
                runs[slot] = start()
    for run in runs:
        settle(run)
    return ended


def exact(lakeward, source, lake, seed):
    """What a last run makes whole: one commit a window, every row once, nothing left over."""
    lakeward.extract(source, "--lake", lake, *RANGE, "--refresh").expect()
    want = {}
    for start in range(FIRST, FIRST + WINDOWS * HOUR, HOUR):
        for page in range(1, PAGES + 1):
            for n in range(PER_PAGE):
                made = row(start, page, n)
                want[made["id"]] = {"amount": harness.money(made["amount"]) / 100}
    harness.same_rows(want, harness.lake_rows(lake, ["id", "amount"], "id", "events"))
    found = harness.manifests(lake, "events")
    assert len(found) == WINDOWS, f"seed {seed}: {len(found)} windows"
    named = [f["path"] for m in found.values() for f in m["published"]]
    assert len(named) == len(harness.data_files(lake, "events")), f"seed {seed}: files that no manifest names"
    harness.counts(lake, "events")
    verified = lakeward.run("verify", "--lake", lake, "--format", "json").expect().report
    assert not verified["strays"], f"seed {seed}: {verified['strays']}"


def run(report, lakeward, work):
    work = harness.fresh(work)
    (port,) = harness.free_ports()
    (work / "events.yaml").write_text(harness.small_table("events"))
    source = work / "source.yaml"
    source.write_text(SOURCE.format(port=port))
    command = [sys.executable, __file__, "serve", port]
    with harness.server(command, f"http://127.0.0.1:{port}/v1/events?from={FIRST}&page=1", work / "api.log"):
        with report.check(f"{PROCESSES} processes on {WINDOWS} windows, killed at random: one commit a window") as facts:
            total = {}
            for seed in range(ROUNDS):
                for code, count in contest(lakeward, source, work / f"lake{seed}", seed).items():
                    total[code] = total.get(code, 0) + count
                exact(lakeward, source, work / f"lake{seed}", seed)
            assert total.get(-signal.SIGKILL, 0) >= 4 * ROUNDS, f"few were killed: {total}"
            facts += [f"{ROUNDS} rounds", f"{total.get(-9, 0)} killed, {total.get(0, 0)} done, {total.get(9, 0)} found a window held"]


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[2])))
