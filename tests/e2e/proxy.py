"""A TCP proxy that knows where MQTT packets begin and end: it stands between a lane and a real broker and fails as told.

    with Proxy(broker.port) as proxy:     a free port of 127.0.0.1, two threads a connection
        proxy.withhold(5)                 the next 5 PUBACKs of rows never arrive
        proxy.delay(5, seconds=0.3)       … come later, and all behind them too
        proxy.refuse(5, code=0x97)        … say "refused" (MQTT 5); the broker has taken the message all the same
        proxy.freeze()                    half-open: the connections of now carry nothing more and stay open
        proxy.slow(2000)                  so many bytes a second in each direction of a connection; None: as fast as it goes
        proxy.cut(100)                    a connection ends after exactly so many more bytes from the client
        proxy.deny() / proxy.allow()      connections are refused / taken again
        proxy.kill()                      every connection is reset
        proxy.wait("withheld", 5)         until it has happened; proxy.counts says how often it did

Rows are QoS 1 publishes whose topic ends with one of `rows`. With framed=False (TLS) only what needs no packets works.
Used by test_faults.py; test_proxy.py holds it to this text."""
import collections
import socket
import struct
import threading
import time

PUBLISH, PUBACK = 3, 4
ROWS = ("/passage", "/alarm")
SLICES_A_SECOND = 20


class NotMqtt(Exception):
    """What came can't be cut into packets."""


class Frames:
    """Bytes in, whole packets out, each as it came."""

    def __init__(self):
        self.waiting = b""

    def feed(self, data):
        self.waiting += data
        packets = []
        while (end := self._end()) is not None:
            packets.append(self.waiting[:end])
            self.waiting = self.waiting[end:]
        return packets

    def _end(self):
        length = 0
        for i in range(1, 5):
            if i >= len(self.waiting):
                return None
            length |= (self.waiting[i] & 127) << 7 * (i - 1)
            if not self.waiting[i] & 128:
                end = i + 1 + length
                return end if end <= len(self.waiting) else None
        raise NotMqtt("a length of more than four bytes")


def body_of(packet):
    i = 1
    while packet[i] & 128:
        i += 1
    return packet[i + 1:]


