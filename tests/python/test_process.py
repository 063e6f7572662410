"""Other processes: kills, Ctrl-C, fork and spawn, and the end of the interpreter in any state."""

import multiprocessing
import os
import signal
import time

import numpy
import pytest
import sapbuf
from conftest import LIMIT_S, wait_until

WRITER = """
    import sys, sapbuf
    writer = sapbuf.Writer(sapbuf.Segment.open(sys.argv[1]), name="killed")
    for number in range(100):
        writer.write(number.to_bytes(4, "little"))
    room = writer.reserve(1000)
    view = memoryview(room)
    view[:4] = b"half"
    print("ready", flush=True)
    while True:
        pass
"""

READER = """
    import sys, sapbuf
    reader = sapbuf.Reader(sapbuf.Segment.open(sys.argv[1]), name="killed")
    view = memoryview(reader.read())
    print("ready", flush=True)
    reader.pin()
    while True:
        pass
"""


def test_what_a_killed_writer_committed_is_read_and_what_it_began_is_not(segment, reader, script):
    killed = script(WRITER, segment.name)
    assert killed.line() == "ready"
    killed.kill()
    got = []
    while len(got) < 100:
        got += reader.read_many(timeout=LIMIT_S)
    assert got == [number.to_bytes(4, "little") for number in range(100)]
    with sapbuf.Writer(segment) as writer:
        writer.write(b"after")
    assert reader.read_many(timeout=LIMIT_S) == [b"after"]


def test_a_killed_reader_keeps_nothing(name, script):
    with sapbuf.Segment.create(name, slabs=2, slab_bytes=1 << 16) as segment, sapbuf.Writer(segment) as writer:
        writer.write(b"looked at")
        killed = script(READER, name)
        assert killed.line() == "ready"
        killed.kill()
        with sapbuf.Reader(segment, start="newest"):
            pass
        for _ in range(100):
            writer.write(bytes(8000))


WAITS = {
    "read": "reader.read()",
    "wait": "reader.wait()",
    "loop": "list(reader)",
    "write": "while True: writer.write(bytes(8000))",
    "write with a timeout": "sapbuf.Writer(segment, timeout=1000).write_many([bytes(8000)] * 100)",
    "acquire": "sapbuf.PoolUser(sapbuf.Pool.create(segment, 'p', count=1)).acquire_two()",
}
WAITING = """
    import sys, time, sapbuf
    def acquire_two(self):
        kept = self.acquire()
        return self.acquire(timeout=None)
    sapbuf.PoolUser.acquire_two = acquire_two
    segment = sapbuf.Segment.create(sys.argv[1], slabs=2, slab_bytes=1 << 16)
    reader = sapbuf.Reader(segment)
    writer = sapbuf.Writer(segment)
    try:
        print("ready", flush=True)
        {wait}
    except KeyboardInterrupt:
        print("interrupted", time.monotonic(), flush=True)
"""


@pytest.mark.parametrize("wait", WAITS)
def test_ctrl_c_ends_a_wait(name, script, wait):
    waiting = script(WAITING.replace("{wait}", WAITS[wait]), name)
    assert waiting.line() == "ready"
    time.sleep(0.2)
    begun = time.monotonic()
    waiting.signal(signal.SIGINT)
    word, at = waiting.line().split()
    assert word == "interrupted"
    assert float(at) - begun < LIMIT_S / 2
    assert waiting.end()[0] == 0


WITHOUT_THREADS = """
    import os, resource, signal, sys, sapbuf
    if os.geteuid() == 0:  # for whom the limit does not hold
        try:
            os.setuid(65534)
        except OSError:
            sys.exit(77)
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    with sapbuf.Segment.create(sys.argv[1], slabs=2, slab_bytes=1 << 16) as segment:
        with sapbuf.Reader(segment), sapbuf.Writer(segment) as writer:
            try:
                while True:
                    writer.write(bytes(8000))
            except sapbuf.ResourceExhausted as error:
                print("thread" in str(error), sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])))
"""


def test_a_wait_that_cannot_have_its_alarm_blocks_no_signals(name, script):
    status, output, errors = script(WITHOUT_THREADS, name).end()
    if status == 77:
        pytest.skip("no other user than root here, for whom there is no limit on threads")
    assert (status, output) == (0, "True []\n"), errors


def fork(act):
    """Runs `act` in a child made by fork: what it returned, or the name of the exception that it raised."""
    ends, begins = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            said = str(act())
        except BaseException as error:
            said = type(error).__name__
        os.write(begins, said.encode())
        os._exit(0)
    os.close(begins)
    with os.fdopen(ends) as pipe:
        said = pipe.read()
    assert os.waitpid(child, 0)[1] == 0
    return said


def test_a_forked_child_is_told_that_handles_are_its_parents(segment, writer, reader):
    writer.write_many([b"one", b"two"])
    frame = reader.read()
    view = memoryview(frame)
    reservation = writer.reserve(8)
    room = memoryview(reservation)
    pool = sapbuf.Pool.create(segment, "pool", count=4, max_count=8)
    map = sapbuf.Map.create(segment, "map")
    for use in (
        lambda: segment.facilities(),
        lambda: pool.count,
        lambda: pool.grow_to(8),
        lambda: len(map),
        lambda: sapbuf.Writer(segment),
        lambda: writer.write(b"x"),
        lambda: reader.read(0),
        lambda: reader.wait(0),
        lambda: bytes(frame),
        lambda: memoryview(reservation),
        lambda: reservation.abort(),
    ):
        assert fork(use) == "Forked"
    assert fork(lambda: bytes(view)) == str(bytes(3))
    assert fork(lambda: room.__setitem__(0, 1)) == "None"
    assert bytes(view) == b"one" and bytes(room[:1]) != b"\x01"
    room.release()
    reservation.abort()
    view.release()
    assert reader.read_many() == [b"two"]


