"""TLS, passwords and old brokers: whom the lane trusts, who it says it is, and what it says when a file is wrong.

The publisher runs in publisher_driver (see test_outbox.py), and the whole daemon where its alarm is looked at."""
import datetime
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading

import jsonschema
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import gate  # noqa: E402
from scripted_broker import CONNECT, ScriptedBroker, packet, read_packet  # noqa: E402
from test_outbox import ROWS, check_rows, drive, mosquitto  # noqa: E402,F401


class Authority:
    """A throw-away CA with a folder of what it signed."""

    def __init__(self, folder, name="ca", days=(-100, 400)):
        self.folder, self.name = folder, name
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self.sign(name, self.key.public_key(), days, [], authority=True)
        self.file = self.write(f"{name}.pem", self.certificate.public_bytes(serialization.Encoding.PEM))

    def write(self, name, data, mode=0o644):
        fresh = self.folder / f".{name}"
        fresh.write_bytes(data)
        fresh.chmod(mode)
        fresh.rename(self.folder / name)  # whole or not at all, as a renewal does it
        return self.folder / name

    def sign(self, name, public_key, days, alternatives, authority=False):
        now = datetime.datetime.utcnow()
        issued_by = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, self.name)])
        builder = (x509.CertificateBuilder().issuer_name(issued_by).public_key(public_key)
                   .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
                   .serial_number(x509.random_serial_number())
                   .not_valid_before(now + datetime.timedelta(days=days[0]))
                   .not_valid_after(now + datetime.timedelta(days=days[1], hours=1))
                   .add_extension(x509.BasicConstraints(authority, None), True))
        if alternatives:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(a) for a in alternatives]), False)
        return builder.sign(self.key, hashes.SHA256())

    def issue(self, name, days=(-10, 100), alternatives=(), key_mode=0o600):
        """(certificate file, key file)"""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self.sign(name, key.public_key(), days, alternatives)
        private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return (self.write(f"{name}.pem", certificate.public_bytes(serialization.Encoding.PEM)),
                self.write(f"{name}.key", private, key_mode))


@pytest.fixture
def authority(tmp_path):
    tmp_path.chmod(0o755)
    return Authority(tmp_path)


@pytest.fixture
def tls_broker(mosquitto, authority):  # noqa: F811
    """A real broker with TLS; start(…) with more lines."""
    certificate, key = authority.issue("localhost", alternatives=["localhost"])

    def start(*lines):
        return mosquitto(f"certfile {certificate}", f"keyfile {key}", f"cafile {authority.file}", "user root", *lines)
    start.port = mosquitto.port
    return start


def wait_for_error(driver, text, seconds=20):
    """The driver's next line on stderr that holds `text`."""
    found = []

    def read():
        for line in driver.process.stderr:
            found.append(line)
            if text in line:
                return
    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    reader.join(seconds)
    assert found and text in found[-1], found
    return found


def tls(authority, *more):
    return ("--host", "localhost", "--ca-file", authority.file, *more)


# ---- TLS -----------------------------------------------------------------------------------------------------------------
def test_the_lane_shows_its_certificate(drive, tls_broker, authority):  # noqa: F811
    tls_broker("require_certificate true")
    certificate, key = authority.issue("lane1", key_mode=0o640)
    marked, _ = drive(tls_broker.port, *tls(authority, "--cert-file", certificate, "--key-file", key)).finish()
    assert sorted(marked) == list(range(1, ROWS + 1))
    both = authority.write("both.pem", certificate.read_bytes() + key.read_bytes(), 0o600)  # the key in the same file
    assert len(drive(tls_broker.port, *tls(authority, "--cert-file", both)).finish()[0]) == ROWS
    without = drive(tls_broker.port, *tls(authority), "--seconds", 3)
    assert without.finish(expected=1)[0] == []
    # How far the greeting gets before the broker hangs up is a matter of time.
    assert re.search("certificate required|does the broker want another certificate|it wants another one of ours", without.errors)
    assert "3.1.1" not in without.errors  # a broker that closes for this reason isn't an old one


def test_a_renewed_certificate_needs_no_restart(drive, tls_broker, authority):  # noqa: F811
    tls_broker("require_certificate true")
    certificate, key = authority.issue("lane1", days=(-20, -1))
    driver = drive(tls_broker.port, *tls(authority, "--cert-file", certificate, "--key-file", key))
    wait_for_error(driver, "no connection")
    authority.issue("lane1")
    assert len(driver.finish()[0]) == ROWS


