"""express-rate-limit 8 from npm: quotas that only its headers tell, in four dialects, shared by 40 windows."""

import json

import harness

WINDOWS, PAGES, LIMIT = 40, 3, 10
DIALECTS = ["legacy", "draft-6", "draft-7", "draft-8"]

SOURCE = """\
version: 1
source: limited
base_url: http://127.0.0.1:{port}/{dialect}
streams:
  payments:
    schema: payments.yaml
    path: /payments
    params: {{ from: "{{{{ window.start | unix }}}}" }}
    records: /items
    total: /total
    pagination: {{ type: page }}
"""


def run(report, lakeward, work):
    work = harness.fresh(work)
    (work / "payments.yaml").write_text(harness.small_table("payments"))
    (port,) = harness.free_ports()
    url = f"http://127.0.0.1:{port}/stats"
    command = ["node", harness.REPO / "tests/outside/rate_limited.js", port]
    env = {"NODE_PATH": str(harness.NODE_MODULES)}
    with harness.server(command, url, work / "server.log", env=env):
        for dialect in DIALECTS:
            source, lake = work / f"{dialect}.yaml", work / dialect
            source.write_text(SOURCE.format(port=port, dialect=dialect))
            with report.check(f"{dialect}: {WINDOWS} windows at once, hardly a request refused") as facts:
                hours = ["--from", "2026-03-16", "--to", "2026-03-17T16:00:00Z", "--every", "1h"]
                lakeward.extract(source, "--lake", lake, *hours, "--jobs", WINDOWS).expect()
                of = json.loads(harness.get(url)[2])[dialect]
                c = harness.counts(lake)
                assert c["written"] == of["accepted"] == WINDOWS * PAGES, (c, of)
                assert c["throttled"] == of["refused"] == c["retries"], (c, of)
                asked = of["accepted"] + of["refused"]
                assert of["refused"] <= asked * 0.01, f"{of['refused']} of {asked} requests refused"
                # The last second's requests cost no time any more.
                seconds = (of["last"] - of["first"]) / 1000
                used = (of["accepted"] - LIMIT) / (LIMIT * seconds)
                assert used >= 0.9, f"{used:.0%} of the quota used"
                facts += [f"{of['refused']} of {asked} refused", f"{used:.0%} of the quota used"]
