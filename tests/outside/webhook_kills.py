"""kill -9 of the webhook receiver and of land, again and again under load: what was answered 200 is in the lake once."""

import hashlib
import hmac
import http.client
import json
import random
import signal
import threading
import time

import harness

SECRET = "canary-webhook-secret"
KILLS = 50
CLIENTS = 8
SOURCE = """version: 1
source: shop
base_url: http://127.0.0.1:1
streams:
  payments: {{ schema: payments.yaml, path: /payments, records: /items }}
webhooks:
  shop:
    path: /webhooks/shop
    signature: {{ type: razorpay, secrets: [{{ env: SHOP_WEBHOOK_SECRET }}] }}
    event_id: {{ header: X-Event-Id }}
    event_type: /event
    events: {{ payment.*: {{ stream: payments, record: /payload/payment/entity }} }}
"""


class Client(threading.Thread):
    """Posts one event after another and notes which were answered 200. What was not is sent again now and then, as vendors do."""

    def __init__(self, port, number, stop):
        super().__init__(daemon=True)
        self.port, self.number, self.stop = port, number, stop
        self.accepted, self.sent, self.again, self.other = set(), set(), 0, {}
        self.random = random.Random(number)

    def run(self):
        n, connection, undone = 0, None, []
        while not self.stop.is_set():
            if undone and self.random.random() < 0.3:
                name, self.again = undone.pop(0), self.again + 1
            else:
                name, n = f"pay_{self.number}_{n:07}", n + 1
            try:
                if connection is None:
                    connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
                status = self.post(connection, name)
            except (OSError, http.client.HTTPException):
                connection, status = None, None
                undone.append(name)
                time.sleep(0.02)
                continue
            if status == 200:
                self.accepted.add(name)
            else:
                self.other[status] = self.other.get(status, 0) + 1
                undone.append(name)

    def post(self, connection, name):
        entity = {"id": name, "amount": int(name[-7:]) + 100, "created_at": 1_773_700_000 + int(name[-7:])}
        body = json.dumps({"event": "payment.captured", "payload": {"payment": {"entity": entity}}}).encode()
        code = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        self.sent.add(name)
        connection.request("POST", "/webhooks/shop", body, {
            "Content-Type": "application/json", "X-Razorpay-Signature": code, "X-Event-Id": "evt_" + name})
        response = connection.getresponse()
        response.read()
        return response.status


def forged(port):
    """An event that nobody signed; its status."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    body = json.dumps({"event": "payment.captured", "payload": {"payment": {"entity": {"id": "forged", "amount": 1, "created_at": 1_773_700_000}}}})
    connection.request("POST", "/webhooks/shop", body, {"Content-Type": "application/json", "X-Razorpay-Signature": "0" * 64, "X-Event-Id": "evt_forged"})
    return connection.getresponse().status


def killed_again_and_again(report, lakeward, work):
    work = harness.fresh(work / "kills")
    (work / "source.yaml").write_text(SOURCE.format())
    (work / "payments.yaml").write_text(harness.small_table("payments"))
    lakeward = lakeward.with_env(SHOP_WEBHOOK_SECRET=SECRET)
    inbox, lake = work / "inbox", work / "lake"
    (port,) = harness.free_ports()
    stop, r = threading.Event(), random.Random(20261129)
    clients = [Client(port, n, stop) for n in range(CLIENTS)]
    land = ("land", work / "source.yaml", "--inbox", inbox, "--lake", lake)
    with report.check(f"kill -9 of the receiver {KILLS} times, and of land beside it: all that was answered 200 is there once") as facts:
        ended, receiver = {}, None
        for n in range(KILLS + 1):
            receiver = lakeward.start("serve", work / "source.yaml", "--listen", f"127.0.0.1:{port}", "--inbox", inbox)
            assert receiver.stdout.readline().startswith("listening on "), receiver.stderr.read()
            if n == 0:
                assert forged(port) == 401
                [c.start() for c in clients]
            landing = lakeward.start(*land)
            time.sleep(r.uniform(0.05, 0.5))
            if r.random() < 0.5:
                landing.kill()
            _, err = landing.communicate(timeout=120)
            ended[landing.returncode] = ended.get(landing.returncode, 0) + 1
            assert landing.returncode in (0, -signal.SIGKILL), f"land ended with {landing.returncode}\n{err[-1500:]}"
            if n < KILLS:
                receiver.kill()
                receiver.communicate()
        stop.set()
        [c.join() for c in clients]
        receiver.send_signal(signal.SIGTERM)
        receiver.communicate(timeout=60)
        assert receiver.returncode == 143, receiver.returncode
        lakeward.run(*land).expect()
        accepted, sent = set().union(*(c.accepted for c in clients)), set().union(*(c.sent for c in clients))
        found = harness.lake_rows(lake, ["id", "amount"], "id")
        lost, doubtful = accepted - found.keys(), found.keys() - sent
        assert not lost, f"{len(lost)} of {len(accepted)} accepted events are not in the lake, such as {sorted(lost)[:3]}"
        assert not doubtful, f"{len(doubtful)} rows were never sent, such as {sorted(doubtful)[:3]}"
        wrong = [i for i, row in found.items() if row["amount"] != harness.money(int(i[-7:]) + 100) / 100]
        assert not wrong, f"{len(wrong)} amounts are wrong, such as {wrong[:3]}"
        verified = lakeward.run("verify", "--lake", lake)
        verified.expect()
        facts += [f"{len(accepted)} accepted of {len(sent)} sent", f"{len(found)} rows", f"{sum(c.again for c in clients)} sent again",
                  f"land ended with {dict(sorted(ended.items()))}"]
    with report.check("nothing is left in the inbox, and land again does nothing"):
        before = harness.data_files(lake)
        lakeward.run(*land).expect()
        assert harness.data_files(lake) == before


def run(report, lakeward, work):
    killed_again_and_again(report, lakeward, work)
