"""Writing and reading: what a message is, how long one may look at it, and what ends a wait."""

import contextlib
import gc
import threading
import time

import numpy
import pytest
import sapbuf
from conftest import wait_until


def test_messages_arrive_with_their_types(writer, reader):
    writer.write(b"tick", type=7)
    writer.write(bytearray(b"tock"), type=65535)
    writer.write(memoryview(b"silence")[7:])
    writer.write(numpy.arange(3, dtype="int32"))
    got = [(frame.type, bytes(frame), len(frame)) for frame in reader.frames(0)]
    assert got[:3] == [(7, b"tick", 4), (65535, b"tock", 4), (0, b"", 0)]
    assert got[3] == (0, numpy.arange(3, dtype="int32").tobytes(), 12)


def test_what_makes_no_sense_is_refused(segment, writer, reader):
    with pytest.raises(TypeError, match="bytes-like"):
        writer.write("text")
    with pytest.raises(TypeError):
        writer.write(b"", type=65536)
    with pytest.raises(ValueError, match="contiguous"):
        writer.write(numpy.arange(8)[::2])
    with pytest.raises(sapbuf.TooLarge):
        writer.write(bytes(2 << 20))
    with pytest.raises(TypeError, match="Segment or a Stream"):
        sapbuf.Writer("ticks")
    with pytest.raises(sapbuf.InvalidArgument, match="oldest"):
        sapbuf.Reader(segment, start="middle")
    assert reader.read(0) is None


def test_a_reservation_is_written_in_place_and_committed_at_the_end(writer, reader):
    with writer.reserve(64, type=3) as room:
        assert len(room) == 64 and not room.readonly
        room[:4] = b"tick"
        assert reader.read(0) is None
    frame = reader.read(0)
    assert frame.type == 3 and bytes(frame)[:4] == b"tick" and len(frame) == 64
    with pytest.raises(ValueError):
        room[0]


def test_an_exception_aborts_a_reservation(writer, reader):
    with pytest.raises(KeyError):
        with writer.reserve(64):
            raise KeyError
    writer.write(b"after")
    assert reader.read_many() == [b"after"]


def test_a_reservation_may_be_ended_by_hand(writer, reader):
    with writer.reserve(64) as room:
        room[:2] = b"ab"
        room.release()
        with pytest.raises(sapbuf.AlreadyReserved):
            writer.write(b"other")
    reservation = writer.reserve(64)
    view = memoryview(reservation)
    view[:2] = b"cd"
    with pytest.raises(sapbuf.StillExported):
        reservation.commit(2)
    view.release()
    with pytest.raises(sapbuf.InvalidArgument):
        reservation.commit(65)
    reservation.commit(2)
    with pytest.raises(sapbuf.Released):
        reservation.commit()
    with pytest.raises(sapbuf.Released):
        memoryview(reservation)
    writer.reserve(64).abort()
    writer.reserve(64)  # dropped: aborted
    assert [message[:2] for message in reader.read_many()] == [b"ab", b"cd"]


def test_a_reservation_that_an_array_looks_at_does_not_end(writer, reader):
    with pytest.raises(sapbuf.StillExported):
        with writer.reserve(64) as room:
            array = numpy.frombuffer(room, dtype="uint8")
    with pytest.raises(sapbuf.AlreadyReserved):
        writer.write(b"other")
    array[:] = 1  # its room is still its own
    del array, room
    gc.collect()
    writer.write(b"other")
    assert reader.read_many() == [b"other"]


def test_a_writer_that_is_closed_lets_its_reservation_end(segment, reader):
    writer = sapbuf.Writer(segment)
    with writer.reserve(4) as room:
        writer.close()
        room[:] = b"last"
    assert reader.read_many() == [b"last"]
    with pytest.raises(sapbuf.Closed):
        writer.write(b"more")


def test_a_reservation_outlives_what_its_writer_was_called(segment, reader):
    reservation = sapbuf.Writer(segment).reserve(4)
    gc.collect()
    with reservation as room:
        room[:] = b"kept"
    assert reader.read_many() == [b"kept"]


