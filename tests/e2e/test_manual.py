"""The manual pages held against the program: every command, option, key, default, reason, rule, signal and kind, in both
directions; every example run, its output compared; every message held against its schema."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import jsonschema
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import gate  # noqa: E402

MAN = gate.ROOT / "config" / "man"
PAGES = ["qrgated.8", "qrgatectl.8", "qrgate.conf.5", "qrgate-codes.7", "qrgate-messages.7", "qrgate-rules.7"]
SCHEMAS = gate.ROOT / "config" / "schemas"
SOURCE = gate.ROOT / "daemon"
ELIDED = "…"  # in an example's output: any lines, or none


# ---- reading a page --------------------------------------------------------------------------------------------------

def unescape(text):
    text = re.sub(r"\\\[u([0-9A-F]{4})\]", lambda found: chr(int(found[1], 16)), text)
    text = re.sub(r"\\f[BIRP]", "", text)
    for roff, plain in {r"\-": "-", r"\(aq": "'", r"\(ga": "`", r"\(ha": "^", r"\(ti": "~", r"\(em": "—", r"\(bu": "•",
                        r"\&": "", r"\:": ""}.items():
        text = text.replace(roff, plain)
    return text.replace(r"\e", "\\")


def lines_of(page):
    return (MAN / page).read_text().splitlines()


def words_of_request(line):
    """What a font request such as .B or .BR prints."""
    name, _, rest = line.partition(" ")
    words = [quoted or bare for quoted, bare in re.findall(r'"([^"]*)"|(\S+)', rest)]
    return unescape(("" if len(name) == 3 else " ").join(words))


def words_of(lines):
    """Running text on one line: fonts dropped, and requests that print nothing."""
    out = []
    for line in lines:
        if re.match(r"\.[BIR]{1,2} ", line):
            out.append(words_of_request(line))
        elif line[:1] not in ".'":
            out.append(unescape(line))
    return re.sub(r"\s+", " ", " ".join(out)).strip()


def sections(page, mark, within=None):
    """{heading: its lines} for .SH or .SS; of .SS only those in the section `within`."""
    found, name, inside = {}, None, within is None
    for line in lines_of(page):
        if line.startswith(".SH") and mark != ".SH":
            inside, name = within is None or unescape(line[4:].strip('"')) == within, None
        elif line.startswith(mark + " ") and inside:
            name = unescape(line[4:].strip('"'))
            found[name] = []
        elif name is not None:
            found[name].append(line)
    return found


def entries(lines):
    """{tag: lines} of a list of .TP; the tag without its macro."""
    found, name = {}, None
    for i, line in enumerate(lines):
        if i > 0 and lines[i - 1] == ".TP":
            name = words_of_request(line)
            found[name] = []
        elif line.startswith((".SH", ".SS", ".PP", ".TS", ".EX")):
            name = None
        elif name is not None and line != ".TP":
            found[name].append(line)
    return found


def blocks(page):
    """The texts between .EX and .EE, each a list of lines as a reader sees them."""
    found, block = [], None
    for line in lines_of(page):
        if line == ".EX":
            block = []
        elif line == ".EE":
            found.append(block)
            block = None
        elif block is not None:
            block.append(unescape(line))
    assert block is None
    return found


def run(*words):
    done = subprocess.run([str(word) for word in words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 0, (words, done.stderr)
    return done.stdout


# ---- the form of the pages -------------------------------------------------------------------------------------------

def formatted(page):
    if not shutil.which("groff"):
        pytest.skip("groff is missing (package groff-base)")
    version = subprocess.run(["groff", "--version"], capture_output=True, text=True, timeout=60).stdout
    # From 1.23 on a table's cell that can't be justified is a warning: as wide a line as on a usual terminal.
    width = [] if " 1.22." in version else ["-rLL=100n"]
    done = subprocess.run(["groff", "-ww", "-man", "-t", "-K", "utf8", "-Tutf8", *width], capture_output=True, text=True,
                          timeout=60, input=".pl 30000v\n" + (MAN / page).read_text())  # one long page, as man shows it
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return re.sub(r"\x1b\[[0-9;]*m|.\x08", "", done.stdout)


@pytest.mark.parametrize("page", PAGES)
def test_formats_without_a_warning(page):
    text = formatted(page)
    name = page[:-2]
    assert text.splitlines()[0].startswith(f"{name.upper()}({page[-1]})")
    assert re.search(rf"^NAME\n +{re.escape(name)} +- ", text, re.M), text[:400]


@pytest.mark.parametrize("page", PAGES)
def test_examples_can_be_copied(page):
    """What a reader sees and copies is what was run: no typographic quotes, dashes or hyphens."""
    text = formatted(page)
    for block in blocks(page):
        for line in block:
            assert line.rstrip() in text, line


def test_all_pages_are_known():
    assert sorted(path.name for path in MAN.iterdir() if path.suffix != ".py") == sorted(PAGES)
    for page in PAGES:
        other = set(re.findall(r"\.BR (qrgate\S*) \((\d)\)", (MAN / page).read_text()))
        assert {(unescape(name), number) for name, number in other} <= {(p[:-2], p[-1]) for p in PAGES}


# ---- commands and options --------------------------------------------------------------------------------------------

def help_options(text):
    """{option: (name of its value or None, required)} of a --help text."""
    found = {}
    for line in text.splitlines():
        match = re.match(r"  --([a-z-]+)(?: (\S+))?  +(.*)", line)
        if match:
            found[match[1]] = (match[2], match[3].endswith("(required)"))
    return found


def page_options(lines):
    found = {}
    for tag, text in entries(lines).items():
        match = re.fullmatch(r"--([a-z-]+?)(?: (\S+)|, -\w)?", tag)
        if match:
            found[match[1]] = (match[2], "Required." in " ".join(text))
    return found


def commands(ctl):
    text = run(ctl, "--help")
    return re.findall(r"^  ([a-z-]+(?: [a-z-]+)?)  +[A-Z]", text.split("Commands:")[1].split("Options")[0], re.M)


def test_every_command_and_option(build):
    ctl = build / "qrgatectl"
    known, page = commands(ctl), sections("qrgatectl.8", ".SS", within="COMMANDS")
    assert len(known) > 20 and sorted(page) == sorted(known)
    everywhere = help_options(run(ctl, "--help"))
    assert page_options(sections("qrgatectl.8", ".SH")["OPTIONS OF EVERY COMMAND"]) == everywhere
    for command in known:
        text = run(ctl, *command.split(), "--help")
        own = {name: more for name, more in help_options(text).items() if name not in everywhere}
        assert page_options(page[command]) == own, command
        operand = re.match(r"Usage: qrgatectl \S+(?: \S+)? \[OPTIONS\](?: \[?([A-Z][A-Za-z._]*)(?:\|([A-Z]+))?\]?)?\n", text)
        if command.count(" ") == 0:
            operand = re.match(rf"Usage: qrgatectl {command} \[OPTIONS\](?: \[?([A-Z][A-Za-z._]*)(?:\|([A-Z]+))?\]?)?\n", text)
        for word in operand.groups():
            assert word is None or f"\n.I {word}" in "\n" + "\n".join(page[command]), (command, word)
        assert any("$ qrgatectl " + command in unescape(line) for line in page[command]), f"{command}: no example"


def test_every_exit_status(build):
    page = "\n".join(sections("qrgatectl.8", ".SH")["EXIT STATUS"])
    told = re.findall(r"^  (\d)  ", run(build / "qrgatectl", "--help"), re.M)
    assert told == ["0", "1", "2", "3", "4", "5"] == re.findall(r"^(\d)\t", page, re.M)


def test_every_option_of_the_daemon(build):
    told = set(re.findall(r"--[a-z-]+", run(build / "qrgated", "--help")))
    assert {tag.split()[0] for tag in entries(sections("qrgated.8", ".SH")["OPTIONS"])} == told


# ---- configuration ---------------------------------------------------------------------------------------------------

# What the example file shows by an example, or leaves out because a wire or a folder has no default.
NOT_IN_THE_FILE = {
    "site": "required", "lane": "required", "camera.replay.folder": "none", "camera.replay.hold_ms": "1500",
    "camera.controls": "none", "camera.replay.gap_ms": "1700", "camera.replay.loop": "false", "lines.lamp_green.active_low": "false",
    "lines.lamp_amber.active_low": "false", "lines.lamp_red.active_low": "false", "schedule.outside": '"hold"',
    "schedule.holidays": "none", "schedule.rows": "none", "schedule.rows.group": '"*"', "schedule.rows.days": '"daily"',
    "schedule.rows.from": '"00:00"', "schedule.rows.to": '"24:00"', "schedule.rows.on_holidays": "false",
    "mqtt.client_id": "qrgate-SITE-LANE",
    **{f"lines.{name}.{key}": value for name, low in (("rotation", "true"), ("fire", "false"), ("tamper", "false"),
                                                      ("guard", "true"), ("service", "true"))
       for key, value in (("line", '""'), ("active_low", low), ("bias", '"pull-up"'))},
    "lines.relay_out.line": '""', "lines.relay_out.active_low": "false",
}


def without_comment(line):
    return re.sub(r'("[^"]*")|#.*$', lambda found: found[1] or "", line)


def file_defaults():
    """What config/qrgate.conf shows as default: its keys, commented out or not, without those that follow an example's
    `##` line until the example's brackets are closed."""
    kept, in_example, depth = [], False, 0
    for line in (gate.ROOT / "config" / "qrgate.conf").read_text().splitlines():
        if line.strip().startswith("##"):
            in_example = in_example or "example" in line.lower()
            continue
        line = without_comment(re.sub(r"^(\s*)# ", r"\1", line))
        if in_example:
            bare = re.sub(r'"[^"]*"', "", line)
            depth += sum(map(bare.count, "{[(")) - sum(map(bare.count, "}])"))
            in_example = depth > 0
        else:
            kept.append(line)
    words = re.findall(r'"[^"]*"|\[[^\]]*\]|[A-Za-z_][\w-]*|-?\d+|[={};]', "\n".join(kept))
    found, groups, i = {}, [], 0
    while i < len(words):
        if words[i] in "};":
            groups = groups[:-1] if words[i] == "}" else groups
            i += 1
            continue
        assert words[i + 1] == "=", words[i:i + 4]
        if words[i + 2] == "{":
            groups.append(words[i])
        else:
            found[".".join([*groups, words[i]])] = words[i + 2]
        i += 3
    return found


