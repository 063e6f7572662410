/* The calls of a writer that compilers may put where they are made: messages that fit what the writer has claimed already.
   All else is the library's. They know what stands in shared memory (shm/layout/frame.hpp, stream_slot.hpp), as a segment
   says by its version, and the struct below, which no other code may touch. A library that works otherwise leaves its
   `end` NULL: then each of them calls the library. To be independent of all that, define SAPBUF_NO_INLINE. */
#ifndef SAPBUF_C_WRITER_INLINE_H
#define SAPBUF_C_WRITER_INLINE_H

#include <sapbuf/c/status.h>

SAPBUF_C_BEGIN

/* The beginning of a writer. */
struct sapbuf_writer {
  uint64_t open; /* 0: nothing is; 1: a batch; otherwise a message, and this is its header's upper half, in its place */
  size_t size;   /* of the message that is open */
  char* next;    /* where its header, or that of the next message, goes */
  char* end;     /* behind the last byte that a frame may take; NULL: the library makes each call */
  uint64_t generation;
  uint64_t progress; /* what the slot says, without SAPBUF_INLINE_BUSY */
  char* slot;
  char* data; /* the event that readers sleep on */
};

#define SAPBUF_INLINE_UNIT 8u                         /* bytes of a header, and what frames are multiples of */
#define SAPBUF_INLINE_MESSAGE (UINT64_C(1) << 61)     /* the kind, in a header */
#define SAPBUF_INLINE_TYPE_AT 32                      /* the bit of the type, in a header */
#define SAPBUF_INLINE_MOST (UINT64_C(1) << 32)        /* bytes, and more than any payload has */
#define SAPBUF_INLINE_BUSY (UINT64_C(1) << 63)        /* a reservation is open, in the slot's progress */
#define SAPBUF_INLINE_ONE_MESSAGE (UINT64_C(1) << 32) /* in the slot's progress, above the bytes */
#define SAPBUF_INLINE_REVOKED_AT 64                   /* byte of the slot's word `revoked` */
#define SAPBUF_INLINE_AWAITED UINT32_C(1)             /* somebody sleeps, in the event's word */

/* What the inlined calls fall back on. */
SAPBUF_C_API sapbuf_status sapbuf_writer_reserve_slow(struct sapbuf_writer* writer, size_t size, uint16_t type,
                                                      void** payload) SAPBUF_NOEXCEPT;
SAPBUF_C_API sapbuf_status sapbuf_writer_commit_slow(struct sapbuf_writer* writer) SAPBUF_NOEXCEPT;
SAPBUF_C_API void sapbuf_writer_wake_slow(struct sapbuf_writer* writer) SAPBUF_NOEXCEPT;

#if !defined(SAPBUF_NO_INLINE)

/* The library has a definition of each call, too: for other languages, and for programs that take an address. */
#define SAPBUF_INLINE extern inline __attribute__((gnu_inline, always_inline))

SAPBUF_INLINE uint64_t* sapbuf_inline_word(void* at) SAPBUF_NOEXCEPT {
#ifdef __cplusplus
  return static_cast<uint64_t*>(at);
#else
  return at;
#endif
}
SAPBUF_INLINE uint32_t* sapbuf_inline_half(void* at) SAPBUF_NOEXCEPT {
#ifdef __cplusplus
  return static_cast<uint32_t*>(at);
#else
  return at;
#endif
}
/* From a frame's header to the next one. */
SAPBUF_INLINE uint64_t sapbuf_inline_span(size_t size) SAPBUF_NOEXCEPT {
  return (size + 2 * SAPBUF_INLINE_UNIT - 1) & ~(uint64_t)(SAPBUF_INLINE_UNIT - 1);
}

/* As Writer::reserve(), where the orders of memory are explained: makes the writer busy, with room for
   `size` bytes behind the header at `next`. False: the library finds out why. */