def reset_and_close(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


class Connection:
    def __init__(self, proxy, client, server):
        self.proxy, self.client, self.server = proxy, client, server
        self.frozen = self.closed = False
        self.topics = {}  # packet id -> topic, of what the client published
        self.threads = [threading.Thread(target=self._pump, args=pair, daemon=True)
                        for pair in ((client, server, self._up), (server, client, self._down))]
        for thread in self.threads:
            thread.start()

    def close(self, reset=False):
        self.closed = True
        self.proxy.tell()
        for sock in (self.client, self.server):
            try:
                sock.shutdown(socket.SHUT_RD if reset else socket.SHUT_RDWR)
            except OSError:
                pass
        if reset:  # with nobody left in a recv(), close() is what resets
            for thread in self.threads:
                thread.join(5)
            for sock in (self.client, self.server):
                reset_and_close(sock)

    def _pump(self, source, sink, handle):
        frames = Frames() if self.proxy.framed else None
        try:
            while not self.closed:
                data = source.recv(65536)
                if not self.proxy.hold(self):
                    return
                if not data:
                    break
                for packet in frames.feed(data) if frames else [data]:
                    if self.closed:  # a cut within this very piece: what stood behind it never was
                        return
                    handle(packet, sink)
        except (OSError, NotMqtt) as error:
            if isinstance(error, NotMqtt):
                self.proxy.count("not_mqtt")
        if not self.frozen and not self.closed:
            self.close()

    def _send(self, sink, packet):
        while packet and self.proxy.hold(self):
            rate = self.proxy.rate
            piece = packet if rate is None else packet[:max(1, rate // SLICES_A_SECOND)]
            sink.sendall(piece)
            packet = packet[len(piece):]
            if rate is not None:
                time.sleep(len(piece) / rate)

    def _up(self, packet, sink):
        if self.proxy.framed and packet[0] >> 4 == PUBLISH and packet[0] >> 1 & 3:
            body = body_of(packet)
            length = struct.unpack(">H", body[:2])[0]
            self.topics[body[2 + length:4 + length]] = body[2:2 + length].decode("utf-8", "replace")
        left = self.proxy.take_cut(len(packet))
        if left is None:
            self._send(sink, packet)
            return
        self._send(sink, packet[:left])
        self.closed = True  # nothing more of this connection is handled: the next cut is another's
        self.proxy.count("cut")  # before the client can know
        self.close()

    def _down(self, packet, sink):
        if self.proxy.framed and packet[0] >> 4 == PUBACK:
            body = body_of(packet)
            topic = self.topics.pop(body[:2], "")
            if topic.endswith(self.proxy.rows):
                what, value = self.proxy.next_fate()
                if what == "withheld":
                    self.proxy.count(what)
                    return
                if what == "delayed":
                    time.sleep(value)
                elif what == "refused":
                    packet = bytes([PUBACK << 4, 4]) + body[:2] + bytes([value, 0])
                self._send(sink, packet)
                self.proxy.count(what)
                return
        self._send(sink, packet)


class Proxy:
    def __init__(self, target_port, framed=True, rows=ROWS):
        self.target_port, self.framed, self.rows = target_port, framed, rows
        self.rate = None
        self.counts = collections.Counter()
        self.changed = threading.Condition()
        self._fates = collections.deque()  # (what, value, how often)
        self._cut = None
        self._connections = []
        self._listener, self._stopping = None, False
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]

    def __enter__(self):
        self.allow()
        return self

    def __exit__(self, *_):
        self._stopping = True
        self.deny()
        with self.changed:
            connections = list(self._connections)
        for connection in connections:
            connection.frozen = False
            connection.close()
        for connection in connections:
            for thread in connection.threads:
                thread.join(5)
            connection.client.close()
            connection.server.close()

    # ---- what a test says ----
    def withhold(self, times):
        self._plan("withheld", None, times)

    def delay(self, times, seconds):
        self._plan("delayed", seconds, times)

    def refuse(self, times, code=0x97):
        self._plan("refused", code, times)

    def _plan(self, what, value, times):
        with self.changed:
            self._fates.append([what, value, times])

    def freeze(self):
        with self.changed:
            for connection in self._connections:
                connection.frozen = not connection.closed

    def slow(self, bytes_per_second):
        self.rate = bytes_per_second

    def cut(self, after_bytes):
        with self.changed:
            self._cut = after_bytes

    def kill(self):
        with self.changed:
            connections = list(self._connections)
        for connection in connections:
            if not connection.closed:
                connection.close(reset=True)

    def deny(self):
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
            self._accepting.join(5)
            listener.close()

    def allow(self):
        if self._listener is None:
            self._listener = socket.create_server(("127.0.0.1", self.port))
            self._accepting = threading.Thread(target=self._accept, args=(self._listener,), daemon=True)
            self._accepting.start()

    def wait(self, what, times=1, seconds=30):
        with self.changed:
            if not self.changed.wait_for(lambda: self.counts[what] >= times, seconds):
                raise TimeoutError(f"not within {seconds} s: {what} {times} times; {dict(self.counts)}")

    def open_connections(self):
        with self.changed:
            return sum(not c.closed and not c.frozen for c in self._connections)

    # ---- what its threads ask ----
    def count(self, what):
        with self.changed:
            self.counts[what] += 1
            self.changed.notify_all()

    def tell(self):
        with self.changed:
            self.changed.notify_all()

    def hold(self, connection):
        """Waits while the connection is frozen. False: it is over."""
        with self.changed:
            self.changed.wait_for(lambda: connection.closed or not connection.frozen)
            return not connection.closed

    def next_fate(self):
        with self.changed:
            if not self._fates:
                return "passed", None
            fate = self._fates[0]
            fate[2] -= 1
            if fate[2] <= 0:
                self._fates.popleft()
            return fate[0], fate[1]

    def take_cut(self, length):
        """How many bytes of `length` still go before the cut, or None: no cut here."""
        with self.changed:
            if self._cut is None:
                return None
            if self._cut >= length:
                self._cut -= length
                return None
            left, self._cut = self._cut, None
            return left

    def _accept(self, listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            if self._stopping:
                client.close()
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.target_port), 5)
                server.settimeout(None)
            except OSError:  # the broker is away: so are we
                self.count("broker_away")  # before the client can know
                reset_and_close(client)
                continue
            for sock in (client, server):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.changed:
                self._connections = [c for c in self._connections if not c.closed]
                self._connections.append(Connection(self, client, server))
            self.count("connections")
