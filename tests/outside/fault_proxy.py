"""A proxy before an S3 server that does what networks and stores do: it loses requests, and it loses answers."""

import collections
import contextlib
import socket
import socketserver
import struct
import threading

# What may befall a request: before the server has it, in the middle of it, or after it was done.
BEFORE = ["reset before", "409 undone", "503 undone", "cut"]
AFTER = ["reset after", "500 after", "hang after"]
CANNED = {
    "409 undone": (409, "Conflict", "ConditionalRequestConflict"),
    "503 undone": (503, "Service Unavailable", "SlowDown"),
    "500 after": (500, "Internal Server Error", "InternalError"),
    "expired": (400, "Bad Request", "ExpiredToken"),
}

Request = collections.namedtuple("Request", "number method target query headers")


class Proxy(socketserver.ThreadingTCPServer):
    """Answers by `plan(request)`: one of the faults above, `expired`, `wait` (for `released`), or None to pass."""

    allow_reuse_address = daemon_threads = True
    request_queue_size = 64

    def __init__(self, backend_port):
        super().__init__(("127.0.0.1", 0), Exchange)
        self.backend, self.port = ("127.0.0.1", backend_port), self.server_address[1]
        self.lock, self.released, self.waiting = threading.Lock(), threading.Event(), threading.Event()
        self.begin()

    def begin(self, plan=lambda request: None):
        """Another run: requests are counted from 1."""
        with self.lock:
            self.count, self.plan, self.hit, self.held = 0, plan, [], []
            self.released.clear()
            self.waiting.clear()

    def judge(self, method, target, headers):
        with self.lock:
            self.count += 1
            request = Request(self.count, method, *(target.split("?") + [""])[:2], headers)
            fault = self.plan(request)
            if fault:
                self.hit.append((fault, request.number, method, request.target))
            if fault == "wait":
                self.held.append(request)
            return fault


class Exchange(socketserver.StreamRequestHandler):
    """One request of one connection."""

    def handle(self):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = self.rfile.readline()
            if not line:
                return
            head += line
        lines = head.decode("latin-1").split("\r\n")
        method, target, _ = lines[0].split(" ", 2)
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:] if line)}
        body = self.rfile.read(int(headers.get("content-length", 0)))
        fault = self.server.judge(method, target, headers)
        if fault == "reset before":
            return self.reset()
        if fault in ("409 undone", "503 undone", "expired"):
            return self.canned(fault, headers)
        if fault == "wait":
            self.server.waiting.set()
            self.server.released.wait(300)
        answer = self.forward(head, body if fault != "cut" else body[:len(body) // 2], whole=fault != "cut")
        if fault in ("cut", "reset after"):
            return self.reset()
        if fault == "500 after":
            return self.canned(fault, headers)
        if fault == "hang after":
            # Until the client has had enough.
            with contextlib.suppress(OSError):
                self.connection.settimeout(60)
                self.connection.recv(1)
            return
        with contextlib.suppress(OSError):
            self.connection.sendall(answer)

    def forward(self, head, body, whole):
        """The server's whole answer; with `whole` false it is hung up on in mid-request."""
        with socket.create_connection(self.server.backend, timeout=60) as s:
            s.sendall(head.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n") + body)
            if not whole:
                return b""
            try:
                answer = b"".join(iter(lambda: s.recv(1 << 16), b""))
            except OSError:  # of a request whose client was killed in its middle
                return b""
        head, end, body = answer.partition(b"\r\n\r\n")
        if b"connection: close" not in head.lower():
            head += b"\r\nConnection: close"
        return head + end + body

    def canned(self, fault, headers):
        status, reason, code = CANNED[fault]
        token = headers.get("x-amz-security-token", "")
        body = f"<Error><Code>{code}</Code><Message>as planned</Message><Token-0>{token}</Token-0></Error>"
        with contextlib.suppress(OSError):
            self.connection.sendall(f"HTTP/1.1 {status} {reason}\r\nContent-Type: application/xml\r\nConnection: close\r\n"
                                    f"Content-Length: {len(body)}\r\n\r\n{body}".encode())

    def reset(self):
        """A connection that ends without a word."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@contextlib.contextmanager
def before(port):
    """A proxy before the server at `port`."""
    with Proxy(port) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
