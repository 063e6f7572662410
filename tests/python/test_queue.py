"""Queues: jobs that somebody is done with, whoever dies."""

import pickle
import selectors
import sys
import threading
import time

import numpy
import pytest
import sapbuf
from conftest import LIMIT_S, declare_dead, wait_until

WORKER = """
    import sys, sapbuf
    consumer = sapbuf.Consumer(sapbuf.Queue.open(sapbuf.Segment.open(sys.argv[1]), "jobs"), name="killed")
    jobs = consumer.take_many(5)
    jobs[0].done()
    print("ready", flush=True)
    while True:
        pass
"""


@pytest.fixture
def queue(segment):
    return sapbuf.Queue.create(segment, "jobs", slots=16, block_bytes=64)


@pytest.fixture
def producer(queue):
    with sapbuf.Producer(queue, name="producer", timeout=LIMIT_S) as producer:
        yield producer


@pytest.fixture
def consumer(queue):
    with sapbuf.Consumer(queue, name="consumer") as consumer:
        yield consumer


def test_jobs_are_done_in_their_order(producer, consumer):
    producer.push(b"first", type=7)
    assert producer.push_many([b"second", bytearray(b"third")]) == 2
    got = []
    for job in consumer:
        with job:
            got.append((bytes(job), job.type, job.deliveries))
        assert job.is_ended
        if len(got) == 3:
            break
    assert got == [(b"first", 7, 1), (b"second", 0, 1), (b"third", 0, 1)]
    assert consumer.take(0) is None
    assert consumer.take_many(4, 0.05) == []


def test_an_exception_puts_a_job_back_and_so_does_dropping_it(producer, consumer):
    producer.push(b"job")
    with pytest.raises(KeyError):
        with consumer.take():
            raise KeyError
    with pytest.raises(KeyError):
        with consumer.take() as job:
            array = numpy.frombuffer(job, dtype="uint8")
            raise KeyError
    assert consumer.take(0) is None
    del array, job
    consumer.take()
    job = consumer.take(LIMIT_S)
    assert bytes(job) == b"job" and job.deliveries == 4
    assert job.done()
    with pytest.raises(sapbuf.Released):
        job.done()


def test_a_job_that_is_looked_at_does_not_end(producer, consumer):
    producer.push(b"job")
    with pytest.raises(sapbuf.StillExported):
        with consumer.take() as job:
            view = memoryview(job)[1:]
    assert bytes(view) == b"ob"
    view.release()
    assert job.done()


def test_a_job_may_come_later(producer, consumer):
    producer.push(b"job")
    begun = time.monotonic()
    assert consumer.take().put_back(after=2)
    assert consumer.take(0) is None
    assert consumer.take(LIMIT_S).done()
    assert time.monotonic() - begun >= 1.98  # the clock is coarse


def test_a_block_is_written_in_place(producer, consumer):
    with producer.reserve(8, type=3) as room:
        numpy.frombuffer(room, dtype="int64")[:] = 5
        assert consumer.take(0) is None
    with consumer.take() as job:
        assert int(numpy.frombuffer(job, dtype="int64")[0]) == 5 and job.type == 3
    with pytest.raises(KeyError):
        with producer.reserve():
            raise KeyError
    with pytest.raises(sapbuf.StillExported):
        with producer.reserve(8) as room:
            view = room[1:]
    view.release()
    assert consumer.take(0) is None


def test_a_full_queue_makes_producers_wait_and_one_that_drops_says_so(segment, queue, producer, consumer):
    producer.push_many([b"x"] * 16)
    with sapbuf.Producer(queue, timeout=0.1) as hasty, pytest.raises(sapbuf.Timeout):
        hasty.push(b"y")
    thread = threading.Timer(0.1, lambda: [job.done() for job in consumer.take_many(4)])
    thread.start()
    producer.push(b"z")
    thread.join()
    with pytest.raises(sapbuf.TooLarge):
        producer.push(bytes(65))
    drops = sapbuf.Queue.create(segment, "drops", slots=16, on_full="drop")
    with sapbuf.Producer(drops) as dropping, pytest.raises(sapbuf.Full):
        for _ in range(17):
            dropping.push(b"x")


