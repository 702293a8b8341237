"""qrgatectl, the built program, on databases of its own. QRGATECTL names it (default: build/qrgatectl)."""
import fcntl
import hashlib
import hmac
import json
import os
import pathlib
import pty
import re
import select
import sqlite3
import stat
import struct
import subprocess
import termios
import time

import jsonschema
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
CTL = pathlib.Path(os.environ.get("QRGATECTL", ROOT / os.environ.get("QRG_BUILD", "build") / "qrgatectl")).resolve()
SUBJECT = "cccd:022199012345"
HEADER = "subject,status,declared_at\n"
COMMANDS = ["declare", "import", "export", "revoke", "key new", "key site", "token issue", "events", "verify"]


class Site:
    def __init__(self, folder):
        self.folder = folder
        self.database = folder / "journal.db"
        self.key = folder / "site.key"
        self.key.write_text("5a" * 32 + "\n")
        self.key.chmod(0o600)

    def run(self, *words, status=0, stdin=None, plain=False, **more):
        where = [] if plain else ["--database", str(self.database), "--site-key", str(self.key)]
        done = subprocess.run([str(CTL), *where, *map(str, words)], input=stdin, capture_output=True, cwd=self.folder,
                              text=not isinstance(stdin, bytes), timeout=60, **more)
        assert done.returncode == status, (done.args, done.returncode, done.stdout, done.stderr)
        return done

    def csv(self, text, name="people.csv"):
        path = self.folder / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def rows(self, sql="SELECT person, status, declared_at_s, source FROM declaration ORDER BY person"):
        with sqlite3.connect(self.database) as db:
            return db.execute(sql).fetchall()

    def person(self, subject=SUBJECT):
        return hmac.new(b"\x5a" * 32, subject.encode(), hashlib.sha256).hexdigest()[:32]


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


# ---- the command line ------------------------------------------------------------------------------------------------

def test_version_and_help(site):
    assert re.fullmatch(r"qrgatectl \S+\n", site.run("--version", plain=True).stdout)
    text = site.run("--help", plain=True).stdout
    for command in COMMANDS:
        assert f"  {command} " in text
        own = site.run(*command.split(), "--help", plain=True).stdout
        assert own.startswith(f"Usage: qrgatectl {command}") and "Exit status:" in own and "--config FILE" in own
    for code in "0123":
        assert f"\n  {code}  " in text


@pytest.mark.parametrize("words, said", [
    ([], "Usage:"),
    (["frobnicate"], "unknown command 'frobnicate'; see: qrgatectl --help"),
    (["key"], "'key "),
    (["key", "old"], "'key old'; see: qrgatectl --help"),
    (["--frobnicate"], "unknown option '--frobnicate'; see: qrgatectl --help"),
    (["declare", "--frobnicate", "1"], "unknown option '--frobnicate'; see: qrgatectl declare --help"),
    (["declare", "-x"], "unknown option '-x'; see: qrgatectl declare --help"),
    (["declare"], "--subject cccd:NUMBER is missing; see: qrgatectl declare --help"),
    (["declare", "--subject"], "a value is missing after '--subject'"),
    (["declare", "--subject="], "an empty value for"),
    (["import"], "FILE is missing"),
    (["import", "a.csv", "b.csv"], "one word too many: 'b.csv'"),
    (["events", "--json=yes"], "no value is allowed with"),
    (["events", "--limit", "-5"], "--limit '-5': allowed is a number"),
    (["verify", "now"], "one word too many: 'now'"),
])
def test_usage_errors(site, words, said):
    assert said in site.run(*words, status=2, plain=True).stderr


def test_control_characters_are_not_echoed(site):
    assert "\x1b" not in site.run("declare", "--\x1b[31mred", status=2).stderr
    assert "\x1b" not in site.run("declare", "--subject", "\x1b[31m", "--status", "green", status=2).stderr


def test_options_stand_before_or_after(site):
    where = [f"--database={site.database}", f"--site-key={site.key}"]
    site.run("declare", "--subject", SUBJECT, "--status", "green", *where, plain=True)
    site.run(where[0], "declare", "--subject=" + SUBJECT, "--status=green", where[1], plain=True)
    assert len(site.rows()) == 1


def test_configuration_names_database_and_key(site):
    config = site.folder / "qrgate.conf"
    missing = site.run("--config", config, "events", status=1, plain=True).stderr
    assert str(config) in missing and "--config" in missing
    source = (ROOT / "config" / "qrgate.conf").read_text()
    config.write_text(source + f'\njournal = {{ path = "{site.database}"; site_key_file = "{site.key}"; }};\n')
    site.run("--config", config, "declare", "--subject", SUBJECT, "--status", "green", plain=True)
    assert site.rows()[0][0] == site.person()


# ---- declare ---------------------------------------------------------------------------------------------------------

def test_declare_keeps_only_the_hash(site):
    before = int(time.time())
    site.run("declare", "--subject", SUBJECT, "--status", "yellow")
    (person, status, at_s, source), = site.rows()
    assert (person, status, source) == (site.person(), "yellow", "manual")
    assert before <= at_s <= time.time() + 1
    for path in site.folder.glob("journal.db*"):
        assert SUBJECT[5:].encode() not in path.read_bytes()


@pytest.mark.parametrize("text, at_s", [
    ("1700000000", 1700000000),
    ("2023-11-14T22:13:20Z", 1700000000),
    ("2023-11-15T05:13:20+07:00", 1700000000),
    ("2023-11-15T05:13:20+0700", 1700000000),
    ("2023-11-14T12:13:20.75-10", 1700000000),
    ("2023-11-15 05:13:20", 1700000000),  # local
    ("2023-11-15T05:13", 1699999980),
    ("2024-02-29T00:00Z", 1709164800),
])
def test_declare_times(site, text, at_s):
    site.run("declare", "--subject", SUBJECT, "--status", "green", "--at", text, env={**os.environ, "TZ": "<+07>-7"})
    assert site.rows()[0][2] == at_s


@pytest.mark.parametrize("option, value", [
    ("--subject", "022199012345"), ("--subject", "cccd:02219901234"), ("--subject", "cccd:0221990123456"),
    ("--subject", "cccd:02219901234x"), ("--subject", "CCCD:022199012345"),
    ("--status", "blue"), ("--status", "Green"), ("--status", "expired"), ("--status", "none"),
    ("--at", "yesterday"), ("--at", "2026"), ("--at", "20260921"), ("--at", "2026-09-21"),
    ("--at", "2026-02-30T00:00Z"),
    ("--at", "2026-09-21T24:00Z"), ("--at", "2026-09-21T21:13:20+7"), ("--at", "2026-09-21T21:13:20 +07:00"),
    ("--at", "-1"), ("--at", "99999999999"),
])
def test_declare_refuses(site, option, value):
    words = {"--subject": SUBJECT, "--status": "green", option: value}
    said = site.run("declare", *[w for pair in words.items() for w in pair], status=2).stderr
    assert f"{option} '{value}': " in said
    assert not site.database.exists()


ANSWERS = ("SELECT status, symptoms, contacts, travelled, symptoms_at_s, contact_at_s, travel_at_s, declared_by, grp "
           "FROM declaration")


