"""qrgatectl status and watch: real lanes at a real broker, one of them gone; the socket of a lane whose broker is gone; and what a
stranger at the broker can make them print."""
import json
import os
import pathlib
import pty
import re
import signal
import socket
import subprocess
import sys

import jsonschema
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import gate  # noqa: E402
from test_inbound import Sender  # noqa: E402
from test_outbox import mosquitto  # noqa: E402,F401

SCHEMA = {name: json.loads((gate.ROOT / "config" / "schemas" / f"{name}.json").read_text()) for name in ("state", "passage", "alarm", "info")}
PLAIN = {**os.environ, "LC_ALL": "C", "TZ": "<+07>-7"}


def status(lane, *arguments, code=0, **more):
    done = lane.ctl("status", *arguments, check=False, timeout=60, env={**PLAIN, **more})
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    return done


def start(lane, subscriber, name="lane1"):
    """Started, with a camera, and told so to the broker."""
    lane.start()
    gate.wait_for(lambda: (subscriber.last(f"/{name}/state") or {}).get("camera") == "ok", 20, "a camera")
    return lane


@pytest.fixture
def second_lane(tmp_path, build, broker):
    lane = gate.Lane(tmp_path / "second", build, broker.port, lane="lane2")
    yield lane
    lane.stop()


def publish(port, topic, payload, retain=True):
    subprocess.run(["mosquitto_pub", "-p", str(port), "-q", "1", *(["-r"] if retain else []), "-t", topic, "-m", payload], check=True)


# ---- status --------------------------------------------------------------------------------------------------------------

def test_the_lanes_of_a_site(make_lane, second_lane, subscriber, broker):
    lane = make_lane()
    assert "the broker knows no lane of the site demo" in status(lane, code=3).stderr
    start(lane, subscriber)
    start(second_lane, subscriber, "lane2")
    head, first, second = status(lane).stdout.splitlines()
    assert head.split() == ["LANE", "IS", "MODE", "CAMERA", "CLOCK", "JOURNAL", "UNSENT", "VERSION"]
    assert first.split()[:6] == ["lane1", "online", "normal", "ok", "ok", "ok"] and second.split()[0] == "lane2"
    rows = [json.loads(line) for line in status(lane, "--json").stdout.splitlines()]
    assert [(row["lane"], row["availability"]) for row in rows] == [("lane1", "online"), ("lane2", "online")]
    for row in rows:
        jsonschema.validate(row["state"], SCHEMA["state"])
        jsonschema.validate(row["info"], SCHEMA["info"])
    second_lane.stop()
    gate.wait_for(lambda: subscriber.last("/lane2/availability") == "offline", 20, "offline")
    lines = status(lane, code=3).stdout.splitlines()
    assert lines[1].split()[1] == "online" and lines[2].split()[1] == "offline"
    assert len(status(lane, "--lane", "lane1").stdout.splitlines()) == 2
    said = status(lane, "--lang", "vi", code=3).stdout.splitlines()
    assert said[0].split("  ")[0] == "LÀN" and "trực tuyến" in said[1] and "mất kết nối" in said[2]
    # Columns stand below each other, whatever a letter's bytes.
    assert said[0].index("CHẾ ĐỘ") == said[1].index("bình thường") == said[2].index("bình thường")


def test_thousands_of_lanes_at_a_broker_as_it_is_installed(mosquitto, make_lane):  # noqa: F811
    """Its queue for a subscriber holds 1000 messages of QoS 1."""
    mosquitto("user root", "max_queued_messages 1000")
    lane = make_lane(port=mosquitto.port)
    state = json.dumps({"schema": "qrgate/state/1", "mode": "normal", "camera": "ok", "journal": "ok", "clock_trusted": True,
                        "outbox_unsent": 0, "version": "0.1.0", "out_of_order": False, "camera_detail": "x" * 100})
    sender = Sender(mosquitto.port, "filler")
    for number in range(2500):
        for leaf, payload in (("availability", "online"), ("state", state)):
            sender.send(f"qrgate/demo/lane{number:04}/{leaf}", payload, retain=True, wait=False)
    sender.close()
    lines = status(lane).stdout.splitlines()
    assert [line.split()[:3] for line in lines[1:]] == [[f"lane{number:04}", "online", "normal"] for number in range(2500)]


