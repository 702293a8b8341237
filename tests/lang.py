#!/usr/bin/python3
"""The words of qrgatectl against its tables: every key that the program names is in config/lang/en.lang, is filled in with just the
names that its text has, and every key of the table is used; every other table has the same keys and names; and no sentence of the
program goes past the tables."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
CALL = re.compile(r"\b(say|say_word|lang_format|lang_print|ctl_complain)\s*\(")
BEFORE = {"say": 1, "say_word": 1, "lang_format": 3, "lang_print": 2, "ctl_complain": 2}  # arguments before the key
STRING = re.compile(r'"((?:[^"\\\n]|\\.)*)"')


def read_table(path):
    table, key = {}, None
    for line in path.read_text(encoding="utf-8").splitlines():
        if line[:1] in " \t" and line.strip() and key:
            table[key] += ("" if table[key].endswith("\\n") or line.strip().startswith("\\n") else " ") + line.strip()
        elif line.strip() and not line.startswith("#"):
            key, _, text = (part.strip() for part in line.partition("="))
            if key in table:
                raise SystemExit(f"{path}: {key} comes twice")
            table[key] = text
    return table


def fills(text):
    return set(re.findall(r"\{([a-z_]+)\}", text))


def without_remarks(source):
    return re.sub(r'("(?:[^"\\\n]|\\.)*")|/\*.*?\*/', lambda found: found[1] or " ", source, flags=re.S)


def arguments(source, at):
    """The arguments of the call whose bracket is before `at`."""
    depth, begin, found = 1, at, []
    while depth > 0 and at < len(source):
        c = source[at]
        if c == '"':
            at = STRING.match(source, at).end() - 1
        depth += (c in "({[") - (c in ")}]")
        if (c == "," and depth == 1) or depth == 0:
            found.append(source[begin:at].strip())
            begin = at + 1
        at += 1
    return found


# ---- texts of other parts of the program -------------------------------------------------------------------------

CONVERSION = re.compile(r"%[-+ #0-9.*]*(?:ll|z|l|h)?[a-z]")
LITERALS = re.compile(r'(?:"(?:[^"\\\n]|\\.)*"\s*|\b[A-Z][A-Z0-9_]+\b\s*)+')  # beside one another, macros among them
OF_TELLERS = ("qrgate event", "%s\nold %s until %s", "# qrgate %s key", "-----", "PRIVATE KEY-----",  # a name to be hashed, a file's form
              ": whoever has it can sign passes")
# What these say of a person's input is told in the language: every sentence of theirs must stand in rows told.…
TELLERS = ["daemon/ctl/csv.c", "daemon/ctl/rows.c", "daemon/mqtt/inbound.c", "daemon/mqtt/json_read.c", "daemon/journal/chain.c",
           "daemon/ctl/reading/message_line.c", "daemon/settings/site_key.c", "daemon/settings/key_file.c",
           "daemon/settings/trust_folder.c", "daemon/vision/look.c"]


def source_of(path):
    return without_remarks(path.read_text(encoding="utf-8")).replace("\\\n", " ")


def macros(*paths):
    found = {}
    for path in paths:
        found |= {name: body for name, body in re.findall(r"^#define +([A-Z][A-Z0-9_]+) +(.*)$", source_of(path), re.M) if '"' in body}
    return found


def spelled(expression, known, depth=0):
    text = ""
    for literal, name in re.findall(r'"((?:[^"\\\n]|\\.)*)"|([A-Z][A-Z0-9_]+)', expression):
        text += spelled(known[name], known, depth + 1) if name in known and depth < 4 else literal
    return text.replace("\\n", "\n").replace('\\"', '"')


def sentences(path, headers):
    """The program's own texts of two words and more, in a file; not its help, which has a test of its own, nor SQL and HTML."""
    known = headers | macros(path)
    source = re.sub(r"^(static )?const struct (ctl_option|ctl_command|catalogue_field) .*?^};|^#.*?[^\\]$|_Static_assert\(.*?\);", "", source_of(path),
                    flags=re.S | re.M)
    for found in LITERALS.finditer(source):
        text = spelled(found[0], known)
        if re.search(r"[A-Za-z]{2,}[,;:]? +[A-Za-z]{2,}", CONVERSION.sub("", text)) and not re.search(
                r"\b(SELECT|FROM|INSERT|UPDATE|BEGIN|ORDER BY)\b|[<@]\w+[ {>]|\.incbin", text):
            yield text


def told_patterns(english):
    return [re.compile("(?s)" + ".+".join(re.escape(part) for part in re.split(r"\{[a-z_]+\}", text.replace("\\n", "\n"))))
            for key, text in english.items() if key.startswith("told.")]


def is_told(text, patterns):
    made = CONVERSION.sub("x", text).rstrip("\n")
    return any(pattern.fullmatch(made) or pattern.fullmatch("x" + made) for pattern in patterns)


# Sentences in daemon/ctl that stay English, by the file and how they begin.
ENGLISH = {
    ("lang.c", ""): "told before there is a table",
    ("lang_table.c", ""): "of a table's own mistakes, for who writes one",
    ("completion.c", ""): "words to choose among, not a sentence",
    ("key_trust.c", "not yet"): "a name in JSON; people see key_state.not_yet",
    ("schema.c", ""): "its help, a command in one row; test_help.py sees to it",
    ("rows.c", "%d field%s: allowed are"): "told.row.field and told.row.fields",
    ("report/report_page.c", "muted small"): "a class of HTML",
    ("print/sheet.c", "DejaVu Sans"): "a font",
    ("trace/trace_page.c", "small muted"): "a class of HTML",
}


