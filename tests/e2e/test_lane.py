"""The turnstile with everything wired: the real daemon, a simulated panel, a real broker. The machine itself is tested row by
row in tests/unit/test_lane*.c; here its inputs, wires, rows and messages."""
import json
import signal
import time

import pytest

import gate

GREEN = "022199012345|100200300|Nguyễn Thị Bích Phượng|15081999|Nữ|Tổ 3, Khu 2|01082022"
OTHER = "022099054321||Đoàn Văn Thử|30121999|Nam|Thôn Một, Xã Hai|01082024||||"
WIRED = ('direction = "in"; lines = { driver = "sim"; panel_input = "%s"; rotation = { line = "sim"; }; fire = { line = "sim"; };'
         ' tamper = { line = "sim"; }; guard = { line = "sim"; }; service = { line = "sim"; }; button = { line = "sim"; };'
         ' relay = { line = "sim"; }; };')
TIMES = ("lane_timing = { pulse_ms = 200; pulse_gap_ms = 100; debounce_ms = 5; passage_wait_ms = %d; held_alarm_ms = 1000;"
         " long_press_ms = 1000; stuck_ms = 5000; };")


@pytest.fixture
def turnstile(make_lane):
    def make(wait_ms=1500, more="", **settings):
        lane = make_lane(extra=TIMES % wait_ms + more, **settings)
        text = lane.config.read_text()
        begin = text.index("lines = {")
        lane.config.write_text(text[:begin] + WIRED % lane.panel_input + text[text.index("\n", begin):])
        lane.declare("cccd:022199012345", "green")
        lane.declare("cccd:022099054321", "green")
        return lane
    return make


def turn(lane):
    lane.panel_say("activate rotation")
    time.sleep(0.1)  # an arm under way
    lane.panel_say("release rotation")


def inside(lane):
    return json.loads(lane.ctl("inside", "--json").stdout or "{}")


def test_a_passage_is_counted_only_when_the_arm_has_turned(turnstile, subscriber):
    lane = turnstile()
    lane.add(GREEN)
    lane.start()
    granted = subscriber.wait(lambda e: e["kind"] == "granted")
    assert "changes_presence" not in granted
    turn(lane)
    done = subscriber.wait(lambda e: e["kind"] == "completed")
    assert done["bound_event_id"] == granted["event_id"] and done["person"] == granted["person"] and done["changes_presence"]
    lane.add(OTHER)
    second = subscriber.wait(lambda e: e["kind"] == "granted" and e["event_id"] != granted["event_id"])
    unused = subscriber.wait(lambda e: e["kind"] == "not_used")
    assert unused["bound_event_id"] == second["event_id"] and "changes_presence" not in unused
    assert unused["monotonic_us"] - second["monotonic_us"] >= 1_500_000


def test_an_arm_forced_held_and_a_cabinet_opened(turnstile, subscriber):
    lane = turnstile()
    lane.start()
    lane.panel_say("activate rotation")
    for kind, alarm in (("alarm_begin", "forced"), ("alarm_begin", "held")):
        subscriber.wait(lambda e: e["kind"] == kind and e["alarm"] == alarm, what=alarm)
    lane.panel_say("release rotation")
    for alarm in ("forced", "held"):
        subscriber.wait(lambda e: e["kind"] == "alarm_end" and e["alarm"] == alarm, what=alarm)
    lane.panel_say("activate tamper")
    subscriber.wait(lambda e: e["kind"] == "alarm_begin" and e["alarm"] == "tamper")
    lane.panel_say("release tamper")
    subscriber.wait(lambda e: e["kind"] == "alarm_end" and e["alarm"] == "tamper")
    assert not lane.relay_on()


def test_who_pressed_and_a_long_press_holds_the_gate_open(turnstile, subscriber):
    lane = turnstile()
    lane.start()
    lane.panel_say("activate guard")
    time.sleep(0.2)  # a key takes longer to turn
    lane.press()
    subscriber.wait(lambda e: e["kind"] == "override")
    lane.panel_say("press button")
    subscriber.wait(lambda e: e["kind"] == "alarm_begin" and e["alarm"] == "hold_open")
    lane.panel_say("release button")
    gate.wait_for(lambda: (subscriber.last("/state") or {}).get("mode") == "hold_open", 10, "the state says so")
    assert lane.relay_on()
    lane.panel_say("press button")
    subscriber.wait(lambda e: e["kind"] == "alarm_end" and e["alarm"] == "hold_open")
    lane.panel_say("release button")
    gate.wait_for(lambda: not lane.relay_on(), 10, "the relay")
    overrides = [json.loads(line) for line in lane.ctl("events", "--json").stdout.splitlines() if '"override"' in line]
    assert overrides and all(row["detail"] == "guard B" for row in overrides)


