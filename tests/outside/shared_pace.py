"""redis-server: one pace for eight processes, with it, when it is killed, and when it does not let them in."""

import contextlib
import json
import shutil
import signal
import time

import harness

PROCESSES, HOURS, PAGES, LIMIT = 8, 42, 3, 50
PASSWORD = "hunter2-of-the-pace"

SOURCE = """\
version: 1
source: gateway
base_url: http://127.0.0.1:{port}/{path}
rate_limit: {{ per_second: {limit}, share: 1/{parts}, shared: {{ redis: {{ env: REDIS_URL }}, key: {key} }} }}
streams:
  payments:
    schema: payments.yaml
    path: /payments
    params: {{ from: "{{{{ window.start | unix }}}}" }}
    records: /items
    total: /total
    pagination: {{ type: page }}
"""


@contextlib.contextmanager
def redis(port, work):
    """A server of its own, with a password and nothing on disk."""
    command = ["redis-server", "--port", port, "--bind", "127.0.0.1", "--requirepass", PASSWORD, "--save", "", "--dir", work]
    with harness.server(command, f"tcp://127.0.0.1:{port}", work / "redis.log") as process:
        yield process


def hours(process):
    """The windows of one of the processes."""
    days, rest = divmod(process * HOURS, 24)
    last_days, last_rest = divmod((process + 1) * HOURS, 24)
    return ["--from", f"2026-03-{days + 1:02d}T{rest:02d}:00:00Z", "--to", f"2026-03-{last_days + 1:02d}T{last_rest:02d}:00:00Z"]


def together(lakeward, source, lake, meanwhile=lambda: None):
    """All processes at once; what they said, and when the first of them had ended."""
    started = [lakeward.start("extract", source, "--lake", lake, *hours(n), "--every", "1h", "--jobs", "16", "--report", "json")
               for n in range(PROCESSES)]
    meanwhile()
    while all(p.poll() is None for p in started):
        time.sleep(0.02)
    ended = time.time() * 1000
    said = [p.communicate(timeout=300) for p in started]
    codes = [p.returncode for p in started]
    assert codes == [0] * PROCESSES, f"exits {codes}\n{said[0][1][-2000:]}"
    return [err for _, err in said], ended


def hold_the_pace(url, lake, ended, facts):
    """Few refusals, and most of the quota used while all processes were at it."""
    of = json.loads(harness.get(url)[2])
    c = harness.counts(lake)
    assert c["written"] == of["accepted"] == PROCESSES * HOURS * PAGES, (c, of["accepted"])
    assert len(harness.lake_rows(lake, ["id"], "id")) == c["written"]
    asked = of["accepted"] + of["refused"]
    at = [at for at in of["at"] if at <= ended]
    used = (len(at) - 1) / (LIMIT * (at[-1] - at[0]) / 1000)
    assert len(at) > asked / 2, f"{len(at)} of {asked} requests before the first process ended"
    facts += [f"{of['refused']} of {asked} refused", f"{used:.0%} of the quota used"]
    assert of["refused"] <= asked * 0.01, f"{of['refused']} of {asked} requests refused"
    assert used >= 0.9, f"{used:.0%} of the quota used"


def run(report, lakeward, work):
    work = harness.fresh(work)
    if not shutil.which("redis-server"):
        with report.check("redis-server"):
            raise harness.Skip("redis-server is not installed")
        return
    (work / "payments.yaml").write_text(harness.small_table("payments"))
    api, port = harness.free_ports(2)
    lakeward = lakeward.with_env(REDIS_URL=f"redis://:{PASSWORD}@127.0.0.1:{port}/0")
    url = f"http://127.0.0.1:{api}"

    def source(name, path="silent", limit=LIMIT, parts=PROCESSES):
        file = work / f"{name}.yaml"
        file.write_text(SOURCE.format(port=api, path=path, limit=limit, parts=parts, key=name))
        harness.get(f"{url}/reset")
        return file

    env = {"NODE_PATH": str(harness.NODE_MODULES)}
    with harness.server(["node", harness.REPO / "tests/outside/shared_pace.js", api], f"{url}/stats", work / "api.log", env=env):
        with redis(port, work):
            with report.check(f"{PROCESSES} processes keep to {LIMIT} a second together") as facts:
                _, ended = together(lakeward, source("steady"), work / "steady")
                hold_the_pace(f"{url}/stats", work / "steady", ended, facts)
            with report.check("one process alone uses what all of them may") as facts:
                lakeward.extract(source("alone"), "--lake", work / "alone", *hours(0), "--every", "1h", "--jobs", "16").expect()
                at = json.loads(harness.get(f"{url}/stats")[2])["at"]
                facts.append(f"{(len(at) - 1) / (at[-1] - at[0]) * 1000:.0f} a second of {LIMIT}")
                assert (len(at) - 1) / (at[-1] - at[0]) * 1000 >= 0.9 * LIMIT
            with report.check("a quota that one process is told of slows the others") as facts:
                file = source("told", path="told", limit=20, parts=1)
                first = lakeward.start("extract", file, "--lake", work / "told", *hours(0), "--every", "1h")
                second = lakeward.start("extract", file, "--lake", work / "told", *hours(1), "--every", "1h")
                assert [p.wait(timeout=120) for p in (first, second)] == [0, 0]
                at = json.loads(harness.get(f"{url}/stats")[2])["at"]
                waits = sorted(((b - a) / 1000, n) for n, (a, b) in enumerate(zip(at, at[1:]), 1))
                assert waits[-1][0] >= 3.5 and 10 <= waits[-1][1] <= 12, f"requests kept {waits[-3:]} s apart"
                facts.append(f"all wait for {waits[-1][0]:.1f} s behind request {waits[-1][1]}")
            with report.check("a wrong password is told before anything is fetched, and not repeated"):
                wrong = lakeward.with_env(REDIS_URL=f"redis://:{PASSWORD}-wrong@127.0.0.1:{port}/0")
                for stranger in (wrong, lakeward.with_env(REDIS_URL=f"redis://127.0.0.1:{port}/0"),
                                 lakeward.with_env(REDIS_URL=f"127.0.0.1:{port} {PASSWORD}")):
                    ran = stranger.run("extract", source("wrong"), "--lake", work / "wrong", "--date", "2026-03-01").expect(2)
                    assert "rate_limit.shared.redis" in ran.err and PASSWORD not in ran.err, ran.err
                assert json.loads(harness.get(f"{url}/stats")[2])["accepted"] == 0
        with redis(port, work) as server:
            with report.check("redis killed half way: each keeps to its share, and nothing is lost") as facts:
                def kill():
                    time.sleep(9)
                    server.send_signal(signal.SIGKILL)

                said, ended = together(lakeward, source("killed"), work / "killed", kill)
                warned = sum("the shared pace is away" in err for err in said)
                assert warned == PROCESSES, f"{warned} of {PROCESSES} warned"
                hold_the_pace(f"{url}/stats", work / "killed", ended, facts)
        with report.check("redis that comes later is found") as facts:
            file = source("later", parts=8)
            p = lakeward.start("extract", file, "--lake", work / "later", *hours(0), "--every", "1h", "--jobs", "8")
            time.sleep(3)
            with redis(port, work):
                _, err = p.communicate(timeout=120)
            assert p.returncode == 0 and "is away" in err and "is back" in err, err[-2000:]
            assert harness.counts(work / "later")["written"] == HOURS * PAGES