def english_left(english):
    """Sentences that the program says past its tables, and rows told.… that nothing says any more."""
    known, patterns, faults, excused = macros(*sorted(ROOT.glob("daemon/**/*.h"))), told_patterns(english), [], set()
    for path in sorted(ROOT.glob("daemon/ctl/**/*.c")):
        name = str(path.relative_to(ROOT / "daemon/ctl"))
        for text in sentences(path, known):
            excuse = next((row for row in ENGLISH if row[0] == name and text.startswith(row[1])), None)
            excused.add(excuse)
            if not excuse and not is_told(text, patterns):
                faults.append(f"daemon/ctl/{name}: English past the tables: {text!r}")
    faults += [f"tests/lang.py: ENGLISH: {row} isn't there any more" for row in ENGLISH if row not in excused]
    for place in TELLERS:
        name = place.removeprefix("daemon/ctl/")
        for text in sentences(ROOT / place, known):
            excused = text.startswith(OF_TELLERS) or any(row[0] == name and text.startswith(row[1]) for row in ENGLISH)
            if not excused and not is_told(text, patterns):
                faults.append(f"{place}: no row told.… for {text!r}")
    everything = "\0".join(spelled(found[0], known | macros(path)) for path in sorted(ROOT.glob("daemon/**/*.[ch]"))
                           for found in LITERALS.finditer(source_of(path)))
    for key, text in english.items():
        if key.startswith("told.") and not key.startswith("told.errno."):
            for part in re.split(r"\{[a-z_]+\}", text):
                if part not in everything and not key.startswith("told.row.field"):
                    faults.append(f"config/lang/en.lang: {key}: nothing in daemon/ says {part!r}")
    return faults


def main():
    english = read_table(ROOT / "config/lang/en.lang")
    sections = {key.partition(".")[0] for key in english}
    faults, used, families = [], set(), set()
    for path in sorted(ROOT.glob("daemon/ctl/**/*.[ch]")):
        source = without_remarks(path.read_text(encoding="utf-8"))
        place = path.relative_to(ROOT)
        if path.name in ("lang.c", "lang.h"):
            continue
        for literal in STRING.findall(source):  # also those in tables of keys
            if re.fullmatch(r"[a-z_-]+(\.[a-z0-9_-]+)+", literal) and literal.partition(".")[0] in sections:
                used.add(literal)
                if literal not in english and not any(key.startswith(literal + ".") for key in english):
                    faults.append(f"{place}: \"{literal}\" isn't in config/lang/en.lang")
        for call in CALL.finditer(source):
            parts = arguments(source, call.end())
            name, before = call[1], BEFORE[call[1]]
            if len(parts) <= before:
                continue
            key = STRING.fullmatch(parts[before])
            if name == "say_word":
                families |= {key[1]} if key else set()
                continue
            if not key:
                continue  # from a table of keys: its literals were seen above
            used.add(key[1])
            if key[1] not in english:
                faults.append(f"{place}: {name}(\"{key[1]}\"): not in config/lang/en.lang")
                continue
            if name == "say":
                given = set()
            else:
                given = {STRING.fullmatch(part)[1] for part in parts[before + 1:-1:2] if STRING.fullmatch(part)}
            if given != fills(english[key[1]]):
                faults.append(f"{place}: {name}(\"{key[1]}\") fills in {sorted(given)}, its text has "
                              f"{sorted(fills(english[key[1]]))}")
    for key in sorted(english):
        if key not in used and not any(key.startswith(family + ".") for family in families | FAMILIES):
            faults.append(f"config/lang/en.lang: {key}: nothing in daemon/ctl says it")
    faults += english_left(english)
    for path in sorted(ROOT.glob("config/lang/*.lang")):
        keys = re.findall(r"^([a-z0-9._-]+) *=", path.read_text(encoding="utf-8"), re.M)
        faults += [f"{path.relative_to(ROOT)}: {key} comes twice" for key in sorted(set(keys)) if keys.count(key) > 1]
        table = {key: text for key, text in read_table(path).items() if not key.startswith("help.")}  # tests/e2e/test_help.py's
        for key in sorted(set(english) | set(table)):
            if key not in table:
                faults.append(f"{path.relative_to(ROOT)}: {key} is missing")
            elif key not in english:
                faults.append(f"{path.relative_to(ROOT)}: {key}: no such key in en.lang")
            elif fills(table[key]) != fills(english[key]):
                faults.append(f"{path.relative_to(ROOT)}: {key}: fills in {sorted(fills(table[key]))} where en.lang has "
                              f"{sorted(fills(english[key]))}")
    print("\n".join(faults) or f"words: {len(english)} keys, {len(list(ROOT.glob('config/lang/*.lang')))} languages agree "
          f"with the program")
    return 1 if faults or len(english) < 100 else 0


# Asked for by FAMILY.NAME with names of the program; tests/unit/test_lang.c holds these against its enumerations.
FAMILIES = {"reason", "remedy", "status", "verdict", "kind", "credential", "direction", "mode", "alarm", "verb", "error", "told"}
if __name__ == "__main__":
    sys.exit(main())