def test_a_job_is_passed_on_with_its_answer(segment):
    pool = sapbuf.Pool.create(segment, "blocks", buffer_bytes=64, count=64)
    questions = sapbuf.Queue.create(segment, "questions", pool=pool.name, slots=16)
    answers = sapbuf.Queue.create(segment, "answers", pool=pool.name, slots=16)
    with sapbuf.Producer(questions) as asking, sapbuf.Consumer(questions) as working:
        with sapbuf.Producer(answers) as answering, sapbuf.Consumer(answers) as waiting:
            asking.push(b"6 * 7", type=1)
            job = working.take()
            with pytest.raises(sapbuf.TooLarge):
                job.pass_to(answering, bytes(100))
            job.pass_to(answering, b"42", type=2)
            assert job.is_ended
            answer = waiting.take()
            assert (bytes(answer), answer.type) == (b"42", 2)
            answer.done()


def test_an_answer_is_written_into_no_job_that_cannot_be_passed_on(segment, queue, producer, consumer):
    producer.push(b"question")
    elsewhere = sapbuf.Queue.create(segment, "elsewhere", block_bytes=64)
    with sapbuf.Producer(elsewhere) as answering, pytest.raises(sapbuf.Stale):
        with consumer.take() as job:
            job.pass_to(answering, b"ANSWER!!")
    with consumer.take(LIMIT_S) as job:
        assert bytes(job) == b"question"
    news = sapbuf.Queue.create(segment, "news", pool="jobs.blocks", groups=2)
    with sapbuf.Producer(news) as telling, sapbuf.Consumer(news, group=0) as first:
        with sapbuf.Consumer(news, group=1) as second:
            telling.push(b"news")
            jobs = [first.take(), second.take()]
            with pytest.raises(sapbuf.NotAlone):
                jobs[0].pass_to(producer, b"OLDS")
            assert bytes(jobs[1]) == b"news"


def test_jobs_of_one_key_come_one_after_the_other(segment):
    queue = sapbuf.Queue.create(segment, "jobs", keys=4)
    assert queue.options()["keys"] == 4
    with sapbuf.Producer(queue) as producer, sapbuf.Consumer(queue) as consumer:
        producer.push(b"a", key=7)
        producer.push_many([b"b"], key=7)
        producer.push(b"c")
        first, third = consumer.take_many(5)
        assert (bytes(first), first.key) == (b"a", 7) and (bytes(third), third.key) == (b"c", None)
        first.done()
        with consumer.take(LIMIT_S) as second:
            assert (bytes(second), second.key) == (b"b", 7)
        with producer.reserve(1, key=2**64 - 1) as room:
            room[:] = b"d"
        with consumer.take(LIMIT_S) as fourth:
            assert fourth.key == 2**64 - 1
        third.done()


def test_dead_letters_are_handed_out_again_or_discarded(segment):
    queue = sapbuf.Queue.create(segment, "jobs", max_deliveries=1)
    with sapbuf.Producer(queue) as producer, sapbuf.Consumer(queue) as consumer:
        producer.push_many([b"first", b"second"])
        for job in consumer.take_many(2):
            job.put_back()
        del job
        assert consumer.take(0) is None
        first, second = consumer.take_dead(5)
        assert first.retry() and second.done()
        assert consumer.take_dead(5) == []
        with consumer.take(LIMIT_S) as job:
            assert (bytes(job), job.deliveries) == (b"first", 1)


def test_what_a_killed_consumer_had_comes_back(segment, producer, consumer, script):
    producer.push_many([bytes([number]) for number in range(8)])
    killed = script(WORKER, segment.name)
    assert killed.line() == "ready"
    killed.kill()
    got = []
    while len(got) < 7:
        with consumer.take(LIMIT_S) as job:
            got.append((bytes(job)[0], job.deliveries))
    assert sorted(got) == [(1, 2), (2, 2), (3, 2), (4, 2), (5, 1), (6, 1), (7, 1)]
    assert consumer.take(0) is None


def test_groups_get_every_block_read_only(segment):
    queue = sapbuf.Queue.create(segment, "news", groups=2)
    with sapbuf.Producer(queue) as producer:
        with sapbuf.Consumer(queue, group=0) as first, sapbuf.Consumer(queue, group=1) as second:
            producer.push(b"news")
            jobs = [first.take(), second.take()]
            assert [bytes(job) for job in jobs] == [b"news", b"news"]
            with pytest.raises(TypeError):
                memoryview(jobs[0])[0] = 1
            assert all(job.done() for job in jobs)
    with pytest.raises(sapbuf.InvalidArgument):
        sapbuf.Consumer(queue, group=2)


