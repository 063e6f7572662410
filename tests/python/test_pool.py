"""Pools: buffers as memory that one writes, hands on and lets go of."""

import gc
import pickle
import selectors
import threading

import numpy
import pytest
import sapbuf
from conftest import LIMIT_S, wait_until

OTHER = """
    import sys, numpy, sapbuf
    segment = sapbuf.Segment.open(sys.argv[1])
    user = sapbuf.PoolUser(sapbuf.Pool.open(segment, "frames"))
    buffer = user.adopt(sapbuf.BufferReference(bytes.fromhex(sys.argv[2])))
    print(int(numpy.frombuffer(buffer, dtype="int64").sum()), flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def pool(segment):
    return sapbuf.Pool.create(segment, "frames", buffer_bytes=8000, count=4)


@pytest.fixture
def user(pool):
    with sapbuf.PoolUser(pool, name="user") as user:
        yield user


def test_a_buffer_is_an_array_in_place(user):
    buffer = user.acquire()
    array = numpy.frombuffer(buffer, dtype="int64")
    assert len(buffer) == 8000 and array.flags.writeable
    array[:] = 7
    assert bytes(buffer)[:8] == (7).to_bytes(8, "little")
    with pytest.raises(sapbuf.StillExported):
        buffer.release()
    del array
    buffer.release()
    buffer.release()
    with pytest.raises(sapbuf.Released):
        memoryview(buffer)


def test_what_is_dropped_is_free_again_once_nothing_looks_at_it(user):
    views = [memoryview(user.acquire()) for _ in range(4)]
    with pytest.raises(sapbuf.Exhausted):
        user.acquire()
    with pytest.raises(sapbuf.Timeout):
        user.acquire(timeout=0.1)
    views.pop()
    with user.acquire() as buffer:
        array = numpy.frombuffer(buffer, dtype="uint8")
    assert buffer.is_released
    array[:] = 1  # kept by the array
    with pytest.raises(sapbuf.Exhausted):
        user.acquire()
    del array
    user.acquire()


def test_who_waits_for_a_buffer_gets_one(user):
    kept = [user.acquire() for _ in range(4)]
    for let_go in (lambda: kept[0].release(), lambda: kept.pop()):
        timer = threading.Timer(0.1, let_go)
        timer.start()
        assert len(user.acquire(timeout=LIMIT_S)) == 8000
        timer.join()


def test_buffers_are_shared_in_one_thread_while_their_user_waits_in_another_one(segment, user):
    kept = [user.acquire() for _ in range(4)]
    got = []
    thread = threading.Thread(target=lambda: got.append(user.acquire(timeout=LIMIT_S)))
    thread.start()

    def is_busy():
        try:
            user.acquire()
        except sapbuf.Busy:
            return True
        except sapbuf.Exhausted:
            return False

    wait_until(is_busy)
    references = [buffer.share() for buffer in kept]
    with sapbuf.PoolUser(sapbuf.Pool.open(segment, "frames")) as other:
        assert all(len(other.adopt(reference)) == 8000 for reference in references)
    assert not got and thread.is_alive()
    for buffer in kept:
        buffer.release()
    thread.join(timeout=LIMIT_S)
    assert len(got[0]) == 8000


def test_a_buffer_goes_to_another_process_by_reference(segment, user, script):
    buffer = user.acquire()
    numpy.frombuffer(buffer, dtype="int64")[:] = 3
    reference = buffer.share()
    assert pickle.loads(pickle.dumps(reference)) == reference == sapbuf.BufferReference(bytes(reference))
    assert hash(reference) == hash(buffer.share())
    other = script(OTHER, segment.name, bytes(reference).hex())
    assert other.line() == "3000"
    other.kill()
    buffer.release()
    with sapbuf.PoolUser(sapbuf.Pool.open(segment, "frames")) as scanning:
        [scanning.acquire(timeout=LIMIT_S) for _ in range(4)]
    with pytest.raises(sapbuf.Stale):
        user.adopt(reference)
    with pytest.raises(sapbuf.InvalidArgument):
        sapbuf.BufferReference(b"short")


def test_buffers_travel_with_messages(segment, user, writer, reader):
    buffers = [user.acquire(), user.acquire()]
    for number, buffer in enumerate(buffers):
        memoryview(buffer)[:1] = bytes([number])
    writer.write(b"two", attach=buffers)
    assert all(buffer.is_released for buffer in buffers)
    with writer.reserve(4) as room:
        room[:] = b"none"
    reservation = writer.reserve(3)
    with reservation as room:
        room[:] = b"one"
        buffer = user.acquire()
        memoryview(buffer)[:1] = b"x"
        reservation.attach(buffer)
    frames = list(reader.pin())
    assert [len(frame.attachments) for frame in frames] == [2, 0, 1]
    adopted = [user.adopt(reference) for frame in frames for reference in frame.attachments]
    assert [bytes(buffer)[:1] for buffer in adopted] == [b"\0", b"\1", b"x"]


def test_a_buffer_that_is_looked_at_or_elsewhere_does_not_travel(name, user, writer, reader):
    buffer = user.acquire()
    view = memoryview(buffer)
    with pytest.raises(sapbuf.StillExported):
        writer.write(b"", attach=(buffer,))
    view.release()
    with sapbuf.Segment.create(name + "-other") as other:
        with sapbuf.Writer(other) as elsewhere, pytest.raises(sapbuf.OtherSegment):
            elsewhere.write(b"", attach=(buffer,))
    sapbuf.Segment.remove(name + "-other")
    assert not buffer.is_released
    with pytest.raises(TypeError, match="Buffer"):
        writer.write(b"", attach=[buffer, b"none"])
    writer.write(b"", attach=(buffer,))
    with pytest.raises(sapbuf.Released):
        writer.write(b"", attach=(buffer,))


def test_a_pool_for_all_sizes(segment):
    pool = sapbuf.Pool.create(segment, "heap", min_bytes=16, max_bytes=1 << 16, count=1 << 14, alignment=16)
    with sapbuf.PoolUser(pool) as user:
        assert 300 <= len(user.acquire(300)) < 400
        with pytest.raises(sapbuf.TooLarge):
            user.acquire(1 << 20)


def test_a_pool_has_options_and_grows(segment):
    pool = sapbuf.Pool.open_or_create(segment, "frames", buffer_bytes=4096, count=8, max_count=64, grow="nobody")
    assert pool.created and pool.options()["max_count"] == 64 and pool.count == 8
    pool.grow_to(16)
    assert 16 <= pool.count <= 64
    assert pickle.loads(pickle.dumps(pool)).count == pool.count
    with sapbuf.PoolUser(pool, budget=1) as user:
        kept = user.acquire()
        with pytest.raises(sapbuf.OverBudget):
            user.acquire()
        del kept
    assert pool.trim() >= 0
    assert sapbuf.Pool.remove(segment, "frames")


def test_a_buffer_outlives_its_user_and_its_segment(name):
    segment = sapbuf.Segment.create(name)
    user = sapbuf.PoolUser(sapbuf.Pool.create(segment, "frames"))
    view = memoryview(user.acquire())
    user.close()
    segment.close()
    sapbuf.Segment.remove(name)
    del user, segment
    gc.collect()
    view[:4] = b"kept"
    assert bytes(view[:4]) == b"kept"


def test_a_descriptor_tells_of_a_buffer(pool, user):
    other = sapbuf.PoolUser(pool)
    with selectors.DefaultSelector() as selector:
        selector.register(user, selectors.EVENT_READ)
        taken = [other.acquire() for _ in range(4)]
        with pytest.raises(sapbuf.Exhausted):
            user.acquire()
        assert not selector.select(0)
        taken.pop().release()
        assert selector.select(LIMIT_S)
        user.acquire()