def test_declare_answers(site):
    site.run("declare", "--subject", SUBJECT, "--symptoms", "fever,sore_throat", "--contact", "patient", "--travelled",
             "--symptoms-at", 1700000000, "--contact-at", "2023-11-14T22:13:21Z", "--travel-at", 1700000002, "--by", "self",
             "--group", "staff")
    assert site.rows(ANSWERS) == [("none", "fever,sore_throat", "patient", 1, 1700000000, 1700000001, 1700000002, "self",
                                   "staff")]
    done = site.run("declare", "--subject", SUBJECT, "--symptoms", "none")
    assert done.stdout.startswith("declared by the answers at ")
    assert site.rows(ANSWERS) == [("none", "", "", 0, 0, 0, 0, "guard", "")]
    for status in "white", "revoked":
        site.run("declare", "--subject", SUBJECT, "--status", status)
        assert site.rows(ANSWERS)[0][0] == status


def test_declare_several_numbers_of_one_person(site):
    site.run("declare", "--subject", SUBJECT + ",bhyt:DN4790123456789", "--status", "yellow")
    site.run("declare", "--subject", "bhyt:0123456789", "--status", "red")  # the same card's number in its new form
    assert [row[:2] for row in site.rows()] == [(site.person(), "red")]
    site.run("declare", "--subject", "cmnd:100200300,qid:7", "--status", "green")
    said = site.run("declare", "--subject", SUBJECT + ",cmnd:100200300", "--status", "green", status=1).stderr
    assert "belong to different people" in said and "allowed are numbers of one person" in said
    assert len(site.rows()) == 2


@pytest.mark.parametrize("words, said", [
    (["--status", "green"], "--subject cccd:NUMBER is missing"),
    (["--subject", SUBJECT], "status is missing; it may be left out when"),
    (["--subject", SUBJECT, "--by", "self"], "status is missing"),
    (["--subject", SUBJECT + ",x"], "allowed are 1 to 4 numbers"),
    (["--subject", "qid:1,qid:2,qid:3,qid:4,qid:5"], "allowed are 1 to 4 numbers"),
    (["--subject", SUBJECT, "--symptoms", "fever,plague"], "--symptoms 'fever,plague': allowed are fever"),
    (["--subject", SUBJECT, "--contact", "fever"], "--contact 'fever': allowed are patient"),
    (["--subject", SUBJECT, "--symptoms", "none", "--symptoms-at", "1700000000"], "symptoms_at: allowed only with"),
    (["--subject", SUBJECT, "--status", "red", "--travel-at", "1700000000"], "travel_at: allowed only with"),
    (["--subject", SUBJECT, "--travelled", "--travel-at", "soon"], "--travel-at 'soon': allowed is 2026-01-31T08:30"),
    (["--subject", SUBJECT, "--status", "red", "--by", "nurse"], "--by 'nurse': allowed are self, guard"),
    (["--subject", SUBJECT, "--status", "red", "--group", "a/b"], "--group 'a/b': allowed are 1 to 32"),
])
def test_declare_refuses_answers(site, words, said):
    assert said in site.run("declare", *words, status=2).stderr
    assert not site.database.exists()


