"""Maps: values that are replaced while others look at them."""

import os
import pickle
import selectors
import signal
import threading
import time

import numpy
import pytest
import sapbuf
from conftest import LIMIT_S, declare_dead, wait_until

PUTTING = """
    import sys, sapbuf
    map = sapbuf.Map.open(sapbuf.Segment.open(sys.argv[1]), "config")
    writer = sapbuf.MapWriter(map, name="killed")
    print("ready", flush=True)
    number = 0
    while True:
        number += 1
        writer.put("counter", number.to_bytes(8, "little") * 16)
"""
UPDATING = """
    import sys, sapbuf
    writer = sapbuf.MapWriter(sapbuf.Map.open(sapbuf.Segment.open(sys.argv[1]), "config"))
    def hang(old):
        print("ready", flush=True)
        while True:
            pass
    writer.update("key", hang)
"""


@pytest.fixture
def map(segment):
    return sapbuf.Map.create(segment, "config", keys=64, value_bytes=128)


@pytest.fixture
def edit(map):
    with sapbuf.MapWriter(map, name="edit", timeout=LIMIT_S) as edit:
        yield edit


@pytest.fixture
def view(map):
    with sapbuf.MapReader(map, name="view") as view:
        yield view


def test_values_are_put_read_and_erased(map, edit, view):
    edit.put("venue", b"XETR")
    edit.put(b"raw", numpy.arange(3, dtype="uint8"))
    edit.put(7, b"number")
    assert view.get("venue") == b"XETR" and view.get(7) == b"number" and view.get("none") is None
    assert view.get("none", b"x") == b"x"
    assert "raw" in view and "none" not in view and len(map) == 3
    assert sorted(view.keys()) == sorted([b"venue", b"raw", (7).to_bytes(8, "little")]) == sorted(view)
    assert view.items("ven") == [(b"venue", b"XETR")]
    edit.erase("venue")
    assert view.read("venue") is None
    with pytest.raises(sapbuf.NotFound):
        edit.erase("venue")


def test_a_value_stays_while_its_key_is_put_anew(edit, view):
    edit.put("key", b"old" * 10)
    value = view.read("key")
    version = value.version
    array = numpy.frombuffer(value, dtype="uint8")
    for number in range(200):
        edit.put("key", bytes([number]))
    assert bytes(value) == b"old" * 10 and array[0] == ord("o")
    assert view.read("key").version == version + 200
    assert abs(value.flipped_ns - time.time_ns()) < LIMIT_S * 10**9
    with value:
        pass
    for number in range(200):
        edit.put("key", bytes([number]))
    assert value.is_released and bytes(array) == b"old" * 10  # kept by the array
    with pytest.raises(sapbuf.Released):
        bytes(value)
    with pytest.raises(TypeError):
        memoryview(view.read("key"))[0] = 1


def test_a_reader_keeps_no_more_than_31_values(edit, view):
    edit.put("key", b"x")
    kept = [view.read("key") for _ in range(31)]
    with pytest.raises(sapbuf.OverBudget):
        view.read("key")
    kept.pop()
    assert view.get("key") == b"x"


def test_conditions(edit, view):
    edit.insert("key", b"1")
    with pytest.raises(sapbuf.Exists):
        edit.insert("key", b"2")
    version = view.read("key").version
    edit.put_if("key", b"2", version=version)
    with pytest.raises(sapbuf.VersionChanged):
        edit.put_if("key", b"3", version=version)
    with pytest.raises(sapbuf.VersionChanged):
        edit.put_if("key", b"3", version=0)
    with pytest.raises(sapbuf.TooLarge):
        edit.put("key", bytes(1000))
    assert view.get("key") == b"2"


def test_a_value_is_written_in_place(edit, view):
    with edit.prepare("key", 8) as room:
        numpy.frombuffer(room, dtype="int64")[:] = 5
        assert view.get("key") is None
    assert view.get("key") == (5).to_bytes(8, "little")
    with pytest.raises(ValueError):
        room[0]
    with pytest.raises(KeyError):
        with edit.prepare("key", 8):
            raise KeyError
    with pytest.raises(sapbuf.VersionChanged):
        with edit.prepare("key", 8, if_version=0):
            pass
    with pytest.raises(sapbuf.StillExported):
        with edit.prepare("key", 8) as room:
            array = numpy.frombuffer(room, dtype="int64")
    del array
    assert view.get("key") == (5).to_bytes(8, "little")


