"""Events signed by the vendors' own libraries (npm stripe, @octokit/webhooks-methods, standardwebhooks) are accepted,
and what is changed of them is not."""

import collections
import contextlib
import json
import pathlib
import signal
import subprocess

import duckdb

import harness

SOURCE = """\
version: 1
source: vendors
streams:
  charges: { schema: charges.yaml }
  issues: { schema: issues.yaml, history: true }
  pulls: { schema: pulls.yaml }
webhooks:
  stripe:
    path: /webhooks/stripe
    signature: { type: stripe, secrets: [{ env: STRIPE_SECRET }] }
    events: { charge.*: { stream: charges, record: /data/object } }
  github:
    path: /webhooks/github
    signature: { type: github, secrets: [{ env: GITHUB_SECRET }] }
    events:
      issue*: { stream: issues, record: /issue }
      pull_request*: { stream: pulls, record: /pull_request }
  standard:
    path: /webhooks/standard
    signature: { type: standard_webhooks, secrets: [{ env: STANDARD_SECRET }] }
    events: { user.*: { stream: charges, record: /data } }
"""

GITHUB_TABLE = """\
version: 1
table: {table}
primary_key: [id]
partition_by: created_at
version_by: updated_at
fields:
  - {{ name: id, type: int64, required: true }}
  - {{ name: number, type: int32, required: true }}
  - {{ name: title, type: string, required: true }}
  - {{ name: login, type: string, from: /user/login }}
  - {{ name: labels, type: json }}
  - {{ name: created_at, type: timestamp, required: true }}
  - {{ name: updated_at, type: timestamp, required: true }}
"""

SECRETS = {
    "STRIPE_SECRET": "whsec_of nobody",
    "GITHUB_SECRET": "It's a Secret to Everybody",
    "STANDARD_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
}


@contextlib.contextmanager
def serving(lakeward, work, source):
    """`lakeward serve` on a port of its own, ended in order; gives the port."""
    p = lakeward.start("serve", source, "--inbox", work / "inbox", "--listen", "127.0.0.1:0")
    try:
        line = p.stdout.readline()
        assert line.startswith("listening on "), line + p.stderr.read()
        yield int(line.rsplit(":", 1)[1])
        p.send_signal(signal.SIGTERM)
        _, err = p.communicate(timeout=60)
        assert p.returncode == 143, f"exit {p.returncode}\n{err}"
    finally:
        p.kill()
        p.wait()


def run(report, lakeward, work):
    work = harness.fresh(work)
    (work / "charges.yaml").write_text(harness.small_table("charges"))
    for table in ("issues", "pulls"):
        (work / f"{table}.yaml").write_text(GITHUB_TABLE.format(table=table))
    source = work / "source.yaml"
    source.write_text(SOURCE)
    lakeward = lakeward.with_env(**SECRETS)
    with serving(lakeward, work, source) as port:
        script = pathlib.Path(__file__).parent / "webhook.js"
        env = lakeward.env | {"NODE_PATH": str(harness.NODE_MODULES)}
        sent = subprocess.run(["node", script, str(port)], env=env, capture_output=True, text=True, timeout=600)
        assert sent.returncode == 0, sent.stderr
        answers = collections.defaultdict(list)
        for line in sent.stdout.splitlines():
            answer = json.loads(line)
            answers[answer["name"]].append(answer["status"])
            assert answer["status"] == 200 or answer["text"] == "signature\n", answer
    listed = lakeward.run("inbox", "list", "--inbox", work / "inbox", "--limit", 10000, "--format", "json").expect()
    ids = [(e["endpoint"], e["event_id"]) for e in json.loads(listed.out)["events"]]
    for library, good in {
        "stripe": ["stripe", "stripe again", "stripe with two signatures"],
        "github": ["github"],
        "standard": ["standard webhook", "standard svix"],
    }.items():
        with report.check(f"what {library}'s own library signs is accepted, and nothing else") as facts:
            for name, statuses in answers.items():
                if name.startswith(library):
                    wanted = {200} if name in good else {401}
                    assert set(statuses) == wanted, f"{name}: {set(statuses)}"
            facts.append(f"{sum(len(answers[name]) for name in good)} events")
    with report.check("each accepted event is in the inbox once") as facts:
        assert len(ids) == len(set(ids)) == 1 + len(answers["github"]) + 2, len(ids)
        assert {"evt_1", "msg_webhook", "msg_svix"} <= {event for _, event in ids}
        facts.append(f"{len(ids)} events")
    with report.check("the real payloads are as they were sent, and known by GitHub's names"):
        events = json.loads(listed.out)["events"]
        kinds = {e["event_type"] for e in events if e["endpoint"] == "github"}
        assert {"push", "pull_request", "issues"} <= kinds, kinds
    landed(report, lakeward, work, source)


