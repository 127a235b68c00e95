"""json-server 0.17 from npm: by page, by Link header and by offset, each compared with its own db.json."""

import datetime as dt
import json
import random

import harness

FIRST_DAY = dt.datetime(2026, 3, 16, tzinfo=harness.UTC)
ROWS, DAYS = 3000, 3

TABLE = """\
version: 1
table: payments
primary_key: [id]
partition_by: created_at
raw_column: _raw
fields:
  - { name: id, type: string, required: true }
  - { name: amount, type: "decimal(18, 2)", integers: minor, required: true }
  - { name: currency, type: string, default: INR }
  - { name: method, type: string, from: [/method, /payment_method/type] }
  - { name: captured, type: bool }
  - { name: attempts, type: int32 }
  - { name: note, type: string }
  - { name: created_at, type: timestamp, required: true }
"""

# The server's end of a range is inclusive, as many are: `clip` makes the window half-open.
SOURCE = """\
version: 1
source: json_server
base_url: http://127.0.0.1:{port}
streams:
  payments:
    schema: payments.yaml
    path: /payments
    params: {{ created_at_gte: "{{{{ window.start | unix }}}}", created_at_lte: "{{{{ window.end | unix }}}}"{params} }}
    records: ""
    {total}
    clip: created_at
    pagination: {pagination}
"""

TOTAL = "total: { header: X-Total-Count }"
STYLES = {
    "page": (", _sort: id", TOTAL, "{ type: page, param: _page, first: 1, size_param: _limit, size: 70 }"),
    "link header": (", _page: 1, _limit: 64", TOTAL, "{ type: link_header }"),
    "offset": ("", TOTAL, "{ type: offset, param: _start, limit_param: _limit, limit: 90 }"),
    "page, ended by an empty page": ("", "", "{ type: page, param: _page, size_param: _limit, size: 100 }"),
}


def seed(path):
    """The database: amounts as minor units or text, two shapes of method, rows on the window's very end."""
    r, rows = random.Random(5), []
    start = int(FIRST_DAY.timestamp())
    for i in range(ROWS):
        at = start + i * DAYS * 86400 // ROWS
        minor = r.randrange(1, 10**9) if i % 97 else 2**53 - 1  # the most that a server in JavaScript keeps
        method = r.choice(["upi", "card", "wallet"])
        rows.append({
            "id": f"pay_{i:05d}", "amount": minor if i % 3 else f"{minor // 100}.{minor % 100:02d}",
            **({} if i % 11 == 0 else {"currency": r.choice(["INR", "USD"])}),
            **({"method": method} if i % 2 else {"payment_method": {"type": method}}),
            "captured": r.choice([True, False, None]), "attempts": r.randrange(9),
            "note": r.choice([None, "", "café ☕", 'a "quoted"\nnote']), "created_at": at,
        })
    path.write_text(json.dumps({"payments": rows}, ensure_ascii=False))


def expected(path):
    """The rows of db.json as the lake should hold them."""
    rows = {}
    for p in json.loads(path.read_text())["payments"]:
        amount = harness.money(p["amount"]) if isinstance(p["amount"], str) else harness.money(p["amount"]) / 100
        rows[p["id"]] = {
            "amount": amount.quantize(harness.money("0")), "currency": p.get("currency", "INR"),
            "method": p.get("method") or p["payment_method"]["type"], "captured": p["captured"],
            "attempts": p["attempts"], "note": p["note"],
            "created_at": dt.datetime.fromtimestamp(p["created_at"], harness.UTC),
        }
    return rows


def run(report, lakeward, work):
    work = harness.fresh(work)
    db = work / "db.json"
    seed(db)
    (work / "payments.yaml").write_text(TABLE)
    want = expected(db)
    (port,) = harness.free_ports()
    command = [harness.NODE_MODULES / ".bin/json-server", "--host", "127.0.0.1", "--port", port, "--quiet", db]
    with harness.server(command, f"http://127.0.0.1:{port}/payments?_limit=1", work / "server.log", cwd=work):
        for style, (params, total, pagination) in STYLES.items():
            name = style.replace(" ", "_").replace(",", "")
            source, lake = work / f"{name}.yaml", work / name
            source.write_text(SOURCE.format(port=port, params=params, total=total, pagination=pagination))
            with report.check(f"{style}: three days, row by row as in db.json") as facts:
                lakeward.run("check", source).expect()
                lakeward.extract(source, "--lake", lake, "--from", "2026-03-16", "--to", "2026-03-19").expect()
                columns = ["id", *next(iter(want.values()))]
                harness.same_rows(want, harness.lake_rows(lake, columns, "id"))
                c = harness.counts(lake)
                assert c["written"] == ROWS and c["rejected"] == 0, c
                # A row at a window's end is sent with two windows and kept by one.
                assert c["outside"] == DAYS - 1, f"{c['outside']} rows outside instead of {DAYS - 1}"
                facts += [f"{c['written']} rows", f"{c['requests']} requests", f"{c['outside']} outside"]
        with report.check("a path that is not there: exit 4, nothing published"):
            source = work / "missing.yaml"
            source.write_text(SOURCE.format(port=port, params="", total="", pagination="{ type: none }")
                              .replace("path: /payments", "path: /nothing"))
            ran = lakeward.extract(source, "--lake", work / "missing", "--date", "2026-03-16").expect(4)
            assert "404" in ran.err, ran.err
            assert not harness.data_files(work / "missing")
