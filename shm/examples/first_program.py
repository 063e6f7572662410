# Sends prices, each with a chart that is too large to be copied about, and reads them in place. The two halves may as well
# stand in two programs.
import struct
import sys

import sapbuf

name = sys.argv[1] if len(sys.argv) > 1 else "ticks"  # the memory is /dev/shm/sapbuf.ticks
with sapbuf.Segment(name, slabs=2, slab_bytes=1 << 20) as segment:
    charts = sapbuf.Pool.open_or_create(segment, "charts", buffer_bytes=1 << 20, count=8)

    with sapbuf.Writer(segment, name="feed-a") as writer, sapbuf.PoolUser(charts, name="feed-a") as painter:
        for price in (99.5, 99.25, 99.75):
            chart = painter.acquire()  # 1 MiB that nobody else has
            with memoryview(chart) as pixels:
                pixels[:] = b"*" * len(pixels)
            reservation = writer.reserve(8, type=7)  # 7: the message's type, yours to choose
            with reservation as room:
                struct.pack_into("d", room, 0, price)  # straight into shared memory
                reservation.attach(chart)  # the message keeps it from here on
            # committed here; by an exception, nobody ever sees the message

    with sapbuf.Reader(segment, name="archiver") as reader, sapbuf.PoolUser(charts, name="archiver") as viewer:
        for frame in reader.frames(timeout=0.1):  # in place; `for frame in reader` waits for ever
            (price,) = struct.unpack("d", frame)
            sizes = [len(viewer.adopt(reference)) for reference in frame.attachments]
            print(f"{frame.type}: {price}, a chart of {sizes[0]}")
sapbuf.Segment.remove(name)
