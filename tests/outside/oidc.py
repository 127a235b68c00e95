"""oidc-provider from npm, a certified OpenID provider: client credentials, refresh tokens that rotate, tokens that die."""

import json
import pathlib
import stat

import harness

PAGES = 40
SECRET = "s3cret/+ of the client"

SOURCE = """\
version: 1
source: oidc
base_url: http://127.0.0.1:{port}/{kind}
auth: {auth}
streams:
  payments:
    schema: payments.yaml
    path: /payments
    records: /items
    total: /total
    pagination: {{ type: page }}
    concurrency: {concurrency}
"""

CLIENT = "token_url: 'http://127.0.0.1:{port}/token', client_id: {{ env: CLIENT_ID }}, client_secret: {{ env: CLIENT_SECRET }}"
DAY = ("--date", "2026-03-16")


class Check:
    """The provider as the checks see it."""

    def __init__(self, work, port, lakeward):
        self.work, self.port = work, port
        self.lakeward = lakeward.with_env(CLIENT_ID="in-form", CLIENT_SECRET=SECRET)

    def get(self, path):
        return harness.get(f"http://127.0.0.1:{self.port}{path}")[2].decode()

    def stats(self):
        return json.loads(self.get("/stats"))

    def source(self, name, auth, kind="api", concurrency=1):
        file = self.work / f"{name}.yaml"
        auth = auth.replace("CLIENT", CLIENT.format(port=self.port), 1)
        file.write_text(SOURCE.format(port=self.port, kind=kind, auth=auth, concurrency=concurrency))
        return file

    def lands(self, lakeward, source, lake):
        """Extracts every page into a new lake; what the provider granted meanwhile."""
        before = self.stats()["granted"]
        lakeward.extract(source, "--lake", lake, *DAY).expect()
        assert harness.counts(lake)["written"] == PAGES
        assert len(harness.lake_rows(lake, ["id"], "id")) == PAGES
        return self.stats()["granted"] - before


CREDENTIALS = "{ type: oauth2_client_credentials, CLIENT, scope: payments }"
BASIC = "{ type: oauth2_client_credentials, CLIENT, client_auth: basic }"
REFRESH = "{ type: oauth2_refresh_token, CLIENT, refresh_token: { env: REFRESH_TOKEN }, token_store: store.json }"


def credentials(report, check):
    with report.check("client credentials in the form: a token of two seconds, renewed as it ages") as facts:
        granted = check.lands(check.lakeward, check.source("form", CREDENTIALS), check.work / "form")
        facts.append(f"{granted} tokens for {PAGES} pages")
        assert 2 <= granted <= 10, f"{granted} tokens"
    with report.check("client credentials in a header") as facts:
        lakeward = check.lakeward.with_env(CLIENT_ID="in-header")
        facts.append(f"{check.lands(lakeward, check.source('basic', BASIC), check.work / 'basic')} tokens")
    with report.check("a token that dies at its fifth use, one request after another") as facts:
        granted = check.lands(check.lakeward, check.source("dying", CREDENTIALS, "dying"), check.work / "dying")
        facts.append(f"{granted} tokens for {PAGES} pages")
        assert granted <= PAGES / 5 + 4, f"{granted} tokens"
    with report.check("a token that dies at its fifth use, four requests at once: no page lost") as facts:
        source = check.source("dying4", CREDENTIALS, "dying", concurrency=4)
        granted = check.lands(check.lakeward, source, check.work / "dying4")
        facts.append(f"{granted} tokens for {PAGES} pages")
        # A renewal each for all that wait.
        assert granted <= PAGES / 5 + 8, f"{granted} tokens"
    with report.check("a wrong secret: exit 3 after one request, told what to check, the secret not shown"):
        before = check.stats()["refused"]
        wrong = check.lakeward.with_env(CLIENT_SECRET="not-the-one-it-is")
        ran = wrong.extract(check.work / "form.yaml", "--lake", check.work / "wrong", *DAY).expect(3)
        assert "invalid_client" in ran.err and "client_secret" in ran.err, ran.err
        assert "not-the-one-it-is" not in ran.out + ran.err
        assert check.stats()["refused"] == before + 1


def refresh(report, check):
    first = check.get("/mint?client=in-form")
    lakeward = check.lakeward.with_env(REFRESH_TOKEN=first)
    source, store = check.source("refresh", REFRESH), check.work / "store.json"
    with report.check("a refresh token: each is used once, the next one is kept, readable by its owner alone") as facts:
        granted = check.lands(lakeward, source, check.work / "refresh")
        assert stat.S_IMODE(store.stat().st_mode) == 0o600, oct(store.stat().st_mode)
        facts.append(f"{granted} tokens")
    with report.check("a later run goes on from the store"):
        check.lands(lakeward, source, check.work / "later")
    with report.check("two runs at once share the store: the provider sees no token twice"):
        runs = [lakeward.start("extract", source, "--lake", check.work / f"both{n}", *DAY) for n in (1, 2)]
        for run in runs:
            _, err = run.communicate(timeout=120)
            assert run.returncode == 0, err
        assert check.stats()["revoked"] == 0
    with report.check("killed while it renews, again and again: the store stays whole") as facts:
        for n in range(12):
            run = lakeward.start("extract", source, "--lake", check.work / f"kill{n}", *DAY)
            try:
                run.communicate(timeout=1.2 + n / 10)
            except Exception:
                run.kill()
                run.communicate()
            json.loads(store.read_text())
        facts.append("12 kills")
    with report.check("a token that was used before: exit 3, told to obtain a new one"):
        store.unlink()
        ran = lakeward.extract(source, "--lake", check.work / "reused", *DAY).expect(3)
        assert "invalid_grant" in ran.err and "obtain a new one" in ran.err, ran.err
        assert first not in ran.out + ran.err


def run(report, lakeward, work):
    work = harness.fresh(work)
    (work / "payments.yaml").write_text(harness.small_table("payments"))
    (port,) = harness.free_ports()
    command = ["node", pathlib.Path(__file__).parent / "oidc.js", port]
    env = {"NODE_PATH": str(harness.NODE_MODULES)}
    with harness.server(command, f"http://127.0.0.1:{port}/stats", work / "server.log", env=env):
        check = Check(work, port, lakeward)
        credentials(report, check)
        refresh(report, check)