def test_many_messages_in_one_call(writer, reader):
    messages = [bytes([number % 256]) * (number % 50) for number in range(5000)]
    assert writer.write_many(messages, type=9) == 5000
    assert writer.write_many([]) == 0
    assert reader.read_many(limit=10) == messages[:10]
    got = reader.read_many(types=True)
    while len(got) < 4990:
        got += reader.read_many(types=True)
    assert got == [(9, message) for message in messages[10:]]


def test_a_list_that_fits_a_slab_is_seen_whole(name, script):
    with sapbuf.Segment.create(name, slabs=2, slab_bytes=1 << 16) as segment, sapbuf.Writer(segment) as writer:
        reading = script(
            """
            import sys, sapbuf
            reader = sapbuf.Reader(sapbuf.Segment.open(sys.argv[1]))
            print("ready", flush=True)
            while True:
                print(len(reader.read_many()), flush=True)
            """,
            name,
        )
        assert reading.line() == "ready"
        for _ in range(20):
            assert writer.write_many([b"x" * 8] * 3000) == 3000
            assert reading.line() == "3000"


@pytest.mark.parametrize("order", ["per-writer", "total"])
def test_payloads_are_aligned_as_the_stream_says(name, order):
    with sapbuf.Segment.create(name, order=order, payload_alignment=64) as segment:
        assert segment.options()["payload_alignment"] == 64
        with sapbuf.Writer(segment, timeout=60) as writer, sapbuf.Reader(segment) as reader:
            assert writer.write_many([b"x" * (number % 90) for number in range(10000)]) == 10000
            for number in range(10000):
                frame = reader.read()
                assert len(frame) == number % 90
                assert numpy.frombuffer(frame, dtype="uint8").ctypes.data % 64 == 0
    with pytest.raises(sapbuf.InvalidArgument, match="8, 16, 32 or 64"):
        sapbuf.Segment.create(name, payload_alignment=7)


def test_frames_are_read_only_and_in_place(writer, reader):
    writer.write(numpy.arange(1000, dtype="float64"))
    frame = reader.read()
    array = numpy.frombuffer(frame, dtype="float64")
    assert array.sum() == 499500 and not array.flags.writeable and not array.flags.owndata
    with pytest.raises(TypeError):
        memoryview(frame)[0] = 1
    other = numpy.frombuffer(frame, dtype="float64")
    assert other.ctypes.data == array.ctypes.data


def test_a_frame_is_released_when_the_reader_goes_on(writer, reader):
    writer.write(b"first")
    frame = reader.read()
    assert not frame.is_released
    assert reader.read(0) is None
    assert frame.is_released
    for look in (bytes, memoryview, numpy.frombuffer):
        with pytest.raises(sapbuf.Released, match="bytes"):
            look(frame)


def test_frames_of_one_range_may_be_kept_together(writer, reader):
    writer.write_many([b"a", b"b", b"c"])
    with reader.pin() as frames:
        kept = list(frames)
        assert [bytes(frame) for frame in kept] == [b"a", b"b", b"c"]
    assert all(frame.is_released for frame in kept)
    with pytest.raises(sapbuf.Released):
        next(frames)
    assert reader.delivered == 3


def test_what_a_loop_does_not_reach_comes_again(writer, reader):
    writer.write_many([b"a", b"b", b"c", b"d"])
    for frame in reader:
        assert bytes(frame) == b"a"
        break
    assert bytes(next(reader)) == b"b"
    with reader.pin() as frames:
        assert bytes(next(frames)) == b"c"
    assert reader.read_many() == [b"d"]


def test_a_loop_may_bind_views_and_arrays(name):
    with sapbuf.Segment.create(name, slabs=2, slab_bytes=1 << 16) as segment:
        with sapbuf.Writer(segment, timeout=60) as writer, sapbuf.Reader(segment) as reader:
            total = 0
            for number in range(500):
                writer.write(numpy.full(100, number))
                view = memoryview(reader.read())[8:]
                array = numpy.frombuffer(view, dtype="int64")
                total += int(array.sum())
            assert total == 99 * sum(range(500))


