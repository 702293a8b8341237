#!/usr/bin/python3
"""`make broker-example`: starts mosquitto from the files of config/mosquitto, as shipped but for paths and ports, with a
throw-away CA, and proves with real clients (mosquitto_pub, mosquitto_sub) who may do what: no lane writes another lane's
topics. The real qrgated finds its rights enough; a second, central mosquitto proves the bridge. Loopback only; ends with a
line of counts. tests/check.py runs it too."""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import threading
import time

import gate

FILES = gate.ROOT / "config" / "mosquitto"
SITE = "qrgate/quangyen-demo"
DEVICE = "homeassistant/device/qrgate_quangyen-demo"  # of Home Assistant
OWN = ("passage", "alarm", "muster", "state", "info", "health", "chain_head", "report", "availability", "result", "response/open")

# Who may say what: every leaf of its own for a lane, and nothing else for anybody but what stands here.
WRITES = [
    ("lane1", True, [f"{SITE}/lane1/{leaf}" for leaf in OWN]),
    ("lane1", False, [f"{SITE}/lane2/{leaf}" for leaf in OWN]),
    ("lane1", False, [f"{SITE}/lane1/request/open", f"{SITE}/lane2/request/open", f"{SITE}/declaration", f"{SITE}/revocation",
                      f"{SITE}/lane1", f"{SITE}/lane1/response", f"{SITE}/lane1/response/a/b", f"{SITE}/lane1/other",
                      f"{SITE}/lane1/passage/more", "qrgate/other-site/lane1/passage", "lane1", "other"]),
    ("lane1", True, [f"{DEVICE}/lane1/config"]),
    ("lane1", False, [f"{DEVICE}/lane2/config", f"{DEVICE}/lane1", f"{DEVICE}/lane1/state", "homeassistant/device/qrgate_other/lane1/config",
                      "homeassistant/device/lane1/config", "homeassistant/sensor/lane1/config", "homeassistant/status"]),
    ("lane2", True, [f"{SITE}/lane2/passage"]),
    ("lane3", True, [f"{SITE}/lane3/passage"]),  # by password, on the other listener: the same rights
    ("lane3", False, [f"{SITE}/lane1/passage", f"{SITE}/lane3/request/mode", f"{SITE}/declaration"]),
    ("admin", True, [f"{SITE}/lane1/request/open", f"{SITE}/lane2/request/mode", f"{SITE}/declaration", f"{SITE}/revocation"]),
    ("admin", False, [f"{SITE}/lane1/passage", f"{SITE}/lane1/state", f"{SITE}/lane1/response/open", "qrgate/other-site/declaration"]),
    ("home-assistant", True, ["homeassistant/status"]),
    ("home-assistant", False, [f"{SITE}/lane1/request/open", f"{SITE}/declaration", f"{SITE}/lane1/state", f"{DEVICE}/lane1/config"]),
    ("admin", False, ["homeassistant/status", f"{DEVICE}/lane1/config"]),
    ("office", True, [f"{SITE}/declaration", f"{SITE}/revocation"]),
    ("office", False, [f"{SITE}/lane1/request/open", f"{SITE}/lane1/passage"]),
    ("display", False, [f"{SITE}/lane1/request/open", f"{SITE}/declaration", f"{SITE}/lane1/passage"]),
]

# Who hears what of everything that is said: by subscribing to "#". (Lane 1 listens, so others speak: a second connection with its
# certificate would end the first.)
SAID = [("lane2", f"{SITE}/lane2/passage"), ("lane2", f"{SITE}/lane2/alarm"),
        ("lane2", f"{SITE}/lane2/state"), ("lane2", f"{SITE}/lane2/muster"), ("lane2", f"{SITE}/lane2/result"),
        ("lane2", f"{SITE}/lane2/response/open"), ("admin", f"{SITE}/lane1/request/open"), ("admin", f"{SITE}/lane2/request/open"),
        ("admin", f"{SITE}/declaration"), ("admin", f"{SITE}/revocation"), ("lane2", f"{SITE}/lane2/health"),
        ("lane2", f"{DEVICE}/lane2/config"), ("home-assistant", "homeassistant/status")]