def test_what_a_stranger_keeps_at_the_broker_is_harmless(make_lane, subscriber, broker):
    lane = make_lane()
    start(lane, subscriber)
    for topic, payload in {
        "qrgate/demo/lane5/state": '{"mode":"\\u001b[31mx","camera":7,"journal":null,"outbox_unsent":"many"}',
        "qrgate/demo/lane6/state": "[" * 500, "qrgate/demo/lane7/availability": "x" * 4000, "qrgate/demo/lane8/info": "{}",
        "qrgate/demo/" + "y" * 60 + "/state": "{}", "qrgate/demo/bá của/state": "{}", "qrgate/demo/l$/state": "{}",
    }.items():
        publish(broker.port, topic, payload)
    shown = status(lane, code=3).stdout
    assert [line.split()[0] for line in shown.splitlines()[1:]] == ["lane1", "lane5", "lane6", "lane7", "lane8"]
    assert "\x1b" not in shown and "?[31mx" in shown
    for line in status(lane, "--json", code=3).stdout.splitlines():
        json.loads(line)
        assert "\x1b" not in line


def test_this_machine_s_lane_by_its_socket(make_lane):
    """Nobody is at the broker's port."""
    lane = make_lane(port=gate.free_port())
    assert "isn't running on this machine" in status(lane, "--local", code=3).stderr
    lane.start()
    ready = gate.wait_for(lambda: [json.loads(s) for s in [lane.ctl("status", "--local", "--json", check=False).stdout] if '"ok"' in s],
                          20, "a camera")
    gate.wait_for(lambda: lane.ctl("status", "--local", check=False).returncode == 0, 20, "camera and journal")
    jsonschema.validate({**ready[0]["state"], "broker_connects": 1}, SCHEMA["state"])  # it never was: 0
    assert ready[0]["lane"] == "lane1" and ready[0]["availability"] == "here"
    words = status(lane, "--local").stdout.splitlines()[1].split()
    assert words[:3] == ["lane1", "running", "normal"] and int(words[6]) >= 1  # its start isn't at the broker
    assert "can't be reached" in status(lane, code=1).stderr  # by the broker
    path = pathlib.Path(f"{lane.journal}.status")
    assert path.is_socket() and path.stat().st_mode & 0o777 == 0o660
    lane.stop(signal.SIGKILL)
    assert "isn't running" in status(lane, "--local", code=3).stderr  # left there, and nobody behind it
    lane.start()
    gate.wait_for(lambda: lane.ctl("status", "--local", check=False).returncode == 0, 20, "the socket anew")
    assert lane.stop() == 0 and not path.exists()


def test_who_connects_to_the_socket_can_do_nothing(make_lane):
    lane = make_lane(port=gate.free_port())
    lane.start()
    idle = []
    for _ in range(40):  # they neither read nor leave; some speak
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        client.connect(f"{lane.journal}.status")  # waits while as many as may do
        client.settimeout(10)
        idle.append(client)
    try:
        idle[0].sendall(b"open\n" * 100)
    except (BrokenPipeError, ConnectionResetError):
        pass
    gate.wait_for(lambda: lane.ctl("status", "--local", check=False).returncode == 0, 20, "answered beside them")
    text = b""
    while part := idle[7].recv(65536):
        text += part
    assert text.endswith(b"\n") and json.loads(text)["schema"] == "qrgate/state/1"
    for client in idle:
        client.close()
    lane.press()
    gate.wait_for(lambda: any(" relay on" in line for line in lane.panel.all), 10, "the guard's button")
    assert lane.stop() == 0


