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


def at(record, pointer):
    """The values at a JSON Pointer, `*` for all items; None for one that is absent."""
    values = [record]
    for token in pointer.split("/")[1:]:
        token = token.replace("~1", "/").replace("~0", "~")
        found = []
        for value in values:
            if token == "*" and isinstance(value, list):
                found += value
            elif isinstance(value, dict) and token in value:
                found.append(value[token])
        values = found
    return values


def payloads(report, lakeward, work):
    """GitHub's own webhook examples: declared from one half, run on the other, each finding counted by hand."""
    examples = json.loads((harness.NODE_MODULES / "@octokit/webhooks-examples/api.github.com/index.json").read_text())
    events = {event["name"]: event["examples"] for event in examples}
    for name in ("pull_request", "check_run", "issues"):
        records = [{"id": f"{name}-{n}", **record} for n, record in enumerate(events[name])]
        half, other = records[::2], records[1::2]
        work_of = harness.fresh(work / name)
        (work_of / "half.json").write_text(json.dumps(half))
        with days([half, other]) as port, report.check(f"{name}: what the other half has is told") as facts:
            lakeward.run("init", "github", "--from", work_of / "half.json", "--stream", name, "--dir", work_of).expect()
            schema = work_of / "schemas" / f"{name}.yaml"
            source = work_of / "source.yaml"
            source.write_text(SOURCE.format(port=port, table=name, schema=f"schemas/{name}.yaml"))
            lake = work_of / "lake"
            for n in range(2):
                lakeward.extract(source, "--lake", lake, *day(n)).expect()
            told = lakeward.run("drift", name, "--lake", lake, *day(1), "--format", "json").expect().report
            findings = told["streams"][0]["windows"][0]["report"]["findings"]
            for finding in findings:
                path, kind = finding["path"], finding["kind"]
                has = sum(1 for record in other if at(record, path))
                before = sum(1 for record in half if at(record, path))
                if kind == "new_field":
                    assert finding["count"] == has > 0, (finding, has)
                if kind == "missing_field":
                    assert before > 0 and finding["count"] == len(other) - has, (finding, before, has)
            new = {finding["path"] for finding in findings if finding["kind"] == "new_field"}
            # Every topmost key that the first half does not know is told.
            known = {key for record in half for key in record}
            unknown = {f"/{key}" for record in other for key in record} - {f"/{key}" for key in known}
            assert unknown <= new, unknown - new
            facts += [f"{len(half)} and {len(other)} payloads", f"{len(findings)} findings, {len(new)} new fields"]


def run(report, lakeward, work):
    work = harness.fresh(work)
    grown(report, lakeward, work)
    payloads(report, lakeward, work)