def test_a_stuck_button_is_told_and_ignored(turnstile, subscriber):
    lane = turnstile()
    lane.start()
    lane.panel_say("press button")
    subscriber.wait(lambda e: e["kind"] == "alarm_begin" and e["alarm"] == "button_stuck")
    gate.wait_for(lambda: not lane.relay_on(), 10, "the relay")
    lane.panel_say("release button")
    subscriber.wait(lambda e: e["kind"] == "alarm_end" and e["alarm"] == "button_stuck")
    before = lane.pulses()
    lane.press()
    gate.wait_for(lambda: lane.pulses() == before + 1, 10, "a press after it works")


def test_fire_frees_the_arm_until_reset_and_tells_who_is_inside(turnstile, subscriber):
    lane = turnstile()
    lane.add(GREEN)
    lane.start()
    granted = subscriber.wait(lambda e: e["kind"] == "granted")
    turn(lane)
    subscriber.wait(lambda e: e["kind"] == "completed")
    lane.panel_say("activate fire")
    subscriber.wait(lambda e: e["kind"] == "alarm_begin" and e["alarm"].startswith("emergency"))
    gate.wait_for(lane.relay_on, 5, "the arm is free")
    muster = gate.wait_for(lambda: subscriber.last("/muster"), 10, "the muster list")
    assert muster["inside"] == 1 and [p["person"] for p in muster["persons"]] == [granted["person"]]
    assert granted["person"] in lane.ctl("inside").stdout
    lane.panel_say("release fire")
    turn(lane)  # free turning is no alarm
    gate.wait_for(lambda: (subscriber.last("/state") or {}).get("mode") == "emergency", 5, "still, until the reset")
    assert lane.relay_on()
    lane.panel_say("activate service")
    subscriber.wait(lambda e: e["kind"] == "alarm_end" and e["alarm"].startswith("emergency"))
    lane.panel_say("release service")
    gate.wait_for(lambda: not lane.relay_on(), 5, "locked again")
    assert not any(e.get("alarm") == "forced" for e in subscriber.events())


def test_two_people_get_two_turns(turnstile, subscriber):
    lane = turnstile(wait_ms=8000, hold_ms=1500, gap_ms=400)
    lane.add(GREEN)
    lane.add(OTHER)
    lane.start()
    first = subscriber.wait(lambda e: e["kind"] == "granted")
    second = subscriber.wait(lambda e: e["kind"] == "granted" and e["event_id"] != first["event_id"])
    rising = lane.pulses()
    assert rising == 1  # the second waits for the first one's turn
    turn(lane)
    gate.wait_for(lambda: lane.pulses() == 2, 10, "the second pulse")
    turn(lane)
    done = [subscriber.wait(lambda e: e["kind"] == "completed" and e["bound_event_id"] == g["event_id"]) for g in (first, second)]
    assert done[0]["seq"] < done[1]["seq"]


def test_out_of_order_without_a_camera_and_the_button_still_opens(turnstile, subscriber):
    lane = turnstile()
    lane.pictures.rmdir()
    lane.start()
    subscriber.wait(lambda e: e["kind"] == "alarm_begin" and e["alarm"] == "out_of_order")
    lane.press()
    subscriber.wait(lambda e: e["kind"] == "override")
    gate.wait_for(lambda: (subscriber.last("/state") or {}).get("mode") == "out_of_order", 20, "the state")
    lane.pictures.mkdir()
    subscriber.wait(lambda e: e["kind"] == "alarm_end" and e["alarm"] == "out_of_order")


def test_an_interrupted_passage_is_marked_after_a_crash(turnstile, subscriber):
    lane = turnstile(wait_ms=10000)
    lane.add(GREEN)
    lane.start()
    granted = subscriber.wait(lambda e: e["kind"] == "granted")
    lane.stop(signal.SIGKILL)
    lane.start()
    cut = subscriber.wait(lambda e: e["kind"] == "interrupted")
    assert cut["bound_event_id"] == granted["event_id"]
    lane.stop()
    assert "whole" in lane.ctl("verify").stdout or lane.ctl("verify").returncode == 0