def test_an_update_is_made_of_what_was_there(map, edit, view):
    edit.put("count", b"\0")

    def add(times):
        with sapbuf.MapWriter(map) as writer:
            for _ in range(times):
                writer.update("count", lambda old: bytes([old[0] + 1]))

    threads = [threading.Thread(target=add, args=(50,)) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert view.get("count") == b"\xc8"
    edit.update("count", lambda old: old + b"longer")
    assert view.get("count") == b"\xc8longer"
    with pytest.raises(ZeroDivisionError):
        edit.update("count", lambda old: 1 / 0)
    with pytest.raises(sapbuf.TooLarge):
        edit.update("count", lambda old: bytes(1000))
    with pytest.raises(sapbuf.Busy):
        edit.update("count", lambda old: edit.put("count", b""))
    with pytest.raises(sapbuf.NotFound):
        edit.update("none", lambda old: old)
    assert view.get("count") == b"\xc8longer"


def test_a_transaction_is_all_or_nothing(edit, view):
    edit.put("bid", b"1")
    edit.put("ask", b"2")
    with edit.transaction() as change:
        change.put("bid", b"3")
        change.put("ask", b"4")
        assert len(change) == 2
        assert view.get("bid") == b"1"
    assert (view.get("bid"), view.get("ask")) == (b"3", b"4")
    with pytest.raises(KeyError):
        with edit.transaction() as change:
            change.put("bid", b"5")
            raise KeyError
    with pytest.raises(sapbuf.Full):
        with edit.transaction() as change:
            change.put("bid", b"6")
            for number in range(65):
                edit.put(number, b"") if number < 62 else change.put(number, b"")
    assert (view.get("bid"), view.get("ask")) == (b"3", b"4") and 63 not in view
    edit.erase(0)
    with edit.transaction() as change:
        change.put("new", b"7")
    assert view.get("new") == b"7"
    with pytest.raises(sapbuf.Released):
        change.put("bid", b"8")


def test_drafts_and_transactions_outlive_the_close_of_their_writer(map, view):
    writer = sapbuf.MapWriter(map)
    writer.put("key", b"old")
    draft = writer.prepare("key", 3)
    change = writer.transaction()
    change.put("key", b"new")
    slot = writer.slot
    writer.close()
    with pytest.raises(sapbuf.Closed):
        with draft as room:
            room[:] = b"too"
    with pytest.raises(sapbuf.Closed):
        change.commit()
    del draft
    assert writer.slot == slot  # the transaction needs it still
    del change
    assert writer.slot != slot
    assert view.get("key") == b"old"


def test_waits_for_changes(map, edit, view):
    entry = view.entry("key")
    assert entry.key == b"key" and entry.get(b"none") == b"none" and entry.read() is None
    assert not entry.wait_changed(0, 0.05)
    thread = threading.Timer(0.1, edit.put, ["key", b"x"])
    thread.start()
    assert entry.wait_changed(0)
    thread.join()
    assert entry.get() == b"x"
    seen = view.version
    assert not view.wait_changed(seen, 0.05)
    edit.put("other", b"")
    assert view.wait_changed(seen)


def test_a_writer_that_is_killed_leaves_whole_values(segment, map, view, script):
    killed = script(PUTTING, segment.name)
    assert killed.line() == "ready"
    wait_until(lambda: view.get("counter") is not None)
    for _ in range(100):
        value = view.get("counter")
        assert value == value[:8] * 16
    killed.kill()
    value = view.get("counter")
    assert value == value[:8] * 16
    with sapbuf.MapWriter(map, timeout=LIMIT_S) as writer:
        writer.put("counter", b"after")
    assert view.get("counter") == b"after"


def test_ctrl_c_ends_a_wait_for_a_key(segment, edit, script):
    edit.put("key", b"x")
    holder = script(UPDATING, segment.name)
    assert holder.line() == "ready"
    waiting = script(
        """
        import sys, sapbuf
        writer = sapbuf.MapWriter(sapbuf.Map.open(sapbuf.Segment.open(sys.argv[1]), "config"))
        try:
            print("ready", flush=True)
            writer.put("key", b"y")
        except KeyboardInterrupt:
            print("interrupted", flush=True)
        """,
        segment.name,
    )
    assert waiting.line() == "ready"
    time.sleep(0.2)
    waiting.signal(signal.SIGINT)
    assert waiting.line() == "interrupted"
    holder.kill()
    edit.put("key", b"z")


def test_maps_pickle_as_names(segment, map, edit):
    edit.put("key", b"x")
    with sapbuf.MapReader(pickle.loads(pickle.dumps(map))) as view:
        assert view.get("key") == b"x"
    assert map.options()["keys"] == 64 and map.max_value_bytes == 128


def test_a_descriptor_tells_of_changes(edit, view):
    with selectors.DefaultSelector() as selector:
        selector.register(view, selectors.EVENT_READ)
        seen = view.version
        assert not view.wait_changed(seen, timeout=0)
        assert not selector.select(0)
        edit.put("venue", b"XETR")
        assert selector.select(LIMIT_S)
        assert view.version != seen


@pytest.mark.parametrize("key", ["", b"", "k" * 256])
def test_keys_that_cannot_be_are_named(edit, key):
    for put in (edit.put, edit.insert):
        with pytest.raises(sapbuf.InvalidArgument, match=f"a key has 1 to 255 bytes, not {len(key)}"):
            put(key, b"value")
    with pytest.raises(sapbuf.InvalidArgument, match="a key has 1 to 255 bytes"):
        edit.update(key, bytes)


def test_a_key_that_is_a_number_has_64_bits(edit, view):
    for number in (7, 2**64 - 1, 2**63, -1 - 2**32, -(2**63)):
        edit.put(number, b"value")
        assert view.keys() == [(number % 2**64).to_bytes(8, "little")]
        edit.erase(number)
    edit.put(7, b"seven")
    for number in (2**64, 2**64 + 7, -(2**63) - 1):
        with pytest.raises(sapbuf.InvalidArgument, match="2\\*\\*64"):
            edit.put(number, b"another")
        with pytest.raises(sapbuf.InvalidArgument):
            view.get(number)
    assert view.get(numpy.int32(7)) == view.get(numpy.uint64(7)) == b"seven"
    edit.put(numpy.array([7], dtype="int32"), b"bytes")
    assert view.get((7).to_bytes(4, "little")) == b"bytes"


def test_a_reader_that_others_took_for_dead_is_told_when_it_waits(segment, view):
    absent = view.entry("absent")
    seen = view.version
    declare_dead(segment, "view")
    with pytest.raises(sapbuf.DeclaredDead):
        view.wait_changed(seen, LIMIT_S)
    with pytest.raises(sapbuf.DeclaredDead):
        absent.wait_changed(0, LIMIT_S)


def test_a_text_key_from_the_file_system_is_its_bytes(edit, view):
    edit.put(os.fsdecode(b"file\xff"), b"1")
    assert view.get(b"file\xff") == view.get(os.fsdecode(b"file\xff")) == b"1"
    assert view.keys(prefix=os.fsdecode(b"file\xff")) == [b"file\xff"]
    with pytest.raises(UnicodeEncodeError):
        view.get("\ud800")


def test_a_draft_that_is_dropped_by_another_thread_ends_a_wait_for_its_buffer(segment):
    sapbuf.Pool.create(segment, "one", buffer_bytes=128, count=1)
    map = sapbuf.Map.create(segment, "small", keys=4, pool="one")
    with sapbuf.MapWriter(map, timeout=LIMIT_S) as edit:
        draft = edit.prepare("a", 8)
        done = []

        def put():
            edit.put("b", b"value")
            done.append(True)

        def is_busy():
            try:
                edit.erase("none")
            except sapbuf.Busy:
                return True
            return False

        thread = threading.Thread(target=put)
        thread.start()
        wait_until(is_busy)
        begun = time.monotonic()
        del draft
        thread.join(timeout=LIMIT_S)
        assert done and time.monotonic() - begun < LIMIT_S / 2