def test_a_renewed_ca_needs_no_restart(drive, tls_broker, authority, tmp_path):  # noqa: F811
    tls_broker()
    stranger = Authority(tmp_path, "stranger")
    driver = drive(tls_broker.port, "--host", "localhost", "--ca-file", stranger.file)
    wait_for_error(driver, "certificate verify failed")
    stranger.write("stranger.pem", stranger.file.read_bytes() + authority.file.read_bytes())
    assert len(driver.finish()[0]) == ROWS


def test_a_wrong_name_is_told_as_such(drive, tls_broker, authority):  # noqa: F811
    tls_broker()
    driver = drive(tls_broker.port, "--host", "127.0.0.1", "--ca-file", authority.file, "--seconds", 3)
    assert driver.finish(expected=1)[0] == []
    assert "its certificate doesn't name the host of mqtt.host" in driver.errors and "connected" not in driver.errors


@pytest.mark.parametrize("version, spoken", [("tls1_1", False), ("tls1_2", True), ("tls1_3", True)])
def test_nothing_older_than_tls_1_2(build, authority, tmp_path, version, spoken):
    """Also where the machine's own OpenSSL configuration would allow it. The server is no broker: a greeting must reach it."""
    certificate, key = authority.issue("localhost", alternatives=["localhost"])
    loose = tmp_path / "openssl.cnf"
    loose.write_text("openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\nMinProtocol = TLSv1\n"
                     "CipherString = ALL:@SECLEVEL=0\n")
    environment, port = {**os.environ, "OPENSSL_CONF": str(loose)}, gate.free_port()
    server = subprocess.Popen(["openssl", "s_server", "-accept", f"127.0.0.1:{port}", f"-{version}", "-cert", certificate, "-key",
                               key, "-quiet", "-cipher", "ALL:@SECLEVEL=0"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)
    driver = None
    try:
        def shakes_hands():
            return "Cipher is" in subprocess.run(
                ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", f"-{version}", "-cipher", "ALL:@SECLEVEL=0"],
                stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment, timeout=10).stdout
        gate.wait_for(shakes_hands, 10, "the server speaks this version")  # to who wants it
        driver = subprocess.Popen([build / "publisher_driver", "--port", str(port), "--rows", "1", "--seconds", "3",
                                   *map(str, tls(authority))], env=environment, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.PIPE, text=True)
        assert driver.wait(15) == 1
        said = driver.stderr.read()
        server.terminate()
        greeted = b"MQTT" in server.stdout.read()
    finally:
        gate.end(driver)
        gate.end(server)
    assert greeted == spoken, said
    assert ("TLS: " in said) != spoken


def encrypted(key_file):
    key = serialization.load_pem_private_key(key_file.read_bytes(), None)
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                             serialization.BestAvailableEncryption(b"secret"))


def wrong_files(authority):
    """what -> (cert, key, ca, what is said)"""
    good, key = authority.issue("lane1")
    other, _ = authority.issue("other")
    empty = authority.write("empty.pem", b"")
    cut = authority.write("cut.pem", good.read_bytes()[:200])
    half = authority.write("half.pem", good.read_bytes() + good.read_bytes()[:200])
    world = authority.write("world.key", key.read_bytes(), 0o644)
    written = authority.write("written.key", key.read_bytes(), 0o660)
    locked = authority.write("locked.key", encrypted(key), 0o600)
    open_ca = authority.write("open.pem", authority.file.read_bytes(), 0o666)
    folder, ca = authority.folder, authority.file
    return {
        "no CA": (good, key, folder / "none.pem", 'mqtt.ca_file "{2}": No such file or directory; put it there'),
        "CA to write": (good, key, open_ca, 'mqtt.ca_file "{2}": others may read or change it (mode 666); chmod 644 it'),
        "empty CA": (good, key, empty, 'mqtt.ca_file "{2}": no whole PEM certificates'),
        "no certificate": (folder / "none.pem", key, ca, 'mqtt.cert_file "{0}": No such file'),
        "cut certificate": (cut, key, ca, 'mqtt.cert_file "{0}": no whole PEM certificates'),
        "half a chain": (half, key, ca, 'mqtt.cert_file "{0}": no whole PEM certificates'),
        "no key": (good, folder / "none.key", ca, 'mqtt.key_file "{1}": No such file'),
        "key is a folder": (good, folder, ca, 'mqtt.key_file "{1}": not a plain file'),
        "key for all": (good, world, ca, 'mqtt.key_file "{1}": others may read or change it (mode 644); chmod 640 it'),
        "key to write": (good, written, ca, 'mqtt.key_file "{1}": others may read or change it (mode 660)'),
        "key locked": (good, locked, ca, 'mqtt.key_file "{1}": the key is under a password'),
        "not a key": (good, good, ca, 'mqtt.key_file "{1}": others may'),
        "another's key": (other, key, ca, 'mqtt.key_file "{1}": not the key of the certificate in mqtt.cert_file'),
    }


