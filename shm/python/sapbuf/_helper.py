"""A thread that waits for a participant, so that an event loop need not."""

import asyncio
import queue
import threading

from sapbuf._errors import Closed


class Helper:
    """Waits for a participant, which has _begin_helped_wait(), _helped_wait() and _end_helped_wait().

    The thread begins with the first wait and ends with end(). While it waits it sleeps in the kernel, and nobody else may
    use the participant. A daemon, for the interpreter would join others before it ends.
    """

    def __init__(self):
        self._wanted = queue.SimpleQueue()
        self._is_ended = False
        threading.Thread(target=_run, args=(self._wanted,), name="sapbuf helper", daemon=True).start()

    def __del__(self):
        self.end()

    async def wait_for(self, participant):
        """Until there is something, or the participant was closed. Cancelled, it is over within 10 ms."""
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        participant._begin_helped_wait()
        self._wanted.put((participant, loop, done))
        if self._is_ended:  # by another thread: the wait may stand behind the end
            return
        try:
            await asyncio.shield(done)
        except asyncio.CancelledError:
            participant._end_helped_wait()
            while not done.done():  # the thread has the participant until then, however often the task is cancelled
                try:
                    await asyncio.shield(done)
                except asyncio.CancelledError:
                    pass
            done.result()
            raise

    def end(self):
        """Ends the thread once it does not wait any more."""
        self._is_ended = True  # before the end is there for the thread: see wait_for()
        self._wanted.put(None)


def _run(wanted):
    while (wait := wanted.get()) is not None:
        participant, loop, done = wait
        error = None
        try:
            participant._helped_wait()
        except Closed:
            pass
        except Exception as raised:
            error = raised
        del participant, wait
        try:
            loop.call_soon_threadsafe(_finish, done, error)
        except RuntimeError:  # the loop was closed meanwhile
            pass
        del loop, done, error


def _finish(done, error):
    if done.done():
        return
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(error)
