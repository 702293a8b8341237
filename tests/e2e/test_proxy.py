"""The proxy of the faults' tests does what its first lines say, or those tests would prove nothing."""
import pathlib
import socket
import struct
import sys
import threading
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from proxy import Frames, NotMqtt, Proxy  # noqa: E402
from scripted_broker import Gone, ScriptedBroker, packet, read_packet  # noqa: E402


class Client:
    """As little of MQTT 5 as it takes to publish and to see what comes back."""

    def __init__(self, port):
        self.sock = socket.create_connection(("127.0.0.1", port), 5)
        self.sock.settimeout(10)
        self.stream = self.sock.makefile("rb")
        self.sock.sendall(packet(1, b"\0\4MQTT\5\2\0\0\0\0\4test"))
        assert read_packet(self.stream)[0] == 2

    def publish(self, number, topic="a/passage", payload=b"{}"):
        self.sock.sendall(packet(3, struct.pack(">H", len(topic)) + topic.encode() + struct.pack(">H", number) + b"\0" + payload, 2))

    def ack(self):
        """(packet id, reason)"""
        kind, _, body = read_packet(self.stream)
        assert kind == 4
        return struct.unpack(">H", body[:2])[0], body[2] if len(body) > 2 else 0

    def silent(self, seconds=0.3):
        self.sock.settimeout(seconds)
        try:
            data = self.sock.recv(1)
        except TimeoutError:
            return True
        finally:
            self.sock.settimeout(10)
        return data == b"" and None

    def close(self):
        self.stream.close()
        self.sock.close()


@pytest.fixture
def setup():
    clients = []
    with ScriptedBroker({}) as broker, Proxy(broker.port) as proxy:
        def client():
            clients.append(Client(proxy.port))
            return clients[-1]
        yield broker, proxy, client
        for one in clients:
            one.close()


def payloads(broker):
    return [r["payload"] for r in broker.received()]


def test_left_alone_it_changes_nothing(setup):
    broker, proxy, client = setup
    one, texts = client(), [("x" * size) for size in (0, 1, 100, 127, 128, 16383, 20000, 70000)]
    for number, text in enumerate(texts, 1):
        one.publish(number, payload=text.encode())
    assert [one.ack() for _ in texts] == [(n, 0) for n in range(1, len(texts) + 1)]
    assert payloads(broker) == texts
    proxy.wait("passed", len(texts))
    assert proxy.counts["connections"] == 1 and proxy.counts["passed"] == len(texts)


def test_withholds_exactly_so_many_and_only_of_rows(setup):
    _, proxy, client = setup
    one = client()
    proxy.withhold(2)
    for number, topic in enumerate(("a/state", "a/passage", "a/info", "a/alarm", "b/passage"), 1):
        one.publish(number, topic)
    assert [one.ack()[0] for _ in range(3)] == [1, 3, 5]
    assert proxy.counts["withheld"] == 2 and one.silent()


def test_delays_and_then_all_behind_it(setup):
    _, proxy, client = setup
    one = client()
    proxy.delay(2, 0.3)
    began = time.monotonic()
    for number in (1, 2, 3):
        one.publish(number)
    assert [one.ack()[0] for _ in range(3)] == [1, 2, 3]
    assert time.monotonic() - began >= 0.6


@pytest.mark.parametrize("code", [0x80, 0x97])
def test_refuses_what_the_broker_took(setup, code):
    broker, proxy, client = setup
    one = client()
    proxy.refuse(2, code)
    for number in (1, 2, 3):
        one.publish(number)
    assert [one.ack() for _ in range(3)] == [(1, code), (2, code), (3, 0)]
    assert len(payloads(broker)) == 3


def test_plans_are_carried_out_one_after_another(setup):
    _, proxy, client = setup
    one = client()
    proxy.refuse(1, 0x97)
    proxy.withhold(1)
    proxy.refuse(1, 0x80)
    for number in (1, 2, 3, 4):
        one.publish(number)
    assert [one.ack() for _ in range(3)] == [(1, 0x97), (3, 0x80), (4, 0)]


def test_half_open_is_silent_and_not_closed_and_a_new_connection_works(setup):
    broker, proxy, client = setup
    one = client()
    one.publish(1)
    one.ack()
    proxy.freeze()
    one.publish(2)
    assert one.silent() is True and len(payloads(broker)) == 1
    two = client()
    two.publish(3)
    assert two.ack() == (3, 0)
    assert proxy.open_connections() == 1 and one.silent() is True


def test_slow_in_bytes_per_second_both_ways(setup):
    broker, proxy, client = setup
    one = client()
    proxy.slow(4000)
    began = time.monotonic()
    one.publish(1, payload=b"x" * 4000)
    assert one.ack() == (1, 0) and time.monotonic() - began >= 1
    broker.send("t", "y" * 4000)
    began = time.monotonic()
    assert len(read_packet(one.stream)[2]) > 4000 and time.monotonic() - began >= 0.8
    proxy.slow(None)
    one.publish(2, payload=b"x" * 4000)
    assert one.ack() == (2, 0)


def read_all(sock, ret):
    while data := sock.recv(4096):
        ret.append(data)


@pytest.mark.parametrize("after", [0, 1, 700, 999])
def test_cut_at_a_byte(after):
    with socket.create_server(("127.0.0.1", 0)) as server, Proxy(server.getsockname()[1], framed=False) as proxy:
        with socket.create_connection(("127.0.0.1", proxy.port), 5) as client:
            peer, got = server.accept()[0], []
            reader = threading.Thread(target=read_all, args=(peer, got))
            reader.start()
            proxy.cut(after)
            client.sendall(b"z" * 1000)
            reader.join(10)
            assert not reader.is_alive() and len(b"".join(got)) == after and proxy.counts["cut"] == 1
            assert client.recv(1) == b""
            peer.close()


def test_deny_allow_and_kill(setup):
    broker, proxy, client = setup
    one = client()
    proxy.kill()
    with pytest.raises((Gone, ConnectionResetError)):
        read_packet(one.stream)
    proxy.deny()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", proxy.port), 5)
    proxy.allow()
    two = client()
    two.publish(1)
    assert two.ack() == (1, 0) and broker.connections == 2


def test_a_broker_that_is_away_resets_the_client():
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with Proxy(port) as proxy:
        with pytest.raises(ConnectionResetError), socket.create_connection(("127.0.0.1", proxy.port), 5) as client:
            client.recv(1)
        assert proxy.counts["broker_away"] == 1


def test_frames_byte_by_byte_and_hostile():
    whole = [packet(3, b"a" * size, 2) for size in (0, 5, 127, 128, 16384)]
    frames, out = Frames(), []
    for i in range(0, len(b"".join(whole))):
        out += frames.feed(b"".join(whole)[i:i + 1])
    assert out == whole and Frames().feed(b"".join(whole)) == whole
    with pytest.raises(NotMqtt):
        Frames().feed(b"\x30\xff\xff\xff\xff\x01")


def test_what_is_no_mqtt_ends_the_connection(setup):
    _, proxy, client = setup
    one = client()
    one.sock.sendall(b"\x30\xff\xff\xff\xff\x01")
    with pytest.raises((Gone, ConnectionResetError)):
        read_packet(one.stream)
    assert proxy.counts["not_mqtt"] == 1