def test_what_is_wrong_with_a_file_is_said_and_mended_without_a_restart(drive, tls_broker, authority, build):  # noqa: F811
    tls_broker("require_certificate true")
    cases = wrong_files(authority)
    config = authority.folder / "lane.conf"
    (authority.folder / "trust").mkdir()
    (authority.folder / "site.key").write_text("5a" * 32 + "\n")
    (authority.folder / "site.key").chmod(0o600)
    for name, (certificate, key, ca, said) in cases.items():
        config.write_text(f'site = "s"; lane = "l"; lines = {{ driver = "sim"; }};\n'
                          f'journal = {{ site_key_file = "{authority.folder}/site.key"; }};\n'
                          f'trust = {{ folder = "{authority.folder}/trust"; }};\n'
                          f'mqtt = {{ ca_file = "{ca}"; cert_file = "{certificate}"; key_file = "{key}"; }};\n')
        check = subprocess.run([build / "qrgated", "--check-config", "--config", config], capture_output=True, text=True, timeout=20)
        assert check.returncode == 1 and said.format(certificate, key, ca) in check.stderr, (name, check.stderr)
    certificate, key, ca, said = cases["another's key"]
    driver = drive(tls_broker.port, *tls(authority, "--cert-file", certificate, "--key-file", key))
    assert len(wait_for_error(driver, said.format(certificate, key, ca))) == 1
    fresh, _ = authority.issue("lane1")  # the key first, then its certificate: the driver may look in between
    fresh.rename(certificate)
    assert len(driver.finish()[0]) == ROWS


def test_checking_the_configuration_tells_what_ends_soon(build, authority):
    (authority.folder / "trust").mkdir()
    (authority.folder / "site.key").write_text("5a" * 32 + "\n")
    (authority.folder / "site.key").chmod(0o600)
    config = authority.folder / "lane.conf"
    for days, said in (((-20, -1), "expired on "), ((2, 40), "not valid before "), ((-1, 20), "ends on "), ((-1, 40), "")):
        certificate, key = authority.issue("lane1", days=days)
        config.write_text(f'site = "s"; lane = "l"; lines = {{ driver = "sim"; }};\n'
                          f'journal = {{ site_key_file = "{authority.folder}/site.key"; }};\n'
                          f'trust = {{ folder = "{authority.folder}/trust"; }};\n'
                          f'mqtt = {{ ca_file = "{authority.file}"; cert_file = "{certificate}"; key_file = "{key}"; }};\n')
        check = subprocess.run([build / "qrgated", "--check-config", "--config", config], capture_output=True, text=True, timeout=20)
        assert check.returncode == 0  # the lane works without its broker
        assert said in check.stderr and (check.stderr == "") == (said == "")
        assert not said or f'mqtt.cert_file "{certificate}"' in check.stderr


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_several_in_a_file_the_first_to_end_counts(build, authority, order):
    (authority.folder / "trust").mkdir()
    (authority.folder / "site.key").write_text("5a" * 32 + "\n")
    (authority.folder / "site.key").chmod(0o600)
    old = Authority(authority.folder, "old", days=(-300, 10))
    files = [authority.file.read_bytes(), old.file.read_bytes()]
    both = authority.write("both.pem", b"a remark\n" + files[order[0]] + files[order[1]])
    config = authority.folder / "lane.conf"
    config.write_text(f'site = "s"; lane = "l"; lines = {{ driver = "sim"; }};\n'
                      f'journal = {{ site_key_file = "{authority.folder}/site.key"; }};\n'
                      f'trust = {{ folder = "{authority.folder}/trust"; }};\nmqtt = {{ ca_file = "{both}"; }};\n')
    check = subprocess.run([build / "qrgated", "--check-config", "--config", config], capture_output=True, text=True, timeout=20)
    assert check.returncode == 0 and f'mqtt.ca_file "{both}": ends on ' in check.stderr


