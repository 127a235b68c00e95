"""DuckDB, pyarrow, polars and Spark read one lake, by listing and by the manifests, and must agree."""

import datetime as dt
import decimal
import json
import pathlib
import re
import subprocess
import sys

import harness
import payments_api

EXACT = decimal.Context(prec=60)
EPOCH = dt.datetime(1970, 1, 1, tzinfo=harness.UTC)


def plain(name):
    """One spelling for the types of all four readers; JSON is text to some of them."""
    name = name.lower().replace(" ", "")
    if name.endswith("[]"):
        return f"list<{plain(name[:-2])}>"
    if m := re.fullmatch(r"(?:list|array)[<(](?:element:|item:)?(.*?)(?:notnull)?[>)]", name):
        return f"list<{plain(m[1])}>"
    if m := re.match(r"decimal(?:128)?[(](?:precision=)?(\d+),(?:scale=)?(\d+)[)]", name):
        return f"decimal({m[1]},{m[2]})"
    if name.startswith(("timestamp", "datetime")):
        return "timestamp"
    if "json" in name:
        return "string"
    return {
        "varchar": "string", "str": "string", "large_string": "string", "string_view": "string", "boolean": "bool",
        "integer": "int32", "int": "int32", "bigint": "int64", "double": "float64", "float": "float64",
        "date32[day]": "date", "date32": "date",
    }.get(name, name)


def summary(columns, rows, nulls, sums, ranges, partitions):
    """What is compared. `date`, the partition column, is a date to some and text to others."""
    types = {n: plain(t) for n, t in columns.items() if n != "date"}
    assert "date" in columns, "the partition column is not there"
    return {"columns": types, "rows": rows, "nulls": nulls,
            "sums": {n: str(decimal.Decimal(str(v)).quantize(decimal.Decimal("1e-9"), context=EXACT)) for n, v in sums.items()},
            "ranges": {n: list(r) for n, r in ranges.items()}, "partitions": {str(k): v for k, v in partitions.items()}}


def kinds(columns, kind):
    return [n for n, t in columns.items() if plain(t).startswith(kind) and n != "date"]


def by_duckdb(relation):
    """`relation` is a FROM clause: read_parquet of a glob or of a list, or a view."""
    import duckdb

    con = duckdb.connect()
    columns = {r[0]: r[1] for r in con.execute(f"describe select * from {relation}").fetchall()}
    dec, ts, data = kinds(columns, "decimal"), kinds(columns, "timestamp"), [n for n in columns if n != "date"]
    asked = ["count(*)"] + [f'count(*) - count("{n}")' for n in data] + [f'sum("{n}")' for n in dec]
    asked += [f'epoch_us({f}("{n}"))' for n in ts for f in ("min", "max")]
    row = list(con.execute(f"select {', '.join(asked)} from {relation}").fetchone())
    rows, nulls = row[0], dict(zip(data, row[1:]))
    rest = row[1 + len(data):]
    partitions = con.execute(f"select date::varchar, count(*) from {relation} group by 1 order by 1").fetchall()
    times = rest[len(dec):]
    return summary(columns, rows, nulls, {n: rest[i] or 0 for i, n in enumerate(dec)},
                   {n: times[2 * i:2 * i + 2] for i, n in enumerate(ts)}, dict(partitions))


def by_pyarrow(folder):
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.dataset as ds

    table = ds.dataset(str(folder), format="parquet", partitioning="hive").to_table()
    columns = {f.name: str(f.type) for f in table.schema}
    for name in kinds(columns, "timestamp"):
        assert columns[name] == "timestamp[us, tz=UTC]", f"{name} is {columns[name]}"
    times = {n: pc.min_max(table[n]) for n in kinds(columns, "timestamp")}
    micros = lambda v: v.cast(pa.int64()).as_py()
    return summary(columns, table.num_rows, {n: table[n].null_count for n in columns if n != "date"},
                   {n: pc.sum(table[n]).as_py() or 0 for n in kinds(columns, "decimal")},
                   {n: (micros(m["min"]), micros(m["max"])) for n, m in times.items()},
                   dict(sorted((str(c["values"].as_py()), c["counts"].as_py()) for c in table["date"].value_counts())))