@pytest.mark.parametrize("on_full", ["block", "drop", "overwrite"])
@pytest.mark.parametrize("order", ["per-writer", "total"])
def test_what_a_view_looks_at_stays_while_the_reader_goes_on(name, on_full, order):
    with sapbuf.Segment.create(name, slabs=3, slab_bytes=1 << 16, on_full=on_full, order=order) as segment:
        reader = sapbuf.Reader(segment)
        with sapbuf.Writer(segment, timeout=0.001) as writer:
            writer.write(b"kept" * 100)
            view = memoryview(reader.read())
            for number in range(100):
                if writes_in_thread(writer, bytes([number]) * 4000):
                    reader.read_many(timeout=0)
            assert bytes(view) == b"kept" * 100
            view.release()
            reader.read_many(timeout=0)
            for _ in range(200):
                writer.write(bytes(4000))
                reader.read_many(timeout=60)


@pytest.mark.parametrize("keeper", ["view", "range"])
@pytest.mark.parametrize("order", ["per-writer", "total"])
def test_what_a_view_looks_at_stays_where_an_older_slab_is_kept_too(name, keeper, order):
    large = 40_000  # one to a slab
    with sapbuf.Segment.create(name, slabs=4, slab_bytes=1 << 16, on_full="overwrite", order=order) as segment:
        writer, reader, other = sapbuf.Writer(segment), sapbuf.Reader(segment), sapbuf.Reader(segment)
        writer.write(b"old")
        if keeper == "view":
            old = memoryview(reader.read())
            writer.write(b"next")
            reader.read()
        else:
            old = other.pin()
        number = 0
        frame = reader.read(0)
        while frame is None or frame.position[0] < 8:
            number += 1
            writer.write(bytes([number]) * large)
            frame = reader.read()
        view = memoryview(frame)
        assert reader.read(0) is None
        with contextlib.suppress(sapbuf.Full):  # where all slabs are kept by now
            for _ in range(6):
                writer.write(bytes(large))
        assert bytes(view) == bytes([number]) * large
        view.release()
        del old, frame
        reader.close()


def writes_in_thread(writer, message):
    """Whether a thread that has pinned nothing gets the message written."""
    done = []

    def write():
        try:
            writer.write(message)
            done.append(True)
        except (sapbuf.Timeout, sapbuf.Full):
            pass

    thread = threading.Thread(target=write)
    thread.start()
    thread.join()
    return bool(done)


def test_each_range_that_is_kept_takes_a_participant(name):
    with sapbuf.Segment.create(name, participants=4) as segment, sapbuf.Writer(segment) as writer:
        reader = sapbuf.Reader(segment)
        kept = []
        with pytest.raises(sapbuf.StillExported, match="copy"):
            while True:
                writer.write(bytes([len(kept)]))
                kept.append(memoryview(reader.read()))
        last = len(kept)
        assert last >= 2
        assert [bytes(view) for view in kept] == [bytes([number]) for number in range(last)]
        kept.clear()
        assert reader.read_many() == [bytes([last])]


def test_a_view_keeps_the_memory_when_all_handles_are_gone(name):
    segment = sapbuf.Segment.create(name)
    writer = sapbuf.Writer(segment)
    reader = sapbuf.Reader(segment)
    writer.write(b"kept" * 1000)
    view = memoryview(reader.read())
    array = numpy.frombuffer(view, dtype="uint8")
    reader.close()
    writer.close()
    segment.close()
    sapbuf.Segment.remove(name)
    del reader, writer, segment
    gc.collect()
    assert bytes(view) == b"kept" * 1000 and array[3999] == ord("t")


def test_a_view_keeps_its_slab_from_a_writer(name):
    with sapbuf.Segment.create(name, slabs=2, slab_bytes=1 << 16) as segment:
        writer = sapbuf.Writer(segment, timeout=0.2)
        reader = sapbuf.Reader(segment)
        writer.write(b"kept")
        view = memoryview(reader.read())
        with pytest.raises(sapbuf.WouldDeadlock):
            for _ in range(100):
                writer.write(bytes(8000))
        assert bytes(view) == b"kept"
        view.release()
        reader.close()
        for _ in range(100):
            writer.write(bytes(8000))


