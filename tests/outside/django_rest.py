"""Django REST framework: every pagination and credential it offers, each compared with its own database."""

import datetime as dt
import json
import pathlib
import subprocess
import sys
import time

import harness

APP = pathlib.Path(__file__).parent / "drf/app.py"
TOKEN = "6f1b0c1f0e3a4d0f9a5b7c2d8e4f6a1b3c5d7e9f"
ROWS, DAYS = 3000, 3

TABLE = """\
version: 1
table: payments
primary_key: [id]
partition_by: created_at
raw_column: _raw
fields:
  - { name: id, type: string, required: true }
  - { name: amount, type: "decimal(14, 2)", required: true, min: 0 }
  - { name: currency, type: string }
  - { name: status, type: string, known: [captured, failed, refunded] }
  - { name: refunded, type: bool }
  - { name: attempts, type: int32 }
  - { name: note, type: string }
  - { name: created_at, type: timestamp, required: true }
"""

SOURCE = """\
version: 1
source: drf
base_url: http://127.0.0.1:{port}/api
auth: {auth}
{extra}
streams:
  payments:
    schema: payments.yaml
    path: {path}
    params: {{ from: "{{{{ window.start | iso8601 }}}}", to: "{{{{ window.end | iso8601 }}}}" }}
    records: /results
    {total}
    pagination: {pagination}
"""

HEADER = "{ type: api_key, header: Authorization, value: { env: DRF_HEADER } }"
BASIC = "{ type: basic, username: { env: DRF_USER }, password: { env: DRF_PASSWORD } }"
BEARER = "{ type: bearer, token: { env: DRF_TOKEN } }"
LOGIN = ("{{ type: jwt_login, token_url: 'http://127.0.0.1:{port}/api/login/', token: /access, "
         "body: {{ username: {{ env: DRF_USER }}, password: {{ env: DRF_PASSWORD }} }} }}")
COUNT = "total: /count"
NUMBERED = "{ type: page, param: page, size_param: page_size, size: 150 }"
STYLES = {  # name: path, auth, total, pagination
    "page number": ("/numbered/", HEADER, COUNT, NUMBERED),
    "page number, a size over the server's cap": ("/numbered/", HEADER, COUNT, NUMBERED.replace("150", "1000")),
    "page number, by next": ("/numbered/", HEADER, COUNT, "{ type: next_url, next: /next }"),
    "limit and offset, capped by the server": ("/offsets/", BASIC, COUNT, "{ type: offset, limit: 400 }"),
    "limit and offset, by next": ("/offsets/", BASIC, COUNT, "{ type: next_url, next: /next }"),
    "cursor": ("/cursors/", BEARER, "", "{ type: next_url, next: /next }"),
}
SECRETS = {"DRF_HEADER": f"Token {TOKEN}", "DRF_TOKEN": TOKEN, "DRF_USER": "lakeward", "DRF_PASSWORD": "correct horse"}


def app(database, *args):
    return [sys.executable, APP, database, *args]


def expected(database):
    """The rows as the database has them: amounts exact, times to the microsecond."""
    out = subprocess.run([str(c) for c in app(database, "dump")], check=True, capture_output=True, text=True).stdout
    rows = {}
    for line in out.splitlines():
        p = json.loads(line)
        rows[p.pop("id")] = p | {"amount": harness.money(p["amount"]), "created_at": dt.datetime.fromisoformat(p["created_at"])}
    return rows


def compare(lake, want, table="payments"):
    found = harness.lake_rows(lake, ["id", *next(iter(want.values()))], "id", table)
    for row in found.values():
        row["created_at"] = row["created_at"].astimezone(harness.UTC)
    harness.same_rows(want, found)
    c = harness.counts(lake, table)
    assert c["written"] == len(want) and c["rejected"] + c["outside"] == 0, c
    return c


