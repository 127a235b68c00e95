#!/usr/bin/env python3
"""Five million records with a primary key inside `--memory 256MiB`, and budgets that are too small.

    memory.py serve PORT PAGES TIMES     pages of TIMES times a thousand small records, made from one template
"""

import asyncio
import os
import re
import sys
import time

import harness
import s3

PER_PAGE = 1000
DAYS = 4
BUDGET_MIB = 256
WINDOW = ("--from", "2026-03-16", "--to", "2026-03-20", "--every", "4d")
PLACE = b"@@@@@@"  # the page's number, in every id


def template(times):
    """A page whose records spread over the days, in runs, so that every page has rows for every partition."""
    records = []
    for n in range(PER_PAGE):
        day, second = 16 + n * DAYS // PER_PAGE, n * 7919 % 86400
        at = f"2026-03-{day}T{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}Z"
        records.append(f'{{"id":"evt_@@@@@@_{n:04d}","amount":"{n * 37 % 9973}.{n % 100:02d}",'
                       f'"status":"{("paid", "open", "late")[n % 3]}","created_at":"{at}"}}')
    return ('{"items":[' + ",".join(records * times) + "]").encode()


async def serve(port, pages, times):
    """One page a request; the cursor is the next page's number."""
    body = template(times)

    async def connection(reader, writer):
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                found = re.search(rb"cursor=(\d+)", head.split(b"\r\n", 1)[0])
                page = int(found.group(1)) if found else 1
                end = f',"next":{page + 1 if page < pages else "null"},"total":{pages * times * PER_PAGE}}}'.encode()
                page = body.replace(PLACE, b"%06d" % page) + end
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
                             % len(page) + page)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(connection, "127.0.0.1", port) as server:
        await server.serve_forever()


def write_source(folder, port, more=""):
    (folder / "events.yaml").write_text("""version: 1
table: events
primary_key: [id]
partition_by: created_at
raw_column: _raw
fields:
  - { name: id, type: string, required: true }
  - { name: amount, type: "decimal(18, 2)", required: true }
  - { name: status, type: string }
  - { name: created_at, type: timestamp, required: true }
""")
    source = folder / f"source{len(more)}.yaml"
    source.write_text(f"""version: 1
source: small
base_url: http://127.0.0.1:{port}/v1
{more}
streams:
  events:
    schema: events.yaml
    path: /events
    records: /items
    pagination: {{ type: cursor, cursor: /next, param: cursor }}
""")
    return source


def landed(lake, pages):
    """Every row of every page, once, in its partition."""
    import duckdb

    (found,) = duckdb.sql(f"""select count(*), count(distinct id), sum(amount),
        count(*) filter (date::varchar <> strftime(created_at at time zone 'UTC', '%Y-%m-%d')), count(distinct date)
        from read_parquet('{lake}/events/date=*/*.parquet', hive_partitioning=true)""").fetchall()
    cents = sum(n * 37 % 9973 * 100 + n % 100 for n in range(PER_PAGE))
    want = (pages * PER_PAGE, pages * PER_PAGE, harness.money(pages * cents) / 100, 0, DAYS)
    assert found == want, f"found {found} instead of {want}"


def killed_and_resumed(lakeward, source, lake, budget):
    """Kills a run of a lake, here or on S3, and ends it by a second one; the peak of that one."""
    command = ["extract", source, "--lake", lake, *WINDOW, "--memory", f"{budget}MiB"]
    with lakeward.start(*command) as run:
        time.sleep(0.9)
        assert run.poll() is None, "it ended before it was killed"
        run.kill()
        run.communicate()
    peak, _, _ = lakeward.peak_mb(*command)
    assert peak <= budget, f"peak memory is {peak:.0f} MiB"
    return peak


