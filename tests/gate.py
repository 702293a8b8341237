"""What the demo, the end-to-end tests and the bench share: a broker, a subscriber, a lane with its folder of pictures, and
codes drawn as pictures. Everything is in a throw-away folder, on loopback, and ended by its own process id."""
import fcntl
import json
import os
import pathlib
import queue
import shlex
import signal
import socket
import struct
import subprocess
import tempfile
import termios
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
WIDTH, HEIGHT = 640, 480


def compiler():
    """Of what a test loads into the programs: the one they were built with, where that is told."""
    return shlex.split(os.environ.get("CC", "cc"))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(condition, seconds, what):
    """Polls a condition that has no event of its own; the time is a bound, not a wait."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise TimeoutError(f"not within {seconds} s: {what}")


def end(process, how=signal.SIGTERM, seconds=15):
    if process is not None and process.poll() is None:
        process.send_signal(how)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
    return process.returncode if process else None


class Lines(threading.Thread):
    """Reads a pipe line by line, with the time of arrival; keeps all and hands new ones on."""

    def __init__(self, pipe, tee=None):
        super().__init__(daemon=True)
        self.pipe, self.tee, self.all, self.fresh = pipe, tee, [], queue.Queue()
        self.start()

    def run(self):
        for raw in self.pipe:
            line = raw.decode("utf-8", "replace").rstrip("\n")
            self.all.append(line)
            self.fresh.put(line)
            if self.tee:
                self.tee.write(line + "\n")
                self.tee.flush()


class Broker:
    def __init__(self, folder, port=None):
        self.folder, self.port, self.process = pathlib.Path(folder), port or free_port(), None
        self.start()

    def start(self):
        conf = self.folder / "mosquitto.conf"
        # The subscriber's session lives in the broker's memory; it is saved so that a restart keeps what is queued for it.
        conf.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence true\n"
                        f"persistence_location {self.folder}/\nmax_queued_messages 100000\nuser root\n")
        self.process = subprocess.Popen(["mosquitto", "-c", conf], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(self.answers, 10, "mosquitto listens")

    def answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False

    def stop(self):
        end(self.process)


class Subscriber:
    """A real MQTT client (mosquitto_sub) with a session that outlives broker restarts; one JSON object per message."""

    def __init__(self, port, topic="qrgate/#"):
        self.command = ["stdbuf", "-oL", "mosquitto_sub", "-h", "127.0.0.1", "-p", str(port), "-t", topic, "-q", "1", "-c",
                        "-V", "mqttv5", "-x", "3600", "-i", f"watcher{os.getpid()}", "-F", r"%t\t%p"]
        self.messages, self.condition = [], threading.Condition()
        self.stopping = False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.stopping:
            self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            for raw in self.process.stdout:
                topic, _, payload = raw.decode("utf-8", "replace").rstrip("\n").partition("\t")
                try:
                    body = json.loads(payload)
                except ValueError:
                    body = payload
                with self.condition:
                    self.messages.append((topic, body))
                    self.condition.notify_all()
            self.process.wait()
            time.sleep(0.1)  # it ends when the broker does; asked again at a polite pace

    def events(self):
        with self.condition:
            return [body for topic, body in self.messages
                    if topic.endswith(("/passage", "/alarm")) and isinstance(body, dict)]

    def wait(self, predicate, seconds=20, what="a message"):
        """The first event that fulfils the predicate."""
        until = time.monotonic() + seconds
        with self.condition:
            while True:
                for topic, body in self.messages:
                    if isinstance(body, dict) and topic.endswith(("/passage", "/alarm")) and predicate(body):
                        return body
                left = until - time.monotonic()
                if left <= 0:
                    raise TimeoutError(f"not within {seconds} s: {what}; got {self.messages[-5:]}")
                self.condition.wait(left)

    def last(self, ending):
        with self.condition:
            for topic, body in reversed(self.messages):
                if topic.endswith(ending):
                    return body
        return None

    def stop(self):
        self.stopping = True
        end(self.process)


def matrix(payload):
    """Modules of a QR code, made by qrencode: True is dark."""
    data = payload if isinstance(payload, bytes) else payload.encode()
    out = subprocess.run(["qrencode", "-8", "-m", "4", "-l", "L", "-t", "ASCIIi", "-r", "/dev/stdin", "-o", "-"], input=data,
                         stdout=subprocess.PIPE, check=True).stdout.decode().splitlines()
    # ASCIIi is for dark terminals: "##" is light there.
    return [[row[i] != "#" for i in range(0, len(row), 2)] for row in out if row]


def picture(payload, width=WIDTH, height=HEIGHT, scale=None):
    """A gray PGM frame with the code in its middle; payload None is an empty view."""
    rows = [bytearray([120] * width) for _ in range(height)]
    if payload is not None:
        modules = matrix(payload)
        scale = scale or max(1, min(width, height) * 9 // 10 // len(modules))
        left, top = (width - scale * len(modules)) // 2, (height - scale * len(modules)) // 2
        for y, line in enumerate(modules):
            strip = bytearray()
            for dark in line:
                strip += bytes([20 if dark else 230]) * scale
            for k in range(scale):
                rows[top + y * scale + k][left:left + len(strip)] = strip
    return b"P5\n%d %d\n255\n" % (width, height) + b"".join(rows)


class Lane:
    """A folder with configuration, keys, pictures and journal; the daemon and the admin's tool that work on it."""

    def __init__(self, folder, build, port, extra="", hold_ms=400, gap_ms=400, leave_ms=250, loop=False, mqtt="", lane="lane1", clock="always",
                 size=(WIDTH, HEIGHT), rate_fps=30):
        self.folder, self.build = pathlib.Path(folder), pathlib.Path(build).resolve()
        self.pictures, self.trust = self.folder / "pictures", self.folder / "trust"
        self.pictures.mkdir(parents=True, exist_ok=True)
        self.trust.mkdir(exist_ok=True)
        self.panel_input, self.config = self.folder / "panel", self.folder / "qrgate.conf"
        self.journal = self.folder / "journal.db"
        self.size, self.process, self.panel, self.count = size, None, None, 0
        self.panel_lines = []
        self.config.write_text(f'''site = "demo"; lane = "{lane}";
camera = {{ driver = "replay"; width_px = {size[0]}; height_px = {size[1]}; rate_fps = {rate_fps}; leave_ms = {max(leave_ms, 300)};
  replay = {{ folder = "{self.pictures}"; hold_ms = {hold_ms}; gap_ms = {gap_ms}; loop = {"true" if loop else "false"}; }}; }};
lines = {{ driver = "sim"; panel_input = "{self.panel_input}"; }};
journal = {{ path = "{self.journal}"; site_key_file = "{self.folder}/site.key"; }};
trust = {{ folder = "{self.trust}"; }};
clock = {{ trust = "{clock}"; }};
mqtt = {{ host = "127.0.0.1"; port = {port}; {mqtt} }};
{extra}
''')
        key = self.folder / "site.key"
        if not key.exists():
            key.touch(0o600)
            key.write_text(os.urandom(32).hex() + "\n")

    def ctl(self, *arguments, check=True, **more):
        return subprocess.run([self.build / "qrgatectl", "--config", self.config, *map(str, arguments)], check=check,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)

    def declare(self, subject, status, *more):
        self.ctl("declare", "--subject", subject, "--status", status, *more)

    def issuer(self, name="issuer", trusted=True):
        """A key pair; returns a function that makes tokens with it."""
        secret, public = self.folder / f"{name}.secret", (self.trust if trusted else self.folder) / f"{name}.pub"
        self.ctl("key", "new", "--kid", name, "--out", secret, "--public", public, "--issuer", "demo")

        def token(subject, status, valid="72h"):
            return self.ctl("token", "issue", "--key", secret, "--subject", subject, "--status", status, "--valid",
                            valid).stdout.strip()
        return token

    def add(self, payload, name="code"):
        """A picture that the camera will see next; it appears by rename, whole."""
        self.count += 1
        data = payload if isinstance(payload, bytes) and payload[:2] == b"P5" else picture(payload, *self.size)
        hidden, path = self.pictures / f".{self.count}", self.pictures / f"{self.count:06d}-{name}.pgm"
        hidden.write_bytes(data)
        hidden.rename(path)
        return path

    def start(self, wait=True, environment=None):
        log = open(self.folder / "qrgated.log", "a")
        ready = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        address = self.folder / "notify"
        address.unlink(missing_ok=True)
        ready.bind(str(address))
        self.process = subprocess.Popen([self.build / "qrgated", "--config", self.config], stdout=subprocess.PIPE, stderr=log,
                                        env={**os.environ, "NOTIFY_SOCKET": str(address), **(environment or {})})
        self.panel = Lines(self.process.stdout)
        self.panel_lines.append(self.panel.all)
        if wait:
            ready.settimeout(20)
            wait_for(lambda: b"READY=1" in ready.recv(4096), 20, "READY=1")
        ready.close()
        log.close()
        return self

    def panel_say(self, text):
        """One line to the simulated panel: "activate rotation", "release rotation", … Comes back when the daemon has read it, so
        that on a busy machine two lines aren't read, and timed, as one."""
        with open(self.panel_input, "w") as panel:
            panel.write(text + "\n")
            panel.flush()
            wait_for(lambda: not struct.unpack("i", fcntl.ioctl(panel, termios.FIONREAD, b"\0" * 4))[0], 20, "the panel was read")

    def start_with(self, *inputs, **more):
        """As start(), with these inputs active before the daemon looks for the first time."""
        self.panel_input.exists() or os.mkfifo(self.panel_input, 0o600)
        fifo = os.open(self.panel_input, os.O_RDWR)  # kept open: what is in a FIFO that nobody has open is lost
        try:
            os.write(fifo, "".join(f"initially {name}\n" for name in inputs).encode())
            return self.start(**more)
        finally:
            os.close(fifo)

    def turn(self, seconds=0.3):
        """Somebody goes through: the arm leaves its rest and comes back."""
        self.panel_say("activate rotation")
        time.sleep(seconds)  # a person's time, longer than the debouncing
        self.panel_say("release rotation")

    def press(self):
        for word in ("press", "release"):
            self.panel_say(f"{word} button")
            time.sleep(0.1)  # a finger's time, longer than the debouncing

    def displayed(self):
        """(kind, event_id) of everything the panel said, over all starts."""
        lines = [line.split() for part in self.panel_lines for line in part if " display " in line]
        return [(words[3], words[5]) for words in lines if len(words) == 6]

    def relay_on(self, relay="relay"):
        state = False
        for line in self.panel.all:
            if f" {relay} " in line:
                state = line.endswith(" on")
        return state

    def pulses(self):
        """How often the relay went on since the start: unlike relay_on(), a look that comes late still sees it."""
        return sum(" relay on" in line for line in self.panel.all)

    def eye_pid(self):
        out = subprocess.run(["pgrep", "-P", str(self.process.pid)], stdout=subprocess.PIPE, text=True).stdout.split()
        return int(out[0]) if out else None

    def log(self):
        return (self.folder / "qrgated.log").read_text()

    def stop(self, how=signal.SIGTERM):
        code = end(self.process, how)
        if self.panel:
            self.panel.join(5)
        return code


def throw_away_folder(prefix):
    return tempfile.TemporaryDirectory(prefix=prefix)
