"""What can go wrong between a lane and its broker, one after another: the real daemon, the real mosquitto, and proxy.py between
them. After each the same check (whole()): every seq has arrived, an event_id belongs to one seq and a seq to one event_id, the
order of seq holds among live and among historical events, and the journal has nothing left to send.

Times are scaled: what an admin's broker does in minutes (acknowledgements after 20 s, attempts 1 s to 30 s apart) happens here
in tenths of a second, by the configuration's own keys (QUICK)."""
import datetime
import itertools
import json
import os
import pathlib
import random
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time

import gate
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from proxy import Proxy  # noqa: E402

QUICK = "reconnect_min_ms = 50; reconnect_max_ms = 200; ack_timeout_ms = 1000; keepalive_s = 5;"
EXTRA = "lane_timing = { pulse_ms = 100; pulse_gap_ms = 50; debounce_ms = 5; };"


class Broker(gate.Broker):
    """mosquitto; `lines` are more of its configuration, from the next start on."""

    lines = ()

    def start(self):
        conf = self.folder / "mosquitto.conf"
        # In flight without bound: what a subscriber is owed is in its socket before the lane gets its PUBACK. Else a SIGKILL
        # takes what mosquitto acknowledged and still had in memory, and nothing a lane does can help.
        conf.write_text("\n".join([
            "per_listener_settings true", f"listener {self.port} 127.0.0.1", "allow_anonymous true", "persistence true",
            f"persistence_location {self.folder}/", "max_queued_messages 200000", "max_inflight_messages 0",
            "user root", *self.lines, ""]))
        self.process = subprocess.Popen(["mosquitto", "-c", conf], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        gate.wait_for(self.answers, 10, "mosquitto listens")

    def restart(self, *lines):
        self.lines = list(lines)
        self.stop()
        self.start()

    def say(self, topic, payload):
        subprocess.run(["mosquitto_pub", "-h", "127.0.0.1", "-p", str(self.port), "-q", "1", "-t", topic, "-m", payload], check=True,
                       timeout=20)


class Subscriber(gate.Subscriber):
    def hears(self, broker):
        """Connected and subscribed: a word of ours comes back."""
        word = f"probe {time.monotonic_ns()}"

        def back():
            broker.say("qrgate/probe", word)
            return ("qrgate/probe", word) in self.messages
        gate.wait_for(back, 20, "the subscriber hears")


class Presses(threading.Thread):
    """Somebody at the guard's button, again and again, while the fault lasts."""

    def __init__(self, lane, every_s=0.1):
        super().__init__(daemon=True)
        self.lane, self.every_s, self.stopping, self.count = lane, every_s, threading.Event(), 0
        self.start()

    def run(self):
        while not self.stopping.wait(self.every_s):
            press(self.lane)
            self.count += 1

    def end(self, at_least=1):
        gate.wait_for(lambda: self.count >= at_least, 30, f"{at_least} presses")
        self.stopping.set()
        self.join(30)
        return self.count


def press(lane, times=1):
    for _ in range(times):
        for word in ("press", "release"):
            lane.panel_say(f"{word} button")
            time.sleep(0.02)  # a finger's time, longer than the debouncing


@pytest.fixture
def broker(tmp_path):
    folder = tmp_path / "broker"
    folder.mkdir()
    broker = Broker(folder)
    yield broker
    broker.stop()


@pytest.fixture
def proxy(broker):
    with Proxy(broker.port) as proxy:
        yield proxy


@pytest.fixture
def subscriber(broker):
    subscriber = Subscriber(broker.port)
    subscriber.hears(broker)
    yield subscriber
    subscriber.stop()


@pytest.fixture
def lane(make_lane, proxy):
    return make_lane(port=proxy.port, mqtt=QUICK, extra=EXTRA, size=(160, 120), rate_fps=1)


def rows(lane):
    with sqlite3.connect(f"file:{lane.journal}?mode=ro", uri=True, timeout=20) as db:
        return db.execute("SELECT seq, event_id, sent FROM event ORDER BY seq").fetchall()


def first_receipts(events):
    """event_id -> the event as it came first."""
    first = {}
    for event in events:
        first.setdefault(event["event_id"], event)
    return first


def order_faults(first):
    """Of those received first as live, and of those received first as historical: seqs that came after a later one."""
    faults = []
    for historical in (False, True):
        seqs = [e["seq"] for e in first.values() if bool(e.get("historical")) == historical]
        faults += [(historical, a, b) for a, b in zip(seqs, seqs[1:]) if b <= a]
    return faults


def whole(lane, subscriber, at_least, seconds=60):
    """The check after each fault. Returns what the journal holds and how many messages it took."""
    def arrived():
        kept = rows(lane)
        return kept if {e["event_id"] for e in subscriber.events()} >= {r[1] for r in kept} and all(r[2] for r in kept) else None
    kept = gate.wait_for(arrived, seconds, "every row received and acknowledged")
    events = subscriber.events()
    first = first_receipts(events)
    assert [seq for seq, _, _ in kept] == list(range(1, len(kept) + 1)) and len(kept) >= at_least
    assert sorted(e["seq"] for e in first.values()) == list(range(1, len(first) + 1)) and len(first) >= len(kept)
    seq_of = {event_id: seq for seq, event_id, _ in kept}
    for event in events:
        assert seq_of.get(event["event_id"], event["seq"]) == event["seq"] and first[event["event_id"]]["seq"] == event["seq"]
        same = {k: v for k, v in event.items() if k != "historical"}
        assert same == {k: v for k, v in first[event["event_id"]].items() if k != "historical"}
    assert order_faults(first) == []
    return len(kept), len(events)


def connected(lane, times=1):
    gate.wait_for(lambda: lane.log().count("mqtt: connected") >= times, 30, f"connected {times} times")


def test_the_check_sees_what_it_is_for():
    def event(seq, historical=False, event_id=None):
        return {"seq": seq, "event_id": event_id or f"id{seq}", "historical": historical}
    assert order_faults(first_receipts([event(1), event(3), event(2, True), event(4), event(2), event(3, True)])) == []
    assert order_faults(first_receipts([event(2), event(1)])) and order_faults(first_receipts([event(2, True), event(1, True)]))


@pytest.mark.parametrize("kept, came, error", [
    ([1, 2, 3], [(1, 1), (2, 2), (3, 3)], None), ([1, 2, 3], [(1, 1), (2, 2), (2, 2), (3, 3)], None),
    ([1, 2, 3], [(1, 1), (3, 3)], TimeoutError),  # lost
    ([1, 3], [(1, 1), (3, 3)], AssertionError),  # a gap in the journal
    ([1, 2, 3], [(1, 1), (2, 2), (3, 3), (3, 4)], AssertionError),  # another event of the same seq
    ([1, 2, 3], [(1, 1), (2, 2), (3, 3), (2, 3)], AssertionError),  # another seq of the same event
    ([1, 2, 3], [(2, 2), (1, 1), (3, 3)], AssertionError)])  # out of order
def test_the_whole_check_sees_each_fault(kept, came, error, monkeypatch):
    class Heard:
        def events(self):
            return [{"seq": seq, "event_id": f"id{number}"} for seq, number in came]
    monkeypatch.setattr(sys.modules[__name__], "rows", lambda lane: [(seq, f"id{seq}", 1) for seq in kept])
    if error is None:
        assert whole(None, Heard(), 3) == (3, len(came))
    else:
        with pytest.raises(error):
            whole(None, Heard(), len(kept), 0.2)


# ---- the broker -----------------------------------------------------------------------------------------------------------
@pytest.mark.long
def test_broker_killed_and_restarted_100_times(lane, broker, subscriber, proxy, capsys):
    """What a broker acknowledged and lost with its life is the broker's loss, and mosquitto can lose it; so here a PUBACK goes on
    when the subscriber has the event, and a connection that dies before takes it along."""
    dice = random.Random(100)
    proxy.acknowledge_when(lambda event_id: any(e["event_id"] == event_id for e in reversed(subscriber.events())))
    broker.restart("autosave_on_changes true", "autosave_interval 1")  # what it holds is on disk, not only at an orderly end
    subscriber.hears(broker)
    lane.start()
    presses = Presses(lane, 0.05)
    began = time.monotonic()
    for kill in range(1, 101):
        seen = len(subscriber.events())
        gate.wait_for(lambda: len(subscriber.events()) > seen, 30, "events arrive again")
        time.sleep(dice.uniform(0, 0.05))  # the random moment itself
        gate.end(broker.process, signal.SIGKILL)
        broker.start()
    took, count = time.monotonic() - began, presses.end(100)
    kept, messages = whole(lane, subscriber, count)
    with capsys.disabled():
        print(f"\nbroker killed 100 times in {took:.0f} s: {kept} events, {messages} messages")
    assert lane.stop() == 0


def test_session_forgotten(lane, broker, subscriber, proxy):
    lane.start()
    press(lane, 5)
    whole(lane, subscriber, 6)
    proxy.deny()
    proxy.kill()
    press(lane, 5)
    broker.stop()
    (broker.folder / "mosquitto.db").unlink()
    broker.start()
    subscriber.hears(broker)  # its session is gone too: it must be back before the lane is
    proxy.allow()
    connected(lane, 2)
    press(lane, 5)
    kept, messages = whole(lane, subscriber, 16)
    assert "the broker forgot the session" in lane.log()
    assert sum(bool(e.get("historical")) for e in subscriber.events()) >= 5


# ---- acknowledgements -------------------------------------------------------------------------------------------------------
def test_pubacks_withheld(lane, subscriber, proxy):
    lane.start()
    proxy.withhold(7)
    press(lane, 10)
    proxy.wait("withheld", 7)
    kept, messages = whole(lane, subscriber, 11)
    assert messages > kept and proxy.counts["connections"] >= 2  # sent again, on a new connection


def test_pubacks_delayed(lane, subscriber, proxy):
    lane.start()
    proxy.delay(12, 0.2)  # each is in time, all together are not
    press(lane, 12)
    proxy.wait("delayed", 12)
    whole(lane, subscriber, 13)


def test_pubacks_delayed_beyond_all_patience(lane, subscriber, proxy):
    lane.start()
    proxy.delay(2, 1.6)
    press(lane, 6)
    proxy.wait("delayed", 2)
    whole(lane, subscriber, 7)
    assert proxy.counts["connections"] >= 2


@pytest.mark.parametrize("code", [0x97, 0x87, 0x80])
def test_pubacks_refused(lane, subscriber, proxy, code):
    lane.start()
    proxy.refuse(9, code)
    press(lane, 10)
    proxy.wait("refused", 9)
    kept, messages = whole(lane, subscriber, 11)
    assert messages >= kept + 1 and proxy.counts["connections"] == 1
    assert 1 <= lane.log().count("refuses event") < 9  # told once for each stream in trouble, not for each refusal


# ---- the line ---------------------------------------------------------------------------------------------------------------
def test_half_open_link(lane, subscriber, proxy):
    lane.start()
    press(lane, 3)
    whole(lane, subscriber, 4)
    for _ in range(3):
        before = proxy.counts["connections"]
        proxy.freeze()
        press(lane, 3)
        proxy.wait("connections", before + 1)
        press(lane, 1)
    whole(lane, subscriber, 16)


def test_half_open_link_with_nothing_to_say(lane, subscriber, proxy):
    """Nothing is owed, so only the keepalive can tell: 5 s, the least that is allowed."""
    lane.start()
    whole(lane, subscriber, 1)
    connected(lane)
    proxy.freeze()
    proxy.wait("connections", 2, 40)
    press(lane, 3)
    whole(lane, subscriber, 4)


def test_line_cut_at_any_byte(lane, subscriber, proxy):
    dice = random.Random(7)
    lane.start()
    presses = Presses(lane)
    for cut in range(1, 26):
        proxy.cut(dice.randrange(0, 1500))
        proxy.wait("cut", cut)
    presses.end(20)
    whole(lane, subscriber, 21)


def test_broker_slow_for_minutes(lane, subscriber, proxy, capsys):
    """3 kB a second while twice that is made. Scaled by 20: the lane waits 1 s for an acknowledgement where 20 s are usual, so
    these 15 s are as 5 minutes at 150 bytes a second."""
    lane.start()
    connected(lane)
    proxy.slow(3000)
    presses = Presses(lane, 0.05)
    presses.stopping.wait(15)  # the slowness itself
    count = presses.end(50)
    before, connections = len(first_receipts(subscriber.events())), proxy.counts["connections"]
    proxy.slow(None)
    kept, messages = whole(lane, subscriber, count + 1)
    with capsys.disabled():
        print(f"\nslow broker: {before} of {kept} events in 15 s over {connections} connections, {messages - kept} sent twice")
    assert before > 10, "something got through meanwhile"


def test_a_broker_elsewhere_that_never_answers_reminds_of_the_unit(make_lane):
    lane = make_lane(mqtt=QUICK + 'host = "broker.gate.invalid";', extra=EXTRA, size=(160, 120), rate_fps=1)
    lane.config.write_text(lane.config.read_text().replace('host = "127.0.0.1"; ', ""))
    lane.start()
    gate.wait_for(lambda: lane.log().count("no connection") >= 1 and lane.log().count("IPAddressAllow") == 1, 60, "the reminder")


@pytest.mark.unsanitized  # libnss-wrapper and a sanitizer's runtime can't live in one process: it dlopens libc with RTLD_DEEPBIND
def test_dns_gone(make_lane, subscriber, proxy, tmp_path):
    """A name that stops resolving: libnss-wrapper answers the daemon's look-ups from a file, no root and no network needed."""
    hosts, changes = tmp_path / "hosts", itertools.count(1)

    def resolve(line):
        hosts.write_text(line + "\n")
        os.utime(hosts, (0, next(changes)))  # the library looks at the time of change, in seconds
    resolve("127.0.0.1 broker.gate.invalid")
    library = next(pathlib.Path("/usr/lib").glob("*/libnss_wrapper.so"))
    lane = make_lane(port=proxy.port, mqtt=QUICK + 'host = "broker.gate.invalid";', extra=EXTRA, size=(160, 120), rate_fps=1)
    lane.config.write_text(lane.config.read_text().replace('host = "127.0.0.1"; ', ""))
    lane.start(environment={"LD_PRELOAD": str(library), "NSS_WRAPPER_HOSTS": str(hosts)})
    press(lane, 3)
    whole(lane, subscriber, 4)
    resolve("")
    proxy.kill()
    gate.wait_for(lambda: "no connection" in lane.log(), 30, "the lane says that it can't connect")
    connections = proxy.counts["connections"]
    press(lane, 5)
    assert proxy.counts["connections"] == connections and sum(not sent for _, _, sent in rows(lane)) >= 5
    resolve("127.0.0.1 broker.gate.invalid")
    proxy.wait("connections", connections + 1)
    whole(lane, subscriber, 9)


# ---- who may ----------------------------------------------------------------------------------------------------------------
def certificates(folder, until_days, ca=[]):
    """A CA, kept over calls, and a broker's certificate for localhost that ends in so many days; negative: it has ended."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    now, names = datetime.datetime.now(datetime.timezone.utc), {}

    def make(name, issuer, key, signer, until, *extensions):
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer or subject).public_key(key.public_key())
        builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(100))
        builder = builder.not_valid_after(now + datetime.timedelta(until))
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(signer, hashes.SHA256())
    key_file = folder / "ca.key"
    if key_file.exists():
        ca_key = serialization.load_pem_private_key(key_file.read_bytes(), None)
        issuer = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes()).subject
    else:
        ca_key = ec.generate_private_key(ec.SECP256R1())
        authority = make("a CA", None, ca_key, ca_key, 365, (x509.BasicConstraints(True, None), True))
        issuer = authority.subject
        (folder / "ca.pem").write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    own_key = ec.generate_private_key(ec.SECP256R1())
    own = make("broker", issuer, own_key, ca_key, until_days, (x509.SubjectAlternativeName([x509.DNSName("localhost")]), False))
    names = {"ca.key": ca_key, "broker.key": own_key}
    for name, key in names.items():
        (folder / name).write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                                      serialization.NoEncryption()))
    (folder / "broker.pem").write_bytes(own.public_bytes(serialization.Encoding.PEM))


def test_certificate_expired_and_renewed_while_running(make_lane, broker, subscriber, tmp_path):
    certificates(tmp_path, -1)
    tls = gate.free_port()
    broker.restart(f"listener {tls} 127.0.0.1", "allow_anonymous true", f"certfile {tmp_path}/broker.pem",
                   f"keyfile {tmp_path}/broker.key")
    subscriber.hears(broker)
    with Proxy(tls, framed=False) as proxy:
        lane = make_lane(port=proxy.port, mqtt=QUICK + f'host = "localhost"; ca_file = "{tmp_path}/ca.pem";', extra=EXTRA,
                         size=(160, 120), rate_fps=1)
        lane.config.write_text(lane.config.read_text().replace('host = "127.0.0.1"; ', ""))
        lane.start()
        press(lane, 5)
        proxy.wait("connections", 3)
        assert "mqtt: connected" not in lane.log() and subscriber.events() == []
        assert re.search("no connection: .*the broker's certificate has expired, or", lane.log()), lane.log()
        certificates(tmp_path, 30)
        broker.process.send_signal(signal.SIGHUP)
        whole(lane, subscriber, 6)


def test_wrong_password_then_mended_at_the_broker(make_lane, broker, subscriber, tmp_path):
    secret, users, port = tmp_path / "secret", tmp_path / "users", gate.free_port()
    secret.touch(0o600)
    secret.write_text("open sesame\n")

    def set_password(password):
        subprocess.run(["mosquitto_passwd", "-b", "-c", users, "lane1", password], check=True, capture_output=True)
    set_password("something else")
    broker.restart(f"listener {port} 127.0.0.1", "allow_anonymous false", f"password_file {users}")
    subscriber.hears(broker)
    with Proxy(port) as proxy:
        lane = make_lane(port=proxy.port, mqtt=QUICK + f'username = "lane1"; password_file = "{secret}";', extra=EXTRA,
                         size=(160, 120), rate_fps=1)
        lane.start()
        press(lane, 5)
        proxy.wait("connections", 3)
        assert "mqtt: connected" not in lane.log() and subscriber.events() == []
        assert re.search(r"(?i)not authori[sz]ed|user name or password", lane.log()), lane.log()
        set_password("open sesame")
        broker.process.send_signal(signal.SIGHUP)
        whole(lane, subscriber, 6)


# ---- time and amount --------------------------------------------------------------------------------------------------------
@pytest.mark.unsanitized
def test_clock_stepped_back_an_hour(lane, subscriber, proxy, tmp_path):
    """libfaketime: the daemon's wall clock goes back an hour, the monotonic one goes on, as when a person sets the clock."""
    offset = tmp_path / "offset"
    offset.write_text("+0\n")
    library = next(pathlib.Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    lane.start(environment={"LD_PRELOAD": str(library), "FAKETIME_TIMESTAMP_FILE": str(offset), "FAKETIME_NO_CACHE": "1",
                            "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"})
    press(lane, 5)
    whole(lane, subscriber, 6)
    offset.write_text("-3600\n")
    press(lane, 5)
    proxy.withhold(2)
    press(lane, 5)
    proxy.wait("withheld", 2)
    proxy.kill()
    press(lane, 2)
    whole(lane, subscriber, 18)
    first = sorted(first_receipts(subscriber.events()).values(), key=lambda e: e["seq"])
    times = [datetime.datetime.fromisoformat(e["at"].replace("Z", "+00:00")).timestamp() for e in first]
    assert sum(b - a < -3500 for a, b in zip(times, times[1:])) == 1, "the step is in the record, once"
    assert all(a["monotonic_us"] <= b["monotonic_us"] for a, b in zip(first, first[1:]))


def stamped(port, out):
    """A subscriber whose every line has the time of receipt, by itself: "SECONDS.NANOSECONDS<tab>topic<tab>payload"."""
    return subprocess.Popen(["mosquitto_sub", "-h", "127.0.0.1", "-p", str(port), "-t", "qrgate/+/+/passage", "-t",
                             "qrgate/+/+/alarm", "-q", "1", "-V", "mqttv5", "-F", r"%U\t%t\t%p"], stdout=out, stderr=subprocess.DEVNULL)


@pytest.mark.long
def test_100_000_events_of_backlog_drained_and_live_ones_first(lane, broker, subscriber, proxy, tmp_path, capsys):
    backlog = 100_000
    subprocess.run([lane.build / "fill_journal", lane.journal, str(backlog)], check=True, timeout=200)
    received = tmp_path / "received"
    with open(received, "wb") as out:
        watcher = stamped(broker.port, out)
        try:
            lane.start()
            connected(lane)
            began = time.monotonic()
            presses = Presses(lane, 0.15)
            gate.wait_for(lambda: len(subscriber.messages) >= backlog, 200, "the backlog is drained")
            took = time.monotonic() - began
            count = presses.end(5)
            kept, messages = whole(lane, subscriber, backlog + count, 120)
        finally:
            gate.end(watcher)
    live = []
    for line in received.read_text().splitlines():
        at, _, payload = line.split("\t", 2)
        event = json.loads(payload)
        if event["kind"] == "override":
            assert not event.get("historical")
            live.append(float(at) - datetime.datetime.fromisoformat(event["at"].replace("Z", "+00:00")).timestamp())
    live.sort()
    with capsys.disabled():
        print(f"\nbacklog of {backlog} drained in {took:.1f} s, {backlog / took:.0f} events/s; {len(live)} live events meanwhile: "
              f"p50 {1000 * live[len(live) // 2]:.0f} ms, p99 {1000 * live[int(len(live) * 0.99)]:.0f} ms, max {1000 * live[-1]:.0f} ms")
    assert len(live) >= count and messages == kept
    assert live[-1] < max(1.0, took / 10), "a live event waits for the backlog"