def test_a_socket_that_can_not_be_is_no_reason_not_to_start(tmp_path, build, broker, subscriber):
    lane = gate.Lane(tmp_path / "lane", build, broker.port)
    deep = tmp_path / ("long" * 24)  # no Unix socket has such a path
    deep.mkdir()
    lane.config.write_text(lane.config.read_text().replace(f"{lane.journal}", f"{deep}/journal.db"))
    try:
        start(lane, subscriber)
        assert "no socket beside" in lane.log()
        assert "can't be asked" in status(lane, "--local", code=1).stderr
    finally:
        lane.stop()


# ---- watch ---------------------------------------------------------------------------------------------------------------

class Watch:
    def __init__(self, lane, *arguments, environment=None, stdout=subprocess.PIPE):
        self.process = subprocess.Popen([lane.build / "qrgatectl", "--config", lane.config, "watch", *map(str, arguments)], stdout=stdout,
                                        stderr=subprocess.PIPE, env={**PLAIN, **(environment or {})})
        self.told = gate.Lines(self.process.stderr)
        self.shown = gate.Lines(self.process.stdout) if stdout == subprocess.PIPE else None

    def ready(self, count=1):
        gate.wait_for(lambda: sum("Ctrl-C" in line for line in self.told.all) >= count, 20, "connected")
        return self

    def line(self, pattern):
        return gate.wait_for(lambda: next((line for line in self.shown.all if re.search(pattern, line)), None), 20, pattern)

    def end(self, how=signal.SIGINT):
        return gate.end(self.process, how)


@pytest.fixture
def watch():
    started = []

    def make(*arguments, **more):
        started.append(Watch(*arguments, **more))
        return started[-1]
    yield make
    for one in started:
        gate.end(one.process, signal.SIGKILL)


def test_passages_one_line_each(make_lane, watch, subscriber):
    lane = make_lane()
    lane.declare("cccd:022199012345", "red")
    start(lane, subscriber)
    plain = watch(lane).ready()
    viet, as_json = watch(lane, "--lang", "vi").ready(), watch(lane, "--json").ready()
    lane.add("022199012345||Nguyễn Văn A|01011999|Nam|Quảng Ninh|01012021")
    line = plain.line("refused")
    assert re.fullmatch(r"\d\d:\d\d:\d\d  lane1         refused          +red         declared red, or tested positive  [0-9a-f]{8}", line), line
    assert re.fullmatch(r"--- \d{4}-\d\d-\d\d ---", plain.shown.all[0])
    assert "khai báo đỏ hoặc xét nghiệm dương tính" in viet.line("từ chối")
    lane.press()
    assert "guard's button" in plain.line("opened by staff")
    as_json.line('"override"')
    events = [json.loads(text) for text in as_json.shown.all]
    assert [event["kind"] for event in events][:2] == ["denied", "override"]
    for event in events:
        assert event.pop("lane") == "lane1"
        jsonschema.validate(event, SCHEMA["passage"])
    for one in (plain, viet, as_json):
        assert "\x1b" not in "".join(one.shown.all)  # a pipe is no terminal
    assert plain.end() == 0 and viet.end(signal.SIGTERM) == 0 and as_json.end() == 0


def test_one_lane_of_two(make_lane, second_lane, watch, subscriber):
    lane = make_lane()
    start(lane, subscriber)
    start(second_lane, subscriber, "lane2")
    both, one = watch(lane).ready(), watch(lane, "--lane", "lane2").ready()
    lane.press()
    both.line(" lane1 .*opened by staff")
    second_lane.press()
    one.line(" lane2 .*opened by staff")
    both.line(" lane2 .*opened by staff")
    assert not any("lane1" in line for line in one.shown.all)


