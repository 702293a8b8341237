"""The soak in small: two lanes, each kind of fault; and its judge sees what is wrong."""
import re
import subprocess
import sys

import gate
import pytest

sys.path.insert(0, str(gate.ROOT / "tests" / "bench"))
import soak  # noqa: E402


@pytest.mark.unsanitized  # memory is measured
def test_two_lanes_with_each_fault(build):
    done = subprocess.run(["/usr/bin/python3", gate.ROOT / "tests/bench/soak.py", "--build", build, "--lanes", "2", "--passages", "150",
                           "--fault-s", "2"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing lost, nothing doubled" in done.stdout
    assert int(re.search(r"(\d+) faults; ", done.stdout)[1]) >= 4


class OneLane:
    topic = "qrgate/demo/lane1"

    def __init__(self, kinds, pulses, first=1):
        self.kinds, self.pulses, self.first = kinds, pulses, first

    def rows(self):
        return [(seq, f"id{seq}", kind) for seq, kind in enumerate(self.kinds, self.first)]

    def edges_us(self):
        return [(on, us) for pulse in range(self.pulses) for on, us in ((True, pulse * 1000), (False, pulse * 1000 + 100))]

    def ctl(self, *_, check):
        return subprocess.CompletedProcess([], 0, "", "")


def heard(*seqs, lane="lane1"):
    return [(f"qrgate/demo/{lane}/passage", {"event_id": f"id{seq}", "seq": seq}) for seq in seqs]


DAY = ["start", "granted", "granted", "not_used", "interrupted", "stop"]  # the last row is sent by nobody


def test_its_judge():
    assert soak.judge([OneLane(DAY, 1)], heard(1, 2, 3, 3, 4, 5)) == []  # a repeat is allowed, its id is the same
    assert soak.judge([OneLane(DAY, 0)], heard(1, 2, 3, 4, 5)) == []  # the interrupted one was still waiting
    for lane, told in ((OneLane(DAY, 2), heard(1, 2, 3, 4, 5)), (OneLane(DAY, 1), heard(1, 2, 4, 5)),
                       (OneLane(DAY, 1, first=2), heard(2, 3, 4, 5, 6)), (OneLane(DAY, 1), heard(1, 2, 3, 4, 5, 9)),
                       (OneLane(DAY, 1), heard(1, 2, 3, 4, 5, lane="lane2"))):
        assert soak.judge([lane], told), told
    assert soak.widths_us(OneLane(["granted", "granted"], 2)) == [100, 100]
    assert soak.widths_us(OneLane(DAY, 2)) == [100]  # the last one was cut by the stop
