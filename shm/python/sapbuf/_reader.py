"""Reader: the one of the module _sapbuf, and what asyncio needs."""

from sapbuf import _sapbuf
from sapbuf._asynchronous import Asynchronous


class Reader(Asynchronous, _sapbuf.Reader):
    """A participant that reads a stream: a Stream, or the stream `main` of a Segment. One thread at a time may use it.

    It is an iterator of frames that waits for more, and never ends by itself; Ctrl-C ends it, and so does close() in
    another thread. What a loop breaks off comes next. `async for` waits in a thread of its own, and does not block the
    event loop.

    name: for people; the program's name and pid otherwise. start: "oldest" (everything that still stands there) or
    "newest" (what is committed from now on). until_finished: loops end, too, when all has been read, and no more comes.

    durable: the place that it has come to stays in the stream under its name, and the next durable reader of that name goes
    on there: every message comes at least once, and once if nobody died. Needs a name, and a stream made with
    durable_readers. keep_bytes, keep_for (seconds): what the stream keeps for it at most while it is away.
    """

    _is_at_end = _sapbuf.Reader._is_at_end

    def frames(self, timeout):
        """The frames that come, until none came for `timeout` seconds."""
        while (frame := self.read(timeout)) is not None:
            yield frame