def test_it_comes_back_when_the_broker_does(make_lane, watch, subscriber, broker):
    lane = make_lane()
    start(lane, subscriber)
    shown = watch(lane).ready()
    broker.stop()
    gate.wait_for(lambda: any("trying again" in line for line in shown.told.all), 20, "told")
    lane.press()  # meanwhile
    broker.start()
    shown.ready(2)
    gate.wait_for(lambda: lane.log().count("mqtt: connected") == 2, 60, "the lane is back")
    lane.press()
    shown.line("guard's button$")
    assert sum("trying again" in line for line in shown.told.all) == 1
    broker.stop()
    gate.wait_for(lambda: sum("trying again" in line for line in shown.told.all) == 2, 20, "told")
    assert shown.end() == 0  # while it waits, too


def test_the_first_connection_must_stand(make_lane):
    lane = make_lane(port=gate.free_port())
    done = lane.ctl("watch", check=False, timeout=60, env=PLAIN)
    assert done.returncode == 1 and "can't be reached" in done.stderr


def test_the_first_subscription_must_stand(build):
    """A broker that hangs up instead of answering it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        where = ("--host", "127.0.0.1", "--port", str(server.getsockname()[1]), "--site", "demo")
        done = subprocess.Popen([build / "qrgatectl", "watch", *where],
                                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=PLAIN)
        try:
            server.settimeout(20)
            peer, _ = server.accept()
            with peer:
                peer.settimeout(20)
                assert peer.recv(4096)[0] == 0x10  # CONNECT
                peer.sendall(b"\x20\x03\0\0\0")
                assert peer.recv(4096)[0] == 0x82  # SUBSCRIBE
            _, told = done.communicate(timeout=20)
        finally:
            gate.end(done, signal.SIGKILL)
    assert done.returncode == 1 and "trying again" not in told, told


def test_what_a_stranger_publishes_is_harmless(make_lane, watch, broker):
    lane = make_lane()
    shown = watch(lane).ready()
    event = {"schema": "qrgate/passage/1", "event_id": "0" * 32, "kind": "granted", "at": "2026-01-31T01:30:00.000Z", "reason": "status_green",
             "status": "green", "detail": "a\u001b[2Jb\nc", "historical": True, "direction": "in", "clock_trusted": False, "verb": "open",
             "operator": "x\u202ey"}
    publish(broker.port, "qrgate/demo/lane9/passage", json.dumps(event), retain=False)
    publish(broker.port, "qrgate/demo/lane9/passage", json.dumps(event), retain=False)  # QoS 1 may repeat it
    for bad in ("{", "[]", "\x00", '{"kind":1}', "x" * 70000, '{"a":1,"a":2}'):
        subprocess.run(["mosquitto_pub", "-p", str(broker.port), "-q", "1", "-t", "qrgate/demo/lane9/passage", "-s"], input=bad.encode(),
                       check=True)
    publish(broker.port, "qrgate/demo/lane9/passage", json.dumps({**event, "event_id": "1" * 32, "kind": "dance", "reason": "tired"}),
            retain=False)
    line = shown.line("dance")
    assert "tired" in line  # a word of tomorrow is shown as it is
    first = shown.line("let through")
    assert re.match(r"08:30:00\? lane9 ", first) and "(sent later)" in first and "open once, by x" in first
    assert sum("let through" in line for line in shown.shown.all) == 1
    text = "\n".join(shown.shown.all)
    assert "\x1b" not in text and "\u202e" not in text


def test_colour_is_for_terminals(make_lane, watch, broker):
    lane = make_lane()
    for environment, coloured in (({"TERM": "xterm"}, True), ({"TERM": "xterm", "NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)):
        screen, behind = pty.openpty()
        one = watch(lane, environment=environment, stdout=behind).ready()
        os.close(behind)
        publish(broker.port, "qrgate/demo/lane9/passage", json.dumps({"kind": "denied", "at": "2026-01-31T01:30:00Z"}), retain=False)
        text = b""
        while b"refused" not in text or not text.endswith(b"\n"):
            text += os.read(screen, 4096)
        assert (b"\x1b[1;31mrefused" in text) == coloured and (b"\x1b" in text) == coloured, text
        assert one.end() == 0
        os.close(screen)
