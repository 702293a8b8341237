"""qrgatectl's help in each language and the shells' completion: all of it from one table, and nothing in it left out."""
import os
import pathlib
import pty
import re
import select
import subprocess
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import gate  # noqa: E402
from lang import read_table  # noqa: E402
from test_manual import commands, help_options  # noqa: E402

LANGUAGES = sorted(path.stem for path in (gate.ROOT / "config" / "lang").glob("*.lang") if path.stem != "en")
SCRIPTS = gate.ROOT / "config" / "completion"


def run(build, *words, lang=None, code=0):
    done = subprocess.run([build / "qrgatectl", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60,
                          env={**os.environ, "LC_ALL": lang or "C"}, check=False)
    assert done.returncode == code, (words, done)
    return done.stdout if code == 0 else done.stderr


def help_texts(text):
    return dict(re.findall(r"^  --([a-z0-9-]+)(?: \S+)?  +(.*)$", text, re.M))


def details(text):
    """What stands between a command's summary and its options."""
    return re.fullmatch(r"[^\n]+\n\n[^\n]+\n(.*?)\n[^\n]+:\n  --.*", text, re.S)[1]


# ---- languages -----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_line_of_help_has_words_of_the_language(lang, build):
    """Missing keys are told by name; so are keys that no command or option has."""
    table = read_table(gate.ROOT / "config" / "lang" / f"{lang}.lang")
    wanted, known = set(), set()
    everywhere = help_options(run(build, "--help"))
    for option in everywhere:
        wanted.add(f"help.option.{option}")
    for command in commands(build / "qrgatectl"):
        key = "help." + command.replace(" ", "-")
        wanted.add(key)
        text = run(build, *command.split(), "--help")
        (wanted if details(text) else known).add(f"{key}.details")
        for option in help_options(text):
            known |= {f"{key}.{option}", f"help.option.{option}"}
            if option not in everywhere and f"help.option.{option}" not in table:
                wanted.add(f"{key}.{option}")
    have = {key for key in table if key.startswith("help.")}
    assert not wanted - have, f"{lang}.lang: missing: " + ", ".join(sorted(wanted - have))
    assert not have - wanted - known, f"{lang}.lang: of no command: " + ", ".join(sorted(have - wanted - known))


@pytest.mark.parametrize("lang", LANGUAGES)
def test_help_is_shown_in_the_language(lang, build):
    english, other = run(build, "--help"), run(build, "--help", lang=f"{lang}_XX.UTF-8")
    assert other == run(build, "--lang", lang, "--help") == run(build, "--help", f"--lang={lang}")
    assert help_texts(english).keys() == help_texts(other).keys()
    assert not [name for name, text in help_texts(english).items() if help_texts(other)[name] == text]
    same = set(english.splitlines()) & set(other.splitlines()) - {""}
    assert not same, same
    english, other = run(build, "send", "--help"), run(build, "send", "--help", lang=lang)
    assert not set(english.splitlines()) & set(other.splitlines()) - {""}
    assert f"\n  --why TEXT {' ' * 17} {read_table(gate.ROOT / 'config/lang' / f'{lang}.lang')['help.send.why']}\n" in other


@pytest.mark.parametrize("lang", LANGUAGES)
def test_no_line_of_a_command_s_help_is_left_in_english(lang, build):
    """But for command lines to copy and JSON, which stand indented."""
    told = 0
    for command in commands(build / "qrgatectl"):
        english, other = (run(build, *command.split(), "--help", "--lang", name) for name in ("en", lang))
        told += bool(details(english))
        assert bool(details(english)) == bool(details(other)), command
        same = {line for line in set(english.splitlines()) & set(other.splitlines()) if line and not line.startswith(" ")}
        assert not same, (command, same)
        assert max(len(line) for line in details(other).splitlines() or [""]) <= 130, command
    assert told > 25


def test_a_wrong_line_is_told_in_the_language(build):
    assert "unknown option '--dance'; see: qrgatectl send --help" in run(build, "send", "--dance", code=2)
    assert "không có tùy chọn '--dance'; xem: qrgatectl send --help" in run(build, "send", "--dance", "--lang", "vi", code=2)
    assert "không có lệnh 'dance'" in run(build, "dance", lang="vi_VN.UTF-8", code=2)
    assert "thiếu VERB" in run(build, "send", lang="vi", code=2)
    assert "--lang xx: no such table" in run(build, "events", "--lang", "xx", code=2)
    assert "unknown command" in run(build, "dance", lang="xx_XX.UTF-8", code=2)  # the environment may name anything


def test_a_third_language_is_one_file(build, tmp_path):
    english = (gate.ROOT / "config" / "lang" / "en.lang").read_text()
    table = tmp_path / "de.lang"
    table.write_text(re.sub(r"^main.commands = .*", "main.commands = Befehle:", english, flags=re.M) + "\nhelp.events = Zeigt das Journal\n")
    text = run(build, "--help", "--lang", str(table))
    assert "\nBefehle:\n" in text and "Zeigt das Journal" in text and "Commands:" not in text
    place = tmp_path / "bin"
    place.mkdir()
    (place / "qrgatectl").write_bytes((build / "qrgatectl").read_bytes())
    (place / "qrgatectl").chmod(0o755)
    (tmp_path / "share/qrgate/lang").mkdir(parents=True)
    table.rename(tmp_path / "share/qrgate/lang/de.lang")  # where make install puts them
    assert "\nBefehle:\n" in run(place, "--help", lang="de_AT@euro")
    assert "Commands:" in run(place, "--help", lang="vi")  # there is no table for it here


# ---- completion ----------------------------------------------------------------------------------------------------------

def offers(build, *words, lang=None):
    return [line.split("\t")[0] for line in run(build, "--complete", *words, lang=lang).splitlines()]


def test_all_that_help_tells_is_offered(build):
    everywhere = help_options(run(build, "--help"))
    known = commands(build / "qrgatectl")
    assert sorted(set(command.split()[0] for command in known)) == sorted(offers(build, ""))
    for command in known:
        words = command.split()
        if len(words) == 2:
            assert words[1] in offers(build, words[0], "") and offers(build, words[0], words[1][:-1]).count(words[1]) == 1
        options = help_options(run(build, *words, "--help"))
        assert sorted(offers(build, *words, "--")) == sorted("--" + name for name in options)
        for name, (value, _) in options.items():
            if value and "|" in value:
                assert offers(build, *words, f"--{name}", "") == value.split("|")
    assert sorted(offers(build, "--")) == sorted("--" + name for name in everywhere)


def test_what_is_offered_where(build):
    from test_commands import VERBS
    assert offers(build, "send", "") == VERBS and offers(build, "send", "re") == [v for v in VERBS if v.startswith("re")]
    assert offers(build, "send", "--mode", "") == ["normal", "hold_open", "lock_down"]
    assert offers(build, "send", "--mode=l") == ["--mode=lock_down"]
    assert offers(build, "send", "--mode", "=", "h") == ["hold_open"] and offers(build, "send", "--mode", "=") == offers(build, "send", "--mode", "")
    assert offers(build, "send", "--config", "/etc/x", "--mo") == ["--mode"]
    assert offers(build, "--config", "send", "watch", "--js") == ["--json"]  # "send" is the option's value
    assert offers(build, "send", "--config", "x") == [":files"] and offers(build, "key", "list", "--trust", "") == [":folders"]
    assert offers(build, "send", "--why", "") == [] and offers(build, "dance", "--m") == []
    assert offers(build) == offers(build, "")
    assert "phiên bản" in run(build, "--complete", "--vers", lang="vi")
    assert run(build, "completion", "bash") == (SCRIPTS / "qrgatectl.bash").read_text()
    assert "allowed are bash, zsh, fish" in run(build, "completion", "tcsh", code=2)


def path_of(build):
    return {**os.environ, "PATH": f"{build.resolve()}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8", "TERM": "dumb"}


def test_bash_completes(build):
    def complete(*words):
        line = " ".join(f"'{word}'" for word in words)
        script = (f"source <(qrgatectl completion bash); COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; "
                  "_qrgatectl qrgatectl; printf '%s\\n' \"${COMPREPLY[@]}\"")
        done = subprocess.run(["bash", "--norc", "-c", script], env=path_of(build), stdout=subprocess.PIPE, text=True, timeout=60, check=True)
        return done.stdout.split()
    assert complete("qrgatectl", "se") == ["send"]
    assert complete("qrgatectl", "send", "--mo") == ["--mode"]
    assert complete("qrgatectl", "send", "--mode", "=", "l") == ["lock_down"]
    assert "operator" in complete("qrgatectl", "key", "")
    assert complete("qrgatectl", "--config", str(gate.ROOT / "config" / "qrgate.con")) == [str(gate.ROOT / "config" / "qrgate.conf")]


def test_fish_completes(build):
    def complete(line):
        done = subprocess.run(["fish", "--no-config", "-c", f"qrgatectl completion fish | source; complete -C '{line}'"],
                              env=path_of(build), stdout=subprocess.PIPE, text=True, timeout=60, check=True)
        return [found.split("\t")[0] for found in done.stdout.splitlines()]
    assert complete("qrgatectl se") == ["send"] and complete("qrgatectl send --mo") == ["--mode"]
    assert complete("qrgatectl send --mode l") == ["lock_down"] and "operator" in complete("qrgatectl key ")


def test_zsh_completes(build, tmp_path):
    """Its completion works at a terminal only."""
    child, screen = pty.fork()
    if child == 0:
        os.execvpe("zsh", ["zsh", "-f", "-i"], {**path_of(build), "HOME": str(tmp_path), "COLUMNS": "200"})
    shown = b""

    def wait(text):
        nonlocal shown
        until = time.monotonic() + 30
        while text not in shown:
            left = until - time.monotonic()
            assert left > 0, shown
            if select.select([screen], [], [], left)[0]:
                shown += os.read(screen, 65536)
    try:
        os.write(screen, b"PS1='> '; autoload -Uz compinit; compinit -u -D; source <(qrgatectl completion zsh); print rea''dy\n")
        wait(b"ready\r\n")
        shown = b""
        os.write(screen, b"qrgatectl se\t")
        wait(b"send ")
        os.write(screen, b"--mo\t")
        wait(b"--mode ")
        os.write(screen, b"l\t")
        wait(b"lock_down ")
    finally:
        os.close(screen)
        os.waitpid(child, 0)


def test_make_install_puts_words_and_scripts_where_they_are_looked_for(build, tmp_path):
    subprocess.run(["make", "-s", "--no-print-directory", "install", f"BUILD={build}", f"DESTDIR={tmp_path}"], cwd=gate.ROOT, check=True,
                   stdout=subprocess.DEVNULL)
    share = tmp_path / "usr/local/share"
    for path in ("bash-completion/completions/qrgatectl", "zsh/site-functions/_qrgatectl", "fish/vendor_completions.d/qrgatectl.fish",
                 "qrgate/lang/en.lang", "qrgate/lang/vi.lang"):
        assert (share / path).is_file(), path
    assert "Các lệnh:" in run(tmp_path / "usr/local/bin", "--help", lang="vi")