def run(report, lakeward, work):
    work = harness.fresh(work)
    database = work / "db.sqlite3"
    subprocess.run([str(c) for c in app(database, "seed", ROWS)], check=True)
    want = expected(database)
    assert len(want) == ROWS
    (work / "payments.yaml").write_text(TABLE)
    (port,) = harness.free_ports()
    days = ("--from", "2026-03-16", "--to", "2026-03-19")

    def source(name, path, auth, total, pagination, extra=""):
        file = work / f"{name}.yaml"
        file.write_text(SOURCE.format(port=port, auth=auth, path=path, total=total, pagination=pagination, extra=extra))
        return file

    with harness.server(app(database, "serve", port), f"http://127.0.0.1:{port}/api/numbered/", work / "server.log"):
        knows = lakeward.with_env(**SECRETS)
        for n, (style, declared) in enumerate(STYLES.items()):
            with report.check(f"{style}: three days, row by row as in the database") as facts:
                knows.extract(source(f"style{n}", *declared), "--lake", work / f"style{n}", *days).expect()
                c = compare(work / f"style{n}", want)
                facts += [f"{c['written']} rows", f"{c['requests']} requests"]
        login = ("/jwt/", LOGIN.format(port=port), COUNT, NUMBERED)
        with report.check("simplejwt: a login by JSON, its tokens of two seconds renewed as they age") as facts:
            began = time.monotonic()
            knows.extract(source("jwt", *login), "--lake", work / "jwt", *days).expect()
            seconds = time.monotonic() - began
            c = compare(work / "jwt", want)
            pages = sum(-(-m["counts"]["fetched"] // 150) for m in harness.manifests(work / "jwt").values())
            logins = c["requests"] - pages
            facts += [f"{c['requests']} requests", f"{logins} of them logins"]
            # At half of its life each, so that one serves for a second.
            assert 2 <= logins <= 2 + seconds, f"{logins} logins for {pages} pages in {seconds:.1f} s"
        with report.check("simplejwt: a wrong password: exit 3, never shown"):
            wrong = knows.with_env(DRF_PASSWORD="not-this-password")
            ran = wrong.extract(source("jwt", *login), "--lake", work / "jwtwrong", *days).expect(3)
            assert "401" in ran.err and "not-this-password" not in ran.out + ran.err, ran.err
        with report.check("a wrong token: exit 3, the token never shown, nothing published"):
            wrong = knows.with_env(DRF_HEADER="Token not-this-secret-one")
            ran = wrong.extract(source("wrong", "/numbered/", HEADER, COUNT, NUMBERED), "--lake", work / "wrong", *days).expect(3)
            assert "401" in ran.err, f"the status is not said:\n{ran.err}"
            assert not harness.data_files(work / "wrong")
            written = "".join(p.read_text() for p in (work / "wrong").rglob("*.json"))
            assert "not-this-secret-one" not in ran.out + ran.err + written, "the secret leaked"
        with report.check("a secret that is not set: exit 2, named"):
            ran = lakeward.extract(work / "style0.yaml", "--lake", work / "unset", *days).expect(2)
            assert "DRF_HEADER" in ran.err, ran.err
        with report.check("peek: one page understood, no credential shown"):
            ran = knows.run("peek", work / "style0.yaml", "--date", "2026-03-16", "--format", "json").expect()
            page = ran.report["page"]
            assert (page["records"], page["total"]) == (150, ROWS // DAYS), page
            assert TOKEN not in ran.out + ran.err
        address = f"http://127.0.0.1:{port}/api"
        window = "from=2026-03-16T00:00:00Z&to=2026-03-17T00:00:00Z"
        drawn = {  # where from, and by what
            "a URL": (f"{address}/numbered/?{window}", "--auth", "header:Authorization:DRF_HEADER"),
            "the OpenAPI document of drf-spectacular": (f"{address}/schema/", "--operation", "/api/offsets/", "--auth", "basic:DRF_USER:DRF_PASSWORD"),
        }
        for n, (what, (url, *how)) in enumerate(drawn.items()):
            with report.check(f"init from {what}: extracts three days as they are, row by row"):
                folder = harness.fresh(work / f"init{n}")
                knows.run("init", "drf", "--from", url, "--dir", folder, *how).expect()
                knows.extract(folder / "drf.yaml", "--lake", folder / "lake", *days).expect()
                (table,) = (p.stem for p in (folder / "schemas").glob("*.yaml"))
                compare(folder / "lake", want, table)
        with report.check("throttled with 429 and Retry-After: waits and finishes") as facts:
            throttled = source("throttled", "/throttled/", HEADER, COUNT, NUMBERED)
            knows.extract(throttled, "--lake", work / "throttled", *days).expect()
            c = compare(work / "throttled", want)
            assert c["retries"] > 0 and c["throttled"] > 0, f"no retry counted: {c}"
            facts += [f"{c['retries']} retries", f"{c['throttled']} throttled"]
        with report.check("a declared pace under the throttle is never throttled, over four jobs") as facts:
            time.sleep(1.2)  # the throttle remembers the run before for a second
            paced = source("paced", "/throttled/", HEADER, COUNT, NUMBERED, "rate_limit: { per_second: 4 }")
            knows.extract(paced, "--lake", work / "paced", "--jobs", "4", *days).expect()
            c = compare(work / "paced", want)
            facts.append(f"{c['requests']} requests, {c['throttled']} throttled")
            assert c["throttled"] == 0, f"{c['throttled']} answers were 429 in spite of the pace"
