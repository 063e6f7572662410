/* Queues: blocks of memory that each go to one of many consumers, and to another one if that dies. */
#ifndef SAPBUF_C_QUEUE_H
#define SAPBUF_C_QUEUE_H

#include <sapbuf/c/segment.h>

SAPBUF_C_BEGIN

/* A shared handle, for any number of threads. */
typedef struct sapbuf_queue sapbuf_queue;

typedef struct sapbuf_queue_options {
  size_t struct_size;
  const char*
      pool; /* of the segment, whose buffers, of one size, are the blocks; NULL: its own, named after the queue */
  /* The queue that dead letters go to, with the names of the last 16 who had them; it is made if it is not there. NULL:
     they stay. */
  const char* dead_letters;
  uint64_t slots;       /* blocks that wait to be taken; rounded up to a power of two; default 1024 */
  uint64_t block_bytes; /* of its own pool; default 4096 */
  uint64_t blocks;      /* buffers of its own pool; default: a quarter more than slots, and 256 */
  uint32_t groups;      /* of consumers, 1 to 8: each group gets every block; default 1 */
  uint32_t
      max_deliveries; /* a block that was delivered so often is a dead letter: up to 1023; default: there are none */
  uint32_t on_full;   /* sapbuf_on_full: block, or drop */
  uint64_t
      keys; /* blocks of one key are worked on one after the other, in their order, and those of other keys meanwhile,
                         by as many lanes; rounded up to a power of two, up to 65,536; default: keys mean nothing */
} sapbuf_queue_options;

SAPBUF_C_INIT(sapbuf_queue_options)

/* As the calls of these names for streams; SAPBUF_NOT_FOUND also for a pool that is not there. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_queue_create(sapbuf_segment* segment, const char* name,
                                                              const sapbuf_queue_options* options,
                                                              sapbuf_queue** queue) SAPBUF_NOEXCEPT;
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_queue_open(sapbuf_segment* segment, const char* name,
                                                            sapbuf_queue** queue) SAPBUF_NOEXCEPT;
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_queue_open_or_create(sapbuf_segment* segment, const char* name,
                                                                      const sapbuf_queue_options* options,
                                                                      sapbuf_queue** queue) SAPBUF_NOEXCEPT;
SAPBUF_C_API sapbuf_status sapbuf_queue_remove(sapbuf_segment* segment, const char* name) SAPBUF_NOEXCEPT;
SAPBUF_C_API void sapbuf_queue_close(sapbuf_queue* queue) SAPBUF_NOEXCEPT;

SAPBUF_C_API const char* sapbuf_queue_name(const sapbuf_queue* queue) SAPBUF_NOEXCEPT;
SAPBUF_C_API bool sapbuf_queue_created(const sapbuf_queue* queue) SAPBUF_NOEXCEPT;
SAPBUF_C_API bool sapbuf_queue_is_current(const sapbuf_queue* queue) SAPBUF_NOEXCEPT;
SAPBUF_C_API size_t sapbuf_queue_bytes(const sapbuf_queue* queue) SAPBUF_NOEXCEPT;
SAPBUF_C_API size_t sapbuf_queue_block_bytes(const sapbuf_queue* queue) SAPBUF_NOEXCEPT;
/* The names in `options` last as long as the queue's handle. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_queue_get_options(const sapbuf_queue* queue,
                                                                   sapbuf_queue_options* options) SAPBUF_NOEXCEPT;
SAPBUF_C_API sapbuf_status sapbuf_queue_differences(const sapbuf_queue* queue, const sapbuf_queue_options* asked,
                                                    char* text, size_t size, size_t* length) SAPBUF_NOEXCEPT;

/* --- Producing */

/* A participant who releases blocks. One thread at a time. */
typedef struct sapbuf_producer sapbuf_producer;
/* Blocks that a producer has reserved: their memory is its alone. Its thread's; they may outlive it. */
typedef struct sapbuf_reserved_blocks sapbuf_reserved_blocks;

typedef struct sapbuf_producer_options {
  size_t struct_size;
  const char* name;   /* for people; 63 bytes are kept. NULL: the program's name and pid */
  int64_t timeout_ns; /* policy block: how long a release may wait for room. 0: for ever; negative: not at all */
  const sapbuf_stop_flag* stop;
} sapbuf_producer_options;

SAPBUF_C_INIT(sapbuf_producer_options)

/* As sapbuf_pool_user_open(). */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_producer_open(sapbuf_queue* queue,
                                                               const sapbuf_producer_options* options,
                                                               sapbuf_producer** producer) SAPBUF_NOEXCEPT;
