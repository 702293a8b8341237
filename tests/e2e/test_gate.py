"""The whole way, with the real binary and a real broker: who is let in, who isn't, who is told."""
import os
import re
import signal
import subprocess
import time

import gate
import pytest

GREEN = "022199012345|100200300|Nguyễn Thị Bích Phượng|15081999|Nữ|Tổ 3, Khu 2, Phường Hà An|01082022"
YELLOW = "022099054321||Đoàn Văn Thử|30121999|Nam|Thôn Một, Xã Hai, Quảng Ninh|01082024||||"
RED = "022085001122||Bùi Đình Mẫu|12031985|Nam|Khu 7, Phường Yên Giang|06122022"
UNKNOWN = "022201005566||Phạm Văn Thí Nghiệm|09092001|Nam|Xã Sông Khoai|10102023"
# Shift-JIS and Big5 guesses garble this one in a decoder's text mode.
GARBLED = "022068520528|191321738|Bùi Đình Trang|10041968|Nam|Khu 7, Phường Yên Giang, Quảng Yên, Quảng Ninh|06122022"


def relay_pulses(lane):
    on = [int(re.search(r"t_us=(\d+) relay on", l)[1]) for l in lane.panel.all if " relay on" in l]
    off = [int(re.search(r"t_us=(\d+) relay off", l)[1]) for l in lane.panel.all if " relay off" in l]
    return [b - a for a, b in zip(on, off)]


@pytest.mark.parametrize("who, status, kind, reason", [
    (GREEN, "green", "granted", "status_green"), (YELLOW, "yellow", "held", "status_yellow"),
    (RED, "red", "denied", "status_red"), (UNKNOWN, None, "held", "no_declaration"), (GARBLED, "green", "granted", "status_green")])
def test_citizen_card_by_the_register(make_lane, subscriber, who, status, kind, reason):
    lane = make_lane()
    if status:
        lane.declare(f"cccd:{who[:12]}", status)
    lane.start()
    lane.add(who)
    event = subscriber.wait(lambda e: e["kind"] == kind, what=kind)
    assert event["reason"] == reason and event["credential"] == "cccd"
    assert who[:12] not in str(subscriber.messages)  # no identity number leaves the lane
    if kind == "granted":
        gate.wait_for(lambda: relay_pulses(lane), 5, "one pulse")
        assert 300_000 <= relay_pulses(lane)[0]  # from edge to edge, however late a slow machine's wire follows the decision
    assert lane.stop() == 0
    assert len(relay_pulses(lane)) == (1 if kind == "granted" else 0)
    assert not lane.relay_on()


@pytest.mark.parametrize("status, kind", [("green", "granted"), ("yellow", "held"), ("red", "denied")])
def test_signed_token(make_lane, subscriber, status, kind):
    lane = make_lane()
    token = lane.issuer()("badge:0042", status)
    lane.start()
    lane.add(token)
    assert subscriber.wait(lambda e: e["kind"] == kind)["reason"] == f"status_{status}"


def test_a_token_of_a_stranger_and_a_changed_token_are_refused(make_lane, subscriber):
    lane = make_lane()
    good = lane.issuer()("badge:0042", "green")
    stranger = lane.issuer("stranger", trusted=False)("badge:0042", "green")
    changed = good[:-20] + ("A" if good[-20] != "A" else "B") + good[-19:]
    lane.start()
    lane.add(stranger)
    assert subscriber.wait(lambda e: e["kind"] == "denied")["reason"] == "key_unknown"
    lane.add(changed)
    subscriber.wait(lambda e: e["kind"] == "denied" and e["reason"] in ("signature_invalid", "code_malformed"))
    lane.stop()
    assert relay_pulses(lane) == []


def test_a_code_held_for_seconds_is_one_passage(make_lane, subscriber):
    lane = make_lane(hold_ms=3000)
    lane.declare(f"cccd:{GREEN[:12]}", "green")
    lane.start()
    lane.add(GREEN)
    subscriber.wait(lambda e: e["kind"] == "granted")
    lane.add(UNKNOWN)  # comes when the first has left the view
    subscriber.wait(lambda e: e["kind"] == "held")
    assert sum(e["kind"] == "granted" for e in subscriber.events()) == 1
    lane.add(GREEN)  # the same person again
    gate.wait_for(lambda: sum(e["kind"] == "granted" for e in subscriber.events()) == 2, 20, "a second passage")


def test_button_opens_once_and_answers_the_person_held(make_lane, subscriber):
    lane = make_lane()
    lane.start()
    lane.press()
    first = subscriber.wait(lambda e: e["kind"] == "override")
    assert first["reason"] == "button" and not first.get("bound_event_id")
    lane.add(UNKNOWN)
    held = subscriber.wait(lambda e: e["kind"] == "held")
    lane.press()
    bound = subscriber.wait(lambda e: e["kind"] == "override" and e.get("bound_event_id"))
    assert bound["bound_event_id"] == held["event_id"]
    gate.wait_for(lambda: len(relay_pulses(lane)) == 2, 5, "two pulses")


