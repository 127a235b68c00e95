"""Events signed by the vendors' own libraries (npm stripe, @octokit/webhooks-methods, standardwebhooks) are accepted,
and what is changed of them is not."""

import collections
import contextlib
import json
import pathlib
import signal
import subprocess

import harness

SOURCE = """\
version: 1
source: vendors
streams:
  charges: { schema: charges.yaml }
webhooks:
  stripe:
    path: /webhooks/stripe
    signature: { type: stripe, secrets: [{ env: STRIPE_SECRET }] }
    events: { charge.*: { stream: charges, record: /data/object } }
  github:
    path: /webhooks/github
    signature: { type: github, secrets: [{ env: GITHUB_SECRET }] }
    events: { '*': { stream: charges } }
  standard:
    path: /webhooks/standard
    signature: { type: standard_webhooks, secrets: [{ env: STANDARD_SECRET }] }
    events: { user.*: { stream: charges, record: /data } }
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
        assert {"push", "pull_request", "issues"} <= kinds and all(e["state"] == "waiting" for e in events), kinds