# ---- who the lane is -----------------------------------------------------------------------------------------------------
def test_systemd_credentials(build, tmp_path):
    for name, text in (("mqtt-username", "gate seven\n"), ("mqtt-password", "open sesame\r\n")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o440)  # as systemd's access list for one user looks
    with ScriptedBroker({}) as broker:
        def run(*options):
            done = subprocess.run([build / "publisher_driver", "--port", str(broker.port), "--rows", "1", "--seconds", "10",
                                   *map(str, options)], capture_output=True, text=True, timeout=30,
                                  env={**os.environ, "CREDENTIALS_DIRECTORY": str(tmp_path)})
            assert done.returncode == 0, done.stderr
            return broker.received("connect")[-1]
        connect = run()
        assert connect["username"] == "gate seven" and connect["password_bytes"] == len("open sesame")
        own = tmp_path / "own"
        own.write_text("another\n")
        own.chmod(0o600)
        connect = run("--username", "lane1", "--password-file", own)  # what the configuration names comes first
        assert connect["username"] == "lane1" and connect["password_bytes"] == len("another")
        (tmp_path / "mqtt-password").unlink()
        assert "password_bytes" not in run()


def test_a_password_that_others_may_read_is_not_used(drive, tmp_path):  # noqa: F811
    password = tmp_path / "password"
    password.write_text("open sesame\n")
    password.chmod(0o644)
    with ScriptedBroker({}) as broker:
        driver = drive(broker.port, "--username", "lane1", "--password-file", password)
        wait_for_error(driver, f'mqtt.password_file "{password}": others may read or change it (mode 644); chmod 600 it')
        assert not broker.received("connect")
        password.write_text("open barley\n")
        password.chmod(0o600)
        driver.finish()
        assert broker.received("connect")[0]["password_bytes"] == len("open barley")


# ---- old brokers ---------------------------------------------------------------------------------------------------------
def lane_of(broker):
    return [(c["connection"], c.get("version", "5")) for c in broker.received("connect")]


@pytest.mark.parametrize("script, tried", [({"old": 100}, ["5", "3.1.1"]),
                                           ({"connack_refuse": 1, "connack_code": 0x84}, ["5", "3.1.1"]),
                                           ({"old_silent": 100}, ["5", "5", "3.1.1", "5", "3.1.1"])])
def test_a_broker_that_knows_no_mqtt_5(drive, script, tried):  # noqa: F811
    with ScriptedBroker(script) as broker:
        driver = drive(broker.port, "--follow", "--declarations", "--session-s", 60)
        marked, _ = driver.finish()
        assert sorted(marked) == list(range(1, ROWS + 1))
        check_rows(broker.rows())
        assert [version for _, version in lane_of(broker)] == tried
        last = broker.received("connect")[-1]
        assert not last["clean_start"] and last["will_retain"] and "session_expiry" not in last
        assert {s["topic"] for s in broker.received("subscribe")} == {"qrgate/test/declaration", "qrgate/test/revocation",
                                                                      "qrgate/test/+/passage"}
        assert driver.errors.count("from now on 3.1.1 is spoken") == 1
        assert broker.received()[-1]["payload"] == "offline" and broker.received("disconnect")


def test_a_broker_that_only_hangs_up_at_first_is_spoken_to_in_mqtt_5(drive):  # noqa: F811
    """As one does that is just starting: 3.1.1 is tried, accepted, and left again."""
    with ScriptedBroker({"old_silent": 2}) as broker:
        driver = drive(broker.port)
        driver.finish()
        check_rows(broker.rows())
        assert [version for _, version in lane_of(broker)] == ["5", "5", "3.1.1", "5"]
        assert "from now on" not in driver.errors and driver.errors.count("connected") == 1


@pytest.mark.parametrize("script", [{"drop_before_puback": 3, "drop_after": 4}, {"withhold": 5}, {"garbage": 2}])
def test_3_1_1_loses_nothing_either(drive, script):  # noqa: F811
    with ScriptedBroker(script) as broker:
        marked, _ = drive(broker.port, "--protocol", "3.1.1", "--ack-ms", 500).finish()
        assert sorted(marked) == list(range(1, ROWS + 1))
        check_rows(broker.rows())
        assert {version for _, version in lane_of(broker)} == {"3.1.1"}


