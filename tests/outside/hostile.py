#!/usr/bin/env python3
"""What nobody means well by: records without measure, names that lead elsewhere, manifests that somebody has changed.

    hostile.py serve PORT     one page each: /deep, /long, /keys, /days, /plain
"""

import asyncio
import json
import os
import pathlib
import re
import shutil
import sys

import harness

WINDOW = ("--date", "2026-03-17")
DEPTH, LONG, KEYS = 200_000, 64 << 20, 1_000_000
GOOD = {"id": "good", "amount": 100, "created_at": "2026-03-17T10:00:00Z"}
DAYS = ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", None, "2026-03-17T00:00:00Z"]
NAMES = ["../up", "a/b", "..", ".hidden", "a%2Fb", "a=b", "a b", "ü", "a\\0b", "x" * 4000, "a\\nb", "con#1", ""]
# The most of memory beside the page itself, a few times over: what a run takes anyway, and some room.
BASE_MB, TIMES = 120, 5

SOURCE = """version: 1
source: {source}
base_url: http://127.0.0.1:{port}
http: {{ max_page_bytes: 256MiB }}
streams:
  {stream}:
    schema: events.yaml
    path: /{path}
    records: /items
    pagination: {{ type: none }}
"""


def pages():
    """The body of each path."""
    good = json.dumps(GOOD)
    deep = '{"id":"deep","x":' + "[" * DEPTH + "]" * DEPTH + "}"
    long = json.dumps(GOOD | {"id": "long", "x": "y" * LONG})
    keys = '{"id":"keys","amount":1,"created_at":"2026-03-17T10:00:00Z",' + ",".join(f'"k{n}":1' for n in range(KEYS)) + "}"
    days = ",".join(json.dumps({"id": f"d{n}", "amount": n, "created_at": day}) for n, day in enumerate(DAYS))
    bodies = {"deep": f"{deep},{good}", "long": f"{long},{good}", "keys": f"{keys},{good}", "days": days, "plain": good}
    return {path: f'{{"items":[{body}]}}'.encode() for path, body in bodies.items()}


async def serve(port):
    bodies = pages()

    async def connection(reader, writer):
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                body = bodies.get(head.split(b" ", 2)[1].decode().strip("/").split("?")[0], b'{"items":[]}')
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(connection, "127.0.0.1", port) as server:
        await server.serve_forever()


def write_source(folder, port, path, source="hostile", stream="events", table="events"):
    harness.fresh(folder)
    schema = harness.small_table(table) if table == "events" else harness.small_table("events").replace("table: events", f'table: "{table}"')
    (folder / "events.yaml").write_text(schema + "reject_limit: 1\n")
    quoted = lambda name: name if name in ("hostile", "events") else f'"{name}"'
    file = folder / "source.yaml"
    file.write_text(SOURCE.format(source=quoted(source), port=port, stream=quoted(stream), path=path))
    return file