def test_a_forked_child_opens_the_segment_again(segment, reader):
    def write():
        with sapbuf.Writer(sapbuf.Segment.open(segment.name)) as writer:
            writer.write(b"from the child")

    assert fork(write) == "None"
    assert reader.read_many(timeout=LIMIT_S) == [b"from the child"]


def test_a_fork_in_the_middle_of_a_wait_leaves_parent_and_child_able_to_wait(segment, reader):
    import threading

    thread = threading.Thread(target=reader.wait)
    thread.start()

    def wait():
        again = sapbuf.Segment.open(segment.name)
        with sapbuf.Reader(again) as own, sapbuf.Writer(again) as writer:
            assert not own.wait(0.1)
            writer.write(b"x")
            return own.wait(LIMIT_S)

    assert fork(wait) == "True"
    assert fork(lambda: reader.read(0)) == "Forked"
    thread.join(timeout=LIMIT_S)
    assert not thread.is_alive()


def test_a_signal_ends_a_wait_for_room_in_a_forked_child_too(name):
    with sapbuf.Segment.create(name, slabs=2, slab_bytes=1 << 16) as segment, sapbuf.Reader(segment):

        def fill(timeout):
            with sapbuf.Writer(sapbuf.Segment.open(name), timeout=timeout) as writer:
                while True:
                    writer.write(bytes(8000))

        def interrupt(*_):
            raise KeyboardInterrupt

        def fill_until_interrupted():
            signal.signal(signal.SIGALRM, interrupt)
            signal.setitimer(signal.ITIMER_REAL, 0.3)
            fill(None)

        with pytest.raises(sapbuf.Timeout):
            fill(0.2)
        assert fork(fill_until_interrupted) == "KeyboardInterrupt"


def write_from(segment, text):
    with sapbuf.Writer(segment) as writer:
        writer.write(text)


def complain_about(segment, answers):
    try:
        sapbuf.Writer(segment)
    except sapbuf.Forked as error:
        answers.send(str(error))


def test_a_spawned_process_gets_its_segment_by_name(segment, reader):
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=write_from, args=(segment, b"spawned"))
    process.start()
    process.join(timeout=LIMIT_S)
    assert process.exitcode == 0
    assert reader.read_many(timeout=LIMIT_S) == [b"spawned"]


def test_a_process_that_multiprocessing_forks_is_told_what_to_do(segment):
    context = multiprocessing.get_context("fork")
    answers, sends = context.Pipe(duplex=False)
    process = context.Process(target=complain_about, args=(segment, sends))
    process.start()
    assert answers.poll(LIMIT_S)
    assert "open" in answers.recv()
    process.join(timeout=LIMIT_S)
    assert process.exitcode == 0


ENDINGS = {
    "all handles open": "",
    "a view is kept": "view = memoryview(reader.read())",
    "a view is kept by a module": "sys.kept = memoryview(reader.read())",
    "an array is kept": "import numpy; array = numpy.frombuffer(reader.read(), dtype='uint8')",
    "a reservation is open": "room = writer.reserve(8); view = memoryview(room)",
    "in the middle of a reservation": "room = writer.reserve(8).__enter__()",
    "a cycle": "cycle = [reader, reader.read()]; cycle.append(cycle)",
    "a daemon waits": "threading.Thread(target=other.wait, daemon=True).start(); time.sleep(0.1)",
    "daemons wait by turns": """
    def wait_often():
        own = sapbuf.Reader(segment, start="newest")
        while True: own.wait(0.0001)
    for _ in range(4): threading.Thread(target=wait_often, daemon=True).start()
    time.sleep(0.1)""",
    "a daemon waits for room": "threading.Thread(target=fill, daemon=True).start(); time.sleep(0.2)",
    "exit in a loop over the reader": "for frame in reader: sys.exit()",
    "the segment is gone": "sapbuf.Segment.remove(sys.argv[1])",
    "handles go in another order": "del segment; view = memoryview(reader.read()); del writer; reader.close()",
}
ENDING = """
    import sys, threading, time, sapbuf
    segment = sapbuf.Segment.open(sys.argv[1])
    writer = sapbuf.Writer(segment)
    reader = sapbuf.Reader(segment)
    other = sapbuf.Reader(segment, start="newest")
    def fill():
        filler = sapbuf.Writer(segment)
        while True:
            filler.write(bytes(8000))
    writer.write(b"one")
    {ending}
    print("done", flush=True)
"""


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_interpreter_ends_well(segment, script, ending):
    ended = script(ENDING.replace("{ending}", ENDINGS[ending]), segment.name)
    status, output, errors = ended.end()
    assert (status, errors) == (0, "")
    assert output == "done\n" or "sys.exit" in ENDINGS[ending]
