"""The load tool in small: ten lanes for five seconds lose and double nothing; and its judge sees it when they do."""
import json
import pathlib
import subprocess
import sys

import gate
import pytest

sys.path.insert(0, str(gate.ROOT / "tests" / "bench"))
import load  # noqa: E402


@pytest.mark.unsanitized
def test_ten_lanes_lose_and_double_nothing(build, tmp_path):
    done = subprocess.run(["/usr/bin/python3", gate.ROOT / "tests/bench/load.py", "--build", build, "--lanes", "10", "--seconds", "5",
                           "--every-ms", "500", "--folder", tmp_path], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = dict(line.split("\t")[:2] for line in (build / "bench" / "load.tsv").read_text().splitlines())
    assert rows["lanes"] == "10" and rows["passages"] == "100" and float(rows["latency_p50"]) > 0
    assert list(tmp_path.iterdir()) == []


class OneLane:
    topic = "qrgate/site1/lane1"


def judge(*seqs, lane="site1/lane1"):
    events = [(f"qrgate/{lane}/passage", json.dumps({"seq": seq, "kind": "granted", "monotonic_us": 1000}), 3000) for seq in seqs]
    return load.judge([OneLane], events, 3)


def test_its_judge():
    assert judge(1, 2, 3) == ([], [2.0, 2.0, 2.0])
    for wrong in ((1, 2), (1, 2, 4), (1, 2, 2, 3), (2, 1, 3), (1, 2, 3, 4), ()):
        assert judge(*wrong)[0], wrong
    assert judge(1, 2, 3, lane="site1/lane2")[0]