def landed(report, lakeward, work, source):
    """GitHub's examples as rows, as history and as dead letters: each of them is somewhere."""
    lake = work / "lake"
    land = ("land", source, "issues", "pulls", "--inbox", work / "inbox", "--lake", lake)
    examples = json.loads((harness.NODE_MODULES / "@octokit/webhooks-examples/api.github.com/index.json").read_text())
    sent = [(kind["name"], payload) for kind in examples for payload in kind["examples"]]
    with report.check("GitHub's own examples land, and none is left in the inbox") as facts:
        done = lakeward.run(*land, "--report", "json").expect().report
        facts.append(f"{len(done['windows'])} windows")
        lakeward.run("verify", "--lake", lake).expect()
        listed = lakeward.run("inbox", "list", "--inbox", work / "inbox", "--format", "json").expect()
        assert {e["endpoint"] for e in json.loads(listed.out)["events"]} == {"stripe", "standard"}
    for table, prefix, field in (("issues", "issue", "issue"), ("pulls", "pull_request", "pull_request")):
        with report.check(f"DuckDB reads the {table} that they speak of, each in its latest version") as facts:
            latest = {}
            for name, payload in sent:
                if name.startswith(prefix):
                    record = payload[field]
                    latest[record["id"]] = max(latest.get(record["id"], ""), record["updated_at"])
            rows = duckdb.sql(f"select id, strftime(updated_at at time zone 'UTC', '%Y-%m-%dT%H:%M:%SZ'), typeof(number), login, json_valid(labels) "
                              f"from read_parquet('{lake}/{table}/*/*.parquet', hive_partitioning = true)").fetchall()
            assert {r[0]: r[1] for r in rows} == latest and len(rows) == len(latest), f"{rows} instead of {latest}"
            assert {(r[2], r[3] is not None, r[4]) for r in rows} == {("INTEGER", True, True)}, rows
            facts.append(f"{len(rows)} rows")
    with report.check("the history has every event of the stream with its body, those without a record too, in DuckDB") as facts:
        issues = [json.dumps(payload, sort_keys=True) for name, payload in sent if not name.startswith("pull_request")]
        bodies = duckdb.sql(f"select body from read_parquet('{lake}/issues_events/*/*.parquet', hive_partitioning = true)").fetchall()
        assert sorted(json.dumps(json.loads(b), sort_keys=True) for b, in bodies) == sorted(issues), f"{len(bodies)} of {len(issues)}"
        facts.append(f"{len(bodies)} events")
    with report.check("what no pattern takes is a dead letter with its body, and all of them add up") as facts:
        letters = [json.loads(line) for file in lake.glob("*/_lakeward/rejects/*") for line in file.read_text().splitlines()]
        taken = sum(name.startswith(("issue", "pull_request")) for name, _ in sent)
        assert len(letters) + taken == len(sent), f"{len(letters)} and {taken} of {len(sent)}"
        facts.append(f"{taken} with a record, {len(letters)} without")
