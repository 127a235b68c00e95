"""A hundred thousand records or a million: exact rows and sums, three UTC partitions, bounded memory."""

import json
import os
import sys

import harness
import payments_api

WINDOW = ("--from", "2026-03-16", "--to", "2026-03-19", "--every", "3d")
PEAK_MB = 300


def landed(lake, truth):
    """The lake against the generator's truth, by DuckDB."""
    import duckdb

    con = duckdb.connect()
    hive = f"read_parquet('{lake}/payments/date=*/*.parquet', hive_partitioning=true)"
    one = con.execute(f"""select count(*), count(distinct id), sum(amount), sum(base_amount), sum(fee), sum(tax),
        min(epoch_us(created_at)), max(epoch_us(created_at)), count(*) - count(captured_at),
        count(*) filter (date::varchar <> strftime(to_timestamp(epoch_us(created_at) // 1000000) at time zone 'UTC', '%Y-%m-%d'))
        from {hive}""").fetchone()
    cents = lambda minor: harness.money(minor) / 100
    want = (truth["rows"], truth["rows"], cents(truth["amount"]), cents(truth["amount"]), cents(truth["fee"]), cents(truth["tax"]),
            truth["first"] * 1_000_000, truth["last"] * 1_000_000, truth["captured_nulls"], 0)
    names = ("rows", "ids", "amount", "base_amount", "fee", "tax", "first", "last", "captured nulls", "rows in a wrong partition")
    wrong = {n: (g, w) for n, g, w in zip(names, one, want) if g != w}
    assert not wrong, f"found and wanted: {wrong}"
    days = dict(con.execute(f"select date::varchar, count(*) from {hive} group by 1").fetchall())
    assert days == truth["days"], f"{days} instead of {truth['days']}"


def profile_checks(report, lakeward, work, profile, pages, per_page):
    folder = harness.fresh(work / profile)
    truth = payments_api.make(folder / "data", pages, per_page, profile, 7)
    (port,) = harness.free_ports()
    source = payments_api.write_source(folder, port)
    command = [sys.executable, payments_api.__file__, "serve", folder / "data", port]
    lake = folder / "lake"
    with harness.server(command, f"http://127.0.0.1:{port}/requests", folder / "api.log"):
        with report.check(f"{profile}: {truth['rows']} records in one window, exact, peak under {PEAK_MB} MB") as facts:
            peak, wall, cpu = lakeward.peak_mb("extract", source, "--lake", lake, *WINDOW)
            landed(lake, truth)
            c = harness.counts(lake)
            assert c["fetched"] == c["written"] == truth["rows"] and c["requests"] == pages, c
            assert peak < PEAK_MB, f"peak memory is {peak:.0f} MB"
            facts += [f"{truth['bytes'] / 1e6:.0f} MB of JSON", f"peak {peak:.0f} MB", f"wall {wall:.1f} s", f"CPU {cpu:.1f} s"]
        with report.check(f"{profile}: the same by days, four jobs: the same rows"):
            days = folder / "days"
            lakeward.extract(source, "--lake", days, "--from", "2026-03-16", "--to", "2026-03-19", "--jobs", "4").expect()
            landed(days, truth)
            assert len(harness.manifests(days)) == 3
        with report.check(f"{profile}: a rerun asks for nothing"):
            harness.get(f"http://127.0.0.1:{port}/control")
            ran = lakeward.extract(source, "--lake", lake, *WINDOW).expect()
            assert json.loads(harness.get(f"http://127.0.0.1:{port}/requests")[2]) == []
            assert ran.report["exit"] == 0, ran.out


def run(report, lakeward, work):
    records = int(os.environ.get("OUTSIDE_RECORDS", 99_900))
    per_page = 100 if records < 500_000 else 1000
    pages = max(records // per_page // 3 * 3, 3)
    for profile in ("mixed", "clean"):
        profile_checks(report, lakeward, work, profile, pages, per_page)
