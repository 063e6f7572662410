"""What sapbuf raises: all of it derives from Error, and, where Python has a class for that, from that one, too."""


class Error(Exception):
    """Anything that sapbuf raises. Its text says what went wrong, with what, and what to do about it."""


class NotFound(Error, LookupError):
    """There is no segment, facility or key of that name."""


class Exists(Error):
    """Something has that name already."""


class Incompatible(Error):
    """No sapbuf segment, or one of another version; or what the handle expects is made otherwise."""


class Corrupt(Error):
    """The segment's bytes contradict themselves."""


class PermissionDenied(Error, PermissionError):
    """The system says no."""


class NoSpace(Error):
    """/dev/shm, or a limit on it, is too small; the text says which."""


class RegistryFull(Error):
    """Every participant slot of the segment is taken by a live participant."""


class InvalidArgument(Error, ValueError):
    """A value that cannot work."""


class Busy(Error):
    """A live process, or another thread of this one, has what is needed."""


class Forked(Error):
    """The handle was inherited through fork: open the segment again in the child, and make a new handle."""


class Unsupported(Error):
    """The kernel lacks something that the segment needs."""


class ResourceExhausted(Error):
    """Out of descriptors, mappings or memory."""


class SystemFailure(Error):
    """Any other failure of a system call."""


class DeclaredDead(Error):
    """Others took this participant for dead, and took back what it held: make a new one."""


class Full(Error):
    """There is no room: the message was dropped, the map has all the keys that it can, the queue is full."""


class Timeout(Error, TimeoutError):
    """The time was over before there was room."""


class WouldDeadlock(Error):
    """This thread would wait for what its own reader has pinned."""


class TooLarge(Error, ValueError):
    """It can never fit."""


class AlreadyReserved(Error):
    """A reservation of this handle is still open."""


class Exhausted(Error):
    """The pool has no free buffer."""


class OverBudget(Error):
    """This participant holds as many as it may."""


class Stale(Error, LookupError):
    """What the reference names was freed, or is elsewhere."""


class OtherSegment(Error, ValueError):
    """The buffer is in another segment than the message."""


class AttachmentsFull(Error):
    """The message's slab has as many attached buffers as it can."""


class VersionChanged(Error):
    """The key has another version by now."""


class NotAlone(Error):
    """Other groups of the queue get the block, too."""


class Overtaken(Error):
    """Values were replaced faster than they could be kept."""


class Closed(Error, ValueError):
    """The handle was closed."""


class Released(Error, ValueError):
    """What it was in was left, committed, aborted or released: its bytes are not to be looked at any more."""


class StillExported(Error, BufferError):
    """A memoryview or an array still looks at the bytes that were to be let go of."""