def test_hostile_payloads_are_refused_and_nothing_breaks(make_lane, subscriber):
    lane = make_lane(hold_ms=500, size=(1280, 720))
    lane.declare(f"cccd:{GREEN[:12]}", "green")
    lane.start()
    hostile = [bytes([b for b in range(256)]), b"QG1:" + b"A" * 2000, b"'; DROP TABLE event; --", b"\xff\xfe" * 400, b"x" * 2953,
               b"022199012345|" * 20, b"QG1:"]
    for number, payload in enumerate(hostile, 1):
        lane.add(payload)
    gate.wait_for(lambda: sum(e["kind"] == "denied" for e in subscriber.events()) == len(hostile), 30, "all are denied")
    lane.add(b"P5\n640 480\n255\nshort", "broken")
    lane.add(GREEN)
    subscriber.wait(lambda e: e["kind"] == "granted")
    assert lane.stop() == 0
    assert len(relay_pulses(lane)) == 1 and not lane.relay_on()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_in_mid_pulse_leaves_the_relay_inactive(make_lane, subscriber, how):
    lane = make_lane(extra="lane_timing = { pulse_ms = 5000; };")
    lane.start()
    lane.press()
    gate.wait_for(lane.relay_on, 5, "the relay")
    assert lane.stop(how) == 0
    pulses = relay_pulses(lane)
    assert len(pulses) == 1 and pulses[0] < 5_000_000 and not lane.relay_on()  # nothing moves after the stop


def test_without_camera_it_starts_says_so_and_recovers(make_lane, subscriber):
    lane = make_lane()
    lane.pictures.rmdir()
    lane.start()
    subscriber.wait(lambda e: e["kind"] == "alarm_begin" and e["alarm"] == "camera_lost")
    lane.press()
    subscriber.wait(lambda e: e["kind"] == "override")
    lane.pictures.mkdir()
    subscriber.wait(lambda e: e["kind"] == "alarm_end" and e["alarm"] == "camera_lost")
    lane.add(UNKNOWN)
    subscriber.wait(lambda e: e["kind"] == "held")


def test_without_broker_the_lane_works_on_and_loses_nothing(make_lane, tmp_path):
    port = gate.free_port()
    lane = make_lane(port=port)
    lane.declare(f"cccd:{GREEN[:12]}", "green")
    lane.start()
    lane.add(GREEN)
    gate.wait_for(lambda: relay_pulses(lane), 10, "the relay, broker or not")
    broker = gate.Broker(tmp_path, port)
    subscriber = gate.Subscriber(port)
    try:
        granted = subscriber.wait(lambda e: e["kind"] == "granted", 60)
        assert ("granted", granted["event_id"]) in lane.displayed()
    finally:
        subscriber.stop()
        broker.stop()


def test_availability_follows_life_and_death(make_lane, subscriber):
    lane = make_lane()
    lane.start()
    gate.wait_for(lambda: "online" in str(subscriber.last("/availability")), 10, "online")
    gate.wait_for(lambda: subscriber.last("/state") and subscriber.last("/info"), 10, "state and info")
    lane.stop(signal.SIGKILL)  # the broker speaks the last will
    gate.wait_for(lambda: "offline" in str(subscriber.last("/availability")), 60, "offline")


def test_without_a_synchronised_clock_it_starts_says_so_and_holds(make_lane, subscriber):
    import ctypes
    timex = ctypes.create_string_buffer(512)  # modes 0: only asks; TIME_ERROR (5): nobody disciplines this clock
    trusted = ctypes.CDLL(None).ntp_adjtime(timex) != 5
    lane = make_lane(clock="ntp")
    lane.declare(f"cccd:{GREEN[:12]}", "green")
    lane.start()
    state = gate.wait_for(lambda: subscriber.last("/state"), 10, "state")
    assert state["clock_trusted"] == trusted
    lane.add(GREEN)
    event = subscriber.wait(lambda e: e["kind"] in ("granted", "held"))
    assert event["clock_trusted"] == trusted
    assert event["reason"] == ("status_green" if trusted else "clock_untrusted")


def test_journal_that_cannot_be_written_is_a_clear_end(make_lane, tmp_path):
    lane = make_lane()
    lane.journal.write_bytes(b"this is no database" * 100)
    lane.start(wait=False)
    assert lane.process.wait(20) != 0
    assert str(lane.journal) in lane.log()


