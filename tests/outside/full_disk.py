"""A disk that fills up in mid-run: exit 6, nothing published, and the same command heals when there is space."""

import contextlib
import os
import subprocess
import sys
import time

import harness
import kills
import payments_api

WINDOW = kills.WINDOW


@contextlib.contextmanager
def small_disk(folder, size):
    """A tmpfs of `size`, or Skip where this user may not mount one."""
    folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid() != 0:
        raise harness.Skip("only root may mount a small tmpfs")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True, text=True)
    if mounted.returncode:
        raise harness.Skip(f"a tmpfs cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=False)


def wide(folder, port, rejects):
    """The source file of a table that takes more than 8 MB: uncompressed, or of records that are all rejected."""
    source = payments_api.write_source(folder, port, "1s")
    schema = folder / "payments.yaml"
    more = "reject_limit: 1\nfields:\n  - { name: nowhere, type: string, from: /nowhere, required: true }\n" if rejects else "parquet: { compression: uncompressed }\n"
    text = schema.read_text()
    schema.write_text(text.replace("fields:\n", more, 1) if rejects else text + more)
    return source


def run(report, lakeward, work):
    work = harness.fresh(work)
    truth = payments_api.make(work / "data", 240, 100, "mixed", 13)
    (port,) = harness.free_ports()
    source = payments_api.write_source(work, port, "1s")
    api, disk = f"http://127.0.0.1:{port}", work / "disk"
    command = [sys.executable, payments_api.__file__, "serve", work / "data", port]
    with harness.server(command, f"{api}/requests", work / "api.log"):
        with report.check("a full disk: exit 6 and says so, nothing published, heals when there is space") as facts:
            with small_disk(disk, "1m"):
                lake = disk / "lake"
                ran = lakeward.extract(source, "--lake", lake, *WINDOW).expect(6)
                said = ran.err.lower()
                assert "no space" in said or "space left" in said or "full" in said, f"the cause is not said:\n{ran.err}"
                assert not harness.data_files(lake), "something is published"
                again = lakeward.extract(source, "--lake", lake, *WINDOW)
                again.expect(6)
                subprocess.run(["mount", "-o", "remount,size=256m", disk], check=True)
                lakeward.extract(source, "--lake", lake, *WINDOW).expect()
                ids, _ = kills.rows(harness.data_files(lake))
                assert len(ids) == len(set(ids)) == truth["rows"], f"{len(ids)} rows, {len(set(ids))} distinct"
                assert not kills.leftovers(lake), kills.leftovers(lake)[:3]
                lakeward.run("verify", "--lake", lake).expect()
                facts.append(f"{truth['rows']} rows")
        with report.check("a disk of 8 MB that data files fill, and that dead letters fill: exit 6 names them, heals when there is space") as facts:
            for what, folder in (("staging", wide(work / "data-files", port, rejects=False)), ("rejects", wide(work / "dead-letters", port, rejects=True))):
                with small_disk(disk, "8m"):
                    lake = disk / "lake"
                    ran = lakeward.extract(folder, "--lake", lake, *WINDOW).expect(6)
                    said = f"{what}/" if what == "staging" else "rejects"
                    assert "no space" in ran.err.lower() and said in ran.err, f"{what} is not named:\n{ran.err[-800:]}"
                    assert not harness.data_files(lake), "something is published"
                    subprocess.run(["mount", "-o", "remount,size=256m", disk], check=True)
                    lakeward.extract(folder, "--lake", lake, *WINDOW).expect()
                    counts = next(iter(harness.manifests(lake).values()))["counts"]
                    kept = counts["rejected"] if what == "rejects" else counts["written"]
                    assert kept + counts["duplicates"] >= truth["rows"], counts
                    lakeward.run("verify", "--lake", lake).expect()
                    facts.append(f"{kept} {'dead letters' if what == 'rejects' else 'rows'}")
        with report.check("a disk that fills up before a manifest: exit 6 names it, heals when there is space"):
            with small_disk(disk, "8m"):
                lake = disk / "lake"
                kills.control(api, "delay=1")
                run = lakeward.start("extract", source, "--lake", lake, *WINDOW, "--max-requests", "1")
                while not harness.manifests(lake) and run.poll() is None:
                    time.sleep(0.05)
                with contextlib.suppress(OSError):
                    (disk / "ballast").write_bytes(b"x" * (16 << 20))
                _, err = run.communicate(timeout=60)
                kills.control(api, "delay=0")
                assert run.returncode in (5, 6) and "no space" in err.lower() and "_lakeward/" in err, f"exit {run.returncode}:\n{err[-800:]}"
                (disk / "ballast").unlink()
                subprocess.run(["mount", "-o", "remount,size=256m", disk], check=True)
                lakeward.extract(source, "--lake", lake, *WINDOW).expect()
                ids, _ = kills.rows(harness.data_files(lake))
                assert len(ids) == len(set(ids)) == truth["rows"], f"{len(ids)} rows, {len(set(ids))} distinct"
                lakeward.run("verify", "--lake", lake).expect()
        with report.check("a disk that is full from the start: exit 6"):
            with small_disk(disk, "4k"):
                with contextlib.suppress(OSError):
                    (disk / "ballast").write_bytes(b"x" * 65536)
                ran = lakeward.extract(source, "--lake", disk / "lake", *WINDOW).expect(6)
                assert "panicked" not in ran.err
        with report.check("a lake that is read-only, from the start and for a refresh: exit 6, the rows stay"):
            with small_disk(disk, "64m"):
                lake = disk / "lake"
                remount = lambda how: subprocess.run(["mount", "-o", f"remount,{how}", disk], check=True)
                remount("ro")
                said = lakeward.extract(source, "--lake", lake, *WINDOW).expect(6).err.lower()
                assert "read-only" in said, f"the cause is not said:\n{said}"
                remount("rw")
                lakeward.extract(source, "--lake", lake, *WINDOW).expect()
                remount("ro")
                lakeward.extract(source, "--lake", lake, *WINDOW, "--refresh").expect(6)
                lakeward.run("verify", "--lake", lake).expect()
                ids, _ = kills.rows(harness.data_files(lake))
                assert len(ids) == len(set(ids)) == truth["rows"], f"{len(ids)} rows, {len(set(ids))} distinct"
        with report.check("a lake that is a file: exit 6"):
            (work / "file").write_text("not a folder")
            lakeward.extract(source, "--lake", work / "file", *WINDOW).expect(6)
