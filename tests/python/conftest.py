"""What the tests share: a segment of their own, and processes that run a piece of Python."""

import itertools
import mmap
import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest
import sapbuf

LIMIT_S = 60  # of what is waited for: far more than it takes

_numbers = itertools.count()


@pytest.fixture
def name():
    """The name of a segment that is not there, and that goes with the test."""
    name = f"pytest-{os.getpid()}-{next(_numbers)}"
    yield name
    sapbuf.Segment.remove(name)


@pytest.fixture
def segment(name):
    with sapbuf.Segment.create(name) as segment:
        yield segment


@pytest.fixture
def writer(segment):
    with sapbuf.Writer(segment, name="writer") as writer:
        yield writer


@pytest.fixture
def reader(segment):
    with sapbuf.Reader(segment, name="reader") as reader:
        yield reader


class Script:
    """A process that runs `source`; its arguments are sys.argv[1:], its output is read line by line."""

    def __init__(self, source, *arguments):
        command = [sys.executable, "-c", textwrap.dedent(source), *map(str, arguments)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def line(self):
        return self.process.stdout.readline().rstrip("\n")

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        self.signal(signal.SIGKILL)
        self.end()

    def end(self):
        """Waits for its end: (exit status, output, errors)."""
        output, errors = self.process.communicate(timeout=LIMIT_S)
        return self.process.returncode, output, errors


@pytest.fixture
def script():
    """Starts scripts; what still runs at the end of the test is killed."""
    scripts = []

    def start(source, *arguments):
        scripts.append(Script(source, *arguments))
        return scripts[-1]

    yield start
    for begun in scripts:
        if begun.process.poll() is None:
            begun.kill()


def wait_until(condition):
    """Waits for a condition, which must come true."""
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def declare_dead(segment, name):
    """Others take the participant of that name for dead: its slot (layout/participant.hpp) says a life that nobody has."""
    with open("/dev/shm/sapbuf." + segment.name, "r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
        at = memory.find(name.encode().ljust(64, b"\0"))
        assert at > 0 and at % 64 == 0
        memory[at - 64 : at - 56] = (2**61 + 1).to_bytes(8, "little")
    sapbuf.Writer(segment).close()  # recovers, since it attaches