HEARS = {
    "lane1": {f"{SITE}/lane1/request/open", f"{SITE}/declaration", f"{SITE}/revocation", f"{SITE}/lane2/passage",
              "homeassistant/status"},
    "lane3": set(),  # it has no block in the ACL file yet, so nothing of the site's
    "admin": {topic for _, topic in SAID if topic.startswith(SITE)},
    "home-assistant": {f"{SITE}/lane2/passage", f"{SITE}/lane2/state", f"{SITE}/lane2/health", f"{DEVICE}/lane2/config",
                       "homeassistant/status"},
    "office": {f"{SITE}/lane2/result"},
    "display": {f"{SITE}/lane2/passage", f"{SITE}/lane2/alarm", f"{SITE}/lane2/state"},
}
PASSWORDS = {"admin": "a-long-one", "office": "another", "display": "a-third", "home-assistant": "a-fourth", "lane3": "a-lane-without-a-certificate"}


class Counts:
    def __init__(self):
        self.passed, self.failed = 0, []

    def check(self, what, ok, why=""):
        if ok:
            self.passed += 1
        else:
            self.failed.append(what)
            print(f"FAILED  {what} {why}")


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def make_ca(folder, name):
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", 90, "-subj", f"/CN={name}",
            "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem")


def make_certificate(folder, ca, common_name, name=None, use="clientAuth", alternative=None):
    """As README.md tells the admin: a key, a request, the CA's signature."""
    name, extensions = name or common_name, folder / "extensions"
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={common_name}",
            "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.csr")
    extensions.write_text(f"extendedKeyUsage={use}\n" + (f"subjectAltName={alternative}\n" if alternative else ""))
    openssl("x509", "-req", "-in", folder / f"{name}.csr", "-CA", folder / f"{ca}.pem", "-CAkey", folder / f"{ca}.key",
            "-CAcreateserial", "-days", 90, "-extfile", extensions, "-out", folder / f"{name}.pem")