def test_dead_letters_go_where_they_are_to(segment):
    queue = sapbuf.Queue.create(segment, "jobs", max_deliveries=2, dead_letters="failed")
    with sapbuf.Producer(queue) as producer, sapbuf.Consumer(queue) as consumer:
        producer.push(b"poison")
        for _ in range(2):
            consumer.take().put_back()
        assert consumer.take(0) is None
    with sapbuf.Consumer(sapbuf.Queue.open(segment, "failed")) as dead:
        assert len(dead.take(LIMIT_S)) > 0


def test_a_wait_ends_with_a_job_or_a_close(queue, producer, consumer):
    got = []
    thread = threading.Thread(target=lambda: got.extend(bytes(job) for job in consumer))
    thread.start()
    producer.push(b"job")
    wait_until(lambda: got)
    consumer.close()
    thread.join(timeout=LIMIT_S)
    assert got[0] == b"job" and not thread.is_alive()
    assert list(consumer) == []
    with pytest.raises(sapbuf.Closed):
        consumer.take()


@pytest.fixture
def wait_in_a_thread(consumer):
    """Takes in a thread that waits by the time that this returns: the list that the job, or None, will be in."""
    threads = []

    def is_busy():
        try:
            consumer.take(0)
        except sapbuf.Busy:
            return True
        return False

    def start():
        got = []
        threads.append(threading.Thread(target=lambda: got.append(consumer.take(LIMIT_S))))
        threads[-1].start()
        wait_until(is_busy)
        return got

    yield start
    for thread in threads:
        thread.join(timeout=LIMIT_S)


def test_a_job_that_is_dropped_by_another_thread_ends_a_wait(producer, consumer, wait_in_a_thread):
    producer.push(b"job")
    job = consumer.take()
    got = wait_in_a_thread()
    del job
    wait_until(lambda: got)
    assert bytes(got[0]) == b"job" and got[0].done()


def test_jobs_end_in_one_thread_while_another_one_waits(segment, queue, producer, consumer, wait_in_a_thread):
    producer.push_many([b"0", b"1", b"2", b"3", b"4"])
    jobs = consumer.take_many(5)
    got = wait_in_a_thread()
    answers = sapbuf.Queue.create(segment, "answers", pool="jobs.blocks")
    with sapbuf.Producer(answers) as answering:
        assert jobs[0].done() and jobs[1].done()
        jobs[2].pass_to(answering, b"answer")
        with pytest.raises(sapbuf.Busy):
            consumer.take(0)
        assert jobs[3].put_back(after=0.05)
    with sapbuf.Consumer(answers) as client:
        assert bytes(client.take(LIMIT_S)) == b"answer"
    wait_until(lambda: got)
    assert bytes(got[0]) == b"3" and got[0].done() and jobs[4].retry()
    assert bytes(consumer.take(LIMIT_S)) == b"4"


def test_one_may_ask_for_more_jobs_than_there_can_be(producer, consumer):
    producer.push(b"job")
    assert [bytes(job) for job in consumer.take_many(sys.maxsize, LIMIT_S)] == [b"job"]


def test_a_consumer_that_others_took_for_dead_is_told(segment, consumer):
    declare_dead(segment, "consumer")
    for take in (
        lambda: consumer.take(0),
        lambda: consumer.take(LIMIT_S),
        lambda: consumer.take_many(2, LIMIT_S),
        lambda: consumer.take_dead(2),
    ):
        with pytest.raises(sapbuf.DeclaredDead):
            take()


def test_queues_pickle_as_names(queue, producer):
    producer.push(b"job")
    with sapbuf.Consumer(pickle.loads(pickle.dumps(queue))) as consumer:
        assert bytes(consumer.take()) == b"job"
    assert queue.options()["slots"] == 16 and queue.block_bytes == 64


def test_a_descriptor_tells_of_room(queue, consumer):
    with sapbuf.Producer(queue, timeout=0) as producer, selectors.DefaultSelector() as selector:
        selector.register(producer, selectors.EVENT_READ)
        with pytest.raises(sapbuf.Full):
            while True:
                producer.push(b"job")
        assert not selector.select(0)
        consumer.take().done()
        assert selector.select(LIMIT_S)
        producer.push(b"job")
