#!/usr/bin/python3
"""`make check`: every test there is, in steps that each leave a JUnit file under build/results; ends with a line of counts.
A step that can't run here is a skip that says why; with CI=true a skip is a failure. QRG_STEPS=unit,e2e runs some.
QRG_PLATFORM=arm64: unit and end-to-end tests and the lab, of what tests/platforms/arm64.sh built for the other processor."""
import concurrent.futures
import os
import pathlib
import platform
import subprocess
import sys
import time
import xml.etree.ElementTree as xml

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESULTS = ROOT / "build" / "results"
CI = os.environ.get("CI") == "true"
TSAN = f"halt_on_error=1:suppressions={ROOT}/tests/tsan.suppressions"
# Three at a time on two processors: most of these tests wait for something.
PYTEST = ["/usr/bin/python3", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rs", "-n", str((os.cpu_count() or 1) + 1)]
AGAIN_MAX = 60  # more than these don't fail for want of time
OTHER_LAB = ["drivers", "first_passage", "inputs", "lines_refused", "pulse_width", "sudden_death"]


class Counts:
    passed = failed = skipped = 0
    faults = []

    def add(self, name, ok, why=""):
        if ok is None:
            self.skipped += 1
            self.faults.append(f"SKIPPED {name}: {why}")
        elif ok:
            self.passed += 1
        else:
            self.failed += 1
            self.faults.append(f"FAILED  {name}: {why}")

    def add_junit(self, step, path):
        found = 0
        for case in xml.parse(path).getroot().iter("testcase"):
            found += 1
            bad = case.find("failure") if case.find("failure") is not None else case.find("error")
            skip = case.find("skipped")
            name = f"{step}: {case.get('classname') or ''} {case.get('name')}"
            if bad is not None:
                self.add(name, False, (bad.get("message") or bad.text or "").strip()[:400])
            elif skip is not None:
                self.add(name, None, (skip.get("message") or "").strip()[:200])
            else:
                self.add(name, True)
        if found == 0:
            self.add(f"{step}: {path.name}", False, "no test ran")


def run(counts, step, command, **environment):
    """A command as one test; its output is shown when it fails."""
    started = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    text = done.stdout.decode("utf-8", "replace")
    print(f"[{time.monotonic() - started:6.1f} s] {step}: {'ok' if done.returncode == 0 else f'exit {done.returncode}'}",
          flush=True)
    if done.returncode != 0:
        print(text[-6000:], flush=True)
    return done.returncode, text


def one(counts, step, command, **environment):
    code, text = run(counts, step, command, **environment)
    counts.add(step, None if code == 77 else code == 0, text.strip().splitlines()[-1] if text.strip() else f"exit {code}")
    return code == 0


def unit(counts, step, binary):
    prefix = f"{step}-{binary.name}"
    for old in RESULTS.glob(f"{prefix}-*.xml"):
        old.unlink()
    code, _ = run(counts, f"{step} {binary.name}", [binary], CMOCKA_MESSAGE_OUTPUT="XML",
                  CMOCKA_XML_FILE=f"{RESULTS}/{prefix}-%g.xml",  # a file for each group of a program
                  UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1", TSAN_OPTIONS=TSAN)
    return binary.name, code, sorted(RESULTS.glob(f"{prefix}-*.xml"))


def units(counts, build, step, names=None):
    """As many at a time as there are processors; counted here, one after the other."""
    binaries = [b for b in sorted((ROOT / build / "unit").glob("test_*")) if not names or b.name in names]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, code, reports in pool.map(lambda binary: unit(counts, step, binary), binaries):
            for report in reports:
                counts.add_junit(step, report)
            if code != 0 or not reports:
                counts.add(f"{step} {name}", False, f"exit {code}, {len(reports)} reports")


def pytest(counts, build, step, *arguments):
    report = RESULTS / f"{step}.xml"
    report.unlink(missing_ok=True)
    code, text = run(counts, step, [*PYTEST, f"--junitxml={report}", *arguments], QRG_BUILD=build,
                     ASAN_OPTIONS="abort_on_error=1", UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1",
                     TSAN_OPTIONS=TSAN)
    if report.exists():
        counts.add_junit(step, report)
    if not report.exists() or code not in (0, 1):
        counts.add(step, False, f"exit {code}")


def build(counts, step, *arguments):
    return one(counts, step, ["make", "--no-print-directory", f"-j{os.cpu_count()}", *arguments, "everything"])


def lab(counts):
    if platform.machine() != "x86_64":
        counts.add("lab", None, f"the emulated machine is made for x86_64, this is {platform.machine()}")
        return
    one(counts, "lab", ["make", "--no-print-directory", "lab"])


def failed_in(report):
    """What pytest takes to run the failed tests of a report once more."""
    return [f"{case.get('classname').replace('.', '/')}.py::{case.get('name')}" for case in xml.parse(report).getroot().iter("testcase")
            if case.find("failure") is not None or case.find("error") is not None]


def other_e2e(counts, folder):
    """An emulator is slower than some tests have patience for: what fails beside others is run once more, alone, and told."""
    report = RESULTS / "e2e.xml"
    pytest(Counts(), folder, "e2e", "tests/e2e")
    if not report.exists():
        counts.add("e2e", False, "no report")
        return
    failed = failed_in(report)
    if not 0 < len(failed) <= AGAIN_MAX:
        counts.add_junit("e2e", report)
        return
    print(f"{len(failed)} failed, and are run again alone: {', '.join(failed)}", flush=True)
    tree = xml.parse(report)
    for suite in tree.getroot().iter("testsuite"):
        for case in [case for case in suite.iter("testcase") if case.find("failure") is not None or case.find("error") is not None]:
            suite.remove(case)
    tree.write(report)
    counts.add_junit("e2e", report)
    pytest(counts, folder, "e2e-again", "-n", "0", *failed)


def other_lab(counts, name):
    cases = os.environ.get("LAB_CASES", "").split() or OTHER_LAB
    code, text = run(counts, "lab", ["tests/lab/run.sh", *cases], LAB_ARCH=name, LAB_GUEST="/guest", BUILD=f"build/lab-{name}",
                     QRGATED=f"build/{name}/qrgated", QRGATECTL=f"build/{name}/qrgatectl", LAB_SLOWER="4", LAB_TIMEOUT_S="900")
    told = [line for line in text.splitlines() if line.startswith(("lab: ", "PASS ", "FAIL ", "    "))]
    print("\n".join(told), flush=True)
    for case in cases:
        passed = any(line.startswith(f"PASS {case} ") for line in told)
        counts.add(f"lab {case}", None if code == 77 else passed, text.strip().splitlines()[-1])


def other_processor(counts, step, name):
    """Built already, run by an emulator that the kernel starts; and the lab, in a machine with that processor."""
    if step("unit"):
        units(counts, f"build/{name}", "unit")
    if step("e2e"):
        other_e2e(counts, f"build/{name}")
    if step("lab"):
        other_lab(counts, name)


def main():
    wanted = set(filter(None, os.environ.get("QRG_STEPS", "").split(",")))
    counts = Counts()
    RESULTS.mkdir(parents=True, exist_ok=True)

    def step(name):
        return not wanted or name in wanted

    emulated = os.environ.get("QRG_PLATFORM")
    if emulated:
        other_processor(counts, step, emulated)
    elif build(counts, "build with gcc"):
        if step("lint"):
            one(counts, "include order", ["make", "--no-print-directory", "includes"])
            one(counts, "words of each language", ["make", "--no-print-directory", "words"])
            one(counts, "cppcheck", ["make", "--no-print-directory", "cppcheck"])
            one(counts, "unit file", ["make", "--no-print-directory", "unitfile"])
            build(counts, "build with clang", "CC=clang", "BUILD=build/clang")
        if step("unit"):
            units(counts, "build", "unit")
        if step("e2e"):
            pytest(counts, "build", "e2e", "tests/e2e")
            one(counts, "demo", ["/usr/bin/python3", "tests/demo.py", "--build", "build"])
            one(counts, "broker example", ["/usr/bin/python3", "tests/broker_example.py", "--build", "build"])
        if step("asan") and build(counts, "build with address and undefined sanitizers", "SANITIZER=address,undefined"):
            units(counts, "build/address-undefined", "unit-asan")
            pytest(counts, "build/address-undefined", "e2e-asan", "-m", "not long and not unsanitized", "tests/e2e")
        if step("tsan") and build(counts, "build with the thread sanitizer", "SANITIZER=thread"):
            units(counts, "build/thread", "unit-tsan", {"test_journal", "test_outbox"})
            pytest(counts, "build/thread", "e2e-tsan", "tests/e2e/test_gate.py", "-k", "citizen or button or broker or stuck")
        if step("fuzz"):
            one(counts, "fuzz", ["make", "--no-print-directory", "fuzz", "FUZZ_SECONDS=20"])
        if step("lab"):
            lab(counts)
    for fault in counts.faults:
        print(fault)
    if CI and counts.skipped and not emulated:
        print(f"CI=true: {counts.skipped} skipped count as failed")
        counts.failed, counts.skipped = counts.failed + counts.skipped, 0
    print(f"{counts.passed} passed, {counts.failed} failed" + (f", {counts.skipped} skipped" if counts.skipped else ""))
    return 1 if counts.failed or not counts.passed else 0


if __name__ == "__main__":
    sys.exit(main())