class Mosquitto:
    """One broker as Debian starts it: a mosquitto.conf of its own, and the shipped files in conf.d."""

    def __init__(self, folder, conf_files, ports, others=()):
        self.folder, self.ports, self.process = folder, ports, None
        self.log = folder / "mosquitto.log"
        (folder / "conf.d").mkdir()
        (folder / "data").mkdir()
        swaps = {"/etc/mosquitto/qrgate/": f"{folder}/", **{f"listener {old}": f"listener {new} 127.0.0.1" for old, new in ports.items()},
                 **dict(others)}
        used = set()
        for name in conf_files:
            text = (FILES / name).read_text()
            for old, new in swaps.items():
                used |= {old} if old in text else set()
                text = text.replace(old, new)
            (folder / "conf.d" / name).write_text(text)
        assert used == set(swaps), f"not in the shipped files: {set(swaps) - used}"
        (folder / "mosquitto.conf").write_text(("user root\n" if os.getuid() == 0 else "") + "persistence true\n"
                                               f"persistence_location {folder}/data/\nlog_dest file {self.log}\n"
                                               f"include_dir {folder}/conf.d\n")

    def start(self):
        self.process = subprocess.Popen(["/usr/sbin/mosquitto", "-c", self.folder / "mosquitto.conf"],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for port in self.ports.values():
            gate.wait_for(lambda p=port: self.listens(p), 15, f"mosquitto listens; its log: {self.log}")

    def listens(self, port):
        if self.process.poll() is not None:
            raise RuntimeError(f"mosquitto ended: {self.log.read_text()[-2000:]}")
        try:
            gate.socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        except OSError:
            return False

    def stop(self):
        gate.end(self.process)


class Site:
    """What is under a folder, and how each user comes to the broker: by certificate or by password."""

    def __init__(self, folder):
        self.folder, self.broker = folder, None
        folder.mkdir(parents=True)

    def reach(self, who, listener=None):
        """Options of mosquitto_pub and mosquitto_sub for this user."""
        by_password = who in PASSWORDS
        port = self.broker.ports[listener or (8884 if by_password else 8883)]
        options = ["-h", "localhost", "-p", str(port), "--cafile", str(self.folder / "ca.pem"), "-V", "mqttv5"]
        if by_password:
            return [*options, "-u", who, "-P", PASSWORDS[who]]
        return [*options, "--cert", str(self.folder / f"{who}.pem"), "--key", str(self.folder / f"{who}.key")]

    def publish(self, who, topic, payload="x", *more, options=None):
        """None: the broker took it; else what was said against it."""
        done = subprocess.run(["mosquitto_pub", *(options or self.reach(who)), "-q", "1", "-t", topic, "-m", payload, *more],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
        said = (done.stdout + done.stderr).strip()
        return said or f"exit {done.returncode}" if done.returncode or said else None


class Listener:
    """A subscriber; heard: (topic, payload) of all that came."""

    def __init__(self, site, who, *topics, more=()):
        filters = [word for topic in topics for word in ("-t", topic)]
        self.heard, self.changed, self.subscribed = [], threading.Condition(), False
        self.process = subprocess.Popen(["stdbuf", "-oL", "mosquitto_sub", *site.reach(who), "-q", "1", "-d", *filters, *more,
                                         "-F", r"HEARD\t%t\t%p"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        threading.Thread(target=self._read, daemon=True).start()
        self.wait(lambda: self.subscribed, "subscribed")

    def _read(self):
        for line in self.process.stdout:
            with self.changed:
                if line.startswith("HEARD\t"):
                    self.heard.append(tuple(line.rstrip("\n").split("\t", 2)[1:]))
                self.subscribed |= line.startswith("Subscribed")
                self.changed.notify_all()

    def wait(self, condition, what, seconds=20):
        with self.changed:
            if not self.changed.wait_for(condition, seconds):
                raise TimeoutError(f"not within {seconds} s: {what}; heard {self.heard[-5:]}")

    def hears(self, topic, payload, seconds=20):
        try:
            self.wait(lambda: (topic, payload) in self.heard, topic, seconds)
            return True
        except TimeoutError:
            return False

    def hears_of(self, topic, count, seconds=20):
        try:
            self.wait(lambda: sum(heard == topic for heard, _ in self.heard) >= count, topic, seconds)
            return True
        except TimeoutError:
            return False

    def stop(self):
        gate.end(self.process)


def check_topics(counts, build):
    """What is proved below is all that a lane says: the leaves of the table of topics."""
    lines = subprocess.run([build / "qrgatectl", "schema"], check=True, capture_output=True, text=True, timeout=20).stdout.splitlines()
    topics = {line.split("\t")[1] for line in lines[1:]}
    said = {topic.removeprefix("PREFIX/SITE/LANE/") for topic in topics if topic.startswith("PREFIX/SITE/LANE/")}
    said = {"response/open" if leaf.startswith("response/") else leaf for leaf in said if not leaf.startswith("request/")}
    counts.check("each topic of a lane is tried", said == set(OWN), said ^ set(OWN))


def check_writes(counts, site):
    with_admin, with_home = Listener(site, "admin", "#"), Listener(site, "home-assistant", "homeassistant/#")
    allowed = set()
    for number, (who, may, topics) in enumerate(WRITES):
        for topic in topics:
            payload = f"{number}-{who}"
            answer = site.publish(who, topic, payload)
            counts.check(f"{who} {'may' if may else 'may not'} publish {topic}", (answer is None) == may, answer)
            if may:
                allowed.add((topic, payload))
    site.publish("admin", f"{SITE}/lane1/request/report", "the last")
    counts.check("all that was allowed arrived", with_admin.hears(f"{SITE}/lane1/request/report", "the last"))
    site.publish("home-assistant", "homeassistant/status", "the last")
    with_home.hears("homeassistant/status", "the last")
    with_admin.stop()
    with_home.stop()
    heard = {(topic, payload) for topic, payload in with_admin.heard + with_home.heard if payload != "the last"}
    counts.check("nothing that was refused arrived, and all that was allowed", heard == allowed, heard ^ allowed)


def check_reads(counts, site):
    listeners = {who: Listener(site, who, "#", "$SYS/broker/connection/#" if who == "admin" else "$SYS/#") for who in HEARS}
    for number, (who, topic) in enumerate(SAID):
        site.publish(who, topic, f"said {number}")
    # One more that each may hear; what didn't come before it doesn't come.
    last = {"lane1": "lane1/request/report", "lane3": "lane3/request/report", "admin": "lane1/request/report",
            "office": "lane2/result", "display": "lane2/passage", "home-assistant": "lane2/passage"}
    for topic in sorted(set(last.values())):
        site.publish("admin" if "request" in topic else "lane2", f"{SITE}/{topic}", "the last")
    for who, listener in listeners.items():
        arrived = listener.hears(f"{SITE}/{last[who]}", "the last")
        heard = {topic for topic, payload in listener.heard if payload.startswith("said ")}
        counts.check(f"{who} hears what it may and nothing else", arrived and heard == HEARS[who], heard ^ HEARS[who])
        counts.check(f"{who} hears nothing of $SYS", who == "admin" or not any(t.startswith("$SYS") for t, _ in listener.heard))
        listener.stop()


def check_strangers(counts, site):
    port, people, ca = site.broker.ports[8883], site.broker.ports[8884], ["--cafile", str(site.folder / "ca.pem")]
    stranger = ["--cert", str(site.folder / "stranger.pem"), "--key", str(site.folder / "stranger.key")]
    server = ["--cert", str(site.folder / "broker.pem"), "--key", str(site.folder / "broker.key")]
    at = lambda number: ["-h", "localhost", "-p", str(number), "-V", "mqttv5"]  # noqa: E731
    for what, options in {
            "without a certificate": [*at(port), *ca], "with a password instead": [*at(port), *ca, "-u", "lane1", "-P", "x"],
            "with a certificate of another CA": [*at(port), *ca, *stranger], "without TLS": at(port),
            "without TLS, for people": at(people), "with the broker's own certificate": [*at(port), *ca, *server],
            "anonymous": [*at(people), *ca], "with a wrong password": [*at(people), *ca, "-u", "admin", "-P", "wrong"],
            "a user nobody knows": [*at(people), *ca, "-u", "nobody", "-P", "x"],
            "a certificate at the people's listener": [*at(people), *ca, "--cert", str(site.folder / "lane1.pem"),
                                                       "--key", str(site.folder / "lane1.key")]}.items():
        answer = site.publish(None, f"{SITE}/lane1/passage", "strange", options=options)
        counts.check(f"refused: {what}", answer is not None)
    wrong_ca = site.reach("lane1")
    wrong_ca[wrong_ca.index("--cafile") + 1] = str(site.folder / "other.pem")
    counts.check("a lane with another CA doesn't trust this broker", site.publish("lane1", f"{SITE}/lane1/passage", options=wrong_ca))


def check_sessions(counts, site):
    """A lane's session is its own, outlives the broker, and holds more than mosquitto's usual 1000."""
    session = ("-c", "-x", "3600", "-i", "lane1")
    lane = Listener(site, "lane1", f"{SITE}/declaration", more=session)
    thief = subprocess.run(["mosquitto_sub", *site.reach("lane2"), "-i", "lane1", "-t", f"{SITE}/declaration", "-E"], timeout=30,
                           capture_output=True)
    site.publish("admin", f"{SITE}/declaration", "after the thief")
    counts.check("another lane can't take over a lane's session by its client id", thief.returncode == 0 and
                 lane.hears(f"{SITE}/declaration", "after the thief") and lane.process.poll() is None)
    lane.stop()
    count = 1500
    subprocess.run(["mosquitto_pub", *site.reach("admin"), "-q", "1", "-t", f"{SITE}/declaration", "-l"], check=True, timeout=60,
                   input="".join(f"while away {i}\n" for i in range(count)), text=True)
    site.broker.stop()
    site.broker.start()
    lane = Listener(site, "lane1", f"{SITE}/declaration", more=session)
    lane.hears(f"{SITE}/declaration", f"while away {count - 1}")
    got = [payload for _, payload in lane.heard]
    counts.check(f"{count} declarations wait for a lane that is away, through a restart of the broker, in order",
                 got == [f"while away {i}" for i in range(count)], f"{len(got)} came")
    lane.stop()
    for size, may in ((65536, True), (65537, False)):
        message = site.folder / "message"
        message.write_bytes(b"x" * size)
        done = subprocess.run(["mosquitto_pub", *site.reach("lane1"), "-q", "1", "-t", f"{SITE}/lane1/muster", "-f", message],
                              capture_output=True, text=True, timeout=30)
        counts.check(f"a message of {size} bytes {'passes' if may else 'is refused'}",
                     (done.returncode == 0 and not done.stderr) == may, done.stderr)


def check_bridge(counts, site, central):
    authority, lane = Listener(central, "authority", "#"), Listener(site, "lane1", f"{SITE}/#")
    for leaf in OWN:
        site.publish("lane2", f"{SITE}/lane2/{leaf}", "across")
        counts.check(f"the bridge carries {leaf} to the centre", authority.hears(f"{SITE}/lane2/{leaf}", "across"))
    site.publish("admin", f"{SITE}/lane1/request/open", "stays")
    central.publish("authority", f"{SITE}/lane1/request/open", "forbidden")
    central.publish("authority", f"{SITE}/revocation", "back")
    central.publish("authority", f"{SITE}/declaration", "back")
    counts.check("… and a declaration back", lane.hears(f"{SITE}/declaration", "back"))
    counts.check("… and a revocation", lane.hears(f"{SITE}/revocation", "back"))
    counts.check("a request of the centre's doesn't reach a lane", (f"{SITE}/lane1/request/open", "forbidden") not in lane.heard)
    counts.check("what isn't the centre's stays", not [p for t, p in authority.heard if p in ("stays", "forbidden")])
    other = ["-h", "localhost", "-p", str(central.broker.ports[8883]), "--cafile", str(central.folder / "ca.pem"), "-V", "mqttv5",
             "--cert", str(site.folder / "bridge-2.pem"), "--key", str(site.folder / "bridge-2.key")]
    for topic, may in ((f"{SITE}/lane9/passage", False), ("qrgate/other-site/lane1/passage", True), (f"{SITE}/declaration", False),
                       ("qrgate/other-site/declaration", False)):
        answer = central.publish(None, topic, "direct", options=other)
        counts.check(f"at the centre another site {'may' if may else 'may not'} publish {topic}", (answer is None) == may, answer)
    check_outage(counts, site, central, authority, lane)
    lane.stop()


def check_outage(counts, site, central, authority, lane):
    authority.stop()
    central.broker.stop()
    for number in range(20):
        site.publish("lane2", f"{SITE}/lane2/passage", f"outage {number}")
    counts.check("the site goes on without its centre", lane.hears(f"{SITE}/lane2/passage", "outage 19"))
    central.broker.start()
    authority = Listener(central, "authority", "#")
    authority.hears(f"{SITE}/lane2/passage", "outage 19", 60)
    got = [payload for _, payload in authority.heard if payload.startswith("outage")]
    counts.check("what waited for the centre arrives, in order", got == [f"outage {n}" for n in range(20)], got)
    central.publish("authority", f"{SITE}/declaration", "again")
    counts.check("… and the way back stands again", lane.hears(f"{SITE}/declaration", "again"))
    authority.stop()


def ask(site, verb):
    """A request as an admin's tool sends it; its transaction."""
    transaction = f"{verb}-{time.monotonic_ns()}"
    answer = site.publish("admin", f"{SITE}/lane1/request/{verb}", json.dumps(
        {"transaction": transaction, "operator": "admin", "issued_at": int(time.time())}))
    return transaction if answer is None else answer


def check_lane(counts, site, build):
    """The real qrgated as lane1, with its certificate: these rights are enough for all that it says and hears."""
    mqtt = "".join(f' {key} = "{site.folder / name}";' for key, name in
                   (("ca_file", "ca.pem"), ("cert_file", "lane1.pem"), ("key_file", "lane1.key")))
    lane = gate.Lane(site.folder / "lane", build, site.broker.ports[8883], size=(160, 120), rate_fps=1, mqtt=f"{mqtt} home_assistant = true;",
                     extra='commands = { auth = "acl"; };\nlane_timing = { debounce_ms = 5; };')
    config = lane.config.read_text().replace('site = "demo"', 'site = "quangyen-demo"').replace("127.0.0.1", "localhost")
    lane.config.write_text(config)
    admin, home = Listener(site, "admin", f"{SITE}/lane1/#"), Listener(site, "home-assistant", "homeassistant/#")

    def came(leaf, what=""):
        try:
            admin.wait(lambda: any(t == f"{SITE}/lane1/{leaf}" and what in p for t, p in admin.heard), leaf)
            return True
        except TimeoutError:
            return False
    try:
        lane.start()
        for leaf, what in (("availability", "online"), ("info", "lane1"), ("alarm", '"start"'), ("state", '"presence":"shared"')):
            counts.check(f"qrgated's {leaf} arrives", came(leaf, what), lane.log()[-500:])
        lane.press()
        counts.check("qrgated's passage arrives", came("passage", "override"))
        transaction = ask(site, "report")
        counts.check("qrgated hears a request and its response arrives", came("response/report", transaction))
        counts.check("qrgated's health arrives", came("health"))
        site.publish("office", f"{SITE}/declaration", json.dumps({
            "schema": "qrgate/declaration/1", "subject": "cccd:022199012345", "status": "green", "transaction_id": "from-the-office",
            "declared_at": "2026-01-15T08:00:00+07:00"}))
        counts.check("qrgated hears a declaration and its result arrives", came("result", "from-the-office"))
        counts.check("qrgated's device for Home Assistant arrives", home.hears_of(f"{DEVICE}/lane1/config", 1))
        site.publish("home-assistant", "homeassistant/status", "online")
        counts.check("… and again when it has started", home.hears_of(f"{DEVICE}/lane1/config", 2))
        counts.check("qrgated ends well", lane.stop() == 0 and came("availability", "offline"))
        complaints = [line for line in lane.log().splitlines() if "mqtt" in line and line[:3] in ("<0>", "<1>", "<2>", "<3>", "<4>")]
        counts.check("qrgated has nothing to complain about", not complaints, complaints)
    finally:
        lane.stop()
        admin.stop()
        home.stop()


def prepare(folder):
    site, central = Site(folder / "site"), Site(folder / "central")
    make_ca(central.folder, "ca")
    make_certificate(central.folder, "ca", "central", "broker", "serverAuth", "DNS:localhost,IP:127.0.0.1")
    make_certificate(central.folder, "ca", "authority")
    make_ca(site.folder, "ca")
    make_ca(site.folder, "other")
    make_certificate(site.folder, "ca", "site broker", "broker", "serverAuth", "DNS:localhost")
    for lane in ("lane1", "lane2"):
        make_certificate(site.folder, "ca", lane)
    make_certificate(site.folder, "other", "lane1", "stranger")
    for name, common_name in (("bridge", "quangyen-demo"), ("bridge-2", "other-site")):
        make_certificate(central.folder, "ca", common_name, name)
        for end in ("pem", "key"):
            shutil.copy(central.folder / f"{name}.{end}", site.folder)
    shutil.copy(central.folder / "ca.pem", site.folder / "central-ca.pem")
    passwords = site.folder / "passwords"
    passwords.touch(0o600)
    for user, password in PASSWORDS.items():
        subprocess.run(["mosquitto_passwd", "-b", passwords, user, password], check=True, capture_output=True)
    for one, acl in ((site, "qrgate.acl"), (central, "central.acl")):
        shutil.copy(FILES / acl, one.folder)
        (one.folder / acl).chmod(0o600)
    central_port = gate.free_port()
    central.broker = Mosquitto(central.folder, ["central.conf"], {8883: central_port})
    site.broker = Mosquitto(site.folder, ["qrgate.conf", "bridge.conf"], {8883: gate.free_port(), 8884: gate.free_port()},
                            # a bridge tries one address of a name, which may be ::1
                            [("address central.example:8883", f"address 127.0.0.1:{central_port}")])
    return site, central


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build")
    build = pathlib.Path(parser.parse_args().build).resolve()
    folder = build / "broker-example"
    shutil.rmtree(folder, ignore_errors=True)
    began, counts = time.monotonic(), Counts()
    site, central = prepare(folder)
    check_topics(counts, build)
    try:
        central.broker.start()
        site.broker.start()
        for check in (check_writes, check_reads, check_strangers):
            check(counts, site)
        check_bridge(counts, site, central)
        check_lane(counts, site, build)
        check_sessions(counts, site)
    finally:
        site.broker.stop()
        central.broker.stop()
    print(f"broker-example: {counts.passed} passed, {len(counts.failed)} failed in {time.monotonic() - began:.0f} s; logs in {folder}")
    return 1 if counts.failed or not counts.passed else 0


if __name__ == "__main__":
    sys.exit(main())
