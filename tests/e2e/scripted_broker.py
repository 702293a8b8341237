#!/usr/bin/python3
"""A small broker of MQTT 5 and 3.1.1 that misbehaves as told: for tests of what a client does when a broker fails.

As a library: `with ScriptedBroker({"drop_before_puback": 2}) as broker:` — a free port of 127.0.0.1, a thread of its own.
As a program: scripted_broker.py --port 1883 --script '{"refuse": 3}' prints what it receives as JSON lines until Ctrl-C.

The script, each a number of times and then no more (rows are publishes that aren't retained):
  connack_refuse N      CONNACK with connack_code (0x86), then close
  connack_silent N      take the CONNECT and say nothing
  drop_before_puback N  close the connection at a row instead of acknowledging it (after `drop_after` rows of the connection)
  refuse N              PUBACK with refuse_code (0x87) for a row
  withhold N            no PUBACK for a row, the connection stays
  disconnect N          send a DISCONNECT with disconnect_code (0x8b) at a row instead of the PUBACK (after `disconnect_after` rows)
  garbage N             answer a row with bytes that are no MQTT
  refuse_retained N     PUBACK with refuse_code for a retained message
  receive_maximum M     told in every CONNACK
  puback_delay_ms M     before every PUBACK
  suback_refuse N       SUBACK with suback_code (0x87) for a filter that ends with suback_for ("")
  suback_silent N       no SUBACK
  session_present N     said in the CONNACK
  old N                 a CONNECT of MQTT 5 is refused as a broker of 3.1.1 does it, and closed
  old_silent N          it is closed without a word
What the client is to receive is sent by send(); its PUBACKs are recorded. It keeps no session: what a client was owed on an
old connection is forgotten, whatever session_present says.
"""
import argparse
import json
import socket
import struct
import sys
import threading
import time

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK = 1, 2, 3, 4, 8, 9, 10, 11
PINGREQ, PINGRESP, DISCONNECT = 12, 13, 14
PACKET_MAX_BYTES = 1 << 20


class Gone(Exception):
    """The client left, or said something that isn't MQTT 5."""


def read_exactly(stream, length):
    data = stream.read(length)
    if data is None or len(data) != length:
        raise Gone("end of stream")
    return data


def read_packet(stream):
    """(type, flags, body) of the next packet."""
    head = read_exactly(stream, 1)[0]
    length, shift = 0, 0
    while True:
        byte = read_exactly(stream, 1)[0]
        length |= (byte & 127) << shift
        shift += 7
        if not byte & 128:
            break
        if shift > 21:
            raise Gone("length of more than four bytes")
    if length > PACKET_MAX_BYTES:
        raise Gone("packet too long")
    return head >> 4, head & 15, read_exactly(stream, length)


class Body:
    """Reads the fields of a packet's body in order."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, length):
        if self.at + length > len(self.data):
            raise Gone("packet too short")
        self.at += length
        return self.data[self.at - length:self.at]

    def byte(self):
        return self.take(1)[0]

    def short(self):
        return struct.unpack(">H", self.take(2))[0]

    def binary(self):
        return self.take(self.short())

    def text(self):
        return self.binary().decode("utf-8", "strict")

    def properties(self):
        length, shift = 0, 0
        while True:
            byte = self.byte()
            length |= (byte & 127) << shift
            shift += 7
            if not byte & 128:
                return self.take(length)

    def rest(self):
        return self.take(len(self.data) - self.at)


NUMBERS = {0x11: ("session_expiry", ">I"), 0x21: ("receive_max", ">H"), 0x27: ("packet_max", ">I")}


def connect_numbers(properties):
    """Those of a CONNECT's properties that a lane sends, by name."""
    body, found = Body(properties), {}
    while body.at < len(properties):
        name, form = NUMBERS.get(body.byte(), (None, None))
        if name is None:
            raise Gone("a property that isn't expected")
        found[name] = struct.unpack(form, body.take(struct.calcsize(form)))[0]
    return found


def packet(kind, body, flags=0):
    length, encoded = len(body), b""
    while True:
        byte, length = length & 127, length >> 7
        encoded += bytes([byte | (128 if length else 0)])
        if not length:
            return bytes([kind << 4 | flags]) + encoded + body


