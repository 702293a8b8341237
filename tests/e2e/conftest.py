"""Fixtures: a throw-away folder with a broker, a subscriber and a lane; all ended afterwards by their process ids."""
import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import gate  # noqa: E402

os.environ["LC_ALL"] = "C.UTF-8"  # what programs say is held against English texts


def pytest_configure(config):
    config.addinivalue_line("markers", "long: minutes; not run under sanitizers or an emulator")
    config.addinivalue_line("markers", "unsanitized: measures what a sanitizer changes")
    config.addinivalue_line("markers", "native(reason): can't be shown where an emulator runs the programs (check-arm64)")


def pytest_collection_modifyitems(items):
    """What an emulator can't show is left out by name and reason, and counted."""
    for item in items if os.environ.get("QRG_PLATFORM") else []:
        native = item.get_closest_marker("native")
        if native or item.get_closest_marker("long"):
            why = native.args[0] if native else "it takes minutes where nothing is emulated"
            item.add_marker(pytest.mark.skip(reason=f"not by an emulator: {why}"))


@pytest.fixture
def build():
    return gate.ROOT / os.environ.get("QRG_BUILD", "build")


@pytest.fixture
def broker(tmp_path):
    broker = gate.Broker(tmp_path)
    yield broker
    broker.stop()


@pytest.fixture
def subscriber(broker):
    subscriber = gate.Subscriber(broker.port)
    yield subscriber
    subscriber.stop()


@pytest.fixture
def make_lane(tmp_path, build, broker):
    lanes = []

    def make(**settings):
        lanes.append(gate.Lane(tmp_path / "lane", build, settings.pop("port", broker.port), **settings))
        return lanes[-1]
    yield make
    for lane in lanes:
        lane.stop()