def test_a_full_stream_makes_writers_wait_up_to_their_timeout(name):
    with sapbuf.Segment.create(name, slabs=2, slab_bytes=1 << 16) as segment, sapbuf.Reader(segment) as reader:
        for timeout in (0, 0.02, 0.3):
            with sapbuf.Writer(segment, timeout=timeout) as writer:
                begun = time.monotonic()
                with pytest.raises(sapbuf.Timeout):
                    while True:
                        writer.write(bytes(8000))
                assert time.monotonic() - begun >= timeout
        thread = threading.Timer(0.1, lambda: reader.read_many())
        with sapbuf.Writer(segment) as writer:
            thread.start()
            writer.write(bytes(8000))
        thread.join()


def test_streams_that_drop_say_so_and_those_that_overwrite_count(name):
    with sapbuf.Segment.create(name, slabs=2, slab_bytes=1 << 16, main_stream=False) as segment:
        drops = sapbuf.Stream.create(segment, "drops", slabs=2, slab_bytes=1 << 16, on_full="drop")
        with sapbuf.Writer(drops) as writer, sapbuf.Reader(drops):
            with pytest.raises(sapbuf.Full):
                while True:
                    writer.write(bytes(8000))
        overwrites = sapbuf.Stream.create(segment, "overwrites", slabs=2, slab_bytes=1 << 16, on_full="overwrite")
        with sapbuf.Writer(overwrites) as writer, sapbuf.Reader(overwrites) as reader:
            for _ in range(100):
                writer.write(bytes(8000))
            left = len(reader.read_many())
            assert reader.lost > 0 and reader.lost + left == 100 and reader.delivered == left


def test_readers_may_begin_with_the_newest(writer, segment, reader):
    writer.write(b"old")
    with sapbuf.Reader(segment, start="newest") as late:
        writer.write_many([b"new", b"newer"])
        assert late.read_many() == [b"new", b"newer"]
        assert late.missed_before == 1 and late.missed_any and not reader.missed_any
    assert reader.skip_to_newest() == 2
    assert reader.read_many() == [b"newer"]
    assert reader.skipped == 2


def test_a_wait_ends_with_a_message_a_timeout_or_a_close(segment, writer, reader):
    begun = time.monotonic()
    assert not reader.wait(0.1)
    assert reader.read(0) is None
    assert 0.1 <= time.monotonic() - begun
    thread = threading.Timer(0.1, writer.write, [b"late"])
    thread.start()
    assert reader.wait()
    assert bytes(reader.read()) == b"late"
    thread.join()
    threading.Timer(0.1, reader.close).start()
    assert list(reader) == []
    assert list(reader) == []
    with pytest.raises(sapbuf.Closed):
        reader.read()


def test_a_thread_that_waits_in_a_loop_ends_when_the_reader_is_closed(segment, writer):
    reader = sapbuf.Reader(segment)
    got = []
    thread = threading.Thread(target=lambda: got.extend(bytes(frame) for frame in reader))
    thread.start()
    writer.write(b"one")
    wait_until(lambda: got == [b"one"])
    reader.close()
    thread.join(timeout=60)
    assert not thread.is_alive()


def test_a_handle_is_one_threads_at_a_time(segment):
    reader = sapbuf.Reader(segment)
    thread = threading.Thread(target=reader.wait)
    thread.start()

    def is_busy():
        try:
            reader.read(0)
        except sapbuf.Busy as error:
            return "another thread" in str(error)
        return False

    wait_until(is_busy)
    reader.close()
    thread.join(timeout=60)
    assert not thread.is_alive()


def test_other_threads_run_while_one_waits(name):
    with sapbuf.Segment.create(name, slabs=2, slab_bytes=1 << 16) as segment, sapbuf.Reader(segment) as reader:
        writer = sapbuf.Writer(segment)
        written = []

        def write():
            for number in range(40):
                writer.write(bytes(8000))
                written.append(number)

        thread = threading.Thread(target=write, daemon=True)
        thread.start()
        wait_until(lambda: len(written) >= 14)
        count = 0
        while count < 40:
            count += len(reader.read_many(timeout=60))
        thread.join(timeout=60)
        assert len(written) == 40
        writer.close()


