"""asyncio: waits that do not block the event loop."""

import asyncio
import threading
import time

import pytest
import sapbuf
from conftest import LIMIT_S
from sapbuf._helper import Helper


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, LIMIT_S))


async def turn_until(condition):
    while not condition():
        await asyncio.sleep(0.001)


def test_messages_come_while_the_loop_turns(writer, reader):
    async def main():
        turns = 0
        got = []

        async def turn():
            nonlocal turns
            while len(got) < 20:
                turns += 1
                await asyncio.sleep(0.001)

        async def read():
            async for frame in reader:
                got.append(bytes(frame))
                if len(got) == 20:
                    break

        async def write():
            for number in range(20):
                await asyncio.sleep(0.005)
                writer.write(bytes([number]))

        await asyncio.gather(turn(), read(), write())
        assert got == [bytes([number]) for number in range(20)]
        assert turns > 20

    run(main())


def test_a_busy_stream_lets_others_have_their_turn(writer, reader):
    async def main():
        turns = 0
        done = False

        async def turn():
            nonlocal turns
            while not done:
                turns += 1
                await asyncio.sleep(0)

        async def read():
            nonlocal done
            count = 0
            async for _ in reader:
                writer.write(b"x")  # there is always one more
                count += 1
                if count == 5000:
                    break
            done = True

        writer.write(b"x")
        await asyncio.gather(turn(), read())
        assert turns > 10

    run(main())


def test_a_task_that_is_cancelled_lets_go_of_the_reader(writer, reader):
    def is_busy():
        try:
            reader.read(0)
        except sapbuf.Busy:
            return True
        return False

    async def main():
        task = asyncio.create_task(reader.__anext__())
        await turn_until(is_busy)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert reader.read(0) is None
        writer.write(b"after")
        assert bytes(await reader.__anext__()) == b"after"

    run(main())


def test_a_task_that_is_cancelled_twice_lets_go_of_the_reader(writer, reader):
    async def main():
        for _ in range(20):
            task = asyncio.create_task(reader.__anext__())
            await asyncio.sleep(0.01)
            task.cancel()
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert reader.read(0) is None

    run(main())


def test_a_close_ends_the_loop(segment):
    async def main():
        reader = sapbuf.Reader(segment)
        got = []

        async def read():
            async for frame in reader:
                got.append(frame)

        task = asyncio.create_task(read())
        await asyncio.sleep(0.05)
        begun = time.monotonic()
        reader.close()
        await task
        assert time.monotonic() - begun < 5 and got == []

    run(main())


def test_a_loop_ends_with_the_stream_if_it_is_to(segment, writer):
    async def main():
        with sapbuf.Reader(segment, until_finished=True) as reader:
            asyncio.get_running_loop().call_later(0.05, writer.finish)
            writer.write(b"last")
            return [bytes(frame) async for frame in reader]

    assert run(main()) == [b"last"]


