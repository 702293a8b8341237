"""qrgatectl send: each verb to a real lane over a real broker, by access list and signed; what the lane refuses; nobody there; and
the way to the broker itself: names, passwords, TLS."""
import json
import os
import pathlib
import signal
import subprocess
import sys

import jsonschema
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import gate  # noqa: E402
from scripted_broker import ScriptedBroker  # noqa: E402
from test_commands import SCHEMA, TOKEN, VERBS, make_desk, ready  # noqa: E402,F401
from test_outbox import mosquitto  # noqa: E402,F401
from test_tls import authority, tls_broker  # noqa: E402,F401

OK, FAILED, USAGE, REFUSED, NO_ANSWER = 0, 1, 2, 4, 5
LANE = "demo/lane1"


class Tool:
    """qrgatectl send, with the lane's configuration, and how it ended."""

    def __init__(self, lane, *standard):
        self.lane, self.standard = lane, standard

    def __call__(self, *arguments, code=OK, **more):
        environment = {**os.environ, "LC_ALL": "C", **more.pop("environment", {})}
        done = self.lane.ctl("send", *arguments, *self.standard, check=False, env=environment, timeout=60, **more)
        assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
        return done

    def answer(self, *arguments, code=OK):
        done = self(*arguments, "--json", code=code)
        answer = json.loads(done.stdout)
        assert done.stdout.count("\n") == 1
        jsonschema.validate(answer, SCHEMA["response"])
        return answer


def signing_lane(make_desk, subscriber, verbs="all"):  # noqa: F811
    """A lane with auth = signed that knows a key made by `key operator`, and the tool that signs with it."""
    desk = make_desk("signed", start=False)
    secret = desk.lane.folder / "bình.key"
    made = desk.lane.ctl("key", "operator", "--kid", "binh1", "--name", "Anh Bình", "--verbs", verbs, "--out", secret, "--public",
                         desk.lane.folder / "operators" / "binh.pub")
    assert str(secret) in made.stdout and secret.stat().st_mode & 0o777 == 0o600
    desk.lane.start()
    ready(desk.lane, subscriber)
    return desk, Tool(desk.lane, "--key", secret)


@pytest.mark.parametrize("auth", ["acl", "signed"])
def test_each_verb_is_done_and_answered(auth, make_desk, subscriber):  # noqa: F811
    if auth == "signed":
        desk, send = signing_lane(make_desk, subscriber)
    else:
        desk = make_desk()
        send = Tool(desk.lane, "--operator", "Anh Bình")
    tried = set()

    def good(verb, *arguments):
        tried.add(verb)
        answer = send.answer(verb, *arguments)
        row = desk.row(answer)
        assert (row["operator"], row["verb"]) == ("Anh Bình", verb) and answer["status"] == "ok"
        return answer, row

    answer, row = good("open", "--why", "giao hàng ban đêm")
    assert row["kind"] == "override" and row["detail"] == "giao hàng ban đêm" and answer["mode"] == "normal"
    gate.wait_for(lambda: desk.pulses() == 1 and not desk.lane.relay_on(), 10, "one pulse")
    answer, row = good("mode", "--mode", "hold_open", "--for", "10m", "--why", "fire drill")
    assert answer["mode"] == "hold_open" and row["detail"] == "hold_open: fire drill"
    gate.wait_for(desk.lane.relay_on, 10, "held open")
    assert good("mode", "--mode", "normal", "--why", "over")[0]["mode"] == "normal"
    assert good("mode", "--mode", "lock_down", "--why", "a fight")[0]["mode"] == "lock_down"
    assert good("mode", "--mode", "normal", "--why", "over")[0]["mode"] == "normal"
    good("declare", "--subject", "cccd:022199012345", "--status", "green")
    assert "green" in desk.lane.ctl("export").stdout and "022199012345" not in desk.lane.log()
    good("revoke", "--token-id", TOKEN)
    assert TOKEN in desk.lane.ctl("export", "--revocations").stdout
    good("reload")
    assert good("report")[0]["health"]["schema"] == "qrgate/health/1"
    answer, _ = good("resend", "--from-seq", "1")
    assert (answer["from"], answer["to"]) == (1, answer["seq"])
    buzzes = sum(" buzzer on" in line for line in desk.lane.panel.all)
    good("identify")
    gate.wait_for(lambda: sum(" buzzer on" in line for line in desk.lane.panel.all) > buzzes, 10, "tones")
    assert good("time")[0]["clock"]["trusted"] is True
    assert tried == set(VERBS)