def by_polars(glob):
    import polars as pl

    frame = pl.scan_parquet(glob, hive_partitioning=True).collect()
    columns = {n: str(t) for n, t in frame.schema.items()}
    for name in kinds(columns, "datetime") + kinds(columns, "timestamp"):
        assert frame.schema[name] == pl.Datetime("us", "UTC"), f"{name} is {columns[name]}"
    ts = kinds(columns, "timestamp")
    partitions = frame.group_by("date").len().sort("date").iter_rows()
    return summary(columns, frame.height, {n: frame[n].null_count() for n in columns if n != "date"},
                   {n: frame[n].sum() or 0 for n in kinds(columns, "decimal")},
                   {n: (frame[n].dt.epoch("us").min(), frame[n].dt.epoch("us").max()) for n in ts},
                   {str(d): n for d, n in partitions})


def by_spark(jobs, log):
    """One Spark session for all jobs, as a process of its own."""
    script = pathlib.Path(__file__).with_name("spark_reader.py")
    with open(log, "w") as err:
        out = subprocess.run([sys.executable, script], input=json.dumps(jobs), stdout=subprocess.PIPE, stderr=err, text=True, timeout=600)
    assert out.returncode == 0, f"spark: exit {out.returncode}\n{pathlib.Path(log).read_text()[-3000:]}"
    return [a | {"summary": summary(**a["summary"])} if "summary" in a else a for a in json.loads(out.stdout)]


def same(reader, found, duckdb):
    """Agreement with DuckDB, part by part, so that a difference names itself."""
    for part in ("columns", "rows", "nulls", "sums", "ranges", "partitions"):
        if part == "columns":
            assert list(found[part]) == list(duckdb[part]), f"{reader}: columns {list(found[part])}"
        differing = {k: (v, duckdb[part][k]) for k, v in found[part].items() if duckdb[part].get(k) != v} \
            if isinstance(found[part], dict) else None
        assert found[part] == duckdb[part], f"{reader} and DuckDB differ in {part}: {differing or (found[part], duckdb[part])}"



def raw_agrees(glob):
    """Every raw text is a JSON object, and the typed amount and time follow from it exactly."""
    import duckdb

    con = duckdb.connect()
    types = {r[0]: r[1] for r in con.execute(f"describe select * from read_parquet('{glob}')").fetchall()}
    assert types["_raw"] == "JSON", f"_raw is {types['_raw']} in DuckDB"
    rows = con.execute(f"select _raw::varchar, amount, epoch_us(created_at) from read_parquet('{glob}')").fetchall()
    for row in rows:
        raw = json.loads(row[0], parse_float=decimal.Decimal)
        assert isinstance(raw, dict), row[0][:200]
        a, t = raw["amount"], raw["created_at"]
        exact = decimal.Decimal(a) / 100 if isinstance(a, int) else decimal.Decimal(a)
        assert exact == row[1], f"{raw['id']}: amount {a!r} became {row[1]}"
        if isinstance(t, str):
            micros = (dt.datetime.fromisoformat(t) - EPOCH) // dt.timedelta(microseconds=1)
        else:
            micros = t * (1_000_000 if t <= 10**10 else 1000)
        assert micros == row[2], f"{raw['id']}: created_at {t!r} became {row[2]}"
    return len(rows)


def views_of_duckdb(sql):
    """Rows and columns of each view that the printed SQL makes."""
    import duckdb

    con = duckdb.connect()
    con.execute(sql)
    names = [r[0] for r in con.execute("select view_name from duckdb_views() where not internal").fetchall()]
    assert names, f"no view in\n{sql[:500]}"
    columns = {n: [c[0] for c in con.execute(f'describe "{n}"').fetchall()] for n in names}
    return {n: [con.execute(f'select count(*) from "{n}"').fetchone()[0], columns[n]] for n in names}


def views_hold(views, base, keys):
    """One view has every published row, the latest-by-key view has one a key, and both have the table's columns."""
    rows = {n: v[0] for n, v in views.items()}
    wanted = [*base["columns"], "date"]
    for name, (_, columns) in views.items():
        assert columns == wanted, f"{name} has the columns {columns}"
    assert base["rows"] in rows.values(), f"no view has the {base['rows']} published rows: {rows}"
    latest = {n: v for n, v in rows.items() if "latest" in n}
    assert latest and set(latest.values()) == {keys}, f"{keys} keys, but {rows}"
    return str(rows)


