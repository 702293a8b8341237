#!/usr/bin/python3
"""Questions to the journals of a busy site, 100,000 people, one and ten million events: how long each takes, and by which indices.
Prints, judges nothing; the plans are held by tests/e2e/test_reading.py. Part of `make bench`; EVENTS="1000000" for the small one alone.

Ten million events need 5 GB in the folder of temporary files and some ten minutes to be written."""
import argparse
import os
import pathlib
import re
import resource
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import gate  # noqa: E402

PEOPLE, ROUNDS = 100_000, 5
PERSON = (1).to_bytes(8, "little").hex() + (7).to_bytes(8, "little").hex()  # fill_site's, who comes every day
WEEK = ["--since", "2026-11-08T17:00Z", "--until", "2026-11-22T17:00Z"]
QUESTIONS = {
    "inside": ["inside", "--json"], "muster as a page": ["muster", "--format", "html"],
    "trace, 14 days, two degrees": ["trace", PERSON, *WEEK, "--json"], "trace, 14 days, first degree": ["trace", PERSON, *WEEK, "--degree", "1", "--json"],
    "report week": ["report", "week", "--iso", "2026-W47", "--format", "html"],
    "events of one person": ["events", "--person", PERSON, "--limit", "0", "--json"],
    "events of one reason, a day": ["events", "--reason", "no_declaration", "--since", "2026-11-19T17:00Z", "--until", "2026-11-20T17:00Z", "--json"],
}


def children_s():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def ask(ctl, words, journals, environment=None):
    """The best of some rounds: seconds by the clock, and of processor; and the number of lines."""
    best, best_cpu, lines = float("inf"), float("inf"), 0
    for _ in range(ROUNDS if environment is None else 1):
        before, begun = children_s(), time.monotonic()
        done = subprocess.run([ctl, *words, *journals], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True, env={**os.environ, "TZ": "Asia/Ho_Chi_Minh",
                                                                                              **(environment or {})})
        best, best_cpu = min(best, time.monotonic() - begun), min(best_cpu, children_s() - before)
        lines = done.stdout.count(b"\n")
    return best, best_cpu, lines


def plans(folder, ctl, words, journals, library):
    path = folder / "plans"
    path.unlink(missing_ok=True)
    ask(ctl, words, journals, {"LD_PRELOAD": str(library), "QRG_PLANS": str(path)})
    steps = [line.strip() for line in path.read_text().splitlines() if line.startswith("\t")]
    return sorted({step for step in steps if re.match(r"(SEARCH|SCAN) (event|presence)\b", step)})


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build")
    parser.add_argument("--events", type=int, nargs="*", default=[1_000_000, 10_000_000])
    parser.add_argument("--folder", type=pathlib.Path, help="journals that fill_site wrote before, in FOLDER/EVENTS/")
    arguments = parser.parse_args()
    ctl = pathlib.Path(arguments.build).resolve() / "qrgatectl"
    with gate.throw_away_folder("qrgate-reading-") as scratch:
        scratch = pathlib.Path(scratch)
        library = scratch / "explain_plans.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, gate.ROOT / "tests/e2e/explain_plans.c", "-lsqlite3", "-ldl"], check=True)
        for events in arguments.events:
            folder = (arguments.folder or scratch) / str(events)
            if not (folder / "out.db").exists():
                folder.mkdir(parents=True, exist_ok=True)
                print(f"writing {events:,} events: a minute for each million, more on a busy machine", flush=True)
                subprocess.run([ctl.parent / "fill_site", folder, str(events), str(PEOPLE)], check=True)
            journals = ["--journal", folder / "in.db", "--journal", folder / "out.db"]
            size = sum(path.stat().st_size for path in folder.glob("*.db"))
            print(f"two lanes, {events:,} events, {PEOPLE:,} people, {size / 1e9:.2f} GB")
            for name, words in QUESTIONS.items():
                seconds, cpu, lines = ask(ctl, words, journals)
                print(f"  {name:30} {1000 * seconds:8.0f} ms, processor {1000 * cpu:6.0f} ms, {lines:,} lines")
            if events == arguments.events[-1]:
                for name, words in QUESTIONS.items():
                    print(f"  plan of {name}: {'; '.join(plans(scratch, ctl, words, journals, library))}")


if __name__ == "__main__":
    main()