def test_every_configuration_key(build):
    known = dict(re.split(r"\s+", line, maxsplit=1) for line in run(build / "qrgated", "--keys").splitlines())
    page = {}
    for lines in sections("qrgate.conf.5", ".SH").values():
        page.update({tag: text for tag, text in entries(lines).items() if text and text[0].startswith("Allowed:")})
    assert sorted(page) == sorted(known)
    defaults = {**file_defaults(), **NOT_IN_THE_FILE}
    assert sorted(defaults) == sorted(known)
    for key, text in page.items():
        assert unescape(text[0]) == f"Allowed: {known[key]}.", key
        assert unescape(text[1]) == f"Default: {defaults[key]}.", key
        assert len(text) >= 4 and len(words_of(text[3:])) >= 3, f"{key}: what does it mean?"


def test_configurations_shown_are_right(build, tmp_path):
    shown = [block for block in blocks("qrgate.conf.5") if block[0].startswith("site =")]
    (tmp_path / "trust").mkdir()
    (tmp_path / "site.key").write_text("5a" * 32 + "\n")
    (tmp_path / "site.key").chmod(0o600)
    for block in shown:
        config = tmp_path / "lane.conf"
        config.write_text("\n".join([*block, f'journal = {{ site_key_file = "{tmp_path}/site.key"; }};',
                                     f'trust = {{ folder = "{tmp_path}/trust"; }};']))
        assert "all right" in run(build / "qrgated", "--check-config", "--config", config)
    assert len(shown) == 3