class ScriptedBroker:
    def __init__(self, script=None, port=0, log=None):
        self.script, self.log = dict(script or {}), log
        self.records = []          # everything received, as dicts
        self.connections = 0
        self.unacked_peak = 0
        self._lock = threading.Lock()
        self._sockets = set()
        self._old = set()
        self._kept = set()          # of these, those that speak 3.1.1
        self._writing = threading.Lock()
        self._packet_id = 0
        self._threads = []
        self._stopping = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", port))
        self._listener.settimeout(0.1)
        self.port = self._listener.getsockname()[1]
        self._accepting = threading.Thread(target=self._accept)

    def __enter__(self):
        self._accepting.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self._stopping.set()
        with self._lock:
            sockets = list(self._sockets)
        for sock in sockets:
            self._shut(sock)
        self._accepting.join(5)
        for thread in self._threads:
            thread.join(5)
        self._listener.close()

    def drop_all(self):
        """Closes every connection, as a broker that is restarted does."""
        with self._lock:
            sockets = list(self._sockets)
        for sock in sockets:
            self._shut(sock)

    def _write(self, sock, data):
        with self._writing:
            sock.sendall(data)

    def send(self, topic, payload, retain=False, qos=1):
        """A message to every client that is connected, whatever it subscribed to; its packet id."""
        with self._lock:
            self._packet_id = self._packet_id % 65535 + 1
            packet_id, sockets = self._packet_id, list(self._sockets)
        body = struct.pack(">H", len(topic)) + topic.encode() + (struct.pack(">H", packet_id) if qos else b"")
        for sock in sockets:
            data = payload if isinstance(payload, bytes) else payload.encode()
            self._write(sock, packet(PUBLISH, body + self._properties(sock) + data, qos << 1 | int(retain)))
        return packet_id

    def received(self, kind="publish"):
        with self._lock:
            return [r for r in self.records if r["packet"] == kind]

    def rows(self):
        """The journal's events among the publishes, in order of arrival, payloads parsed."""
        return [dict(r, event=json.loads(r["payload"])) for r in self.received()
                if not r["retain"] and not r["topic"].endswith("/result")]

    def results(self):
        return [json.loads(r["payload"]) for r in self.received() if r["topic"].endswith("/result")]

    def retained(self, leaf):
        return [r for r in self.received() if r["retain"] and r["topic"].endswith("/" + leaf)]

    def _properties(self, sock):
        """None of them, in this connection's dialect."""
        return b"" if sock in self._old else b"\0"

    @staticmethod
    def _shut(sock):
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def _accept(self):
        while not self._stopping.is_set():
            try:
                sock, _ = self._listener.accept()
            except TimeoutError:
                continue
            sock.settimeout(None)
            with self._lock:
                self.connections += 1
                self._sockets.add(sock)
                number = self.connections
            thread = threading.Thread(target=self._serve, args=(sock, number))
            self._threads.append(thread)
            thread.start()

    def _record(self, **fields):
        with self._lock:
            self.records.append(fields)
            if self.log:
                print(json.dumps(fields), file=self.log, flush=True)

    def _spend(self, what):
        """True as often as the script says."""
        with self._lock:
            left = self.script.get(what, 0)
            self.script[what] = max(left - 1, 0)
            return left > 0

    def _serve(self, sock, number):
        stream = sock.makefile("rb")
        try:
            self._connect(sock, stream, number)
            rows = unacked = 0
            while True:
                kind, flags, body = read_packet(stream)
                if kind == PUBLISH:
                    rows, unacked = self._publish(sock, number, flags, Body(body), rows, unacked)
                elif kind == PINGREQ:
                    self._write(sock, packet(PINGRESP, b""))
                elif kind == PUBACK:
                    self._record(packet="puback", connection=number, packet_id=struct.unpack(">H", body[:2])[0],
                                 reason=body[2] if len(body) > 2 else 0)
                elif kind in (SUBSCRIBE, UNSUBSCRIBE):
                    self._subscribe(sock, number, kind, Body(body))
                elif kind == DISCONNECT:
                    self._record(packet="disconnect", connection=number, reason=body[0] if body else 0)
                    return
                else:
                    raise Gone(f"packet type {kind}")
        except (Gone, OSError, ValueError) as error:
            self._record(packet="gone", connection=number, why=str(error))
        finally:
            with self._lock:
                self._sockets.discard(sock)
                self._old.discard(sock)
                self._kept.discard(sock)
            stream.close()
            sock.close()

    def _connect(self, sock, stream, number):
        kind, _, data = read_packet(stream)
        body = Body(data)
        if kind != CONNECT or body.text() != "MQTT":
            raise Gone("no CONNECT of MQTT 5 or 3.1.1")
        version = body.byte()
        if version == 4:
            self._old.add(sock)
        elif version != 5:
            raise Gone("neither MQTT 5 nor 3.1.1")
        flags, keepalive = body.byte(), body.short()
        properties = body.properties() if version == 5 else b""
        record = {"packet": "connect", "connection": number, **({"version": "3.1.1"} if version == 4 else {}),
                  "clean_start": bool(flags & 2), "keepalive": keepalive,
                  "client_id": body.text(), **connect_numbers(properties)}
        if flags & 4:
            if version == 5:
                body.properties()
            record |= {"will_topic": body.text(), "will": body.binary().decode(), "will_qos": flags >> 3 & 3,
                       "will_retain": bool(flags & 32)}
        if flags & 128:
            record["username"] = body.text()
        if flags & 64:
            record["password_bytes"] = len(body.binary())
        self._record(**record)
        if version == 5 and self._spend("old"):
            self._write(sock, packet(CONNACK, b"\0\1"))
            raise Gone("refused MQTT 5, as scripted")
        if version == 5 and self._spend("old_silent"):
            raise Gone("closed at MQTT 5, as scripted")
        if self._spend("connack_silent"):
            while stream.read(1):
                pass
            raise Gone("left without a CONNACK, as scripted")
        if self._spend("connack_refuse"):
            self._write(sock, packet(CONNACK, bytes([0, self.script.get("connack_code", 0x86), 0])))
            raise Gone("refused, as scripted")
        limit = self.script.get("receive_maximum")
        kept = self._spend("session_present")
        if kept:
            self._kept.add(sock)
        if version == 4:
            self._write(sock, packet(CONNACK, bytes([int(kept), 0])))
            return
        told = b"" if limit is None else b"\x21" + struct.pack(">H", limit)
        self._write(sock, packet(CONNACK, bytes([int(kept), 0, len(told)]) + told))

    def _subscribe(self, sock, number, kind, body):
        packet_id = body.take(2)
        if sock not in self._old:
            body.properties()
        topic = body.text()
        record = {"packet": "subscribe" if kind == SUBSCRIBE else "unsubscribe", "connection": number, "topic": topic}
        if topic.endswith("/session"):  # how a lane finds out whether its session was kept
            record["packet"] = "probe"
        code = 0x11 if record["packet"] == "probe" and sock not in self._kept else 0
        if kind == SUBSCRIBE:
            options = body.byte()
            code = options & 3
            record |= {"qos": options & 3, "no_local": bool(options & 4), "retain_as_published": bool(options & 8),
                       "retain_handling": options >> 4 & 3}
        self._record(**record)
        if body.at < len(body.data):
            raise Gone("one filter at a time is expected")
        if kind == SUBSCRIBE and record["packet"] != "probe" and self._spend("suback_silent"):
            return
        if kind == SUBSCRIBE and topic.endswith(self.script.get("suback_for", "")) and self._spend("suback_refuse"):
            code = self.script.get("suback_code", 0x87)
        codes = b"" if sock in self._old and kind == UNSUBSCRIBE else self._properties(sock) + bytes([code])
        self._write(sock, packet(SUBACK if kind == SUBSCRIBE else UNSUBACK, packet_id + codes))

    def _publish(self, sock, number, flags, body, rows, unacked):
        qos, retain = flags >> 1 & 3, bool(flags & 1)
        topic = body.text()
        packet_id = body.short() if qos else 0
        if sock not in self._old:
            body.properties()
        self._record(packet="publish", connection=number, topic=topic, qos=qos, retain=retain, dup=bool(flags & 8),
                     packet_id=packet_id, payload=body.rest().decode("utf-8"))
        if qos == 0:
            return rows, unacked
        if qos != 1:
            raise Gone("QoS 2 isn't spoken here")
        with self._lock:
            self.unacked_peak = max(self.unacked_peak, unacked + 1)
        reason = 0
        if retain:
            reason = self.script.get("refuse_code", 0x87) if self._spend("refuse_retained") else 0
        else:
            rows += 1
            if rows > self.script.get("drop_after", 0) and self._spend("drop_before_puback"):
                raise Gone("dropped, as scripted")
            if rows > self.script.get("disconnect_after", 0) and self._spend("disconnect"):
                self._write(sock, packet(DISCONNECT, bytes([self.script.get("disconnect_code", 0x8B), 0])))
                raise Gone("disconnected, as scripted")
            if self._spend("garbage"):
                self._write(sock, b"\xff\xff\xff\xff\xff\x00garbage")
                raise Gone("garbage, as scripted")
            if self._spend("withhold"):
                return rows, unacked + 1
            reason = self.script.get("refuse_code", 0x87) if self._spend("refuse") else 0
        if self.script.get("puback_delay_ms"):
            time.sleep(self.script["puback_delay_ms"] / 1000)
        # MQTT 5 lets a PUBACK of success end after the packet id; both forms are used.
        told = sock not in self._old and (reason or packet_id % 2)
        answer = struct.pack(">H", packet_id) + (bytes([reason, 0]) if told else b"")
        self._write(sock, packet(PUBACK, answer))
        return rows, unacked


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--script", type=json.loads, default={})
    arguments = parser.parse_args()
    with ScriptedBroker(arguments.script, arguments.port, sys.stdout) as broker:
        print(json.dumps({"packet": "listening", "port": broker.port}), flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
