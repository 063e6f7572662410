"""Waiting without blocking an event loop."""

import asyncio

from sapbuf._errors import Closed
from sapbuf._helper import Helper

_MOST_IN_A_ROW = 64  # before other tasks have their turn


class Asynchronous:
    """`async for` over a participant that has _next_at_once() and what Helper needs."""

    _helper = None
    _in_a_row = 0

    def __aiter__(self):
        return self

    def _is_at_end(self):
        return False

    async def __anext__(self):
        while not self.is_closed:
            if self._in_a_row == _MOST_IN_A_ROW:
                self._in_a_row = 0
                await asyncio.sleep(0)
            try:
                found = self._next_at_once()
                if found is not None:
                    self._in_a_row += 1
                    return found
                self._in_a_row = 0
                if self._is_at_end():
                    break
                if self._helper is None:
                    self._helper = Helper()
                await self._helper.wait_for(self)
            except Closed:  # by another thread, since it was asked
                if not self.is_closed:
                    raise
        raise StopAsyncIteration

    def close(self):
        """Detaches; a wait in another thread, or an `async for`, ends within milliseconds. What others are to keep stays."""
        super().close()
        if self._helper is not None:
            self._helper.end()
