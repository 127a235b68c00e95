"""The way to the API: nginx with TLS from a private CA and client certificates; tinyproxy and microsocks as proxies."""

import datetime as dt
import ipaddress
import json
import os
import pathlib
import shutil

import harness

ROWS = 500
PASSWORD = "correct9horse"
SOCKS_PASSWORD = "p@ss/word: 100%"

SOURCE = """\
version: 1
source: reached
base_url: {scheme}://{host}:{port}/v1
http: {{ connect_timeout: 5s, {http} }}
retry: {{ max_attempts: {attempts}, max_wait: 1s }}
streams:
  payments:
    schema: payments.yaml
    path: /payments.json
    records: /items
    total: /total
    pagination: {{ type: none }}
"""

NGINX = """\
daemon off;
pid {work}/nginx.pid;
error_log {work}/nginx-error.log;
events {{ }}
http {{
    access_log {work}/nginx-access.log;
    client_body_temp_path {work}/tmp; proxy_temp_path {work}/tmp; fastcgi_temp_path {work}/tmp;
    uwsgi_temp_path {work}/tmp; scgi_temp_path {work}/tmp;
    root {work}/www;
    server {{ listen 127.0.0.1:{plain}; }}
    server {{
        listen 127.0.0.1:{mutual} ssl; ssl_certificate {work}/server.pem; ssl_certificate_key {work}/server.key;
        ssl_client_certificate {work}/ca.pem; ssl_verify_client on;
    }}
    server {{ listen 127.0.0.1:{expired} ssl; ssl_certificate {work}/expired.pem; ssl_certificate_key {work}/expired.key; }}
    server {{ listen 127.0.0.1:{other} ssl; ssl_certificate {work}/other.pem; ssl_certificate_key {work}/other.key; }}
}}
"""

TINYPROXY = """\
Port {port}
Listen 127.0.0.1
MaxClients 20
StartServers 1
LogFile "{work}/tinyproxy.log"
LogLevel Info
BasicAuth lake {password}
ConnectPort {allowed}
"""