SAPBUF_INLINE bool sapbuf_inline_begin(struct sapbuf_writer* writer, size_t size) SAPBUF_NOEXCEPT {
  if (writer->open == 0 && size <= SAPBUF_INLINE_MOST &&
      (int64_t)sapbuf_inline_span(size) <= writer->end - writer->next) {
    const uint64_t progress = writer->progress;
    char* const slot = writer->slot;
    __atomic_store_n(sapbuf_inline_word(slot), progress | SAPBUF_INLINE_BUSY, __ATOMIC_RELAXED);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    if (__atomic_load_n(sapbuf_inline_word(slot + SAPBUF_INLINE_REVOKED_AT), __ATOMIC_RELAXED) < writer->generation) {
      return true;
    }
    __atomic_store_n(sapbuf_inline_word(slot), progress, __ATOMIC_RELEASE);
  }
  return false;
}

/* As detail::publish(), of the message at `next`. `head`: the upper half of its header, in its place. */
SAPBUF_INLINE void sapbuf_inline_publish(struct sapbuf_writer* writer, uint64_t head, size_t size) SAPBUF_NOEXCEPT {
  const uint64_t progress = writer->progress + SAPBUF_INLINE_ONE_MESSAGE + size;
  char* const slot = writer->slot;
  char* const data = writer->data;
  char* const header = writer->next;
  char* const next = header + sapbuf_inline_span(size);
  writer->next = next;
  writer->progress = progress;
  __atomic_store_n(sapbuf_inline_word(next), 0, __ATOMIC_RELAXED);
  __atomic_store_n(sapbuf_inline_word(header), head | (uint32_t)size, __ATOMIC_RELEASE);
  __atomic_store_n(sapbuf_inline_word(slot), progress, __ATOMIC_RELEASE);
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  if ((__atomic_load_n(sapbuf_inline_half(data), __ATOMIC_RELAXED) & SAPBUF_INLINE_AWAITED) != 0) {
    sapbuf_writer_wake_slow(writer);
  }
}

SAPBUF_INLINE sapbuf_status sapbuf_writer_reserve(struct sapbuf_writer* writer, size_t size, uint16_t type,
                                                  void** payload) SAPBUF_NOEXCEPT {
  void* reserved; /* whose address the library gets: the caller's own variable can be in a register */
  sapbuf_status status;
  if (writer != NULL && payload != NULL && sapbuf_inline_begin(writer, size)) {
    writer->open = SAPBUF_INLINE_MESSAGE | (uint64_t)type << SAPBUF_INLINE_TYPE_AT;
    writer->size = size;
    *payload = writer->next + SAPBUF_INLINE_UNIT;
    return SAPBUF_OK;
  }
  status = sapbuf_writer_reserve_slow(writer, size, type, payload == NULL ? NULL : &reserved);
  if (payload != NULL) *payload = reserved;
  return status;
}

SAPBUF_INLINE sapbuf_status sapbuf_writer_commit(struct sapbuf_writer* writer) SAPBUF_NOEXCEPT {
  if (writer != NULL && (writer->open & SAPBUF_INLINE_MESSAGE) != 0 && writer->end != NULL) {
    const uint64_t head = writer->open;
    writer->open = 0;
    sapbuf_inline_publish(writer, head, writer->size);
    return SAPBUF_OK;
  }
  return sapbuf_writer_commit_slow(writer);
}

/* Where there is room, the message is not written down as open: nobody comes in between. */
SAPBUF_INLINE sapbuf_status sapbuf_writer_write(struct sapbuf_writer* writer, const void* message, size_t size,
                                                uint16_t type) SAPBUF_NOEXCEPT {
  void* payload;
  sapbuf_status status;
  if (message == NULL && size != 0) return sapbuf_writer_reserve_slow(writer, size, type, NULL);
  if (writer != NULL && sapbuf_inline_begin(writer, size)) {
    if (size != 0) memcpy(writer->next + SAPBUF_INLINE_UNIT, message, size);
    sapbuf_inline_publish(writer, SAPBUF_INLINE_MESSAGE | (uint64_t)type << SAPBUF_INLINE_TYPE_AT, size);
    return SAPBUF_OK;
  }
  status = sapbuf_writer_reserve_slow(writer, size, type, &payload);
  if (status != SAPBUF_OK) return status;
  if (size != 0) memcpy(payload, message, size);
  return sapbuf_writer_commit(writer);
}

#endif

SAPBUF_C_END

#endif