def test_a_whole_declaration_and_a_lifted_revocation(make_desk):  # noqa: F811
    desk = make_desk()
    send = Tool(desk.lane)
    file = desk.lane.folder / "declaration.json"
    file.write_text(json.dumps({"subject": "badge:0042", "symptoms": ["cough"], "declared_at": "2026-01-15T08:00:00+07:00",
                                "group": "night"}, indent=1))
    send("declare", "--declaration", file)
    assert "night" in desk.lane.ctl("export").stdout
    send("declare", "--declaration", "-", input=file.read_text().replace("night", "day").replace("2026-01-15", "2026-01-16"))
    assert "day" in desk.lane.ctl("export").stdout
    send("revoke", "--token-id", TOKEN)
    # Of the same second the revocation counts; the lane's answer says so.
    gate.wait_for(lambda: ",yes" in (send("revoke", "--token-id", TOKEN, "--lift"),
                                     desk.lane.ctl("export", "--revocations").stdout)[1], 10, "lifted")
    file.write_text("{")
    assert "send: " in send("declare", "--declaration", file, code=USAGE).stderr
    file.write_text(" " * 5000)
    assert "up to" in send("declare", "--declaration", file, code=FAILED).stderr
    assert "No such file" in send("declare", "--declaration", file.with_name("none"), code=FAILED).stderr


def test_words_for_people(make_desk, subscriber):  # noqa: F811
    desk = make_desk()
    send = Tool(desk.lane, "--operator", "anna")
    assert send("open", "--why", "x").stdout.startswith(f"{LANE}: done: open once\n")
    said = send("mode", "--mode", "lock_down", "--why", "x", "--lang", "vi").stdout
    assert f"{LANE}: đã làm: đổi chế độ\n" in said and "Chế độ của làn bây giờ: phong tỏa\n" in said
    said = send("open", "--why", "x", code=REFUSED, environment={"LC_ALL": "vi_VN.UTF-8"})
    assert f"{LANE} từ chối: chế độ hiện tại của làn không cho phép (" in said.stderr and said.stdout == ""
    assert "The lane's clock: " in send("time").stdout and "Running for 0 h; " in send("report").stdout
    assert "come again" in send("resend", "--from-seq", "1").stdout
    row = desk.rows()[-1]
    assert (row["verb"], row["operator"]) == ("resend", "anna")


# ---- refused -------------------------------------------------------------------------------------------------------------

def test_what_the_lane_refuses_ends_with_4(make_desk):  # noqa: F811
    desk = make_desk(more='verbs = [ "open", "mode" ];')
    send = Tool(desk.lane)
    send("mode", "--mode", "lock_down", "--why", "x")
    answer = send.answer("open", "--why", "please", code=REFUSED)
    assert (answer["status"], answer["error"]) == ("refused", "refused")
    assert "no right to this command" in send("reload", code=REFUSED).stderr
    assert desk.pulses() == 0


def test_what_the_lane_fails_at_ends_with_1(make_desk):  # noqa: F811
    desk = make_desk()
    good = desk.lane.config.read_text()
    elsewhere = desk.lane.folder / "other.conf"
    elsewhere.write_text(good)
    desk.lane.config.write_text(good + "lock = { refusals = 101; };\n")
    desk.lane.config, real = elsewhere, desk.lane.config
    said = Tool(desk.lane)("reload", code=FAILED)
    desk.lane.config = real
    assert "could not do it" in said.stderr and "lock.refusals = 101" in said.stderr