def test_a_stop_interrupts_the_open_passage(turnstile, subscriber):
    lane = turnstile(wait_ms=10000)
    lane.add(GREEN)
    lane.start()
    granted = subscriber.wait(lambda e: e["kind"] == "granted")
    lane.stop()
    kinds = [json.loads(line) for line in lane.ctl("events", "--json").stdout.splitlines()]
    assert [k["bound_event_id"] for k in kinds if k["kind"] == "interrupted"] == [granted["event_id"]]
    lane.start()
    subscriber.wait(lambda e: e["kind"] == "start" and e["seq"] > granted["seq"])
    kinds = [json.loads(line) for line in lane.ctl("events", "--json").stdout.splitlines()]
    assert sum(k["kind"] == "interrupted" for k in kinds) == 1


def test_reload_applies_live_what_it_may_and_refuses_the_rest(turnstile, subscriber):
    lane = turnstile(wait_ms=5000)
    lane.add(GREEN)
    lane.start()
    subscriber.wait(lambda e: e["kind"] == "granted")
    lane.process.send_signal(signal.SIGHUP)  # in mid-pulse
    gate.wait_for(lambda: "new configuration counts" in lane.log(), 10, "the reload")
    turn(lane)
    subscriber.wait(lambda e: e["kind"] == "completed")  # no passage was dropped
    assert lane.pulses() == 1  # nothing moved by itself
    lane.config.write_text(lane.config.read_text() + 'policy = { green = "deny"; };\n')
    lane.process.send_signal(signal.SIGHUP)
    gate.wait_for(lambda: lane.log().count("new configuration counts") == 2, 10, "the second reload")
    lane.add(OTHER)
    denied = subscriber.wait(lambda e: e["kind"] == "denied")
    assert denied["reason"] == "status_green"
    lane.config.write_text(lane.config.read_text().replace('lane = "lane1"', 'lane = "lane9"'))
    lane.process.send_signal(signal.SIGHUP)
    gate.wait_for(lambda: "reload: refused" in lane.log(), 10, "the refusal")
    assert "lane" in lane.log() and "restart" in lane.log()
    lane.config.write_text(lane.config.read_text().replace('lane = "lane9"', 'lane = "lane1"') + "nonsense = 1;\n")
    lane.process.send_signal(signal.SIGHUP)
    gate.wait_for(lambda: lane.log().count("reload: refused") == 2, 10, "the second refusal")
    lane.press()
    subscriber.wait(lambda e: e["kind"] == "override")


def test_a_key_added_and_taken_away_counts_after_a_reload(turnstile, subscriber):
    lane = turnstile(wait_ms=1000)
    token = lane.issuer("late")("badge:0042", "green")
    key = lane.trust / "late.pub"
    text = key.read_text()
    key.unlink()
    lane.start()
    lane.add(token)
    subscriber.wait(lambda e: e["kind"] == "denied" and e["reason"] == "key_unknown")
    key.write_text(text)
    lane.process.send_signal(signal.SIGHUP)
    gate.wait_for(lambda: "new configuration counts" in lane.log(), 10, "the reload")
    lane.add(token)
    subscriber.wait(lambda e: e["kind"] == "granted")


def test_a_checkpoint_without_a_turnstile(make_lane, subscriber):
    lane = make_lane(extra="")
    text = lane.config.read_text()
    lane.config.write_text(text.replace('driver = "sim";', 'driver = "sim"; buzzer = { line = "sim"; }; lamp_green = { line = "sim"; };'))
    lane.declare("cccd:022199012345", "green")
    lane.add(GREEN)
    lane.start()
    subscriber.wait(lambda e: e["kind"] == "granted")
    gate.wait_for(lambda: any("lamp_green on" in line for line in lane.panel.all), 5, "the green lamp")
    assert not any(" relay " in line for line in lane.panel.all)


def test_a_code_seen_while_the_main_loop_stood_still_opens_for_nobody(turnstile, subscriber):
    lane = turnstile(hold_ms=600, gap_ms=100)
    # With a short patience the eye is replaced, and what it had said is dropped with it; here what it said is what is tested.
    lane.config.write_text(lane.config.read_text().replace("leave_ms =", "hang_ms = 20000; leave_ms =", 1))
    lane.start()
    subscriber.wait(lambda e: e["kind"] == "start")
    gate.wait_for(lambda: (subscriber.last("/state") or {}).get("camera") == "ok", 10, "the camera")
    lane.process.send_signal(signal.SIGSTOP)  # the eye goes on and sees the card, which then goes away
    lane.add(GREEN)
    time.sleep(3)
    lane.process.send_signal(signal.SIGCONT)
    lane.press()
    override = subscriber.wait(lambda e: e["kind"] == "override")
    assert not [e for e in subscriber.events() if e["seq"] < override["seq"] and e["kind"] in ("granted", "held", "denied")]
    lane.add(OTHER)  # whoever stands there now is read as ever
    subscriber.wait(lambda e: e["kind"] == "granted")