@pytest.mark.parametrize("kind", [sapbuf.Reader, sapbuf.Writer, sapbuf.Frame, sapbuf.Reservation, sapbuf.Range, sapbuf.Job])
def test_slots_refuse_what_was_made_without_its_init(kind):
    thing = kind.__new__(kind)
    for use in (next, len, memoryview):
        with pytest.raises((TypeError, AttributeError)):
            use(thing)


def test_a_timeout_is_a_number(reader):
    with pytest.raises(sapbuf.InvalidArgument):
        reader.wait(float("nan"))
    assert not reader.wait(-1)
    with pytest.raises(TypeError):
        reader.wait("1")


def test_a_durable_reader_goes_on_where_it_left_off(name, script):
    with sapbuf.Segment.create(name, durable_readers=1) as segment, sapbuf.Writer(segment) as writer:
        stream = sapbuf.Stream.open(segment, "main")
        assert stream.options()["durable_readers"] == 1
        with pytest.raises(sapbuf.InvalidArgument):
            sapbuf.Reader(segment, durable=True)
        writer.write_many([b"one", b"two", b"three"])
        with sapbuf.Reader(segment, name="audit", durable=True, keep_bytes=1 << 20, keep_for=60) as reader:
            assert reader.read_many(limit=1) == [b"one"]
            assert stream.durable_readers()[0]["slot"] is not None
            with pytest.raises(sapbuf.Busy):
                sapbuf.Reader(segment, name="audit", durable=True)
        (away,) = stream.durable_readers()
        assert (away["name"], away["slot"], away["behind_messages"], away["behind_bytes"]) == ("audit", None, 2, 8)
        assert away["away"] >= 0 and away["kept_bytes"] > 0
        victim = script(
            """
            import sapbuf, signal, sys
            reader = sapbuf.Reader(sapbuf.Segment.open(sys.argv[1]), name="audit", durable=True)
            print(reader.read_many(limit=1), flush=True)
            print(bytes(next(reader)), flush=True)
            signal.pause()
            """,
            name,
        )
        assert victim.line() == "[b'two']"
        assert victim.line() == "b'three'"
        victim.kill()
        with sapbuf.Reader(segment, name="audit", durable=True) as reader:
            assert reader.read_many(0) == [b"three"]  # its range had not ended
        writer.write_many([b"four", b"five"])
        with pytest.raises(ZeroDivisionError), sapbuf.Reader(segment, name="audit", durable=True) as reader:
            for frame in reader:
                assert bytes(frame) == b"four"
                raise ZeroDivisionError
        reader = sapbuf.Reader(segment, name="audit", durable=True)
        assert bytes(reader.read()) == b"four"
        reader.abandon()
        assert reader.is_closed
        reader.abandon()
        with sapbuf.Reader(segment, name="audit", durable=True) as reader:
            assert reader.read_many(0) == [b"four", b"five"]
        assert stream.remove_durable_reader("audit")
        assert not stream.remove_durable_reader("audit")
        assert stream.durable_readers() == []


def test_loops_end_with_the_stream_if_they_are_to(segment):
    with sapbuf.Reader(segment, until_finished=True) as reader:
        writer = sapbuf.Writer(segment)
        writer.write(b"last")
        assert not reader.is_finished()
        with writer.reserve(4), pytest.raises(sapbuf.AlreadyReserved):
            writer.finish()
        writer.finish()
        assert [bytes(frame)[:4] for frame in reader] == [b"last", bytes(4)]
        assert reader.is_finished()


def test_no_two_messages_have_the_same_position(writer, reader):
    for number in range(10):
        writer.write(bytes(number))
    positions = [frame.position for frame in reader.frames(0)]
    assert len(set(positions)) == 10 and positions == sorted(positions)
    assert all(generation >= 1 for generation, _ in positions)
