"""Segments and streams: handles by name."""

import os
import pickle

import pytest
import sapbuf


def test_a_segment_is_made_opened_and_removed(name):
    with sapbuf.Segment.create(name, slabs=4, slab_bytes=1 << 16, order="total", on_full="drop", mode=0o660) as made:
        assert made.created
        options = made.options()
        assert (options["slabs"], options["slab_bytes"], options["order"]) == (4, 1 << 16, "total")
        assert (options["on_full"], options["mode"]) == ("drop", 0o660)
        opened = sapbuf.Segment.open(name)
        assert not opened.created
        assert opened.name == name
        assert opened.is_current
        assert name in sapbuf.Segment.list()
        assert sapbuf.Segment.remove(name)
        assert not opened.is_current
        assert not sapbuf.Segment.remove(name)


def test_a_name_that_is_no_utf_8_is_one_of_the_file_system(name):
    odd = os.fsdecode(name.encode() + b"\xff")
    path = "/dev/shm/sapbuf." + odd
    with open(path, "w"):
        pass
    try:
        assert odd in sapbuf.Segment.list()
        with pytest.raises(sapbuf.Error) as failure:
            sapbuf.Segment.open(odd)
        assert name in str(failure.value)
        with sapbuf.Segment.create(name) as segment, pytest.raises(sapbuf.Error):
            sapbuf.Pool.open(segment, odd)
        with pytest.raises(UnicodeEncodeError):
            sapbuf.Segment.open("\ud800")
    finally:
        os.unlink(path)


def test_a_participant_may_have_any_name(segment):
    odd = os.fsdecode(b"r\xff")
    with sapbuf.Reader(segment, name=odd):
        assert len(segment.status()["participants"]) == 1


def test_calling_the_class_opens_what_is_there_and_makes_what_is_not(name):
    with sapbuf.Segment(name, slabs=3) as first, sapbuf.Segment(name) as second:
        assert first.created
        assert not second.created
        assert second.options()["slabs"] == 3


def test_errors_have_classes_and_say_what_is_wrong(name):
    with pytest.raises(sapbuf.NotFound, match=name):
        sapbuf.Segment.open(name)
    sapbuf.Segment.create(name)
    with pytest.raises(sapbuf.Exists, match=name):
        sapbuf.Segment.create(name)
    with pytest.raises(sapbuf.InvalidArgument, match='"per-writer", "total"'):
        sapbuf.Segment.create("other", order="any")
    with pytest.raises(ValueError):
        sapbuf.Segment.create("other", slabs=1)
    with pytest.raises(sapbuf.NoSpace):
        sapbuf.Segment.create("other", slabs=64, slab_bytes=4 << 30)
    with pytest.raises(TypeError, match="slab_bytes"):
        sapbuf.Segment.create("other", slab_bites=4096)
    assert issubclass(sapbuf.Timeout, TimeoutError)
    assert issubclass(sapbuf.NotFound, LookupError)
    assert issubclass(sapbuf.StillExported, BufferError)


def test_a_closed_segment_is_not_used_and_what_was_made_from_it_goes_on(name):
    with sapbuf.Segment.create(name) as segment:
        writer = sapbuf.Writer(segment)
        reader = sapbuf.Reader(segment)
    for use in (
        lambda: sapbuf.Writer(segment),
        lambda: segment.facilities(),
        lambda: sapbuf.Pool.create(segment, "pool"),
        lambda: sapbuf.Pool.open_or_create(segment, "pool"),
        lambda: sapbuf.Queue.open(segment, "queue"),
        lambda: sapbuf.Map.remove(segment, "map"),
        lambda: sapbuf.Cell(segment, "cell", 8),
        lambda: sapbuf.Cell.remove(segment, "cell"),
    ):
        with pytest.raises(sapbuf.Closed, match="this segment was closed"):
            use()
    assert repr(segment) == "<sapbuf.Segment (closed)>"
    del segment
    writer.write(b"still here")
    assert reader.read_many() == [b"still here"]


def test_streams_live_beside_the_main_one(segment):
    stream = sapbuf.Stream.create(segment, "orders", slabs=2, slab_bytes=1 << 16)
    assert {facility["name"] for facility in segment.facilities()} == {"main", "orders"}
    with sapbuf.Writer(stream) as writer, sapbuf.Reader(stream) as orders, sapbuf.Reader(segment) as main:
        writer.write(b"buy")
        assert orders.read_many() == [b"buy"]
        assert main.read_many(timeout=0) == []
        with pytest.raises(sapbuf.Busy):
            sapbuf.Stream.remove(segment, "orders")
    assert sapbuf.Stream.remove(segment, "orders")
    assert not stream.is_current


def test_handles_pickle_as_names(segment):
    stream = sapbuf.Stream.create(segment, "orders")
    assert pickle.loads(pickle.dumps(segment)).name == segment.name
    with sapbuf.Writer(pickle.loads(pickle.dumps(stream))) as writer, sapbuf.Reader(stream) as reader:
        writer.write(b"buy")
        assert reader.read_many() == [b"buy"]


def test_participants_do_not_pickle(writer, reader):
    for participant in (writer, reader):
        with pytest.raises(TypeError, match="cannot be pickled: send what it was made of"):
            pickle.dumps(participant)


def test_the_status_is_what_the_tool_prints(segment, writer, reader):
    writer.write(b"abc")
    sapbuf.Pool.create(segment, "frames", buffer_bytes=64, count=4)
    sapbuf.Cell(segment, "word", 4).store(b"abcd")
    status = segment.status()
    assert status["name"] == segment.name and status["stream"] == "main"
    assert [(who["name"], who["state"]) for who in status["participants"]] == [("writer", "alive"), ("reader", "alive")]
    assert [who["lag_messages"] for who in status["participants"] if who["role"] == "reader"] == [1]
    facilities = {facility["name"]: facility for facility in status["facilities"]}
    assert facilities["frames"]["free"] == 4 and facilities["word"]["version"] == 1
    without = segment.status(stream="none", lag=False)
    assert without["stream"] is None and without["participants"] == []
    with pytest.raises(ValueError):
        segment.status(hung_after=float("nan"))