SAPBUF_C_API void sapbuf_producer_close(sapbuf_producer* producer) SAPBUF_NOEXCEPT;
/* As sapbuf_writer_event_fd(): readable when there may be room, and a buffer, until a reservation or a release finds none. */
SAPBUF_C_API int sapbuf_producer_event_fd(sapbuf_producer* producer) SAPBUF_NOEXCEPT;
SAPBUF_C_API uint32_t sapbuf_producer_slot(const sapbuf_producer* producer) SAPBUF_NOEXCEPT;

/* A block with these bytes, released; `data` may be NULL if `size` is 0. As sapbuf_producer_reserve(),
   SAPBUF_TOO_LARGE, and, where another one fills the queue meanwhile and it waits for room, SAPBUF_TIMEOUT,
   SAPBUF_STOPPED. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_producer_push(sapbuf_producer* producer, const void* data, size_t size,
                                                               uint16_t type) SAPBUF_NOEXCEPT;
/* 1 to `up_to` blocks, as many as there is room for. Stalls nobody, however long they are kept. SAPBUF_FULL,
   SAPBUF_EXHAUSTED (in a queue that drops, each of these two counts as a block that was dropped), SAPBUF_FORKED,
   SAPBUF_DECLARED_DEAD, SAPBUF_CORRUPT. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_producer_reserve(sapbuf_producer* producer, size_t up_to,
                                                                  sapbuf_reserved_blocks** blocks) SAPBUF_NOEXCEPT;
/* Waits for one at the least: also SAPBUF_TIMEOUT, SAPBUF_STOPPED. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_producer_reserve_for(sapbuf_producer* producer, size_t up_to,
                                                                      int64_t timeout_ns,
                                                                      sapbuf_reserved_blocks** blocks) SAPBUF_NOEXCEPT;

/* That are here, and were not released yet. Numbers count from 0, from the first one of these. */
SAPBUF_C_API size_t sapbuf_reserved_blocks_count(const sapbuf_reserved_blocks* blocks) SAPBUF_NOEXCEPT;
/* All bytes of a block; `size` may be NULL. NULL if there is no such one. What stands in it is what others left. */
SAPBUF_C_API void* sapbuf_reserved_blocks_bytes(sapbuf_reserved_blocks* blocks, size_t number,
                                                size_t* size) SAPBUF_NOEXCEPT;
/* How many of its bytes are used, and what type it has, the program's own: what its consumer sees. Unless this is called:
   all, and 0. SAPBUF_TOO_LARGE; SAPBUF_INVALID_ARGUMENT for a number that there is not. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_reserved_blocks_set(sapbuf_reserved_blocks* blocks, size_t number,
                                                                     size_t used, uint16_t type) SAPBUF_NOEXCEPT;
/* What must not be worked on beside others of the same key: any number. It goes with the block to other queues.
   SAPBUF_INVALID_ARGUMENT for a block that there is not. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_reserved_blocks_set_key(sapbuf_reserved_blocks* blocks, size_t number,
                                                                         uint64_t key) SAPBUF_NOEXCEPT;
/* Hands the first `count` over, in order; the rest stays. `*released`, which may be NULL: how many that were, each of which
   is the consumers' from then on, whatever becomes of this process. Where the queue is full it waits, up to the producer's
   timeout, or gives back what does not fit. SAPBUF_OK if all were; SAPBUF_FULL, SAPBUF_TIMEOUT, SAPBUF_STOPPED,
   SAPBUF_FORKED, SAPBUF_DECLARED_DEAD, SAPBUF_CORRUPT. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_reserved_blocks_release(sapbuf_reserved_blocks* blocks, size_t count,
                                                                         size_t* released) SAPBUF_NOEXCEPT;
/* Gives the rest back to the pool. */
SAPBUF_C_API void sapbuf_reserved_blocks_drop(sapbuf_reserved_blocks* blocks) SAPBUF_NOEXCEPT;

/* --- Consuming */

/* A participant who takes blocks. One thread at a time. */
typedef struct sapbuf_consumer sapbuf_consumer;

typedef struct sapbuf_consumer_options {
  size_t struct_size;
  const char* name; /* as sapbuf_producer_options::name */
  const sapbuf_stop_flag* stop;
  uint32_t group; /* below sapbuf_queue_options::groups */
} sapbuf_consumer_options;

SAPBUF_C_INIT(sapbuf_consumer_options)

/* A block that a consumer has taken: its own until it says what became of it, or dies, however long that takes. Its
   thread's; it may outlive its consumer. One of the calls below that answers SAPBUF_OK ends it; `data` is NULL then. */
