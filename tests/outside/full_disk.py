"""A disk that fills up in mid-run: exit 6, nothing published, and the same command heals when there is space."""

import contextlib
import os
import subprocess
import sys

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
