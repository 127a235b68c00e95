"""A lake on S3: moto first, then SeaweedFS, which checks signatures and checksums, as the second opinion."""

import contextlib
import json
import pathlib
import signal
import sys
import time

import every_call
import harness
import kills
import payments_api

KEY, SECRET, BUCKET, REGION = "lakeward", "lakeward-outside-secret", "lake", "us-east-1"
WINDOWS = ("--from", "2026-03-16", "--to", "2026-03-19")
# Of each run that is struck: over two servers, a first run and a refresh, more than fifty.
KILLS = 14


class Store:
    """One S3 server, as a lake's address and as pyarrow sees it."""

    def __init__(self, port):
        import pyarrow.fs as fs

        self.port = port
        self.fs = fs.S3FileSystem(access_key=KEY, secret_key=SECRET, endpoint_override=f"127.0.0.1:{port}",
                                  scheme="http", region=REGION, force_virtual_addressing=False, allow_bucket_creation=True)

    def env(self, secret=SECRET):
        return {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": secret, "AWS_REGION": REGION,
                "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}", "AWS_ALLOW_HTTP": "true"}

    def objects(self, prefix):
        import pyarrow.fs as fs

        found = self.fs.get_file_info(fs.FileSelector(f"{BUCKET}/{prefix}", recursive=True, allow_not_found=True))
        return sorted(i.path for i in found if i.is_file)

    def data_files(self, prefix):
        return [p for p in self.objects(f"{prefix}/payments") if "/date=" in p and p.endswith(".parquet")]

    def rows(self, prefix, columns, table="payments"):
        import pyarrow.dataset as ds

        found = ds.dataset(f"{BUCKET}/{prefix}/{table}", format="parquet", partitioning="hive", filesystem=self.fs)
        return found.to_table(columns=columns)

    def newest(self, prefix, table="payments"):
        """The newest manifest of every window."""
        found = {}
        for path in self.objects(f"{prefix}/{table}/_lakeward/windows"):
            found[path.rsplit("/", 2)[-2]] = path
        return {w: json.loads(self.fs.open_input_stream(p).read()) for w, p in found.items()}


@contextlib.contextmanager
def moto(work):
    (port,) = harness.free_ports()
    command = [pathlib.Path(sys.executable).with_name("moto_server"), "-H", "127.0.0.1", "-p", port]
    with harness.server(command, f"http://127.0.0.1:{port}/moto-api/", work / "moto.log"):
        store = Store(port)
        store.fs.create_dir(BUCKET)
        yield store


@contextlib.contextmanager
def seaweedfs(work):
    names = ["s3.port", "s3.port.grpc", "s3.port.iceberg", "s3.port.lance", "master.port", "master.port.grpc", "volume.port",
             "volume.port.grpc", "filer.port", "filer.port.grpc", "admin.port", "admin.port.grpc"]
    ports = dict(zip(names, harness.free_ports(len(names))))
    folder = harness.fresh(work / "weed")
    command = [pathlib.Path(sys.executable).with_name("weed"), "mini", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
               f"-bucket={BUCKET}", "-admin.ui=false", "-webdav=false", "-volume.max=20", *(f"-{n}={p}" for n, p in ports.items())]
    env = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
    with harness.server(command, f"http://127.0.0.1:{ports['s3.port']}/", work / "weed.log", env=env, cwd=folder):
        store = Store(ports["s3.port"])
        until = time.monotonic() + 60
        while True:  # the bucket comes a moment after the port
            try:
                store.fs.open_output_stream(f"{BUCKET}/ready").close()
                break
            except OSError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.2)
        yield store


def exact(table, truth, edition=1):
    """Rows, days and the exact sum of a lake of the generated API."""
    import pyarrow.compute as pc

    assert table.num_rows == truth["rows"], f"{table.num_rows} rows instead of {truth['rows']}"
    assert pc.count_distinct(table["id"]).as_py() == truth["rows"], "rows are doubled"
    assert pc.sum(table["amount"]).as_py() == harness.money(truth["amount"]) / 100, "the sum differs"
    days = {str(v["values"]): v["counts"] for v in table["date"].value_counts().to_pylist()}
    assert days == truth["days"], f"{days} instead of {truth['days']}"
    assert pc.unique(table["edition"]).to_pylist() == [edition], f"editions {pc.unique(table['edition'])}"