def large_pages(report, lakeward, source, folder, pages=40, times=150):
    """Pages of 20 MB, which are sent side by side as far as there is room for them."""
    (port,) = harness.free_ports()
    text = source.read_text().replace("{ type: cursor, cursor: /next, param: cursor }", "{ type: page, param: cursor }")
    text = re.sub(r"127.0.0.1:\d+", f"127.0.0.1:{port}", text) + "    total: /total\n    concurrency: 16\n"
    large, lake = folder / "large.yaml", folder / "large"
    large.write_text(text.replace("events.yaml", "keyless.yaml"))
    keyless = (folder / "events.yaml").read_text().replace("primary_key: [id]\n", "")
    (folder / "keyless.yaml").write_text(keyless)
    command = [sys.executable, __file__, "serve", port, pages, times]
    with harness.server(command, f"http://127.0.0.1:{port}/v1/events", folder / "large.log"):
        with report.check(f"{pages} pages of 20 MB, concurrency 16, in --memory {BUDGET_MIB}MiB") as facts:
            peak, wall, _ = lakeward.peak_mb("extract", large, "--lake", lake, *WINDOW, "--memory", f"{BUDGET_MIB}MiB")
            facts += [f"peak {peak:.0f} MiB", f"wall {wall:.1f} s"]
            c = harness.counts(lake, "events")
            assert c["written"] == pages * times * PER_PAGE and c["pages"] == pages, c
            assert peak <= BUDGET_MIB, f"peak memory is {peak:.0f} MiB"


def run(report, lakeward, work):
    records = int(os.environ.get("OUTSIDE_MEMORY_RECORDS", 5_000_000))
    pages = records // PER_PAGE
    folder = harness.fresh(work)
    (port,) = harness.free_ports()
    source, lake = write_source(folder, port), folder / "lake"
    often = write_source(folder, port, "checkpoint_every: 500ms")
    command = [sys.executable, __file__, "serve", port, pages, 1]
    with harness.server(command, f"http://127.0.0.1:{port}/v1/events", folder / "api.log"):
        with report.check(f"{records} records with a primary key in --memory {BUDGET_MIB}MiB") as facts:
            peak, wall, cpu = lakeward.peak_mb("extract", source, "--lake", lake, *WINDOW, "--memory", f"{BUDGET_MIB}MiB")
            facts += [f"peak {peak:.0f} MiB", f"wall {wall:.1f} s", f"CPU {cpu:.1f} s"]
            c = harness.counts(lake, "events")
            assert c["fetched"] == c["written"] == records and c["pages"] == pages, c
            landed(lake, pages)
            assert peak <= BUDGET_MIB, f"peak memory is {peak:.0f} MiB"
        with report.check("a budget that cannot do ends before the first request, and says the least"):
            ran = lakeward.extract(source, "--lake", folder / "none", *WINDOW, "--memory", "8MiB").expect(2)
            assert re.search(r"the least for --jobs 1 and \d+ columns is \d+MiB", ran.err), ran.err
            assert not (folder / "none" / "events").exists()
    large_pages(report, lakeward, source, folder)
    records, pages = records * 2 // 5, pages * 2 // 5
    command[-2] = pages
    with harness.server(command, f"http://127.0.0.1:{port}/v1/events", folder / "api.log"), s3.seaweedfs(folder) as store:
        with report.check(f"{records} records, killed in the middle and resumed in --memory 192MiB") as facts:
            facts.append(f"peak {killed_and_resumed(lakeward, often, folder / 'killed', 192):.0f} MiB")
            (m,) = harness.manifests(folder / "killed", "events").values()
            assert m["attempt"] == 2, m["attempt"]
            landed(folder / "killed", pages)
        # The parts of uploads to a bucket take more than local files do.
        with report.check(f"{records} records on S3, killed and resumed in --memory 256MiB") as facts:
            remote = lakeward.with_env(**store.env())
            facts.append(f"peak {killed_and_resumed(remote, often, f's3://{s3.BUCKET}/memory', 256):.0f} MiB")
            (m,) = store.newest("memory", "events").values()
            assert m["state"] == "committed" and m["attempt"] == 2, m["state"]
            rows = store.rows("memory", ["id", "date"], "events")
            assert rows.num_rows == m["counts"]["written"] == records, (rows.num_rows, m["counts"])
            assert len(rows.group_by("id").aggregate([])) == records, "rows are doubled"


if __name__ == "__main__":
    asyncio.run(serve(*map(int, sys.argv[2:])))