typedef struct sapbuf_taken_block {
  void* data; /* what the producer filled in; to be written into, too, if there is one group of consumers */
  size_t size;
  size_t room;         /* all of its bytes, for an answer that is longer than the question */
  uint64_t position;   /* grows with each block that is released: the queue's order */
  uint32_t deliveries; /* how often it was taken, this time included */
  uint16_t type;
  uint16_t reserved_type;
  uint64_t reserved[6];
} sapbuf_taken_block;

/* As sapbuf_pool_user_open(); SAPBUF_INVALID_ARGUMENT for a group that there is not. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_consumer_open(sapbuf_queue* queue,
                                                               const sapbuf_consumer_options* options,
                                                               sapbuf_consumer** consumer) SAPBUF_NOEXCEPT;
/* It detaches now, or when the last of its blocks goes. */
SAPBUF_C_API void sapbuf_consumer_close(sapbuf_consumer* consumer) SAPBUF_NOEXCEPT;
/* As sapbuf_writer_event_fd(): readable when there may be a block, until none is found. */
SAPBUF_C_API int sapbuf_consumer_event_fd(sapbuf_consumer* consumer) SAPBUF_NOEXCEPT;
SAPBUF_C_API uint32_t sapbuf_consumer_slot(const sapbuf_consumer* consumer) SAPBUF_NOEXCEPT;

/* 1 to `up_to` blocks, in order, those that were put back first: `*taken` of them. SAPBUF_NOT_FOUND if there is nothing to
   be taken, SAPBUF_FORKED, SAPBUF_DECLARED_DEAD, SAPBUF_CORRUPT. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_consumer_take(sapbuf_consumer* consumer, sapbuf_taken_block* blocks,
                                                               size_t up_to, size_t* taken) SAPBUF_NOEXCEPT;
/* Waits for one at the least: SAPBUF_TIMEOUT, SAPBUF_STOPPED. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_consumer_take_for(sapbuf_consumer* consumer, int64_t timeout_ns,
                                                                   sapbuf_taken_block* blocks, size_t up_to,
                                                                   size_t* taken) SAPBUF_NOEXCEPT;
/* 1 to `up_to` dead letters of its group that stay in this queue, in order: sapbuf_taken_block_done() discards one,
   sapbuf_taken_block_retry() hands it out again; put back, it is a dead letter again. As sapbuf_consumer_take(). */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_consumer_take_dead(sapbuf_consumer* consumer,
                                                                    sapbuf_taken_block* blocks, size_t up_to,
                                                                    size_t* taken) SAPBUF_NOEXCEPT;
/* Until there is one to be taken: SAPBUF_OK; another consumer may be faster. SAPBUF_TIMEOUT, SAPBUF_STOPPED. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_consumer_wait(sapbuf_consumer* consumer,
                                                               int64_t timeout_ns) SAPBUF_NOEXCEPT;

/* The block's key. SAPBUF_NOT_FOUND if it has none, SAPBUF_CLOSED if it was ended. */
SAPBUF_C_API sapbuf_status sapbuf_taken_block_key(const sapbuf_taken_block* block, uint64_t* key) SAPBUF_NOEXCEPT;
/* It is done with, and gone. SAPBUF_CLOSED, as the three below: it was not this consumer's any more (ended before; declared
   dead; forked); it is ended then, too. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_taken_block_done(sapbuf_taken_block* block) SAPBUF_NOEXCEPT;
/* Another consumer gets it, or this one again, before any newer one; a dead letter after max_deliveries. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_taken_block_put_back(sapbuf_taken_block* block) SAPBUF_NOEXCEPT;
/* The same, once so much time has gone by. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_taken_block_put_back_after(sapbuf_taken_block* block,
                                                                            int64_t delay_ns) SAPBUF_NOEXCEPT;
/* Another consumer gets it, or this one again, as if this delivery had not been; a dead letter, as if it had never been
   delivered. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_taken_block_retry(sapbuf_taken_block* block) SAPBUF_NOEXCEPT;
/* Releases it to the queue of that producer, with what was written into it, and `used` of its bytes: done with here, and
   there at the same moment, whoever dies meanwhile. It needs no room there. Otherwise it is held still: SAPBUF_STALE for a
   queue on another pool, SAPBUF_OTHER_SEGMENT, SAPBUF_NOT_ALONE in a queue of several groups, SAPBUF_TOO_LARGE,
   SAPBUF_CLOSED. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_taken_block_pass_to(sapbuf_taken_block* block,
                                                                     sapbuf_producer* producer, size_t used,
                                                                     uint16_t type) SAPBUF_NOEXCEPT;

SAPBUF_C_END

#endif