def test_a_wrong_key_opens_nothing(make_desk, subscriber):  # noqa: F811
    desk, send = signing_lane(make_desk, subscriber, verbs="time,identify")
    folder = desk.lane.folder
    desk.lane.ctl("key", "operator", "--kid", "carl1", "--name", "carl", "--verbs", "all", "--out", folder / "carl.key", "--public",
                  folder / "carl.pub")
    desk.lane.ctl("key", "operator", "--kid", "binh1", "--name", "Anh Bình", "--verbs", "all", "--out", folder / "forged.key",
                  "--public", folder / "forged.pub")
    stranger, forger = Tool(desk.lane, "--key", folder / "carl.key"), Tool(desk.lane, "--key", folder / "forged.key")
    assert stranger.answer("open", "--why", "x", code=REFUSED)["error"] == "key_unknown"
    assert forger.answer("open", "--why", "x", code=REFUSED)["error"] == "signature_invalid"
    assert send.answer("open", "--why", "x", code=REFUSED)["error"] == "no_rights"  # not one of the key's verbs
    assert send.answer("time", "--operator", "carl", code=REFUSED)["error"] == "no_rights"  # another name than the key's
    send("time")
    assert "--key" in Tool(desk.lane)("time", code=USAGE).stderr  # the configuration asks for signatures
    Tool(desk.lane)("time", "--site", "elsewhere", "--timeout", "1", code=NO_ANSWER)  # of its own lane, not of a namesake
    (folder / "carl.key").chmod(0o644)
    assert "others may read" in stranger("time", code=FAILED).stderr
    assert "SECRET_FILE" in send("time", "--help").stdout
    assert desk.pulses() == 0 and not [row for row in desk.rows() if row["verb"] == "open"]


def test_a_mistake_is_told_before_anything_is_sent(make_desk):  # noqa: F811
    desk = make_desk()
    send = Tool(desk.lane)
    rows = len(desk.rows())
    for arguments, said in [
        (("dance",), "allowed are open, mode, declare"), ((), "VERB is missing"),
        (("open",), "why is missing"), (("open", "--why", "x", "--mode", "normal"), "'mode': not a member of a request to open"),
        (("mode", "--mode", "ajar", "--why", "x"), "allowed are normal, hold_open, lock_down"),
        (("mode", "--mode", "hold_open", "--why", "x"), "for_s is missing"),
        (("mode", "--mode", "normal", "--for", "10m", "--why", "x"), "for_s: allowed only with hold_open"),
        (("mode", "--mode", "hold_open", "--for", "ever", "--why", "x"), "allowed is a number with s, m, h or d"),
        (("resend",), "from_seq is missing"), (("resend", "--from-seq", "-1"), "a whole number from 1"),
        (("declare",), "declaration is missing"), (("declare", "--subject", "cccd:1", "--status", "green"), "declaration: "),
        (("declare", "--subject", "badge:1", "--declaration", "x"), "give one or the other"),
        (("revoke", "--lift"), "revocation: "), (("time", "--timeout", "0"), "from 1 to 600"),
        (("time", "--port", "66000"), "from 1 to 65535"), (("time", "--lane", "a/b"), "A-Z a-z 0-9 _ -"),
        (("time", "--host", "x" * 200), "up to 127 bytes"), (("open", "--why", "x" * 81), "1 to 80 bytes"),
        (("time", "--lang", "xx"), "--lang xx"),
    ]:
        assert said in send(*arguments, code=USAGE).stderr, arguments
    assert len(desk.rows()) == rows


# ---- nobody there --------------------------------------------------------------------------------------------------------

def test_a_lane_that_is_not_there_ends_with_5(make_desk, subscriber):  # noqa: F811
    desk = make_desk()
    send = Tool(desk.lane)
    assert "within 1 s, and this broker never heard of demo/lane9" in send("time", "--timeout", "1", "--lane", "lane9", code=NO_ANSWER).stderr
    os.kill(desk.lane.process.pid, signal.SIGSTOP)  # there, and silent
    try:
        assert "did not answer within 1 s" in send("time", "--timeout", "1", code=NO_ANSWER).stderr
    finally:
        os.kill(desk.lane.process.pid, signal.SIGCONT)
    desk.lane.stop()
    gate.wait_for(lambda: subscriber.last("/availability") == "offline", 20, "offline")
    assert "demo/lane1 is offline" in send("time", code=NO_ANSWER).stderr