class Form:
    """qrgatectl declare on a terminal of its own, answered as a person would: after the question, not before."""

    def __init__(self, site, *words):
        self.main, child = pty.openpty()
        self.before = termios.tcgetattr(self.main)
        self.process = subprocess.Popen([str(CTL), "--database", str(site.database), "--site-key", str(site.key), *words,
                                         "declare"], stdin=child, stdout=child, stderr=child, start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(child)
        self.shown, self.seen = "", 0

    def until(self, text):
        """Reads on until `text` is shown after what was seen before; the time is a bound."""
        deadline = time.monotonic() + 20
        while text not in self.shown[self.seen:]:
            assert select.select([self.main], [], [], max(0, deadline - time.monotonic()))[0], (text, self.shown)
            try:
                self.shown += os.read(self.main, 4096).decode()
            except OSError:  # the other end is closed
                raise AssertionError((text, self.shown)) from None
        self.seen += self.shown[self.seen:].index(text) + len(text)

    def say(self, question, answer):
        self.until(question)
        os.write(self.main, answer.encode())

    def end(self):
        code = self.process.wait(20)
        try:
            while more := os.read(self.main, 4096):
                self.shown += more.decode()
        except OSError:
            pass
        os.close(self.main)
        return code


# Each question by its beginning, and what a guard presses: one key, without Enter, but for the number.
WRITE = "[Enter"
QUESTIONS = ["Trong 14 ngày", "Sốt?", "Ho?", "Khó thở?", "Viêm phổi?", "Đau họng?", "Mệt mỏi?", "Tiếp xúc với người bệnh?",
             "từ nước có bệnh?", "có biểu hiện"]
NUMBER = "dấu cách): "
KEYS = " [c/k] "


def answer_all(form, keys="k" * 10):
    for question, key in zip(QUESTIONS, keys):
        form.until(question)
        form.say(KEYS, key)


def test_the_form_takes_one_key_a_question(site):
    form = Form(site, "--lang", "vi")
    form.say(NUMBER, "022199012345  DN4790123456789\n")
    answer_all(form, "kckkkckkkk")
    form.until("Khai cho: 022199012345")
    form.until("Sốt? có")
    form.until("Đau họng? có")
    form.say(WRITE, "c")
    assert form.end() == 0 and "đã khai: theo câu trả lời, lúc " in form.shown, form.shown
    assert " 2/10  Sốt? [c/k] có" in form.shown and "10/10" in form.shown
    assert site.rows(ANSWERS) == [("none", "fever,sore_throat", "", 0, 0, 0, 0, "guard", "")]
    assert site.rows()[0][0] == site.person()
    assert len(site.rows("SELECT * FROM identity")) == 1


def test_the_form_asks_until_it_is_right_and_goes_back(site):
    form = Form(site, "--lang", "vi")
    for wrong in "\n", "12\n", "x" * 300 + "\n":
        form.say(NUMBER, wrong)
        form.until("chỉ nhận 1 đến 4 số")
    form.say(NUMBER, "0221990123\x7f\x7f2345\n")  # rubbed out: twelve digits in the end
    form.until("Trong 14 ngày")
    form.say(KEYS, "x?\x1b[A\n")  # none of these is an answer
    os.write(form.main, b"C")  # but this is, in capitals
    form.until("Sốt?")
    form.say(KEYS, "c")
    form.until("Ho?")
    form.say(KEYS, "\x7f")  # back, by the key that rubs out …
    form.until("(quay lại)")
    form.until("Sốt?")
    form.say(KEYS, "\x1b[D")  # … and by the arrow
    form.until("Trong 14 ngày")
    form.say(KEYS, "k")
    form.until("Sốt?")
    form.say(KEYS, "0")  # digits as well
    answer_all_from = QUESTIONS[2:]
    for question in answer_all_from:
        form.until(question)
        form.say(KEYS, "1" if question == "từ nước có bệnh?" else "n")
    form.say(WRITE, "\x7f")  # back from the end
    form.until("có biểu hiện")
    form.say(KEYS, "y")
    form.say(WRITE, "\n")
    assert form.end() == 0, form.shown
    assert site.rows(ANSWERS) == [("none", "", "sick_country,symptoms", 0, 0, 0, 0, "guard", "")]


def test_the_form_goes_back_to_the_number(site):
    form = Form(site, "--lang", "vi")
    form.say(NUMBER, "022199099999\n")
    form.until("Trong 14 ngày")
    form.say(KEYS, "\x7f")
    form.say(NUMBER, "022199012345\n")
    answer_all(form)
    form.until("tất cả trả lời: không")
    form.say(WRITE, "\n")
    assert form.end() == 0, form.shown
    assert [row[0] for row in site.rows()] == [site.person()]


def test_the_form_has_more_for_who_wants_it(site):
    form = Form(site, "--lang", "vi")
    form.say(NUMBER, "022199012345\n")
    answer_all(form, "cckkkkkckk")
    form.say(WRITE, "t")
    for question, answer in [("Triệu chứng lần cuối", "tomorrow\n"), ("Triệu chứng lần cuối", "2023-11-14T22:13:20Z\n"),
                             ("Tiếp xúc lần cuối", "\n"), ("Về từ lúc", "\n"), ("Màu:", "blue\n"), ("Màu:", "\n"),
                             ("Ai khai:", "self\n"), ("Nhóm", "a/b\n"), ("Nhóm", "ca-1\n"), ("Khai lúc", "\n")]:
        form.say(question, answer)
    form.say(WRITE, "\n")
    assert form.end() == 0, form.shown
    assert site.rows(ANSWERS) == [("none", "fever", "patient", 1, 1700000000, 0, 0, "self", "ca-1")]


def test_the_form_speaks_english(site):
    form = Form(site, "--lang", "en")
    form.say("between): ", "022199012345\n")
    for question in ("14 days?", "Fever?", "Cough?", "Breathless?", "Pneumonia?", "Sore throat?", "Tired?", "patient?", "disease?",
                     "with signs"):
        form.until(question)
        form.say(" [y/n] ", "n")
    form.say("Write it?", "n")
    assert form.end() == 1 and "not confirmed; nothing was written" in form.shown
    assert not site.database.exists()


def test_the_form_shows_the_derived_status_before_writing(site):
    config = site.folder / "lane.conf"
    config.write_bytes((ROOT / "config" / "qrgate.conf").read_bytes())
    for keys, status in (("kkkckkkkkk", "đỏ"), ("k" * 10, "xanh")):
        form = Form(site, "--lang", "vi", "--config", str(config))
        form.say(NUMBER, "022199012345\n")
        answer_all(form, keys)
        form.until(f"Trạng thái: {status}")
        form.say(WRITE, "k")
        assert form.end() == 1 and "không ghi gì" in form.shown
    assert not site.database.exists()


@pytest.mark.parametrize("key", ["\x04", "\x03"], ids=["end of file", "Ctrl-C"])
@pytest.mark.parametrize("where", ["number", "question", "end"])
def test_the_form_ends_cleanly(site, key, where):
    form = Form(site, "--lang", "vi")
    if where != "number":
        form.say(NUMBER, "022199012345\n")
    if where == "end":
        answer_all(form)
    form.say({"number": NUMBER, "question": KEYS, "end": WRITE}[where], key)
    form.until("tờ khai chưa xong; không ghi gì")
    assert form.process.wait(20) == 1
    assert termios.tcgetattr(form.main)[3] == form.before[3]  # echo and lines again
    form.end()
    assert not site.database.exists()


def test_future_declaration_is_refused(site):
    at_s = int(time.time()) + 3600
    said = site.run("declare", "--subject", SUBJECT, "--status", "green", "--at", at_s, status=2).stderr
    assert "in the future" in said and "clock" in said


def test_older_declaration_is_refused(site):
    site.run("declare", "--subject", SUBJECT, "--status", "red", "--at", "1700000000")
    done = site.run("declare", "--subject", SUBJECT, "--status", "green", "--at", "1699999999", status=1)
    assert "newer" in done.stderr
    assert site.rows()[0][1] == "red"


def test_site_key_must_be_there_and_private(site):
    site.key.chmod(0o644)
    assert "chmod 640" in site.run("declare", "--subject", SUBJECT, "--status", "green", status=1).stderr
    site.key.unlink()
    assert "key site" in site.run("declare", "--subject", SUBJECT, "--status", "green", status=1).stderr
    site.run("key", "site", "--out", site.key)
    assert stat.S_IMODE(site.key.stat().st_mode) == 0o600
    before = site.key.read_text()
    assert "never overwritten" in site.run("key", "site", "--out", site.key, status=1).stderr
    assert site.key.read_text() == before
    site.run("declare", "--subject", SUBJECT, "--status", "green")


def test_database_mode(site):
    site.run("declare", "--subject", SUBJECT, "--status", "green")
    assert stat.S_IMODE(site.database.stat().st_mode) & 0o007 == 0


# ---- import ----------------------------------------------------------------------------------------------------------

def subject(number):
    return f"cccd:{number:012d}"


def test_import_takes_all(site):
    path = site.csv(HEADER + "".join(f"{subject(i)},green,{1700000000 + i}\n" for i in range(25)))
    done = site.run("import", path)
    assert done.stdout == "25 rows taken\n" and done.stderr == ""
    assert len(site.rows()) == 25 and {row[3] for row in site.rows()} == {"import"}
    site.run("import", path)  # twice is once
    assert len(site.rows()) == 25


def test_import_lists_bad_rows_and_takes_the_rest(site):
    path = site.csv(HEADER
                    + f"{subject(1)},green,1700000000\n"          # 2
                    + f"{subject(2)},blue,1700000000\n"           # 3
                    + "022199012345,green,1700000000\n"           # 4
                    + f"{subject(3)},green,soon\n"                # 5
                    + f"{subject(4)},green\n"                     # 6
                    + f"{subject(5)},green,1700000000,x\n"        # 7
                    + f'{subject(6)},"gre"en,1700000000\n'        # 8
                    + f'{subject(7)},gr"een,1700000000\n'         # 9
                    + f"{subject(8)},\x1b[31m,1700000000\n"       # 10
                    + f"{subject(9)},green,{int(time.time()) + 86400}\n"  # 11
                    + "\n"                                        # 12, empty: skipped
                    + f"{subject(10)},red,1700000000")            # 13, without a line end
    done = site.run("import", path, status=3)
    assert done.stdout == "2 rows taken, 9 bad\n"
    lines = done.stderr.splitlines()
    assert [int(line.split(":")[1]) for line in lines] == [3, 4, 5, 6, 7, 8, 9, 10, 11]
    assert all(line.startswith(f"{path}:") for line in lines)
    assert lines[0] == f"{path}:3: status 'blue': allowed are green, yellow, red, white, revoked"
    assert "subject '022199012345': allowed is cccd:" in lines[1]
    assert "declared_at 'soon': allowed is 2026-01-31T08:30" in lines[2]
    assert "2 fields" in lines[3] and "4 fields" in lines[4]
    assert "\x1b" not in done.stderr
    assert "in the future" in lines[8]
    assert [(row[0], row[1]) for row in site.rows()] == sorted(
        [(site.person(subject(1)), "green"), (site.person(subject(10)), "red")])


def test_import_reads_rfc4180(site):
    path = site.csv(b"\xef\xbb\xbf" + '"declared_at","subject",status\r\n'
                    f'"1700000000","{subject(1)}","green"\r\n'
                    f'2023-11-14T22:13:20Z,{subject(2)},yellow\r\n'
                    f'1700000000,"{subject(3)}","gr""een"\r\n'
                    f'1700000000,{subject(4)},"gr\r\neen"\r\n'
                    f'1700000000,{subject(5)},red\r\n'.encode())
    done = site.run("import", path, status=3)
    assert done.stdout == "3 rows taken, 2 bad\n"
    assert f"{path}:4: status 'gr\"een'" in done.stderr
    assert f"{path}:5: status 'gr?een'" in done.stderr


def test_import_of_all_columns(site):
    now = int(time.time())
    path = site.csv("group,by,travel_at,contact_at,symptoms_at,travelled,contacts,symptoms,declared_at,status,person,"
                    "identities,subject\n"
                    f"staff,guard,1700000003,1700000002,1700000001,yes,patient symptoms,fever;cough,{now},yellow,,,"
                    f"{subject(1)}\n"
                    f",,,,,no,,,{now},,,{subject(2)} bhyt:DN4790123456789,\n"
                    f",,,,,,none,none,{now},,{'a' * 32},,\n"
                    f",,,,,,,,{now},green,,,\n"                                   # 5: whose
                    f",,,,,,,,{now},green,{'a' * 32},,{subject(3)}\n"             # 6: twice whose
                    f",,,,,,,,{now},,,,{subject(4)}\n"                            # 7: nothing answered
                    f",,1700000000,,,no,,,{now},,,,{subject(5)}\n"                # 8
                    f",,,,,2,,,{now},,,,{subject(6)}\n"                           # 9
                    f",,,,,no,,,,,,,{subject(7)}\n"                               # 10
                    f",,,,{now + 9999},no,,fever,{now},,,,{subject(8)}\n"         # 11
                    f"=1,,,,,no,,,{now},,,,{subject(9)}\n")                      # 12
    done = site.run("import", path, status=3)
    assert done.stdout == "3 rows taken, 8 bad\n"
    lines = [line.removeprefix(f"{path}:") for line in done.stderr.splitlines()]
    for line, said in zip(lines, ["5: whose: allowed is one of subject, identities, person", "6: whose: ",
                                  "7: status is missing", "8: travel_at: allowed only with travelled", "9: travelled '2': allowed are yes, no",
                                  "10: declared_at is missing", "11: symptoms_at '", "12: group '=1': allowed are"],
                          strict=True):
        assert line.startswith(said), line
    rows = dict((row[0], row[1:]) for row in site.rows("SELECT person, " + ANSWERS.removeprefix("SELECT ")))
    assert rows == {site.person(subject(1)): ("yellow", "fever,cough", "patient,symptoms", 1, 1700000001, 1700000002,
                                              1700000003, "guard", "staff"),
                    site.person(subject(2)): ("none", "", "", 0, 0, 0, 0, "self", ""),
                    "a" * 32: ("none", "", "", 0, 0, 0, 0, "self", "")}


def test_numbers_of_different_people_cost_their_row_alone(site):
    path = site.csv("identities,status,declared_at\n"
                    f"{subject(1)} qid:1,green,1700000000\n"
                    f"{subject(2)} qid:2,green,1700000000\n"
                    "qid:1 qid:2,red,1700000001\n"
                    f"{subject(3)} qid:3,green,1700000000\n")
    done = site.run("import", path, status=3)
    assert done.stdout == "3 rows taken, 1 bad\n"
    assert done.stderr.startswith(f"{path}:4: identities: these numbers belong to different people")
    assert [row[1] for row in site.rows()] == ["green"] * 3


def line(**members):
    return json.dumps({"subject": SUBJECT, "declared_at": 1700000000, "status": "green"} | members) + "\n"


def test_import_of_json_lines(site):
    path = site.csv("\ufeff" + line() + "\r\n \n" + line(subject=subject(2), status="blue") + "nonsense\n"
                    + line(group="x" * 3000) + line(subject=subject(3), symptoms=["cough"], by="guard").rstrip(),
                    "people.jsonl")
    done = site.run("import", path, status=3)
    assert done.stdout == "2 rows taken, 3 bad\n"
    lines = done.stderr.splitlines()
    assert lines[0] == f"{path}:4: status 'blue': allowed are green, yellow, red, white, revoked"
    assert lines[1].startswith(f"{path}:5: not JSON") and f"{path}:6: " in lines[2] and "2048" in lines[2]
    assert {row[0] for row in site.rows()} == {site.person(), site.person(subject(3))}
    assert {row[3] for row in site.rows()} == {"import"}
    renamed = site.csv(path.read_bytes(), "people.txt")
    assert site.run("import", renamed, "--format", "jsonl", status=3).stdout == done.stdout
    assert site.run("import", "-", "--format", "jsonl", stdin=line()).stdout == "1 rows taken\n"
    assert "--format 'xml': allowed are csv, jsonl" in site.run("import", path, "--format", "xml", status=2).stderr


TOKEN_ID = "00112233445566778899aabbccddeeff"
WHO, WHEN_DECLARED = {"subject": SUBJECT}, {"declared_at": 1700000000}
DECLARATIONS = [  # what the schema and the reader must judge alike
    (True, {"status": "green"}), (True, {"symptoms": []}), (True, {"contacts": ["patient"]}),
    (True, {"travelled": False}),
    (True, {"status": "revoked", "schema": "qrgate/declaration/1", "transaction_id": "a-B_9" * 12}),
    (True, {"status": "white", "by": "guard", "group": "a.B-c_9", "travelled": True, "travel_at": 1700000000}),
    (True, {"status": "red", "symptoms": ["fever"], "symptoms_at": "2023-11-15t05:13:20.5+07:00"}),
    (True, {"status": "green", "subject": None, "person": "0" * 32}),
    (True, {"status": "green", "subject": None,
            "identities": ["qid:1", "bhyt:DN4790123456789", "badge:a", "hc1:" + "a" * 32]}),
    (True, {"status": "green", "subject": "cmnd:100200300"}), (True, {"status": "green", "group": "Ca sáng"}),
    (True, {"status": "green", "declared_at": 946684800}),
    (True, {"status": "green", "declared_at": "2024-02-29T23:59:59Z"}),
    (False, {}), (False, {"by": "self"}), (False, {"status": "blue"}), (False, {"status": "expired"}),
    (False, {"status": "none"}),
    (False, {"status": 1}), (False, {"status": "green", "declared_at": None}),
    (False, {"status": "green", "subject": None}),
    (False, {"status": "green", "person": "0" * 32}), (False, {"status": "green", "identities": ["qid:1"]}),
    (False, {"status": "green", "subject": "cccd:1"}), (False, {"status": "green", "subject": "x:1"}),
    (False, {"status": "green", "subject": None, "identities": []}),
    (False, {"status": "green", "subject": None, "identities": ["qid:1", "qid:1"]}),
    (False, {"status": "green", "subject": None, "identities": ["qid:1", "qid:2", "qid:3", "qid:4", "qid:5"]}),
    (False, {"status": "green", "subject": None, "identities": "qid:1"}),
    (False, {"status": "green", "subject": None, "person": "A" * 32}),
    (False, {"status": "green", "declared_at": 946684799}), (False, {"status": "green", "declared_at": 7289654400}),
    (False, {"status": "green", "declared_at": "1700000000"}),
    (False, {"status": "green", "declared_at": 1700000000.5}),
    (False, {"status": "green", "declared_at": "2023-11-14T22:13:20"}),
    (False, {"status": "green", "declared_at": "2023-04-31T00:00:00Z"}),
    (False, {"status": "green", "declared_at": "2023-11-14 22:13:20Z"}),
    (False, {"status": "green", "declared_at": True}),
    (False, {"status": "green", "declared_at": "2023-11-14T22:13:60Z"}),
    (False, {"status": "green", "declared_at": "2201-01-01T00:00:00Z"}),
    (False, {"symptoms": ["plague"]}), (False, {"symptoms": ["fever", "fever"]}), (False, {"symptoms": "fever"}),
    (False, {"contacts": ["fever"]}), (False, {"travelled": "yes"}), (False, {"travelled": 1}),
    (False, {"symptoms": [], "symptoms_at": 1700000000}), (False, {"status": "red", "contact_at": 1700000000}),
    (False, {"travelled": False, "travel_at": 1700000000}), (False, {"status": "green", "by": "nurse"}),
    (False, {"status": "green", "group": ""}), (False, {"status": "green", "group": "a*"}),
    (False, {"status": "green", "group": "x" * 33}),
    (False, {"status": "green", "schema": "qrgate/declaration/2"}),
    (False, {"status": "green", "transaction_id": "a b"}),
    (False, {"status": "green", "transaction_id": "x" * 65}), (False, {"status": "green", "name": "Thử"}),
    (False, {"status": "green", "group": {}}), (False, {"status": "green", "group": " a"}),
    (False, {"status": "green", "group": "a "}),
    (False, {"status": "green", "group": "\x7f"}), (False, {"status": "green", "group": '"'}),
    (False, {"status": "green", "group": "a,b"}),
]
REVOCATIONS = [
    (True, {}), (True, {"lifted": True, "schema": "qrgate/revocation/1", "transaction_id": "r"}),
    (True, {"revoked_at": "2023-11-14T22:13:20Z", "lifted": False}),
    (False, {"token_id": None}), (False, {"revoked_at": None}), (False, {"token_id": TOKEN_ID.upper()}),
    (False, {"token_id": "0" * 32}),
    (False, {"token_id": TOKEN_ID + "0"}), (False, {"revoked_at": "soon"}), (False, {"lifted": "no"}),
    (False, {"lifted": 0}),
    (False, {"subject": SUBJECT}), (False, {"schema": "qrgate/declaration/1"}),
]


@pytest.mark.parametrize("kind, base, samples, more", [
    ("declaration", WHO | WHEN_DECLARED, DECLARATIONS, []),
    ("revocation", {"token_id": TOKEN_ID, "revoked_at": 1700000000}, REVOCATIONS, ["--revocations"])])
def test_schema_and_reader_agree(site, kind, base, samples, more):
    schema = json.loads((ROOT / "config" / "schemas" / f"{kind}.json").read_text())
    validator = jsonschema.Draft202012Validator(schema)
    validator.check_schema(schema)
    messages = [{name: value for name, value in (base | change).items() if value is not None} for _, change in samples]
    path = site.csv("".join(json.dumps(message) + "\n" for message in messages), "samples.jsonl")
    refused = {int(said.split(":")[1]) for said in site.run("import", *more, path, status=3).stderr.splitlines()}
    for number, ((good, _), message) in enumerate(zip(samples, messages, strict=True), 1):
        assert validator.is_valid(message) == good, message
        assert (number not in refused) == good, message


def test_unclosed_quote_costs_few_rows(site):
    rows = [f"{subject(i)},green,1700000000\n" for i in range(100)]
    rows[10] = f'"{subject(10)},green,1700000000\n'
    done = site.run("import", site.csv(HEADER + "".join(rows)), status=3)
    taken = int(done.stdout.split()[0])
    assert 85 <= taken < 100 and "people.csv:12: a quoted field without its closing quote" in done.stderr


def test_import_of_hostile_bytes(site):
    done = site.run("import", site.csv(HEADER.encode() + b"cccd:\xff\xfe,green,1\n" + b"a" * 100000 + b",green,1\n"
                                       + b"cccd:\x00,green,1\n" + b"," * 50 + b"\n"
                                       + f"{subject(1)},green,1700000000\n".encode()), status=3)
    assert done.stdout == "1 rows taken, 4 bad\n"
    assert "255 bytes" in done.stderr and "NUL" in done.stderr and "too many fields" in done.stderr


@pytest.mark.parametrize("text, said", [
    ("", "the first line must be subject,status,declared_at"),
    ("subject,status\n", "the first line must be"),
    ("subject,status,declared_at,name\n", "'name': the first line must be subject,status,declared_at"),
    ("subject,subject,declared_at\n", "the first line must be"),
    ("subject;status;declared_at\n", "commas"),
    (f"{SUBJECT},green,1700000000\n", "the first line must be"),
])
def test_import_header(site, text, said):
    assert said in site.run("import", site.csv(text), status=1).stderr


@pytest.mark.parametrize("text", ["declared_at,status\n", "subject,declared_at\n", "subject,declared_at,by\n"])
def test_import_header_lacks_a_column(site, text):
    assert "the first line must be" in site.run("import", site.csv(text), status=1).stderr


def test_import_missing_file(site):
    assert "nowhere.csv" in site.run("import", "nowhere.csv", status=1).stderr


def test_import_from_stdin(site):
    rows = f"{SUBJECT},green,1700000000\n{SUBJECT},purple,1700000000\n"
    done = site.run("import", "-", stdin=HEADER + rows, status=3)
    assert "stdin:3: status 'purple'" in done.stderr
    assert len(site.rows()) == 1


def test_older_rows_are_counted(site):
    site.run("declare", "--subject", SUBJECT, "--status", "red")
    done = site.run("import", site.csv(HEADER + f"{SUBJECT},green,1700000000\n"))
    assert done.stdout == "0 rows taken, 1 left out because the register has a newer declaration\n"
    assert site.rows()[0][1] == "red"


def test_large_import_in_batches(site):
    path = site.csv(HEADER + "".join(f"{subject(i)},green,1700000000\n" for i in range(25001)))
    assert site.run("import", path).stdout == "25001 rows taken\n"
    assert site.rows("SELECT count(*) FROM declaration") == [(25001,)]


def test_slow_pipe_holds_no_lock(site):
    site.run("declare", "--subject", SUBJECT, "--status", "green")
    with subprocess.Popen([str(CTL), "--database", str(site.database), "--site-key", str(site.key), "import", "-"],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        process.stdin.write(HEADER + "".join(f"{subject(i)},green,1700000000\n" for i in range(10500)))
        process.stdin.flush()
        until = time.monotonic() + 20
        while site.rows("SELECT count(*) FROM declaration")[0][0] < 10000 and time.monotonic() < until:
            time.sleep(0.05)  # a batch is in; it waits for the rest of the next one
        with sqlite3.connect(site.database, timeout=0.2) as db:
            db.execute("CREATE TABLE proof (x)")
        process.stdin.close()
        assert process.wait(20) == 0


def test_locked_database_is_explained(site):
    site.run("declare", "--subject", SUBJECT, "--status", "green", "--at", "1700000000")
    with sqlite3.connect(site.database, isolation_level=None) as db:
        db.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        said = site.run("declare", "--subject", SUBJECT, "--status", "red", status=1).stderr
        assert 1.5 < time.monotonic() - began < 10 and "another program holds it" in said
        db.execute("ROLLBACK")


def test_progress_bar_only_on_a_terminal(site):
    path = site.csv(HEADER + "".join(f"{subject(i)},green,1700000000\n" for i in range(6000)))
    main, child = pty.openpty()
    done = subprocess.run([str(CTL), "--database", str(site.database), "--site-key", str(site.key), "import",
                           str(path)], stderr=child, stdout=subprocess.PIPE, timeout=60)
    os.close(child)
    shown = os.read(main, 65536).decode()
    os.close(main)
    assert done.returncode == 0 and "%" in shown and "#" in shown
    assert site.run("import", path).stderr == ""


# ---- export ----------------------------------------------------------------------------------------------------------

EVERYTHING = ("SELECT person, status, declared_at_s, symptoms, contacts, travelled, symptoms_at_s, contact_at_s, "
              "travel_at_s, declared_by, grp FROM declaration ORDER BY person")


@pytest.fixture
def filled(site):
    lines = [line(subject=subject(1)), line(subject=subject(2), status="revoked", by="guard", group="Ca sáng 1"),
             line(subject=subject(3), symptoms=["fever", "tiredness"], contacts=["patient", "symptoms"], travelled=True,
                  symptoms_at=1699999999, contact_at=1699999998, travel_at=1699999997),
             json.dumps({"subject": subject(4), "declared_at": 1700000000, "symptoms": []}) + "\n",
             json.dumps({"identities": [subject(5), "qid:5"], "declared_at": 1700000000, "travelled": True}) + "\n"]
    site.run("import", site.csv("".join(lines), "people.jsonl"))
    return site


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_what_is_exported_is_imported_again(filled, tmp_path, form):
    out = tmp_path / f"out.{form}"
    assert filled.run("export", "--format", form, "--out", out).stdout == "5 rows written\n"
    text = out.read_text()
    assert stat.S_IMODE(out.stat().st_mode) == 0o600 and "cccd" not in text and filled.person(subject(3)) in text
    assert filled.run("export", "--format", form).stdout == text
    (tmp_path / "other").mkdir()
    other = Site(tmp_path / "other")
    assert other.run("import", out).stdout == "5 rows taken\n"
    assert other.rows(EVERYTHING) == filled.rows(EVERYTHING)
    assert other.run("export", "--format", form).stdout == text
    if form == "jsonl":
        validator = jsonschema.Draft202012Validator(json.loads((ROOT / "config/schemas/declaration.json").read_text()))
        assert all(validator.is_valid(json.loads(row)) for row in text.splitlines())


def test_an_export_that_fails_leaves_the_old_file(filled, tmp_path):
    out = tmp_path / "out.csv"
    out.write_text("old")
    with sqlite3.connect(filled.database) as db:
        db.execute("UPDATE declaration SET grp = ? WHERE person = ?", ["=1,2", filled.person(subject(5))])
    assert "a row holds a value that qrgate never wrote" in filled.run("export", "--out", out, status=1).stderr
    assert out.read_text() == "old" and not list(tmp_path.glob("out.csv.*"))
    assert "nowhere" in filled.run("export", "--out", "nowhere/out.csv", status=1).stderr
    assert "--format 'xml'" in filled.run("export", "--format", "xml", status=2).stderr


def test_export_needs_a_register(site):
    assert str(site.database) in site.run("export", status=1).stderr
    assert not site.database.exists()


def test_export_onto_a_full_disk_is_an_error(filled):
    with open("/dev/full", "w") as full:
        done = subprocess.run([str(CTL), "--database", str(filled.database), "export"], stdout=full, stderr=subprocess.PIPE,
                              text=True, timeout=20)
    assert done.returncode == 1 and "written" in done.stderr


def test_export_shows_progress_on_a_terminal_alone(site):
    site.run("import", site.csv(HEADER + "".join(f"{subject(i)},green,1700000000\n" for i in range(6000))))
    main, child = pty.openpty()
    done = subprocess.run([str(CTL), "--database", str(site.database), "export"], stderr=child, stdout=subprocess.PIPE,
                          timeout=60)
    os.close(child)
    shown = os.read(main, 65536).decode()
    os.close(main)
    assert done.returncode == 0 and "100%" in shown and "#" in shown and done.stdout.count(b"\n") == 6001
    assert site.run("export").stderr == ""


# ---- revoked tokens --------------------------------------------------------------------------------------------------

def revoked(site):
    return site.rows("SELECT hex(token_id), revoked_at_s, lifted, source FROM revocation ORDER BY token_id")


def test_revoke_by_id(site):
    assert site.run("revoke", TOKEN_ID, "--at", 1700000000).stdout == f"revoked {TOKEN_ID} at 2023-11-14T22:13:20Z\n"
    assert revoked(site) == [(TOKEN_ID.upper(), 1700000000, 0, "manual")]
    assert "newer entry" in site.run("revoke", TOKEN_ID, "--lift", "--at", 1699999999, status=1).stderr
    assert site.run("revoke", TOKEN_ID, "--lift", "--at", 1700000001).stdout.startswith("lifted the revocation of ")
    assert revoked(site) == [(TOKEN_ID.upper(), 1700000001, 1, "manual")]


@pytest.mark.parametrize("words, status, said", [
    ([TOKEN_ID[:-1]], 2, "allowed are the 32 hex digits"), ([TOKEN_ID.upper()], 2, "allowed are"),
    (["0" * 32], 2, "allowed are"),
    (["QG1:"], 1, "can't be read as a token"), (["QG1:AAAA"], 1, "can't be read as a token"),
    ([TOKEN_ID, "--at", "soon"], 2, "--at 'soon'"), ([TOKEN_ID, "--at", "7000000000"], 2, "in the future"),
    ([], 2, "is missing"),
])
def test_revoke_refuses(site, words, status, said):
    assert said in site.run("revoke", *words, status=status).stderr
    assert not site.database.exists()


def test_revoke_by_the_token_itself(site):
    new_key(site)
    code = issue(site).stdout[:-1]
    site.run("revoke", code, "--at", 1700000000)
    message = base45(code[4:])
    (token_id, _, lifted, source), = revoked(site)
    # First half of SHA-256 over the Sig_structure: the protected header and the claims, which are the two byte strings.
    parts, at = [], message.index(b"\x84") + 1
    for _ in range(2):
        size, head = (message[at] - 0x40, 1) if message[at] < 0x58 else (message[at + 1], 2)
        parts.append(message[at:at + head + size])
        at += head + size + (1 if not parts[1:] else 0)  # between them an empty map
    to_be_signed = b"\x84\x6aSignature1" + parts[0] + b"\x40" + parts[1]
    assert (token_id.lower(), lifted, source) == (hashlib.sha256(to_be_signed).hexdigest()[:32], 0, "manual")
    site.run("revoke", "-", "--lift", stdin=code + "\n")
    assert revoked(site)[0][2] == 1


def test_lists_of_revoked_tokens(site, tmp_path):
    path = site.csv("revoked_at,token_id,lifted\n1700000000," + TOKEN_ID + ",\n1700000000," + "1" * 32 + ",yes\n"
                    "soon," + "2" * 32 + ",\n1700000000,x,\n1700000000,,\n")
    done = site.run("import", "--revocations", path, status=3)
    assert done.stdout == "2 revocations taken, 3 bad\n"
    columns = [said.split(": ")[1].split(" ")[0] for said in done.stderr.splitlines()]
    assert columns == ["revoked_at", "token_id", "token_id"]
    assert revoked(site) == [(TOKEN_ID.upper(), 1700000000, 0, "import"), ("1" * 32, 1700000000, 1, "import")]
    older = site.csv(f"token_id,revoked_at\n{TOKEN_ID},1600000000\n")
    said = site.run("import", "--revocations", older).stdout
    assert said == "0 revocations taken, 1 left out because the register has a newer entry\n"
    for form in "csv", "jsonl":
        out = tmp_path / f"tokens.{form}"
        site.run("export", "--revocations", "--format", form, "--out", out)
        (tmp_path / form).mkdir()
        other = Site(tmp_path / form)
        assert other.run("import", "--revocations", out).stdout == "2 revocations taken\n"
        assert revoked(other) == revoked(site)
    said = site.run("import", "--revocations", site.csv(HEADER), status=1).stderr
    assert "the first line must be token_id,revoked_at" in said


# ---- keys and tokens -------------------------------------------------------------------------------------------------

def new_key(site, *more, kid="office-2026", name="office", status=0):
    return site.run("key", "new", "--kid", kid, "--out", site.folder / f"{name}.key",
                    "--public", site.folder / f"{name}.pub", *more, status=status, plain=True)


def test_key_new_files(site):
    new_key(site, "--issuer", "Trạm y tế Ward 3")
    secret, public = site.folder / "office.key", site.folder / "office.pub"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert re.search(r"^kid: office-2026\nissuer: Trạm y tế Ward 3\ned25519: [0-9a-f]{64}\n", public.read_text(), re.M)
    seed = re.search(r"^ed25519-secret: ([0-9a-f]{64})$", secret.read_text(), re.M)
    assert seed and seed[1] not in public.read_text()


def test_keys_are_never_overwritten(site):
    new_key(site)
    before = (site.folder / "office.key").read_text()
    assert "never overwritten" in new_key(site, status=1).stderr
    assert (site.folder / "office.key").read_text() == before
    (site.folder / "half.pub").write_text("mine")
    assert "half.pub" in new_key(site, name="half", status=1).stderr
    assert not (site.folder / "half.key").exists() and (site.folder / "half.pub").read_text() == "mine"


@pytest.mark.parametrize("kid", ["with space", "12345678901234567", "é", "a/b", ".hidden"])
def test_bad_kid(site, kid):
    assert "1 to 16 of" in new_key(site, kid=kid, status=2).stderr


def issue(site, exit_status=0, **changes):
    words = {"key": site.folder / "office.key", "subject": SUBJECT, "status": "green", "valid": "72h", **changes}
    flat = [word for name, value in words.items() for word in (f"--{name}", value)]
    return site.run("token", "issue", *flat, status=exit_status, plain=True)


BASE45 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"


def base45(text):
    out = bytearray()
    for i in range(0, len(text), 3):
        value = sum(BASE45.index(c) * 45 ** n for n, c in enumerate(text[i:i + 3]))
        out += value.to_bytes(2 if len(text[i:i + 3]) == 3 else 1, "big")
    return bytes(out)


def test_token_issue(site):
    new_key(site, "--issuer", "Ward 3")
    text = issue(site).stdout
    assert re.fullmatch(r"QG1:[0-9A-Z $%*+./:-]+\n", text) and len(text) < 260
    raw = base45(text[4:-1])
    assert b"office-2026" in raw and SUBJECT.encode() in raw and b"Ward 3" in raw and b"green" in raw
    named = base45(issue(site, name="Nguyễn Văn Thử").stdout[4:-1])
    assert "Nguyễn Văn Thử".encode() in named and len(named) > len(raw)


def test_token_without_issuer_takes_the_kid(site):
    new_key(site)
    assert base45(issue(site).stdout[4:-1]).count(b"office-2026") == 2


@pytest.mark.parametrize("changes, said", [
    ({"subject": "cccd:1"}, "--subject 'cccd:1'"),
    ({"subject": "two words"}, "--subject 'two words'"),
    ({"subject": "x" * 72}, "--subject 'xxx"),
    ({"status": "expired"}, "--status 'expired': allowed are green, yellow, red"),
    ({"valid": "72"}, "--valid '72': allowed is a number with s, m, h or d"),
    ({"valid": "59s"}, "--valid '59s'"), ({"valid": "367d"}, "--valid '367d'"), ({"valid": "h"}, "--valid 'h'"),
    ({"name": "x" * 128}, "--name 'xxx"), ({"name": "a\nb"}, "--name 'a?b'"),
])
def test_token_issue_refuses(site, changes, said):
    new_key(site)
    assert said in issue(site, exit_status=2, **changes).stderr


def test_token_needs_a_private_secret_key(site):
    new_key(site)
    said = issue(site, key=site.folder / "office.pub", exit_status=1).stderr
    assert "others may read" in said
    (site.folder / "office.pub").chmod(0o600)
    said = issue(site, key=site.folder / "office.pub", exit_status=1).stderr
    assert "office.pub:4: 'ed25519': this is the public file" in said
    assert "nowhere" in issue(site, key="nowhere", exit_status=1).stderr


# ---- the journal -----------------------------------------------------------------------------------------------------

FIELDS = "seq event_id kind at_us monotonic_us clock_trusted reason status credential".split()


def field(value):
    data = struct.pack(">q", value) if isinstance(value, int) else value if isinstance(value, bytes) else value.encode()
    return struct.pack(">I", len(data)) + data


def chain_hash(row, commitment, previous):
    """The canonical form of chain.h, written a second time from its description."""
    parts = ["qrgate event 1", previous, *(row[name] for name in FIELDS), commitment, row["bound_event_id"],
             row["alarm"], row["detail"]]
    return hashlib.sha256(b"".join(map(field, parts))).digest()


@pytest.fixture
def journal(site):
    """A journal of 12 rows, chained by this file, not by the program."""
    site.run("declare", "--subject", SUBJECT, "--status", "green")  # makes the database
    previous = bytes(32)
    with sqlite3.connect(site.database) as db:
        for seq in range(1, 13):
            row = dict(seq=seq, event_id=f"{seq:032x}", kind="granted", at_us=1790000000123456 + seq, monotonic_us=seq,
                       clock_trusted=seq % 2, reason="status_green", status="green", credential="cccd",
                       person=site.person() if seq % 3 else "", salt=bytes([seq] * 16), bound_event_id="", alarm="",
                       detail='a "quoted" \\ detail, Ủy ban' if seq == 5 else "")
            commitment = hashlib.sha256(row["salt"] + row["person"].encode()).digest()
            row.update(person_commitment=commitment, prev_hash=previous, hash=chain_hash(row, commitment, previous))
            db.execute(f"INSERT INTO event ({','.join(row)}) VALUES ({','.join('?' * len(row))})", list(row.values()))
            previous = row["hash"]
    site.last_hash = previous.hex()
    return site


def test_verify_agrees_with_an_independent_chain(journal):
    assert journal.run("verify").stdout == (f"12 rows, the chain holds (0 of them with the person erased); "
                                            f"last hash {journal.last_hash}\n")


@pytest.mark.parametrize("sql, seq", [
    ("UPDATE event SET detail = 'x' WHERE seq = 7", 7),
    ("UPDATE event SET person = '' WHERE seq = 4", 4),
    ("UPDATE event SET kind = 'nonsense' WHERE seq = 2", 2),
    ("DELETE FROM event WHERE seq = 9", 9),
])
def test_verify_finds_the_break(journal, sql, seq):
    with sqlite3.connect(journal.database) as db:
        db.execute(sql)
    assert f"broken at seq {seq}: " in journal.run("verify", status=1).stdout


def test_verify_holds_after_erasing(journal):
    with sqlite3.connect(journal.database) as db:
        db.execute("UPDATE event SET person = NULL, salt = NULL WHERE person = ?", [journal.person()])
    assert "12 rows, the chain holds (8 of them" in journal.run("verify").stdout
    assert "erased" in journal.run("events").stdout


def test_events(journal):
    lines = journal.run("events").stdout.splitlines()
    assert len(lines) == 12
    assert re.match(r" +1  2026-09-2[12] \d\d:\d3:20 [+-]\d\d:\d\d  let through +declared green +green +cccd ", lines[0])
    assert journal.person()[:8] in lines[0] and journal.person() not in lines[0]
    assert "?" in lines[1].split()[3]
    assert [line.split()[0] for line in journal.run("events", "--limit", 3).stdout.splitlines()] == ["10", "11", "12"]
    assert len(journal.run("events", "--limit", 0).stdout.splitlines()) == 12


def test_events_json(journal):
    rows = [json.loads(line) for line in journal.run("events", "--json").stdout.splitlines()]
    assert [row["seq"] for row in rows] == list(range(1, 13))
    assert rows[4]["detail"] == 'a "quoted" \\ detail, Ủy ban'
    assert rows[0] == {"seq": 1, "event_id": f"{1:032x}", "kind": "granted", "at": "2026-09-21T14:13:20.123457Z",
                       "at_us": 1790000000123457, "clock_trusted": True, "reason": "status_green", "status": "green",
                       "credential": "cccd", "person": journal.person(), "bound_event_id": "", "alarm": "",
                       "lane": rows[0]["lane"], "direction": "none", "detail": "", "verb": "", "operator": "", "erased": False, "sent": False}


def purge(journal, first, last, unsent=0, key=b"\x5a" * 32):
    """What the daemon's purge leaves, written a second time from the description in purged.h."""
    with sqlite3.connect(journal.database) as db:
        before = db.execute("SELECT prev_hash FROM event WHERE seq = ?", [first]).fetchone()[0]
        after = db.execute("SELECT hash FROM event WHERE seq = ?", [last]).fetchone()[0]
        said = struct.pack(">qqq", first, last, unsent) + before + after
        seal = hmac.new(hmac.new(key, b"qrgate purged range 1", hashlib.sha256).digest(), said, hashlib.sha256).digest()
        db.execute("DELETE FROM event WHERE seq BETWEEN ? AND ?", [first, last])
        db.execute("INSERT INTO purged VALUES (?, ?, ?, ?, ?, ?)", [first, last, unsent, before, after, seal])


def test_purged_rows_are_told_and_the_chain_holds(journal):
    purge(journal, 1, 4)
    purge(journal, 7, 8, unsent=1)
    said = journal.run("verify").stdout
    assert f"6 rows, the chain holds (0 of them with the person erased); last hash {journal.last_hash}\n" in said
    assert "purged by age or for want of room: 6 rows in 2 ranges" in said and "; 1 of the rows were never" in said
    assert json.loads(journal.run("verify", "--json").stdout) == {
        "holds": True, "rows": 6, "erased": 0, "purged_rows": 6, "purged_ranges": 2, "purged_unsent_rows": 1,
            "heads": 0, "heads_held": 0, "heads_purged": 0,
        "last_hash": journal.last_hash}
    lines = journal.run("events").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["1", "5", "6", "7", "9", "10", "11", "12"]
    assert "1  to 4: purged, 4 rows, 0 of them never" in lines[0] and "7  to 8: purged" in lines[3]
    newest = [json.loads(line) for line in journal.run("events", "--json", "--limit", 5).stdout.splitlines()]
    assert [row["seq"] for row in newest] == [6, 7, 9, 10, 11, 12]
    assert newest[1] == {"seq": 7, "kind": "purged", "last_seq": 8, "unsent_rows": 1, "lane": newest[0]["lane"]}
    assert [line.split()[0] for line in journal.run("events", "--limit", 4).stdout.splitlines()] == ["7", "9", "10", "11", "12"]


def test_rows_that_somebody_else_took_are_a_break(journal):
    purge(journal, 1, 4, key=bytes(32))
    said = journal.run("verify", status=1).stdout
    assert said.startswith("broken at seq 1: rows are missing; they are said to be purged, but not under this site key's seal")
    told = json.loads(journal.run("verify", "--json", status=1).stdout)
    assert told["holds"] is False and told["broken_seq"] == 1 and told["rows"] == 0


def test_verify_of_purged_rows_needs_the_site_key(journal):
    journal.key.unlink()
    assert "12 rows, the chain holds" in journal.run("verify").stdout
    purge(journal, 1, 4)
    said = journal.run("verify", status=1)
    assert str(journal.key) in said.stderr and said.stdout == ""


def test_commands_are_listed_with_who_and_why(journal):
    with sqlite3.connect(journal.database) as db:
        db.execute("UPDATE event SET kind = 'command', reason = 'none', verb = 'mode', operator_name = 'control.room', "
                   "detail = 'fire drill' WHERE seq = 12")
    assert "  mode by control.room  fire drill" in journal.run("events", "--limit", 1).stdout
    row = json.loads(journal.run("events", "--json", "--limit", 1).stdout)
    assert (row["verb"], row["operator"], row["detail"]) == ("mode", "control.room", "fire drill")


def test_events_need_a_journal(site):
    for command in "events", "verify":
        said = site.run(command, status=1).stderr
        assert str(site.database) in said and "--database" in said
    assert not site.database.exists()


def test_newer_database_is_refused(journal):
    with sqlite3.connect(journal.database) as db:
        db.execute("PRAGMA user_version = 99")
    said = journal.run("events", status=1).stderr
    assert "99" in said and "newer qrgate" in said


def test_full_disk_on_output_is_an_error(journal):
    with open("/dev/full", "w") as full:
        done = subprocess.run([str(CTL), "--database", str(journal.database), "events"], stdout=full,
                              stderr=subprocess.PIPE, text=True, timeout=20)
    assert done.returncode == 1 and "written" in done.stderr