# ---- reasons, rules, signals -----------------------------------------------------------------------------------------

def c_text(source):
    return re.sub(r"\\(.)", r"\1", "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', source)))


def reason_table():
    source = (SOURCE / "decision" / "reason.c").read_text()
    found = {}
    for block in re.findall(r"^    \[REASON_\w+\] = \{\n(.*?)\},$", source, re.S | re.M):
        cells = [c_text(cell) for cell in re.split(r'(?<=")\s*,\s*(?=")', block.strip())]
        assert len(cells) == 4, cells
        found[cells[0]] = cells[1:]
    return found


def schema_enum(name, member):
    return json.loads((SCHEMAS / f"{name}.json").read_text())["properties"][member]["enum"]


def test_every_reason(build):
    known = reason_table()
    assert sorted(known) == sorted(schema_enum("passage", "reason"))
    page = entries(sections("qrgate-rules.7", ".SH")["REASON CODES"])
    assert sorted(page) == sorted(known)
    keys = {line.split()[0] for line in run(build / "qrgated", "--keys").splitlines()}
    for name, (meaning, remedy, example) in known.items():
        text = words_of(page[name])
        assert text.startswith(f"{meaning} To do: {remedy} Example: {example} Decided by: "), name
        named = set(re.findall(r"\b[a-z]+\.[a-z_]+\b", text.split("Decided by: ")[1]))
        assert named <= keys, (name, named - keys)
        assert named or "no key" in text, name


def test_every_rule_in_its_order():
    source = (SOURCE / "decision" / "rules.c").read_text()
    table = source[source.index("static const struct rule rules[] = {"):]
    table = table[:table.index("\n};")]
    known = re.findall(r'\{\w+, REASON_(\w+), \w+, "([^"]*)", SHOW_\w+, (ENDS|JOINS)\}', table)
    assert len(known) == table.count("SHOW_") >= 27
    lines = sections("qrgate-rules.7", ".SH")["THE ORDER OF RULES"]
    at = [i for i, line in enumerate(lines) if line.startswith(".IP ") and lines[i + 1].startswith(".B ")]
    assert len(at) == len(known)
    for number, (i, (reason, action, ends)) in enumerate(zip(at, known), 1):
        assert lines[i].startswith(f".IP {number}. ")
        names = unescape(lines[i + 1])
        if reason == "NONE":
            assert names.startswith(".B status_green, ")
        else:
            assert names == f".B {reason.lower()}:"
        assert unescape(lines[i + 2]) == action + ("; ends." if ends == "ENDS" else "."), names


def test_every_signal():
    source = (SOURCE / "lane" / "signals.c").read_text()
    page = words_of(sections("qrgate-rules.7", ".SH")["WHAT ONE HEARS AND SEES"])
    patterns = re.findall(r'\[SIGNAL_(\w+)\] = \{"(\w+)", \{(\d+), (\d+), (\d+), SIGNAL_LAMP_(\w+), (\d+), \d+\}\}', source)
    reasons = dict(re.findall(r"\[REASON_(\w+)\]\s*= SIGNAL_(\w+)", source))
    assert len(patterns) > 8 and len(reasons) == len(schema_enum("passage", "reason"))
    for key, name, on_ms, off_ms, times, lamp, lamp_ms in patterns:
        if key == "NONE":
            continue
        tone = f"{times} x {on_ms} ms" if times != "0" else f"{on_ms} ms each {int(on_ms) + int(off_ms)} ms" if on_ms != "0" else "silent"
        if tone == "silent" and lamp == "NONE":
            assert f"{name} as unreadable " in page, name
            continue
        row = f"{name} T{{ {tone}, {lamp.lower()} {lamp_ms + ' ms' if lamp_ms != '0' else 'while it lasts'} T}} T{{ "
        assert row in page, row
        text = page.split(row)[1].split(" T}")[0]
        mine = {reason.lower() for reason, signal in reasons.items() if signal == key}
        if mine and key not in ("OPEN", "HOLD", "FAILURE"):
            told = set(re.findall(r"\b[a-z]+(?:_[a-z]+)+\b", text))
            assert told == mine, (name, told ^ mine)


# ---- codes -----------------------------------------------------------------------------------------------------------

def names_in(function):
    """The names that a function of credential.c gives."""
    source = (SOURCE / "credential" / "credential.c").read_text()
    body = source[source.index(f"const char *{function}("):]
    return re.findall(r'\] = "([a-z0-9_]+)"', body[:body.index("\n}")])


def test_every_kind_fault_and_check():
    text = "\n".join(unescape(line) for line in lines_of("qrgate-codes.7"))
    kinds = names_in("credential_kind_name")
    assert sorted(kinds) == sorted(schema_enum("passage", "credential"))
    first = text[text.index("Kind\tRecognised by"):text.index("Three things follow")]
    assert sorted(re.findall(r"^(\w+)\tT\{", first, re.M)) == sorted(kinds)
    for kind in kinds:
        assert re.search(rf"^\.S[HS] .*\b{kind}\b", text, re.M), f"{kind}: no section"
    faults, checks = names_in("credential_fault_name"), names_in("credential_check_name")
    assert len(faults) == 7 and len(checks) == 8
    assert f"The faults: {', '.join(faults)}." in re.sub(r"\s+", " ", text)
    table = text[text.index("Check\tWhat must hold"):]
    assert re.findall(r"^(\w+)\t", table[:table.index(".TE")], re.M)[1:] == \
        [*checks, "key_current", "not_before", "not_expired"]


def test_kinds_stand_in_the_order_of_the_recognisers():
    source = (SOURCE / "credential" / "credential.c").read_text()
    table = source[source.index("recognisers[] = {"):]
    order = re.findall(r"\{CREDENTIAL_(\w+), \w+_recognises", table[:table.index("};")])
    text = "\n".join(lines_of("qrgate-codes.7"))
    told = re.findall(r"^(\w+)\tT\{", text[:text.index("Three things")], re.M)
    assert told == [{"PERSONAL_CODE": "personal_code_1405"}.get(kind, kind.lower()) for kind in order] + ["unsupported"]


def test_vectors_are_those_of_the_tests():
    """Each token or certificate in the page is a good row of the tests' data, so that both say the same."""
    page = "\n".join("\n".join(block) for block in blocks("qrgate-codes.7"))
    printed = ["".join(re.findall(r"'([^']*)'", words)) for words in re.findall(r"printf (?:%s|'[^']*') ('[^>|]*)", page)]
    printed = [text for text in printed if text.startswith(("QG1:", "HC1:"))]
    known = set()
    for path in (gate.ROOT / "tests" / "data" / "credentials").rglob("*.tsv"):
        rows = [line.split("\t") for line in path.read_text().splitlines() if not line.startswith("#")]
        known |= {row[1] for row in rows if len(row) > 3 and row[3] == "ok"}
    assert len(printed) == 3 and set(printed) <= known


# ---- examples --------------------------------------------------------------------------------------------------------

class Desk:
    """A folder like an admin's: a configuration, a site key, an empty folder of trust; the tools in the PATH."""

    def __init__(self, folder, build):
        self.bin, self.work, config = folder / "bin", folder / "work", folder / "qrgate.conf"
        for path in self.bin, self.work / "trust":
            path.mkdir(parents=True)
        (self.work / "site.key").write_text("5a" * 32 + "\n")
        (self.work / "site.key").chmod(0o600)
        text = (gate.ROOT / "config" / "qrgate.conf").read_text() + f'''
journal = {{ path = "{self.work}/journal.db"; site_key_file = "{self.work}/site.key"; }};
trust = {{ folder = "{self.work}/trust"; }};
'''
        config.write_text(text)
        (self.work / "lane1.conf").write_text(text)
        (self.bin / "qrgated").symlink_to(build.resolve() / "qrgated")
        ctl = self.bin / "qrgatectl"
        ctl.write_text(f'#!/bin/sh\nexec "{build.resolve()}/qrgatectl" --config "{config}" "$@"\n')
        ctl.chmod(0o755)

    def run(self, command):
        done = subprocess.run(["sh", "-c", command], cwd=self.work, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=60,
                              env={**os.environ, "PATH": f"{self.bin}:{os.environ['PATH']}", "TZ": "<+07>-7"})
        text = done.stdout.decode().replace(f"{self.work}/trust", "/etc/qrgate/trust")
        assert done.returncode == 0, (command, text)
        return text.splitlines()


def take_command(lines, i):
    """From `$ ` on: continued lines, and what stands in << 'END'. Where the next line begins."""
    last = i
    while lines[last].endswith("\\"):
        last += 1
    end = re.search(r"<<'(\w+)'", "\n".join(lines[i:last + 1]))
    while end and lines[last] != end[1]:
        last += 1
    return "\n".join(lines[i:last + 1])[2:], last + 1


def same(expected, got):
    pattern = "".join(r"(?:.*\n)*" if line == ELIDED else re.escape(line) + r"\n" for line in expected)
    return re.fullmatch(pattern, "".join(line + "\n" for line in got)) is not None


@pytest.mark.parametrize("page, at_least", [("qrgated.8", 2), ("qrgatectl.8", 18), ("qrgate.conf.5", 1), ("qrgate-codes.7", 20),
                                            ("qrgate-rules.7", 5)])
def test_examples_run(page, at_least, build, tmp_path):
    """A `$` line is run, in the page's order, and prints what stands below it; a `#` line is for the gate's own machine."""
    desk, count = Desk(tmp_path, build), 0
    for block in blocks(page):
        if not block[0].startswith(("$ ", "# ")):
            continue
        i = 0
        while i < len(block):
            assert block[i].startswith(("$ ", "# ")), block[i]
            really = block[i].startswith("$")
            command, i = take_command(block, i)
            start = i
            while i < len(block) and not block[i].startswith(("$ ", "# ")):
                i += 1
            if really:
                got = desk.run(command)
                assert same(block[start:i], got), (command, block[start:i], got)
                count += 1
    assert count >= at_least


def messages():
    return [json.loads("\n".join(block)) for block in blocks("qrgate-rules.7") if block[0] == "{"]


def test_messages_shown_are_right(build, tmp_path):
    shown = messages()
    assert {message["schema"] for message in shown} == {f"qrgate/{name}/1" for name in
                                                        ("declaration", "revocation", "result", "passage", "muster", "health", "chain_head", "request",
                                                         "response")}
    desk = Desk(tmp_path, build)
    for message in shown:
        name = message["schema"].split("/")[1]
        jsonschema.validate(message, json.loads((SCHEMAS / f"{name}.json").read_text()))
        if name in ("declaration", "revocation"):
            (desk.work / "one.jsonl").write_text(json.dumps(message) + "\n")
            more = "--revocations " if name == "revocation" else ""
            assert re.fullmatch(r"1 (rows?|revocations?) taken", desk.run(f"qrgatectl import {more}one.jsonl")[-1])


def test_every_topic_is_named(build):
    """The page with examples names each topic; what it says of way and meaning is qrgate-messages(7)'s, which is made."""
    known = [line.split("\t")[1:5:1] for line in run(build / "qrgatectl", "schema").splitlines()[1:]]
    text = unescape("\n".join(sections("qrgate-rules.7", ".SH")["MQTT TOPICS"]))
    told = dict(re.findall(r"^([A-Za-z]+/[A-Za-z_/]+)\t(in|out)\t", text, re.M))
    assert sorted(told) == sorted(topic for topic, *_ in known)
    for topic, way, _, retained in known:
        assert told[topic] == ("out" if way == "both" else way), topic
        row = text.split(f"{topic}\t")[1].split("\nPREFIX")[0].split("\nhomeassistant")[0]
        assert ("retained: " in row) == (retained == "yes"), topic


def test_every_field_of_a_request_is_told():
    """By verb: what it must have is spoken of at the verb, in the page with examples."""
    lines = sections("qrgate-rules.7", ".SS", within="MQTT TOPICS")["request and response"]
    source = (SOURCE / "mqtt" / "catalogue_commands.c").read_text()
    rows = source.split("request_rows")[1].split("};")[0].split("\n    [REQUEST_")[1:]
    of = {re.search(r'name = "(\w+)"', row)[1]: row.split(".must_of =")[1] for row in rows if ".must_of =" in row}
    assert list(of) == ["why", "mode", "from_seq", "declaration", "revocation"]
    for name, verbs in of.items():
        for verb in re.findall(r"\bOF\((\w+)\)", verbs.split(",")[0]):
            assert re.search(rf"\b{name}\b", words_of(entries(lines)[verb.lower()])), (verb, name)


def test_every_verb_and_refusal_of_a_request():
    source = (SOURCE / "mqtt" / "command.c").read_text()
    names = re.findall(r'\[COMMAND_\w+\] = "([a-z_]+)"', source)
    lines = sections("qrgate-rules.7", ".SS", within="MQTT TOPICS")["request and response"]
    verbs = sorted(entries(lines))
    assert verbs == sorted(names[:9]) == sorted(set(schema_enum("request", "verb")))
    told = words_of(lines).split("error one of: ")[1].split(" A verb")[0]
    assert re.findall(r"\b[a-z_]+\b", re.sub(r"\([^)]*\)", "", told)) == names[9:] == schema_enum("response", "error")
