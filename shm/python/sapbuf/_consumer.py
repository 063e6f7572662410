"""Consumer: the one of the module _sapbuf, and what asyncio needs."""

from sapbuf import _sapbuf
from sapbuf._asynchronous import Asynchronous


class Consumer(Asynchronous, _sapbuf.Consumer):
    """A participant that takes blocks of a queue. One thread at a time may use it.

    It is an iterator of jobs that waits for more, and never ends by itself; Ctrl-C ends it, and so does close() in
    another thread. `async for` waits in a thread of its own, and does not block the event loop.

    name: for people; the program's name and pid otherwise. group: below the queue's `groups`.
    """