def test_3_1_1_refusals_are_told(drive):  # noqa: F811
    with ScriptedBroker({"suback_refuse": 1, "suback_code": 0x80, "suback_for": "revocation"}) as broker:
        driver = drive(broker.port, "--protocol", "3.1.1", "--declarations")
        driver.finish()
        assert 'refuses the subscription to "qrgate/test/revocation"' in driver.errors
    with ScriptedBroker({"connack_refuse": 1, "connack_code": 5}) as broker:
        driver = drive(broker.port, "--protocol", "3.1.1")
        driver.finish()
        assert "not authorised (5)" in driver.errors


def test_mqtt_5_alone_stays_so(drive):  # noqa: F811
    with ScriptedBroker({"old": 3}) as broker:
        drive(broker.port, "--protocol", "5").finish()
        assert [version for _, version in lane_of(broker)] == ["5"] * 4


class Doorkeeper(threading.Thread):
    """Between the lane and a real broker: sends whoever comes with MQTT 5 away."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.behind, self.versions = port, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            kind, flags, body = read_packet(client.makefile("rb", buffering=0))
            assert kind == CONNECT
            self.versions.append(body[6])
            if body[6] == 5:
                client.sendall(packet(2, b"\0\1"))
                client.close()
                continue
            broker = socket.create_connection(("127.0.0.1", self.behind))
            broker.sendall(packet(kind, body, flags))
            for a, b in ((client, broker), (broker, client)):
                threading.Thread(target=self.carry, args=(a, b), daemon=True).start()

    @staticmethod
    def carry(source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
        except OSError:
            pass
        for sock in (source, target):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def test_3_1_1_with_a_real_broker(drive, mosquitto):  # noqa: F811
    """What comes in as well: a declaration, and one that was retained before, which is ignored."""
    mosquitto()
    keeper = Doorkeeper(mosquitto.port)
    declaration = json.dumps({"schema": "qrgate/declaration/1", "transaction_id": "a", "identities": ["cccd:022199012345"],
                              "status": "green", "declared_at": "2026-01-02T00:00:00Z"})

    def publish(*more):
        subprocess.run(["mosquitto_pub", "-p", str(mosquitto.port), "-q", "1", "-t", "qrgate/test/declaration", "-m", declaration,
                        *more], check=True, timeout=10)
    publish("-r")
    driver = drive(keeper.port, "--follow", "--declarations", "--session-s", 60, "--linger-ms", 3000)
    wait_for_error(driver, "retained was ignored")
    publish()
    out, errors = driver.process.communicate(timeout=60)
    lines = [json.loads(line) for line in out.splitlines()]
    assert driver.process.returncode == 0, errors
    assert sorted(line["marked"] for line in lines if "marked" in line) == list(range(1, ROWS + 1))
    assert [line["declared"] for line in lines if "declared" in line] == ["cccd:022199012345"]
    assert {"shared": True} in lines  # our own passages came back
    assert keeper.versions == [5, 4]
    keeper.listener.close()


# ---- the whole daemon ----------------------------------------------------------------------------------------------------
def health_of(subscriber, number=1):
    with subscriber.condition:
        found = [body for topic, body in subscriber.messages if topic.endswith("/health")]
    return found[number - 1] if len(found) >= number else None


def test_health_is_published(make_lane, subscriber):
    lane = make_lane()
    schema = json.loads((gate.ROOT / "config" / "schemas" / "health.json").read_text())
    for part in [schema, *schema["properties"].values()]:
        if part.get("type") == "object":
            part["additionalProperties"] = False
    lane.declare("cccd:022199012345", "green")
    lane.start()
    lane.add("022199012345||Người Thử|15081999|Nữ|Xã Hai|01082022")
    subscriber.wait(lambda e: e["kind"] == "granted", 20)
    health = gate.wait_for(lambda: health_of(subscriber), 30, "a health message")
    jsonschema.validate(health, schema, cls=jsonschema.Draft202012Validator)
    assert health["frame_to_relay"]["count"] == 1 and 0 < health["frame_to_relay"]["p50_us"] <= health["frame_to_relay"]["p99_us"]
    assert health["publish_to_ack"]["count"] >= 3 and health["publish_to_ack"]["p99_us"] > 0
    eye, memory = health["eye"], health["memory"]
    assert eye["frames"] >= eye["scans"] >= 1 and eye["reads"] >= 1 and eye["frames_per_s"] > 0 and eye["restarts"] == 0
    assert memory["main_bytes"] > 1 << 20 and memory["eye_bytes"] > 1 << 20
    assert health["journal"]["last_seq"] >= 2 and health["journal"]["disk_free_bytes"] > 0
    assert health["mqtt"] == {"protocol": "5"} and health["clock_trusted"] and health["uptime_s"] >= 5


def test_counts_go_on_when_the_eye_is_replaced(make_lane, subscriber, broker):
    """And a health message comes when an operator asks for it."""
    lane = make_lane(extra='commands = { auth = "acl"; };')
    lane.start()
    first = gate.wait_for(lambda: health_of(subscriber), 30, "a health message")
    assert first["eye"]["restarts"] == 0 and first["eye"]["frames"] > 60
    old = lane.eye_pid()
    os.kill(old, 9)
    gate.wait_for(lambda: lane.eye_pid() not in (None, old), 10, "another eye")
    request = {"transaction": "t1", "operator": "admin",
               "issued_at": datetime.datetime.utcnow().strftime("%Y-%m-%dT%H:%M:%SZ")}
    subprocess.run(["mosquitto_pub", "-p", str(broker.port), "-q", "1", "-t", "qrgate/demo/lane1/request/report", "-m",
                    json.dumps(request)], check=True, timeout=10)
    second = gate.wait_for(lambda: health_of(subscriber, 2), 20, "the health asked for")
    assert second["eye"]["restarts"] == 1 and second["eye"]["frames"] >= first["eye"]["frames"]
    assert second["uptime_s"] < 60  # not the one that comes each minute


@pytest.mark.parametrize("days, alarm", [(29, True), (31, False), (-1, True)])
def test_the_alarm_before_a_certificate_ends(make_lane, mosquitto, authority, days, alarm):  # noqa: F811
    """Begins in time, also with one that has ended, which keeps no gate from starting; ends when a new one is there."""
    certificate, key = authority.issue("localhost", alternatives=["localhost"])
    mosquitto(f"certfile {certificate}", f"keyfile {key}", f"cafile {authority.file}", "user root")
    own, own_key = authority.issue("lane1", days=(-40, days))
    lane = make_lane(port=mosquitto.port, mqtt=f'host = "localhost"; ca_file = "{authority.file}"; cert_file = "{own}"; '
                     f'key_file = "{own_key}";')
    lane.config.write_text(lane.config.read_text().replace('host = "127.0.0.1"; ', ""))
    lane.start()

    def alarms():
        rows = lane.ctl("events", "--json").stdout.splitlines()
        return [(e["kind"], e.get("detail")) for e in map(json.loads, rows) if e.get("alarm") == "certificate_expiring"]
    gate.wait_for(lambda: alarms() or not alarm and "mqtt: connected" in lane.log(), 20, "the certificates are looked at")
    ends = (datetime.datetime.utcnow() + datetime.timedelta(days=days, hours=1)).strftime("%Y-%m-%d")
    expected = [("alarm_begin", f"mqtt.cert_file {'expired' if days < 0 else 'ends'} on {ends}")] if alarm else []
    assert alarms() == expected
    authority.issue("lane1", days=(-1, 90))
    lane.process.send_signal(signal.SIGHUP)
    if alarm:
        gate.wait_for(lambda: len(alarms()) == 2, 20, "the alarm's end")
        assert alarms()[1][0] == "alarm_end"
    gate.wait_for(lambda: "reload: the new configuration counts" in lane.log(), 20, "the reload")
    assert len(alarms()) == (2 if alarm else 0)
    assert not [e for e in lane.ctl("events", "--json").stdout.splitlines() if "out_of_order" in e]


def test_the_unit_names_the_credentials_that_are_read():
    unit = (gate.ROOT / "systemd" / "qrgated@.service").read_text()
    source = (gate.ROOT / "daemon" / "mqtt" / "credentials.c").read_text()
    named = set(re.findall(r"^#LoadCredential(?:Encrypted)?=([a-z-]+):", unit, re.M))
    assert named == {"mqtt-username", "mqtt-password"} == set(re.findall(r'"(mqtt-[a-z]+)"', source))