def program(name):
    """A server's program, which Debian keeps outside a user's PATH."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if not found:
        raise RuntimeError(f"no {name} on this machine: apt-get install nginx-light tinyproxy microsocks")
    return found


class Ca:
    """A private certificate authority."""

    def __init__(self, work, name):
        from cryptography.hazmat.primitives.asymmetric import ec

        self.work, self.key = work, ec.generate_private_key(ec.SECP256R1())
        self.name = self._name(name)
        self.cert = self._sign(self.name, self.key, dt.timedelta(days=30), ca=True)
        self._pem(f"{name}.pem", self.cert)

    @staticmethod
    def _name(text):
        from cryptography import x509

        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

    def _pem(self, file, *parts):
        from cryptography.hazmat.primitives import serialization as s

        pem = b""
        for part in parts:
            if hasattr(part, "public_bytes"):
                pem += part.public_bytes(s.Encoding.PEM)
            else:
                pem += part.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption())
        (self.work / file).write_bytes(pem)

    def _sign(self, name, key, life, ca=False, hosts=()):
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes

        now = dt.datetime.now(harness.UTC)
        cert = (
            x509.CertificateBuilder().subject_name(name).issuer_name(self.name).public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=20)).not_valid_after(now + life)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if hosts:
            cert = cert.add_extension(x509.SubjectAlternativeName(list(hosts)), critical=False)
        return cert.sign(self.key, hashes.SHA256())

    def issue(self, file, *hosts, life=dt.timedelta(days=10)):
        """`FILE.pem` and `FILE.key`."""
        from cryptography import x509
        from cryptography.hazmat.primitives.asymmetric import ec

        key = ec.generate_private_key(ec.SECP256R1())
        names = [x509.IPAddress(ipaddress.ip_address(h)) if h[0].isdigit() else x509.DNSName(h) for h in hosts]
        self._pem(f"{file}.pem", self._sign(self._name(file), key, life, hosts=names))
        self._pem(f"{file}.key", key)


class Check:
    """Sources by the way that they take, and what they land."""

    def __init__(self, work, ports, lakeward, want):
        self.work, self.ports, self.lakeward, self.want, self.made = work, ports, lakeward, want, 0

    def extract(self, port, http, env=None, host="127.0.0.1", attempts=4):
        self.made += 1
        file = self.work / f"source{self.made}.yaml"
        scheme = "http" if port == "plain" else "https"
        port = self.ports[port]
        file.write_text(SOURCE.format(scheme=scheme, host=host, port=port, http=http, attempts=attempts))
        lakeward = self.lakeward.with_env(**({"PROXY_USER": "lake", "PROXY_PASSWORD": PASSWORD} | (env or {})))
        self.lake = self.work / f"lake{self.made}"
        return lakeward.extract(file, "--lake", self.lake, "--date", "2026-03-16")

    def lands(self, *args, **kwargs):
        self.extract(*args, **kwargs).expect()
        harness.same_rows(self.want, harness.lake_rows(self.lake, ["id", "amount"], "id"))

    def refused(self, code, words, *args, **kwargs):
        """Ends with this code after one request, and says these words."""
        ran = self.extract(*args, **kwargs).expect(code)
        for word in words:
            assert word in ran.err, f"`{word}` is not said:\n{ran.err}"
        traffic = ran.report["traffic"]
        assert (traffic["requests"], traffic["retries"]) == (1, 0), traffic
        assert PASSWORD not in ran.out + ran.err
        return ran


TRUSTED = "ca_bundle: ca.pem"
KNOWN = "client_cert: { cert: client.pem, key: { file: client.key } }"
AUTH = "proxy_auth: { username: { env: PROXY_USER }, password: { env: PROXY_PASSWORD } }"


def tls(report, check):
    with report.check("a private CA in ca_bundle and a client certificate: all rows"):
        check.lands("mutual", f"{TRUSTED}, {KNOWN}")
    with report.check("a CA that nobody told of: exit 2 at once, names http.ca_bundle"):
        check.refused(2, ["a CA that is not known here", "http.ca_bundle"], "mutual", KNOWN)
    with report.check("no client certificate: exit 4 at once, with what nginx says"):
        check.refused(4, ["No required SSL certificate was sent", "http.client_cert"], "mutual", TRUSTED)
    with report.check("a client certificate of another CA: exit 4 at once, with what nginx says"):
        stranger = "client_cert: { cert: stranger.pem, key: { file: stranger.key } }"
        check.refused(4, ["The SSL certificate error"], "mutual", f"{TRUSTED}, {stranger}")
    with report.check("an expired certificate: exit 4 at once"):
        check.refused(4, ["certificate is expired"], "expired", TRUSTED)
    with report.check("a certificate for another name: exit 4 at once"):
        check.refused(4, ["for another name", "base_url"], "other", TRUSTED)
    with report.check("https where plain HTTP is spoken: exit 4 at once"):
        ports = check.ports
        check.ports = ports | {"mutual": ports["plain"]}
        check.refused(4, ["does not speak TLS", "http://"], "mutual", TRUSTED)
        check.ports = ports


def proxies(report, check, log):
    by = f"proxy: 'http://127.0.0.1:{check.ports['tinyproxy']}'"
    with report.check("tinyproxy with a password: plain HTTP, and a tunnel to nginx with client certificates"):
        check.lands("plain", f"{by}, {AUTH}")
        check.lands("mutual", f"{by}, {AUTH}, {TRUSTED}, {KNOWN}")
        said = log.read_text()
        assert "CONNECT 127.0.0.1" in said and "GET http://127.0.0.1" in said, said
    with report.check("tinyproxy in HTTPS_PROXY and HTTP_PROXY, its password in the URL"):
        url = f"http://lake:{PASSWORD}@127.0.0.1:{check.ports['tinyproxy']}"
        before = log.read_text().count("Established connection")
        for port, http in [("plain", ""), ("mutual", f"{TRUSTED}, {KNOWN}")]:
            check.lands(port, http, env={"HTTP_PROXY": url, "HTTPS_PROXY": url})
        assert log.read_text().count("Established connection") >= before + 2
    with report.check("tinyproxy without a password: exit 4 at once, names http.proxy_auth"):
        check.refused(4, ["407", "http.proxy_auth"], "plain", by)
        check.refused(4, ["407", "http.proxy_auth"], "mutual", f"{by}, {TRUSTED}")
    with report.check("tinyproxy that leads to no such port: exit 5, names the proxy"):
        ran = check.extract("other", f"{by}, {AUTH}, {TRUSTED}", attempts=1).expect(5)
        assert f"127.0.0.1:{check.ports['tinyproxy']}" in ran.err, ran.err
    with report.check("a host in NO_PROXY goes past a proxy that is not there"):
        check.lands("plain", "proxy: 'http://127.0.0.1:1'", env={"NO_PROXY": "127.0.0.0/8"})
    for scheme in ["socks5", "socks5h"]:
        by = f"proxy: '{scheme}://127.0.0.1:{check.ports['socks']}'"
        with report.check(f"microsocks by {scheme}, with a password: plain HTTP and TLS"):
            env = {"PROXY_PASSWORD": SOCKS_PASSWORD}
            check.lands("plain", f"{by}, {AUTH}", host="localhost", env=env)
            check.lands("mutual", f"{by}, {AUTH}, {TRUSTED}, {KNOWN}", host="localhost", env=env)
    with report.check("microsocks and a wrong password: exit 5, names the proxy, not the password"):
        wrong = {"PROXY_PASSWORD": "not-the-one-it-is"}
        ran = check.extract("plain", f"{by}, {AUTH}", attempts=1, env=wrong).expect(5)
        assert f"127.0.0.1:{check.ports['socks']}" in ran.err and wrong["PROXY_PASSWORD"] not in ran.err, ran.err


def run(report, lakeward, work):
    work = harness.fresh(work)
    names = ["plain", "mutual", "expired", "other", "tinyproxy", "socks"]
    ports = dict(zip(names, harness.free_ports(len(names))))
    ca, another = Ca(work, "ca"), Ca(work, "another")
    ca.issue("server", "127.0.0.1", "localhost")
    ca.issue("expired", "127.0.0.1", life=dt.timedelta(days=-1))
    ca.issue("other", "api.example.com")
    ca.issue("client")
    another.issue("stranger")
    start = int(dt.datetime(2026, 3, 16, tzinfo=harness.UTC).timestamp())
    items = [{"id": f"p{n}", "amount": 100 + n, "created_at": start + n} for n in range(ROWS)]
    (work / "www/v1").mkdir(parents=True)
    (work / "www/v1/payments.json").write_text(json.dumps({"items": items, "total": ROWS}))
    (work / "payments.yaml").write_text(harness.small_table("payments"))
    want = {i["id"]: {"amount": harness.money(i["amount"]) / 100} for i in items}
    (work / "nginx.conf").write_text(NGINX.format(work=work, **ports))
    log = work / "tinyproxy.log"
    allowed = ports["mutual"]
    (work / "tinyproxy.conf").write_text(
        TINYPROXY.format(work=work, port=ports["tinyproxy"], password=PASSWORD, allowed=allowed))
    check = Check(work, ports, lakeward, want)
    nginx = [program("nginx"), "-p", work, "-c", work / "nginx.conf"]
    proxy = [program("tinyproxy"), "-d", "-c", work / "tinyproxy.conf"]
    socks = [program("microsocks"), "-i", "127.0.0.1", "-p", ports["socks"], "-u", "lake", "-P", SOCKS_PASSWORD]
    with harness.server(nginx, f"http://127.0.0.1:{ports['plain']}/", work / "nginx.log"):
        tls(report, check)
        with harness.server(proxy, f"http://127.0.0.1:{ports['tinyproxy']}/", work / "proxy.log"), \
                harness.server(socks, f"tcp://127.0.0.1:{ports['socks']}", work / "socks.log"):
            proxies(report, check, pathlib.Path(log))