def tables(lake):
    return sorted(p.parent.name for p in pathlib.Path(lake).glob("*/_lakeward"))


def read_by_all(report, lakeward, name, lake):
    """The checks of one lake; Spark's jobs are returned to be done together."""
    import duckdb

    (table,) = tables(lake)
    glob = f"{lake}/{table}/date=*/*.parquet"
    hive = f"read_parquet('{glob}', hive_partitioning=true)"
    base = {}
    with report.check(f"{name}: DuckDB reads the listing") as facts:
        base = by_duckdb(hive)
        assert base["rows"] > 0
        facts += [f"{base['rows']} rows", f"{len(base['columns'])} columns", f"{len(base['partitions'])} partitions"]
        published = [f for m in harness.manifests(lake, table).values() for f in m["published"]]
        by_manifest = {}
        for f in published:
            day = f["partition"].removeprefix("date=")
            by_manifest[day] = by_manifest.get(day, 0) + f["rows"]
        assert by_manifest == base["partitions"], f"manifests say {by_manifest}, DuckDB {base['partitions']}"
    with report.check(f"{name}: pyarrow agrees"):
        same("pyarrow", by_pyarrow(f"{lake}/{table}"), base)
    with report.check(f"{name}: polars agrees"):
        same("polars", by_polars(glob), base)
    with report.check(f"{name}: every raw text is JSON and agrees") as facts:
        facts.append(f"{raw_agrees(glob)} records")
    with report.check(f"{name}: status --files is the same rows"):
        files = lakeward.run("status", "--files", "--lake", lake, table).expect().out.splitlines()
        assert sorted(files) == harness.data_files(lake, table), "not the files of the listing"
        same("the exact list", by_duckdb(f"read_parquet({files!r}, hive_partitioning=true)"), base)
    key = "payment_id" if "payment_id" in base.get("columns", {}) else "id"
    keys = duckdb.connect().execute(f'select count(distinct "{key}") from {hive}').fetchone()[0] if base else 0
    with report.check(f"{name}: the views of lakeward sql in DuckDB") as facts:
        views = views_of_duckdb(lakeward.run("sql", "--lake", lake, table).expect().out)
        facts.append(views_hold(views, base, keys))
    with report.check(f"{name}: lakeward verify"):
        lakeward.run("verify", "--lake", lake, table).expect()
    sql = lakeward.run("sql", "--lake", lake, table, "--dialect", "spark")
    return base, keys, [{"path": f"{lake}/{table}"}, {"sql": sql.out}]


def run(report, lakeward, work):
    """A lake that `demo` made and a lake of the mixed profile."""
    jobs, expected = [], []
    demo = harness.fresh(work / "demo") / "lake"
    with report.check("demo makes a lake") as facts:
        lakeward.run("demo", "--lake", demo, cwd=work).expect()
        facts.append(f"{len(harness.data_files(demo, tables(demo)[0]))} files")
    generated = harness.fresh(work / "generated")
    with report.check("the mixed profile lands") as facts:
        truth = payments_api.make(generated / "data", 150, 100, "mixed", 3)
        (port,) = harness.free_ports()
        source = payments_api.write_source(generated, port)
        api = [sys.executable, payments_api.__file__, "serve", generated / "data", port]
        with harness.server(api, f"http://127.0.0.1:{port}/requests", generated / "api.log"):
            lakeward.extract(source, "--lake", generated / "lake", "--from", "2026-03-16", "--to", "2026-03-19").expect()
        facts.append(f"{truth['rows']} rows")
    for name, lake in (("demo", demo), ("mixed", generated / "lake")):
        if tables(lake):
            base, keys, asked = read_by_all(report, lakeward, name, lake)
            jobs += asked
            expected.append((name, base, keys))
    answers = []
    with report.check("Spark starts and reads"):
        answers = by_spark(jobs, work / "spark.log")
    for (name, base, keys), listed, viewed in zip(expected, answers[::2], answers[1::2]):
        with report.check(f"{name}: Spark agrees"):
            same("Spark", listed["summary"], base)
        with report.check(f"{name}: the views of lakeward sql in Spark") as facts:
            facts.append(views_hold(viewed["views"], base, keys))