def test_a_lane_without_commands_is_told_from_its_configuration(make_lane):
    lane = make_lane()
    assert 'commands.auth in its configuration is "off"' in Tool(lane)("time", code=FAILED).stderr


def test_no_broker(make_lane):
    lane = make_lane(port=gate.free_port(), extra='commands = { auth = "acl"; };')
    said = Tool(lane)("time", code=FAILED).stderr
    assert f"the broker 127.0.0.1:{lane.config.read_text().split('port = ')[1].split(';')[0]} can't be reached" in said
    said = Tool(lane)("time", "--lang", "vi", code=FAILED).stderr
    assert "không kết nối được với broker" in said


def bare(build, *arguments, code):
    """Without a configuration: everything by options."""
    done = subprocess.run([build / "qrgatectl", "send", *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=60, env={**os.environ, "LC_ALL": "C"}, check=False)
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    return done.stderr + done.stdout


def test_without_a_configuration_everything_is_said_by_options(make_desk, broker, build):  # noqa: F811
    desk = make_desk()
    where = ("--host", "127.0.0.1", "--port", broker.port)
    assert f"{LANE}: done" in bare(build, "identify", *where, "--site", "demo", "--lane", "lane1", code=OK)
    assert "--site NAME is missing" in bare(build, "identify", *where, "--lane", "lane1", code=USAGE)
    assert "--lane NAME is missing" in bare(build, "identify", *where, "--site", "demo", code=USAGE)
    assert [row["verb"] for row in desk.rows() if row["kind"] == "command"] == ["identify"]


def test_a_broker_of_3_1_1(make_desk):  # noqa: F811
    desk = make_desk(mqtt='protocol = "3.1.1";')
    assert Tool(desk.lane).answer("time")["status"] == "ok"


@pytest.mark.parametrize("script, versions", [({"old": 9}, ["5", "3.1.1"]), ({"connack_refuse": 1, "connack_code": 0x84}, ["5", "3.1.1"])])
def test_a_broker_that_knows_no_mqtt_5(script, versions, build):
    with ScriptedBroker(script) as broker:
        said = bare(build, "open", "--why", "x", "--timeout", "1", "--host", "127.0.0.1", "--port", broker.port, "--site", "demo",
                    "--lane", "lane1", code=NO_ANSWER)
        assert "never heard of demo/lane1" in said
        assert [connect.get("version", "5") for connect in broker.received("connect")] == versions
        last = broker.received("connect")[-1]
        assert last["clean_start"] and not last.get("will_retain")  # a tool has no session, and no will: it is no lane
        request = json.loads(broker.received("publish")[0]["payload"])
        jsonschema.validate(request, SCHEMA["request"])
        assert request["why"] == "x" and broker.received("publish")[0]["topic"] == "qrgate/demo/lane1/request/open"


@pytest.mark.parametrize("script, said, code", [
    ({"suback_refuse": 9}, "gives no right to this topic", FAILED),
    ({"suback_refuse": 9, "suback_for": "availability"}, "never heard of", NO_ANSWER),  # that one is only asked to be helpful
    ({"refuse": 9}, "gives no right to this topic", FAILED),
    ({"drop_before_puback": 1}, "was lost", FAILED), ({"garbage": 1}, "was lost", FAILED),
    ({"connack_refuse": 9, "connack_code": 0x86}, "does not let us in", FAILED),
])
def test_a_broker_that_misbehaves(script, said, code, build):
    with ScriptedBroker(script) as broker:
        assert said in bare(build, "time", "--timeout", "1", "--host", "127.0.0.1", "--port", broker.port, "--site", "demo", "--lane",
                            "lane1", code=code)


# ---- the way to the broker -----------------------------------------------------------------------------------------------

def test_who_may_not_is_told_so(mosquitto, tmp_path, build):  # noqa: F811
    passwords, acl = tmp_path / "passwords", tmp_path / "acl"
    passwords.touch(0o600)
    for name in ("anna", "mute"):
        subprocess.run(["mosquitto_passwd", "-b", passwords, name, "geheim"], check=True, stderr=subprocess.DEVNULL)
    acl.write_text("user anna\ntopic readwrite qrgate/#\nuser mute\ntopic read qrgate/#\n")
    acl.chmod(0o600)
    mosquitto("user root", "allow_anonymous false", f"password_file {passwords}", f"acl_file {acl}")
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    for file, text in ((right, "geheim\n"), (wrong, "guess\n")):
        file.write_text(text)
        file.chmod(0o600)
    where = ("time", "--timeout", "1", "--host", "127.0.0.1", "--port", mosquitto.port, "--site", "demo", "--lane", "lane1")
    assert "does not let us in" in bare(build, *where, code=FAILED)
    assert "does not let us in" in bare(build, *where, "--username", "anna", "--password-file", wrong, code=FAILED)
    assert "gives no right" in bare(build, *where, "--username", "mute", "--password-file", right, code=FAILED)
    assert "never heard of demo/lane1" in bare(build, *where, "--username", "anna", "--password-file", right, code=NO_ANSWER)
    right.chmod(0o644)
    assert "others may read" in bare(build, *where, "--username", "anna", "--password-file", right, code=FAILED)


def test_tls_checks_certificate_and_name(tls_broker, authority, build, tmp_path):  # noqa: F811
    tls_broker("require_certificate true")
    certificate, key = authority.issue("anna")
    stranger = type(authority)(tmp_path, "stranger")
    where = ("time", "--timeout", "1", "--port", tls_broker.port, "--site", "demo", "--lane", "lane1")
    ours = ("--cert", certificate, "--cert-key", key)
    assert "never heard of demo/lane1" in bare(build, *where, "--host", "localhost", "--ca", authority.file, *ours, code=NO_ANSWER)
    assert "doesn't name" in bare(build, *where, "--host", "127.0.0.1", "--ca", authority.file, *ours, code=FAILED)
    assert "certificate verify failed" in bare(build, *where, "--host", "localhost", "--ca", stranger.file, *ours, code=FAILED)
    assert "certificate" in bare(build, *where, "--host", "localhost", "--ca", authority.file, code=FAILED)
    assert "can't be reached" in bare(build, *where, "--host", "localhost", code=FAILED)  # no TLS at a port that wants it
    assert "put it there" in bare(build, *where, "--host", "localhost", "--ca", tmp_path / "none.pem", code=FAILED)


def test_an_operator_s_pair_of_keys_is_whole_or_not_there(make_lane):
    lane = make_lane()
    folder = lane.folder / "keys"
    folder.mkdir()

    def make(*more, code=0):
        done = lane.ctl("key", "operator", "--kid", "anna1", "--name", "Chị Anna", "--verbs", "open,time", "--out", folder, *more,
                        check=False, env={**os.environ, "LC_ALL": "C"})
        assert done.returncode == code, done
        return done
    make()
    public = (folder / "anna1.pub").read_text()
    assert "operator: Chị Anna\n" in public and "verbs: open,time\n" in public and "secret" not in public
    before = (folder / "anna1.key").read_bytes()
    assert "never overwritten" in make(code=FAILED).stderr
    assert (folder / "anna1.key").read_bytes() == before
    for wrong in (("--kid", "a b"), ("--name", "x" * 33), ("--verbs", "open,dance"), ("--verbs", ""), ("--name", "a\nb")):
        assert "allowed" in make(*wrong, code=USAGE).stderr or wrong[1] == "", wrong
    assert sorted(path.name for path in folder.iterdir()) == ["anna1.key", "anna1.pub"]