COLUMNS = ["id", "amount", "edition", "date"]


def checks(report, lakeward, name, store, work, source, api, truth):
    """What must hold on any S3."""
    lake, run = f"s3://{BUCKET}/raw/{name}", lakeward.with_env(**store.env())
    prefix = f"raw/{name}"
    control = lambda q: harness.get(f"{api}/control?{q}")
    asked = lambda: json.loads(harness.get(f"{api}/requests")[2])
    with report.check(f"{name}: extract three windows, exact") as facts:
        control("edition=1")
        run.extract(source, "--lake", lake, *WINDOWS, "--jobs", "2").expect()
        exact(store.rows(prefix, COLUMNS), truth)
        facts.append(f"{truth['rows']} rows, {len(store.data_files(prefix))} objects")
    with report.check(f"{name}: a rerun asks for nothing and writes nothing"):
        control("edition=2")
        before = store.objects(prefix)
        run.extract(source, "--lake", lake, *WINDOWS).expect()
        assert asked() == [], f"{len(asked())} pages asked for"
        assert store.objects(prefix) == before, "objects changed"
    with report.check(f"{name}: status --files names the objects, verify agrees"):
        files = run.run("status", "--files", "--lake", lake).expect().out.splitlines()
        assert sorted(files) == [f"s3://{p}" for p in store.data_files(prefix)], files[:3]
        run.run("verify", "--lake", lake).expect()
    with report.check(f"{name}: --refresh replaces the rows and leaves no old object"):
        control("edition=2")
        run.extract(source, "--lake", lake, *WINDOWS, "--refresh").expect()
        exact(store.rows(prefix, COLUMNS), truth, edition=2)
        files = run.run("status", "--files", "--lake", lake).expect().out.splitlines()
        assert sorted(files) == [f"s3://{p}" for p in store.data_files(prefix)]
        run.run("verify", "--lake", lake).expect()
    with report.check(f"{name}: verify finds a damaged object"):
        victim = store.data_files(prefix)[0]
        whole = store.fs.open_input_stream(victim).read()
        with store.fs.open_output_stream(victim) as f:
            f.write(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])
        ran = run.run("verify", "--lake", lake)
        with store.fs.open_output_stream(victim) as f:
            f.write(whole)
        assert ran.code != 0, "a changed byte was not noticed"
        assert victim.rsplit("/", 1)[-1] in ran.out + ran.err, "the object is not named"
    with report.check(f"{name}: kill -9 at random instants, then a rerun: exact, nothing left") as facts:
        killed = f"s3://{BUCKET}/raw/{name}-killed"
        facts += kills.kill_and_resume(run, source, killed, api, lambda: store.newest(f"{prefix}-killed"), 6, 0.2, len(name))
        exact(store.rows(f"raw/{name}-killed", COLUMNS), truth)
        left = [p for p in store.objects(f"raw/{name}-killed") if "/staging/" in p]
        assert not left, f"{len(left)} staged objects are left, such as {left[:2]}"
        run.run("verify", "--lake", killed).expect()


