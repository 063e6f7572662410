"""Streams, pools, maps, queues and cells in shared memory, for processes of one Linux machine of which any may be killed at any moment.

    segment = sapbuf.Segment.open_or_create("ticks")
    with sapbuf.Writer(segment, name="feed") as writer:
        writer.write(b"tick", type=7)
    with sapbuf.Reader(segment, name="archiver") as reader:
        for frame in reader:
            print(frame.type, bytes(frame))

Messages, buffers and values are looked at where they stand, through the buffer protocol. What a memoryview or an array
looks at stays as long as that does; what would take it away raises StillExported.

Waits let other threads run, and end with Ctrl-C. A participant (Writer, Reader, PoolUser, ...) is one thread's at a time.
Segments and what is in them (Stream, Pool, Map, Queue) pickle as names; in a child made by fork, all that was inherited
raises Forked: open the segment again there.
"""

from sapbuf._consumer import Consumer
from sapbuf._errors import *
from sapbuf._reader import Reader
from sapbuf._sapbuf import (
    Buffer,
    BufferReference,
    Cell,
    Frame,
    Job,
    Map,
    MapDraft,
    MapEntry,
    MapReader,
    MapValue,
    MapWriter,
    Pool,
    PoolUser,
    Producer,
    Queue,
    Range,
    Reservation,
    ReservedBlock,
    Segment,
    Stream,
    Transaction,
    Writer,
)
from sapbuf._sapbuf import version as __version__