def test_a_missing_gpio_chip_is_a_clear_end(make_lane, build):
    lane = make_lane()
    wired = lane.config.read_text().replace('driver = "sim";', 'driver = "gpiod"; relay = { line = "no-such-chip:17"; };')
    assert wired != lane.config.read_text()
    lane.config.write_text(wired)
    lane.start(wait=False)
    assert lane.process.wait(20) == 1
    assert "no-such-chip:17" in lane.log()
    safe = subprocess.run([build / "qrgate-safe", "--config", lane.config], stderr=subprocess.PIPE, text=True)
    assert safe.returncode == 1 and "no-such-chip" in safe.stderr  # systemd shows that nobody drove the relay inactive


def test_the_stop_helper_drives_what_the_gate_drove_whatever_the_configuration_says_by_then(make_lane, build, tmp_path):
    def safe():
        out = subprocess.run([build / "qrgate-safe", "--config", lane.config], stderr=subprocess.PIPE, text=True,
                             env={**os.environ, **unit})
        return out.returncode, out.stderr

    lane, folder = make_lane(), tmp_path / "runtime"
    unit = {"RUNTIME_DIRECTORY": f"{folder}:{tmp_path}/another"}
    folder.mkdir()
    panel = lane.config.read_text()
    lane.config.write_text(panel.replace('driver = "sim";', 'driver = "gpiod"; relay = { line = "no-chip:17"; active_low = true; };'))
    lane.start(wait=False, environment=unit)
    assert lane.process.wait(20) == 1
    assert [file.name for file in folder.iterdir()] == ["outputs"]
    assert (folder / "outputs").read_text() == "relay active_low no-chip:17\n"
    # The same line once, in the daemon's words; what the file names besides as well.
    lane.config.write_text(panel.replace('driver = "sim";', 'driver = "gpiod"; relay = { line = "no-chip:17"; }; '
                                                            'buzzer = { line = "no-chip:18"; };'))
    code, said = safe()
    assert code == 1 and said.count("no-chip:17") == 1 and said.count("no-chip:18") == 1
    lane.config.write_text("no = configuration")
    code, said = safe()
    assert code == 1 and "no-chip:17" in said and "qrgate.conf:1" in said
    (folder / "outputs").write_text("")  # a gate with nothing to drive: all that is known is done
    assert safe()[0] == 0
    (folder / "outputs").write_text("relay active_low GPIO17")
    assert safe()[0] == 1 and "can't be read" in safe()[1]
    (folder / "outputs").unlink()
    assert safe()[0] == 1  # nobody knows


def test_a_stuck_journal_never_opens_but_the_button_does(make_lane, subscriber):
    import sqlite3
    lane = make_lane(hold_ms=1500)
    lane.declare(f"cccd:{GREEN[:12]}", "green")
    lane.start()
    subscriber.wait(lambda e: e["kind"] == "start")
    lock = sqlite3.connect(lane.journal, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    lane.add(GREEN)
    gate.wait_for(lambda: any(kind == "failed" for kind, _ in lane.displayed()), 10, "an error tone")
    assert relay_pulses(lane) == []
    lane.press()
    gate.wait_for(lambda: relay_pulses(lane), 5, "the guard's pulse")
    lock.execute("ROLLBACK")
    lock.close()
    subscriber.wait(lambda e: e["kind"] == "override")
    subscriber.wait(lambda e: e["kind"] == "alarm_end" and e["alarm"] == "journal_failing")


def test_check_config_names_place_value_and_what_is_allowed(make_lane, build, tmp_path):
    lane = make_lane()
    good = lane.config.read_text()
    mistakes = [("rate_fps = 30", "rate_fps = 999", "1 to 120"), ('driver = "sim"', 'driver = "cable"', "gpiod|sim"),
                ('site = "demo"', 'site = "de mo"', "letters"), ("rate_fps = 30", 'rate_fps = "x"', "whole number"),
                ("hold_ms", "hold_msec", "unknown key"), ("mqtt = {", "mqtt = 3; x = {", "group"),
                ("loop = false", "loop = 1", "true and false"), ('driver = "sim";', 'driver = "sim"; relay = { line = 7; };', "text"),
                ('site = "demo";', 'site = = "demo";', "syntax")]
    assert subprocess.run([build / "qrgated", "--check-config", "--config", lane.config], stdout=subprocess.PIPE).returncode == 0
    for old, new, hint in mistakes:
        assert old in good
        bad = tmp_path / "bad.conf"
        bad.write_text(good.replace(old, new, 1))
        done = subprocess.run([build / "qrgated", "--check-config", "--config", bad], stderr=subprocess.PIPE, text=True)
        assert done.returncode == 1, new
        assert re.search(rf"{bad}:\d+: ", done.stderr) and hint in done.stderr, (new, done.stderr)
