"""Drift of real payloads, and tables whose schema has grown, read as one."""

import contextlib
import http.server
import json
import threading
import urllib.parse

import harness
import readers

DAY = 86_400
FIRST = 1_773_705_600  # 2026-03-17

SOURCE = """\
version: 1
source: api
base_url: http://127.0.0.1:{port}
streams:
  {table}:
    schema: {schema}
    path: /records
    records: ""
    params: {{ from: "{{{{ window.start | unix }}}}" }}
    pagination: {{ type: none }}
"""

ORDERS = """\
version: 1
table: orders
primary_key: [id]
partition_by: created_at
fields:
  - {{ name: id, type: string, required: true }}
  - {{ name: amount, type: "{amount}" }}
  - {{ name: items, type: {items} }}
{more}  - {{ name: created_at, type: timestamp, required: true }}
"""


@contextlib.contextmanager
def days(records):
    """An API whose records of day N are `records[N]`."""

    class Days(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
            day = (int(query.get("from", [FIRST])[0]) - FIRST) // DAY
            body = json.dumps(records[day]).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Days)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()


def day(n):
    return ["--date", f"2026-03-{17 + n}"]


def order(n, at, **more):
    return {"id": f"o{at}-{n}", "created_at": FIRST + at * DAY + n, **more}


def grown(report, lakeward, work):
    """A column that came, a wider decimal: one table for all readers; another type is refused, and healed."""
    small = [order(n, 0, amount=f"{n}.25", items=n) for n in range(50)]
    large = [order(n, 1, amount=f"{n + 10**12}.75", items=n, note="new") for n in range(50)]
    with days([small, large]) as port:
        source = work / "source.yaml"
        source.write_text(SOURCE.format(port=port, table="orders", schema="orders.yaml"))
        schema = work / "orders.yaml"
        lake = work / "lake"
        schema.write_text(ORDERS.format(amount="decimal(12, 2)", items="int64", more=""))
        lakeward.extract(source, "--lake", lake, *day(0)).expect()
        more = "  - { name: note, type: string }\n"
        schema.write_text(ORDERS.format(amount="decimal(20, 2)", items="int64", more=more))
        lakeward.extract(source, "--lake", lake, *day(1)).expect()
        with report.check("a column that came and a wider decimal are one table for DuckDB and Spark") as facts:
            glob = f"read_parquet('{lake}/orders/date=*/*.parquet', union_by_name = true, hive_partitioning = true)"
            duckdb = readers.by_duckdb(glob)
            assert (duckdb["rows"], duckdb["nulls"]["note"]) == (100, 50), duckdb
            (spark,) = readers.by_spark([{"path": str(lake / "orders"), "merge": True}], work / "spark.log")
            for part in ("rows", "nulls", "sums", "ranges", "partitions"):
                assert spark["summary"][part] == duckdb[part], (part, spark["summary"][part], duckdb[part])
            facts += [f"{duckdb['rows']} rows", f"amount {duckdb['columns']['amount']}"]
        with report.check("another type is refused, with the way out, and the way leads out") as facts:
            schema.write_text(ORDERS.format(amount="decimal(20, 2)", items="string", more=more))
            refused = lakeward.extract(source, "--lake", lake, *day(1))
            refused.expect(2)
            assert "redecode" in refused.err and "`items` is string now and int64" in refused.err, refused.err
            lakeward.run("redecode", "--schema", schema, "--lake", lake).expect()
            lakeward.extract(source, "--lake", lake, *day(1)).expect()
            after = readers.by_duckdb(glob)
            assert after["columns"]["items"] == "string" and after["rows"] == 100, after
            assert after["sums"] == duckdb["sums"], (after["sums"], duckdb["sums"])
            facts += ["redecoded by the new schema"]


def leaves(value, path, found):
    """The kinds at every path of a record that holds no object, all objects opened."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            leaves(inner, f"{path}/{key.replace('~', '~0').replace('/', '~1')}", found)
    else:
        found.setdefault(path, set()).add(type(value).__name__)
    return found


def declared(name, records):
    """A schema file with a column for every path of the records, and the paths."""
    paths = {}
    for record in records:
        leaves(record, "", paths)
    # A path that is an object elsewhere is declared by what is inside of it.
    paths = {p: k for p, k in paths.items() if not any(other.startswith(f"{p}/") for other in paths)}
    kind = lambda kinds: {"str": "string", "bool": "bool", "int": "int64"}.get("".join(kinds - {"NoneType"}), "json")
    lines = [f"  - {{ name: c{n}, type: {kind(k)}, from: {json.dumps(p)} }}" for n, (p, k) in enumerate(paths.items())]
    return f"version: 1\ntable: {name}\nprimary_key: [c0]\nfields:\n" + "\n".join(lines) + "\n", paths


def undeclared(value, path, paths, found):
    """The topmost paths of a record that are neither declared nor lead to one that is."""
    for key, inner in value.items():
        own = f"{path}/{key.replace('~', '~0').replace('/', '~1')}"
        if own in paths:
            continue
        if any(other.startswith(f"{own}/") for other in paths):
            if isinstance(inner, dict):
                undeclared(inner, own, paths, found)
        else:
            found.add(own)
    return found


def payloads(report, lakeward, work):
    """GitHub's own webhook examples: declared from one half, run on the other, what is new counted by hand."""
    examples = json.loads((harness.NODE_MODULES / "@octokit/webhooks-examples/api.github.com/index.json").read_text())
    events = {event["name"]: event["examples"] for event in examples}
    told_at_all = 0
    for name in ("pull_request", "check_run", "issues", "release", "discussion"):
        records = [{"id": f"{name}-{n}", **record} for n, record in enumerate(events[name])]
        half, other = records[::2], records[1::2]
        work_of = harness.fresh(work / name)
        text, paths = declared(name, half)
        (work_of / "schema.yaml").write_text(text)
        with days([half, other]) as port, report.check(f"{name}: what is new in the other half is told, and nothing else") as facts:
            source, lake = work_of / "source.yaml", work_of / "lake"
            source.write_text(SOURCE.format(port=port, table=name, schema="schema.yaml"))
            for n in range(2):
                lakeward.extract(source, "--lake", lake, *day(n)).expect()
            shown = lakeward.run("drift", name, "--lake", lake, "--format", "json").expect().report
            first, second = [window["report"]["findings"] for window in shown["streams"][0]["windows"]]
            assert not [f for f in first if f["kind"] == "new_field"], first
            new = {f["path"]: f["count"] for f in second if f["kind"] == "new_field"}
            counted = {}
            for record in other:
                for path in undeclared(record, "", paths, set()):
                    counted[path] = counted.get(path, 0) + 1
            assert new == counted, {p: (new.get(p), counted.get(p)) for p in new.keys() | counted.keys() if new.get(p) != counted.get(p)}
            told_at_all += len(new)
            kinds = sorted({f["kind"] for f in second})
            facts += [f"{len(half)} and {len(other)} payloads", f"{len(paths)} columns", f"{len(new)} new fields", f"{len(second)} findings: {', '.join(kinds)}"]
    with report.check("the halves differ at all"):
        assert told_at_all > 0


def run(report, lakeward, work):
    work = harness.fresh(work)
    grown(report, lakeward, work)
    payloads(report, lakeward, work)