def everything(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


def tampered(lake, change):
    """The newest manifest of the lake's only window, changed."""
    (path,) = [max(d.glob("*.json")) for d in (lake / "events/_lakeward/windows").iterdir()]
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


def run(report, lakeward, work):
    work = harness.fresh(work)
    (port,) = harness.free_ports()
    server = [sys.executable, __file__, "serve", port]
    with harness.server(server, f"http://127.0.0.1:{port}/plain", work / "api.log"):
        for path, mb, wanted in [("deep", 1, ("too_deep", 1)), ("long", 64, ("too_large", 1)), ("keys", 12, (None, 0))]:
            with report.check(f"a record that is {path}: bounded memory, the others land") as facts:
                source, lake = write_source(work / path, port, path), work / path / "lake"
                peak, _, _ = lakeward.peak_mb("extract", source, "--lake", lake, *WINDOW)
                counts = harness.counts(lake, "events")
                code, rejected = wanted
                assert (counts["fetched"], counts["rejected"]) == (2, rejected), counts
                letters = "".join(p.read_text() for p in lake.glob("events/_lakeward/rejects/*.ndjson"))
                assert code is None or f'"code":"{code}"' in letters.replace(" ", ""), letters[:300]
                assert len(letters) < 2 << 20, f"{len(letters)} bytes of dead letters"
                (drift,) = lake.glob("events/_lakeward/drift/*.json")
                assert drift.stat().st_size < 2 << 20, f"a drift report of {drift.stat().st_size} bytes"
                assert peak < BASE_MB + TIMES * mb, f"{peak:.0f} MB for a page of {mb} MB"
                facts.append(f"peak {peak:.0f} MB, a page of {mb} MB")
        with report.check("days at the ends of the calendar: folders of dates alone") as facts:
            source, lake = write_source(work / "days", port, "days"), work / "days/lake"
            text = (work / "days/events.yaml").read_text().replace("type: timestamp, required: true", "type: timestamp")
            (work / "days/events.yaml").write_text(text)
            lakeward.run("extract", source, "--lake", lake, *WINDOW).expect()
            folders = sorted(p.name for p in (lake / "events").iterdir() if p.name != "_lakeward")
            assert all(re.fullmatch(r"date=(\d{4}-\d\d-\d\d|__HIVE_DEFAULT_PARTITION__)", f) for f in folders), folders
            assert len(folders) == len(DAYS), folders
            facts += folders
        with report.check("names that lead elsewhere: refused, nothing written") as facts:
            refused = 0
            for slot in ("source", "stream", "table"):
                for name in NAMES:
                    folder = work / "names"
                    source = write_source(folder, port, "plain", **{slot: name})
                    before = everything(work)
                    ran = lakeward.run("extract", source, "--lake", folder / "lake", *WINDOW)
                    assert ran.code == 2, f"{slot} {name[:20]!r}: exit {ran.code}\n{ran.err[-600:]}"
                    assert "panicked" not in ran.err and len(ran.err) < 20_000, ran.err[-600:]
                    assert everything(work) == before, f"{slot} {name[:20]!r}: {set(everything(work)) ^ set(before)}"
                    refused += 1
            facts.append(f"{refused} refused")
        with report.check("manifests that name what lies outside the lake: refused, nothing deleted") as facts:
            source, lake, tried = write_source(work / "tampered", port, "plain"), work / "tampered/lake", 0
            victim = work / "tampered/victim.parquet"
            lakeward.run("extract", source, "--lake", lake, *WINDOW).expect()
            pristine = work / "pristine"
            shutil.copytree(lake, pristine)

            def name_in(key):
                def change(m):
                    target = {"staged": m["published"][0], "path": m["published"][0]}.get(key, m)
                    target[key] = [evil] if isinstance(target.get(key), list) else evil
                    if key in ("replaces", "ends", "staged"):
                        m["state"], m["owner"] = ("publishing" if key == "staged" else "committed"), None
                        m["files"] = m["published"]
                return change

            for evil in ["../victim.parquet", str(victim), "events/../../victim.parquet", "../../../../../../etc/passwd", "a\x00b"]:
                for key in ("path", "staged", "replaces", "rejects", "ends", "covers"):
                    shutil.rmtree(lake)
                    shutil.copytree(pristine, lake)
                    victim.write_text("do not touch")
                    tampered(lake, name_in(key))
                    for command in (["status", "--files"], ["verify"], ["vacuum", "--older-than", "0s", "--delete"], ["compact"], ["sql"]):
                        ran = lakeward.run(*command, "--lake", lake)
                        assert ran.code in (0, 6), f"{command[0]} of {key} {evil!r}: exit {ran.code}\n{ran.err[-500:]}"
                        assert "panicked" not in ran.err, ran.err[-500:]
                    for more in ([], ["--refresh"]):
                        ran = lakeward.run("extract", source, "--lake", lake, *WINDOW, *more)
                        assert ran.code in (0, 6), f"extract of {key} {evil!r}: exit {ran.code}\n{ran.err[-500:]}"
                        assert "panicked" not in ran.err, ran.err[-500:]
                    assert victim.read_text() == "do not touch", f"{key} {evil!r}"
                    assert pathlib.Path("/etc/passwd").stat().st_size and os.path.exists("/etc/passwd")
                    tried += 1
            facts.append(f"{tried} manifests")


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[2])))
