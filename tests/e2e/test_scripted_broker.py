"""The test of the test's broker: it does what its script says, to a client of a few lines."""
import pathlib
import socket
import struct
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from scripted_broker import Body, Gone, ScriptedBroker, packet, read_packet  # noqa: E402


class Client:
    def __init__(self, broker):
        self.sock = socket.create_connection(("127.0.0.1", broker.port), 5)
        self.stream = self.sock.makefile("rb")
        self.sock.sendall(packet(1, b"\0\4MQTT\5\2\0\x1e\0\0\1c"))

    def answer(self):
        return read_packet(self.stream)

    def publish(self, packet_id, payload=b"{}", retain=0, dup=0):
        self.sock.sendall(packet(3, b"\0\5a/row" + struct.pack(">H", packet_id) + b"\0" + payload, 2 | retain | dup << 3))

    def close(self):
        self.stream.close()
        self.sock.close()


@pytest.fixture
def scripted():
    opened = []

    def start(script):
        broker = ScriptedBroker(script).__enter__()
        opened.append(broker)
        return broker, client(broker)

    def client(broker):
        opened.append(Client(broker))
        return opened[-1]
    start.client = client
    yield start
    for each in reversed(opened):
        each.close() if isinstance(each, Client) else each.stop()


def test_acknowledges_and_records(scripted):
    broker, client = scripted({"receive_maximum": 7})
    assert client.answer() == (2, 0, b"\0\0\3\x21\0\7")
    client.publish(1, b'{"a":1}', dup=1)
    client.publish(2, b"online", retain=1)
    assert client.answer() == (4, 0, b"\0\1\0\0") and client.answer() == (4, 0, b"\0\2")
    client.sock.sendall(packet(12, b""))
    assert client.answer()[0] == 13
    assert broker.rows()[0]["event"] == {"a": 1} and broker.rows()[0]["dup"]
    assert broker.retained("row")[0]["payload"] == "online"
    assert broker.received("connect")[0]["keepalive"] == 30


def test_refuses_so_often_and_then_no_more(scripted):
    _, client = scripted({"refuse": 1})
    client.answer()
    client.publish(2)
    client.publish(4)
    assert client.answer()[2] == b"\0\2\x87\0" and client.answer()[2] == b"\0\4"


def test_withholds_then_drops(scripted):
    broker, client = scripted({"withhold": 1, "drop_after": 1, "drop_before_puback": 1})
    client.answer()
    client.publish(1)
    client.publish(2)
    with pytest.raises(Gone):
        client.answer()
    again = scripted.client(broker)
    assert again.answer()[2][:2] == b"\0\0"  # no session
    again.publish(2)
    assert again.answer()[0] == 4


def test_refuses_the_connection(scripted):
    _, client = scripted({"connack_refuse": 1, "connack_code": 0x86})
    assert client.answer()[2][1] == 0x86


def test_disconnects(scripted):
    _, client = scripted({"disconnect": 1})
    client.answer()
    client.publish(1)
    assert client.answer() == (14, 0, b"\x8b\0")


def test_subscribes_and_sends(scripted):
    broker, client = scripted({"suback_refuse": 1, "suback_for": "b", "session_present": 1})
    assert client.answer()[2][0] == 1
    for packet_id, topic in enumerate((b"a/a", b"a/b", b"a/b"), 1):
        client.sock.sendall(packet(8, struct.pack(">H", packet_id) + b"\0\0\3" + topic + b"\x2d", 2))
    assert [client.answer()[2] for _ in range(3)] == [b"\0\1\0\1", b"\0\2\0\x87", b"\0\3\0\1"]
    assert broker.received("subscribe")[0] | {"connection": 0} == {
        "packet": "subscribe", "connection": 0, "topic": "a/a", "qos": 1, "no_local": True, "retain_as_published": True,
        "retain_handling": 2}
    client.sock.sendall(packet(10, b"\0\7\0\0\3a/a", 2))
    assert client.answer() == (11, 0, b"\0\7\0\0")
    assert broker.send("t", "hello", retain=True) == 1
    assert client.answer() == (3, 3, b"\0\1t\0\1\0hello")
    client.sock.sendall(packet(4, b"\0\1"))
    client.sock.sendall(packet(12, b""))
    assert client.answer()[0] == 13  # so the PUBACK is recorded
    assert broker.received("puback") == [{"packet": "puback", "connection": 1, "packet_id": 1, "reason": 0}]


def test_long_lengths_and_broken_bodies():
    assert packet(3, b"x" * 321)[:3] == b"\x30\xc1\x02"
    with pytest.raises(Gone):
        Body(b"\0\5ab").text()
