"""Cells: one small value, replaced by many, read by many."""

import signal
import struct
import threading

import pytest
import sapbuf
from conftest import LIMIT_S, wait_until

STORING = """
    import sys, sapbuf
    cell = sapbuf.Cell(sapbuf.Segment.open(sys.argv[1]), "pair", 16, participant="killed")
    print("ready", flush=True)
    while True:
        cell.update(lambda old: (int.from_bytes(old[:8], "little") + 1).to_bytes(8, "little") * 2)
"""


@pytest.fixture
def cell(segment):
    with sapbuf.Cell(segment, "pair", 16) as cell:
        yield cell


def test_what_was_stored_last_is_loaded(segment, cell):
    assert cell.load() == bytes(16) and cell.version == 0 and cell.size == 16
    assert cell.store(struct.pack("dd", 1.5, 2.5)) == 1
    other = sapbuf.Cell(segment, "pair", 16, read_only=True)
    assert struct.unpack("dd", other.load()) == (1.5, 2.5)
    assert cell.update(lambda old: old[8:] + old[:8]) == 2
    assert other.load_versioned() == (struct.pack("dd", 2.5, 1.5), 2)
    assert other.slot != cell.slot


def test_it_begins_with_what_it_was_made_with(segment):
    assert sapbuf.Cell(segment, "word", 4, initial=b"abcd").load() == b"abcd"
    assert sapbuf.Cell(segment, "word", 4, initial=b"efgh").load() == b"abcd"


def test_what_cannot_be_is_refused(segment, cell):
    with pytest.raises(sapbuf.InvalidArgument, match="12 bytes for a cell of 16"):
        cell.store(bytes(12))
    with pytest.raises(sapbuf.InvalidArgument, match="3 bytes for a cell of 16"):
        cell.update(lambda old: b"abc")
    with pytest.raises(sapbuf.Incompatible):
        sapbuf.Cell(segment, "pair", 8)
    with pytest.raises(sapbuf.InvalidArgument):
        sapbuf.Cell(segment, "large", 4097)
    for initial in (b"", b"abc"):
        with pytest.raises(sapbuf.InvalidArgument):
            sapbuf.Cell(segment, "word", 4, initial=initial)
    with pytest.raises(sapbuf.NotFound):
        sapbuf.Cell(segment, "none", 16, read_only=True)
    with sapbuf.Cell(segment, "pair", 16, read_only=True) as reading, pytest.raises(sapbuf.PermissionDenied):
        reading.store(bytes(16))
    with pytest.raises(sapbuf.Closed):
        reading.load()
    assert cell.version == 0


def test_what_a_change_raises_comes_out(cell):
    with pytest.raises(ZeroDivisionError):
        cell.update(lambda old: bytes([1 // 0]))
    with pytest.raises(sapbuf.Busy):
        cell.update(lambda old: cell.load())
    assert cell.store(bytes(16)) == 1


def test_a_change_is_waited_for(segment, cell):
    assert not cell.wait_changed(0, timeout=0.01)
    other = sapbuf.Cell(segment, "pair", 16)
    storing = threading.Timer(0.05, lambda: other.store(bytes(16)))
    storing.start()
    assert cell.wait_changed(0, timeout=LIMIT_S)
    storing.join()
    with pytest.raises(KeyboardInterrupt):
        threading.Timer(0.05, lambda: signal.raise_signal(signal.SIGINT)).start()
        cell.wait_changed(1)


def test_a_kill_leaves_a_whole_value(segment, cell, script):
    killed = script(STORING, segment.name)
    assert killed.line() == "ready"
    wait_until(lambda: cell.version > 1000)
    killed.kill()
    value, version = cell.load_versioned()
    assert value[:8] == value[8:] and cell.store(value) >= version + 1


def test_it_is_removed_when_nobody_uses_it(segment):
    cell = sapbuf.Cell(segment, "gone", 8)
    with pytest.raises(sapbuf.Busy):
        sapbuf.Cell.remove(segment, "gone")
    cell.close()
    assert sapbuf.Cell.remove(segment, "gone")
    assert not sapbuf.Cell.remove(segment, "gone")
