"""sapbuf beside what Python programs use between two processes: medians of rounds that take turns, in one run.

    PYTHONPATH=build/shm/python python3 tests/python/bench.py [--quick]

One process sends, another one reads every byte (and adds arrays up). `shared_memory` is what people build with
multiprocessing.shared_memory: a ring of eight places, and two semaphores. pyzmq is left out where it is not installed.
"""

import argparse
import itertools
import multiprocessing
import multiprocessing.shared_memory
import os
import statistics
import time

import numpy
import sapbuf

try:
    import zmq
except ImportError:
    zmq = None

PLACES = 8  # of the shared_memory ring

context = multiprocessing.get_context("spawn")


class Sapbuf:
    """A stream, message by message: written in place and read in place."""

    name = "sapbuf"

    def __init__(self, size):
        self.segment_name = f"bench-{os.getpid()}"
        slab_bytes = max(1 << 20, 4 * (size + 4096) // 4096 * 4096)
        sapbuf.Segment.remove(self.segment_name)
        self.segment = sapbuf.Segment.create(self.segment_name, slabs=4, slab_bytes=slab_bytes)
        self.reader = sapbuf.Reader(self.segment)

    def __getstate__(self):
        return {"segment": self.segment}

    def send(self, message, count):
        with sapbuf.Writer(self.segment) as writer:
            for _ in range(count):
                writer.write(message)

    def messages(self, count):
        for _, frame in zip(range(count), self.reader):
            yield frame

    def close(self):
        self.reader.close()
        sapbuf.Segment.remove(self.segment_name)


class SapbufBatches(Sapbuf):
    """The same, a hundred at a time."""

    name = "sapbuf, write_many(100) and read_many()"

    def send(self, message, count):
        with sapbuf.Writer(self.segment) as writer:
            for _ in range(count // 100):
                writer.write_many([message] * 100)

    def messages(self, count):
        while count > 0:
            got = self.reader.read_many()
            count -= len(got)
            yield from got


class Queue:
    name = "multiprocessing.Queue"

    def __init__(self, size):
        self.queue = context.Queue(1000)

    def send(self, message, count):
        for _ in range(count):
            self.queue.put(message)

    def messages(self, count):
        for _ in range(count):
            yield self.queue.get()

    def close(self):
        self.queue.close()


class Pipe:
    name = "multiprocessing.Pipe"

    def __init__(self, size):
        self.ends, self.begins = context.Pipe(duplex=False)

    def send(self, message, count):
        for _ in range(count):
            self.begins.send_bytes(message)

    def messages(self, count):
        for _ in range(count):
            yield self.ends.recv_bytes()

    def close(self):
        self.begins.close()
        self.ends.close()


class SharedMemory:
    name = "shared_memory and semaphores"

    def __init__(self, size):
        self.size = size
        self.memory = multiprocessing.shared_memory.SharedMemory(create=True, size=PLACES * size)
        self.full = context.Semaphore(0)
        self.free = context.Semaphore(PLACES)

    def place(self, number):
        begin = number % PLACES * self.size
        return self.memory.buf[begin : begin + self.size]

    def send(self, message, count):
        for number in range(count):
            self.free.acquire()
            self.place(number)[:] = message
            self.full.release()

    def messages(self, count):
        for number in range(count):
            self.full.acquire()
            with self.place(number) as message:
                yield message
            self.free.release()

    def close(self):
        self.memory.close()
        self.memory.unlink()


class Zmq:
    name = "pyzmq PUSH/PULL, ipc"
    numbers = itertools.count()  # a socket that is closed takes its path away later

    def __init__(self, size):
        self.address = f"ipc:///tmp/sapbuf-bench-{os.getpid()}-{next(self.numbers)}"
        self.pull = zmq.Context.instance().socket(zmq.PULL)
        self.pull.bind(self.address)

    def __getstate__(self):
        return {"address": self.address}

    def send(self, message, count):
        self.push = zmq.Context.instance().socket(zmq.PUSH)
        self.push.connect(self.address)
        for _ in range(count):
            self.push.send(message, copy=len(message) < 65536)

    def messages(self, count):
        for _ in range(count):
            yield self.pull.recv(copy=False).buffer

    def close(self):
        self.pull.close()


def send(peer, size, count, ready, go, received):
    message = numpy.ones(size // 8).tobytes()
    ready.set()
    go.wait()
    peer.send(message, count)
    received.wait()  # some forget what is on its way when they go


def measure(kind, size, count):
    """Seconds for each message, from the first one's arrival to the last one's."""
    peer = kind(size)
    ready, go, received = context.Event(), context.Event(), context.Event()
    process = context.Process(target=send, args=(peer, size, count, ready, go, received))
    process.start()
    ready.wait()
    messages = peer.messages(count)
    go.set()
    total = 0.0
    begun = None
    for message in messages:
        if size >= 4096:
            total += numpy.frombuffer(message, dtype="float64").sum()
        else:
            total += len(bytes(message)) // 8
        if begun is None:
            begun = time.perf_counter()
    seconds = time.perf_counter() - begun
    received.set()
    assert total == size // 8 * count
    messages.close()
    del message, messages
    process.join()
    peer.close()
    return seconds / (count - 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few messages: whether it runs, not how fast")
    quick = parser.parse_args().quick
    peers = [Sapbuf, SapbufBatches, Queue, Pipe, SharedMemory] + ([Zmq] if zmq else [])
    for size, count in ((64, 20_000), (8192, 5_000), (1 << 20, 300)):
        count = count // 50 // 100 * 100 + 100 if quick else count
        rounds = range(1 if quick else 3)
        times = {peer: [] for peer in peers}
        for _ in rounds:
            for peer in peers:
                times[peer].append(measure(peer, size, count))
        for peer in peers:
            middle = statistics.median(times[peer])
            print(f"{size:8} B  {middle * 1e6:9.2f} us  {size / middle / 1e6:9.1f} MB/s  {peer.name}", flush=True)


if __name__ == "__main__":
    main()