def killed_at_calls(report, lakeward, name, store, work, api, source, truth):
    """kill -9 at one connect or send after the other of a run of three pages, and of its refresh."""
    run, log = lakeward.with_env(**store.env()), work / "calls.txt"
    shim = {"LD_PRELOAD": every_call.shim(work), "STRIKE_ROOT": "/nowhere", "STRIKE_NET": 1, "STRIKE_ERRNO": 0, "STRIKE_LOG": log}

    def struck(at, lake, *more):
        log.unlink(missing_ok=True)
        by = run.with_env(**{k: str(v) for k, v in shim.items()}, STRIKE_AT=str(at))
        ran = by.extract(source, "--lake", f"s3://{BUCKET}/{lake}", *kills.WINDOW, *more)
        return ran, len(log.read_text().splitlines())

    def begin(lake, refresh):
        kills.control(api, "edition=1")
        if refresh:
            run.extract(source, "--lake", f"s3://{BUCKET}/{lake}", *kills.WINDOW).expect()
            kills.control(api, "edition=2")

    with report.check(f"{name}: kill -9 at one connect or send after the other, then a rerun: exact, nothing left") as facts:
        killed = 0
        for refresh in (False, True):
            more, what = (["--refresh"], "refresh") if refresh else ([], "first run")
            begin(f"calls/{name}-{what[0]}", refresh)
            calls = struck(0, f"calls/{name}-{what[0]}", *more)[1]
            facts.append(f"{calls} calls of a {what}")
            for at in every_call.places(range(calls), KILLS):
                lake = f"calls/{name}-{what[0]}-{at}"
                begin(lake, refresh)
                ran = struck(at, lake, *more)[0]
                assert ran.code in (0, -signal.SIGKILL), f"call {at} of a {what}: exit {ran.code}\n{ran.err[-800:]}"
                killed += ran.code != 0
                run.extract(source, "--lake", f"s3://{BUCKET}/{lake}", *kills.WINDOW, *more).expect()
                exact(store.rows(lake, COLUMNS), truth, edition=2 if refresh else 1)
                verified = run.run("verify", "--lake", f"s3://{BUCKET}/{lake}", "--format", "json").expect().report
                assert not verified["strays"], f"call {at} of a {what}: {verified['strays']}"
        facts.append(f"{killed} killed")
        assert killed >= 2 * KILLS - 3, f"few were killed: {killed}"


def run(report, lakeward, work):
    work = harness.fresh(work)
    truth = payments_api.make(work / "data", 60, 100, "mixed", 9)
    (port,) = harness.free_ports()
    source = payments_api.write_source(work, port, "300ms")
    api = f"http://127.0.0.1:{port}"
    command = [sys.executable, payments_api.__file__, "serve", work / "data", port]
    (small_port,) = harness.free_ports()
    small, small_truth = work / "small", payments_api.make(work / "small/data", 3, 40, "mixed", 29)
    small_api, small_source = f"http://127.0.0.1:{small_port}", payments_api.write_source(small, small_port, "10ms")
    small_command = [sys.executable, payments_api.__file__, "serve", small / "data", small_port]
    with harness.server(command, f"{api}/requests", work / "api.log"):
        with report.check("an endpoint that refuses: exit 6, nothing fetched for nothing"):
            (nobody,) = harness.free_ports()
            env = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{nobody}", "AWS_ALLOW_HTTP": "true", "AWS_REGION": REGION,
                   "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
            ran = lakeward.with_env(**env).extract(source, "--lake", f"s3://{BUCKET}/x", "--date", "2026-03-16", timeout=400)
            ran.expect(6)
        for name, start in (("moto", moto), ("seaweedfs", seaweedfs)):
            try:
                with start(work) as store:
                    checks(report, lakeward, name, store, work, source, api, truth)
                    with harness.server(small_command, f"{small_api}/requests", work / "small.log"):
                        killed_at_calls(report, lakeward, name, store, work, small_api, small_source, small_truth)
                    if name == "seaweedfs":
                        with report.check("seaweedfs: a wrong secret: exit 6, nothing written, the secret never shown"):
                            wrong = lakeward.with_env(**store.env("not-this-secret-one"))
                            ran = wrong.extract(source, "--lake", f"s3://{BUCKET}/raw/wrong", "--date", "2026-03-16").expect(6)
                            assert "not-this-secret-one" not in ran.out + ran.err, "the secret leaked"
                            assert not store.objects("raw/wrong")
            except (OSError, RuntimeError) as e:
                with report.check(f"{name} starts"):
                    raise AssertionError(str(e)) from e