def test_a_loop_may_watch_descriptors_itself(segment, reader):
    queue = sapbuf.Queue.create(segment, "jobs", slots=4, block_bytes=64)
    with sapbuf.Writer(segment, timeout=0) as writer, sapbuf.Producer(queue) as producer, sapbuf.Consumer(queue) as consumer:

        came = []

        def take_jobs():
            for job in consumer.take_many(4, 0):
                came.append(bytes(job))
                job.done()

        async def main():
            loop = asyncio.get_running_loop()
            loop.add_reader(reader, lambda: came.extend(bytes(frame) for frame in reader.frames(0)))
            loop.add_reader(consumer, take_jobs)
            for number in range(20):
                writer.write(bytes([number]))
                await turn_until(lambda: len(came) == 2 * number + 1)
                producer.push(bytes([number]))
                await turn_until(lambda: len(came) == 2 * number + 2)
            assert came == [bytes([number // 2]) for number in range(40)]
            loop.remove_reader(reader)
            loop.remove_reader(consumer)
            descriptor = writer.fileno()
            with pytest.raises(sapbuf.Timeout):
                while True:
                    writer.write(bytes(10_000))
            room = loop.create_future()
            loop.add_reader(descriptor, lambda: room.done() or room.set_result(True))
            await asyncio.sleep(0.01)
            assert not room.done()
            reader.read_many(0)
            reader.read_many(0)
            await room
            loop.remove_reader(descriptor)

        run(main())


def test_many_readers_wait_at_once(segment, writer):
    async def main():
        readers = [sapbuf.Reader(segment) for _ in range(40)]
        tasks = [asyncio.create_task(reader.__anext__()) for reader in readers]
        await asyncio.sleep(0.05)
        writer.write(b"all")
        assert [bytes(frame) for frame in await asyncio.gather(*tasks)] == [b"all"] * 40
        for reader in readers:
            reader.close()

    before = threading.active_count()
    run(main())
    deadline = time.monotonic() + LIMIT_S
    while threading.active_count() > before:
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_jobs_come_to_a_loop_too(segment):
    queue = sapbuf.Queue.create(segment, "jobs")

    async def main():
        got = []
        with sapbuf.Producer(queue) as producer, sapbuf.Consumer(queue) as consumer:

            async def work():
                async for job in consumer:
                    with job:
                        got.append(bytes(job))
                    if len(got) == 3:
                        break

            task = asyncio.create_task(work())
            await asyncio.sleep(0.05)
            producer.push_many([b"a", b"b", b"c"])
            await task
        assert got == [b"a", b"b", b"c"]

    run(main())


def test_tasks_end_jobs_while_their_loop_waits_for_more(segment):
    queue = sapbuf.Queue.create(segment, "jobs")

    async def main():
        with sapbuf.Producer(queue) as producer, sapbuf.Consumer(queue) as consumer:
            deliveries = []
            all_done = asyncio.Event()

            async def work(job):
                await asyncio.sleep(0.02)
                if job.deliveries == 1:
                    return  # drops it
                deliveries.append((bytes(job), job.deliveries))
                assert job.done()
                if len(deliveries) == 3:
                    all_done.set()

            async def hand_out():
                working = []
                async for job in consumer:
                    working.append(asyncio.create_task(work(job)))
                    del job

            handing_out = asyncio.create_task(hand_out())
            producer.push_many([b"a", b"b", b"c"])
            await asyncio.wait_for(all_done.wait(), LIMIT_S)
            handing_out.cancel()
            with pytest.raises(asyncio.CancelledError):
                await handing_out
        assert sorted(deliveries) == [(b"a", 2), (b"b", 2), (b"c", 2)]

    run(main())


def test_the_interpreter_ends_while_a_loop_waits(segment, script):
    ended = script(
        """
        import asyncio, sys, sapbuf
        async def main():
            reader = sapbuf.Reader(sapbuf.Segment.open(sys.argv[1]))
            task = asyncio.create_task(reader.__anext__())
            await asyncio.sleep(0.05)
            sys.exit(3)
        asyncio.run(main())
        """,
        segment.name,
    )
    status, _, errors = ended.end()
    assert status == 3 and "Fatal" not in errors


class ClosesAtPut:
    """What a helper's thread is told through, when another thread closes the participant just before that."""

    def __init__(self, participant, wanted):
        self.participant = participant
        self.wanted = wanted

    def put(self, wait):
        if wait is not None:
            self.participant.close()
        self.wanted.put(wait)


def test_a_reader_that_is_closed_as_a_wait_begins_ends_the_loop(reader):
    async def main():
        reader._helper = Helper()
        reader._helper._wanted = ClosesAtPut(reader, reader._helper._wanted)
        assert [frame async for frame in reader] == []

    run(main())


@pytest.mark.parametrize("step", ["_next_at_once", "_is_at_end", "_begin_helped_wait"])
def test_a_reader_that_is_closed_between_two_steps_ends_the_loop(segment, step):
    class ClosesBefore(sapbuf.Reader):
        pass

    def close_before(reader, *arguments):
        reader.close()
        return getattr(super(ClosesBefore, reader), step)(*arguments)

    setattr(ClosesBefore, step, close_before)

    async def main():
        assert [frame async for frame in ClosesBefore(segment)] == []

    run(main())
