/* Maps: values by their keys, replaced while others read them in place. */
#ifndef SAPBUF_C_MAP_H
#define SAPBUF_C_MAP_H

#include <sapbuf/c/segment.h>

SAPBUF_C_BEGIN

/* A shared handle, for any number of threads. */
typedef struct sapbuf_map sapbuf_map;

typedef struct sapbuf_map_options {
  size_t struct_size;
  uint64_t keys;        /* room for so many at first; default 1024 */
  uint64_t max_keys;    /* that it may grow to; default: keys */
  const char* pool;     /* of the segment, whose buffers are the values; NULL: its own, of one size, named after it */
  uint64_t value_bytes; /* that a value can have, in its own pool; default 512 */
  uint64_t key_bytes;   /* that a key can have, 1 to 255; default 255 */
  uint64_t values;      /* buffers of its own pool; default: half as many again as keys, and 64 */
} sapbuf_map_options;

SAPBUF_C_INIT(sapbuf_map_options)

/* A key: 1 to 255 bytes; a number is its 8 bytes, the lowest first. Refers to the bytes that it was made from. */
typedef struct sapbuf_key {
  const void* data; /* NULL: the number */
  size_t size;
  uint64_t number;
} sapbuf_key;

static inline sapbuf_key sapbuf_key_bytes(const void* data, size_t size) SAPBUF_NOEXCEPT {
  sapbuf_key key;
  key.data = data != NULL ? data : "";
  key.size = data != NULL ? size : 0;
  key.number = 0;
  return key;
}
static inline sapbuf_key sapbuf_key_text(const char* text) SAPBUF_NOEXCEPT {
  return sapbuf_key_bytes(text, text != NULL ? strlen(text) : 0);
}
static inline sapbuf_key sapbuf_key_number(uint64_t number) SAPBUF_NOEXCEPT {
  sapbuf_key key;
  key.data = NULL;
  key.size = sizeof number;
  key.number = number;
  return key;
}

/* As the calls of these names for streams; SAPBUF_NOT_FOUND also for a pool that is not there. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_map_create(sapbuf_segment* segment, const char* name,
                                                            const sapbuf_map_options* options,
                                                            sapbuf_map** map) SAPBUF_NOEXCEPT;
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_map_open(sapbuf_segment* segment, const char* name,
                                                          sapbuf_map** map) SAPBUF_NOEXCEPT;
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_map_open_or_create(sapbuf_segment* segment, const char* name,
                                                                    const sapbuf_map_options* options,
                                                                    sapbuf_map** map) SAPBUF_NOEXCEPT;
SAPBUF_C_API sapbuf_status sapbuf_map_remove(sapbuf_segment* segment, const char* name) SAPBUF_NOEXCEPT;
SAPBUF_C_API void sapbuf_map_close(sapbuf_map* map) SAPBUF_NOEXCEPT;

SAPBUF_C_API const char* sapbuf_map_name(const sapbuf_map* map) SAPBUF_NOEXCEPT;
SAPBUF_C_API bool sapbuf_map_created(const sapbuf_map* map) SAPBUF_NOEXCEPT;
SAPBUF_C_API bool sapbuf_map_is_current(const sapbuf_map* map) SAPBUF_NOEXCEPT;
SAPBUF_C_API size_t sapbuf_map_bytes(const sapbuf_map* map) SAPBUF_NOEXCEPT;
/* `options->pool` lasts as long as the map's handle. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_map_get_options(const sapbuf_map* map,
                                                                 sapbuf_map_options* options) SAPBUF_NOEXCEPT;
SAPBUF_C_API sapbuf_status sapbuf_map_differences(const sapbuf_map* map, const sapbuf_map_options* asked, char* text,
                                                  size_t size, size_t* length) SAPBUF_NOEXCEPT;
SAPBUF_C_API uint64_t sapbuf_map_size(const sapbuf_map* map) SAPBUF_NOEXCEPT; /* keys that there are */
SAPBUF_C_API size_t sapbuf_map_max_value_bytes(const sapbuf_map* map) SAPBUF_NOEXCEPT;

/* --- Reading */

/* A participant of the map, with its entries and values: one thread at a time. It keeps up to 31 values at once. */
typedef struct sapbuf_map_reader sapbuf_map_reader;
/* A reader's place for a key, whether the key is there or not. */
typedef struct sapbuf_map_entry sapbuf_map_entry;

typedef struct sapbuf_map_reader_options {
  size_t struct_size;
  const char* name; /* for people; 63 bytes are kept. NULL: the program's name and pid */
  const sapbuf_stop_flag* stop;
} sapbuf_map_reader_options;

SAPBUF_C_INIT(sapbuf_map_reader_options)

/* One version of a value, in place: it stays as it is until it is released, however often the key is flipped or erased.
   `data` is NULL if there is none here. What it is given for is overwritten without a look. */
typedef struct sapbuf_map_value {
  const void* data;
  size_t size;
  uint64_t reserved[6];
} sapbuf_map_value;

/* As sapbuf_pool_user_open(). */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_map_reader_open(sapbuf_map* map,
                                                                 const sapbuf_map_reader_options* options,
                                                                 sapbuf_map_reader** reader) SAPBUF_NOEXCEPT;
/* Its entries read no more: SAPBUF_CLOSED. Values stay until they are released; it is no participant any more behind the
   last of them. */
SAPBUF_C_API void sapbuf_map_reader_close(sapbuf_map_reader* reader) SAPBUF_NOEXCEPT;
/* As sapbuf_writer_event_fd(): readable when there may be a change, until a wait for one (of the map, or of an entry) finds none
   within its time; it then is for what that one waited for. */
SAPBUF_C_API int sapbuf_map_reader_event_fd(sapbuf_map_reader* reader) SAPBUF_NOEXCEPT;
SAPBUF_C_API uint32_t sapbuf_map_reader_slot(const sapbuf_map_reader* reader) SAPBUF_NOEXCEPT;

/* Looks the key up; it need not be there. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_map_entry_open(sapbuf_map_reader* reader, sapbuf_key key,
                                                                sapbuf_map_entry** entry) SAPBUF_NOEXCEPT;
SAPBUF_C_API void sapbuf_map_entry_close(sapbuf_map_entry* entry) SAPBUF_NOEXCEPT;
/* The key's value now. Makes no system call, and waits for nobody. SAPBUF_NOT_FOUND, SAPBUF_OVER_BUDGET if the reader
   keeps 31 values already, SAPBUF_OVERTAKEN, SAPBUF_EXHAUSTED if this process has no addresses for the value, or for
   the map's entries, SAPBUF_CLOSED, SAPBUF_FORKED, SAPBUF_DECLARED_DEAD, SAPBUF_CORRUPT. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_map_entry_read(sapbuf_map_entry* entry,
                                                                sapbuf_map_value* value) SAPBUF_NOEXCEPT;
/* Until the key's version is another one than `seen` (0: not there): SAPBUF_OK; SAPBUF_TIMEOUT, SAPBUF_STOPPED. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_map_entry_wait_changed(sapbuf_map_entry* entry, uint64_t seen,
                                                                        int64_t timeout_ns) SAPBUF_NOEXCEPT;

/* For a key that is read once. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_map_reader_read(sapbuf_map_reader* reader, sapbuf_key key,
                                                                 sapbuf_map_value* value) SAPBUF_NOEXCEPT;
/* Calls `visit` for each key that begins with `prefix` (NULL: all), which is no text but bytes, until it returns false:
   SAPBUF_ABANDONED then. Key and value are valid during the call. Keys that come or go meanwhile are visited or not; all
   others once, in no order. Otherwise as sapbuf_map_entry_read(). */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_map_reader_for_each(
    sapbuf_map_reader* reader, const void* prefix, size_t prefix_size,
    bool (*visit)(void* context, const void* key, size_t key_size, const sapbuf_map_value* value),
    void* context) SAPBUF_NOEXCEPT;
/* Grows with each change of the map; 0 for NULL. */
SAPBUF_C_API uint64_t sapbuf_map_reader_version(const sapbuf_map_reader* reader) SAPBUF_NOEXCEPT;
/* As sapbuf_map_entry_wait_changed(), for any change. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_map_reader_wait_changed(sapbuf_map_reader* reader, uint64_t seen,
                                                                         int64_t timeout_ns) SAPBUF_NOEXCEPT;

/* Of its key, ever growing; 0 if there is no value here. */
SAPBUF_C_API uint64_t sapbuf_map_value_version(const sapbuf_map_value* value) SAPBUF_NOEXCEPT;
/* When it became the key's value: wall clock, nanoseconds since the epoch, true to some milliseconds; 0: no value. */
SAPBUF_C_API uint64_t sapbuf_map_value_flipped_ns(const sapbuf_map_value* value) SAPBUF_NOEXCEPT;
SAPBUF_C_API void sapbuf_map_value_release(sapbuf_map_value* value) SAPBUF_NOEXCEPT;

/* --- Writing */

/* A participant of the map, and a user of its pool. One thread at a time, with its drafts and transactions, which must be
   dropped before it is closed. */
typedef struct sapbuf_map_writer sapbuf_map_writer;
/* A value that is being written. */
typedef struct sapbuf_map_draft sapbuf_map_draft;
/* Keys that get new values together: all or none, also if the writer is killed. */
typedef struct sapbuf_transaction sapbuf_transaction;

typedef struct sapbuf_map_writer_options {
  size_t struct_size;
  const char* name;
  /* How long a call may wait: for a buffer, for another writer of the same key, for room that another one makes. 0: for
     ever; negative: not at all. */
  int64_t timeout_ns;
  const sapbuf_stop_flag* stop;
} sapbuf_map_writer_options;

SAPBUF_C_INIT(sapbuf_map_writer_options)

/* As sapbuf_pool_user_open(). */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_map_writer_open(sapbuf_map* map,
                                                                 const sapbuf_map_writer_options* options,
                                                                 sapbuf_map_writer** writer) SAPBUF_NOEXCEPT;
SAPBUF_C_API void sapbuf_map_writer_close(sapbuf_map_writer* writer) SAPBUF_NOEXCEPT;
SAPBUF_C_API uint32_t sapbuf_map_writer_slot(const sapbuf_map_writer* writer) SAPBUF_NOEXCEPT;

/* Makes these bytes the key's value, whether the key was there or not; `value` may be NULL if `size` is 0.
   SAPBUF_TOO_LARGE (key or value), SAPBUF_FULL (as many keys as it can have), SAPBUF_EXHAUSTED (the pool has no buffer;
   or this process has no memory now, or no addresses for the value that is there, or for the map's entries),
   SAPBUF_TIMEOUT, SAPBUF_STOPPED, SAPBUF_ALREADY_RESERVED (from within an update), SAPBUF_FORKED, SAPBUF_DECLARED_DEAD,
   SAPBUF_CORRUPT. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_map_writer_put(sapbuf_map_writer* writer, sapbuf_key key,
                                                                const void* value, size_t size) SAPBUF_NOEXCEPT;
/* The same if the key is not there; SAPBUF_EXISTS otherwise. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_map_writer_insert(sapbuf_map_writer* writer, sapbuf_key key,
                                                                   const void* value, size_t size) SAPBUF_NOEXCEPT;
/* SAPBUF_NOT_FOUND if it is not there; otherwise as sapbuf_map_draft_flip(). Who reads its value keeps that. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_map_writer_erase(sapbuf_map_writer* writer,
                                                                  sapbuf_key key) SAPBUF_NOEXCEPT;
/* Calls `change` with the value that the key has, and a draft as large, to be filled, and resized, for the next one; nobody
   else changes the key meanwhile. If it returns false, nothing is changed: SAPBUF_ABANDONED. It must use neither this
   writer, nor the draft but for its bytes. SAPBUF_NOT_FOUND if the key is not there; SAPBUF_TOO_LARGE, of the key;
   SAPBUF_EXHAUSTED also if the draft could not be made larger for want of a buffer: the next call waits for one of that
   size; otherwise as sapbuf_map_draft_flip(). */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_map_writer_update(sapbuf_map_writer* writer, sapbuf_key key,
                                                                   bool (*change)(void* context, const void* old,
                                                                                  size_t old_size,
                                                                                  sapbuf_map_draft* fresh),
                                                                   void* context) SAPBUF_NOEXCEPT;

/* A value of `size` bytes to be filled in place. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_map_draft_prepare(sapbuf_map_writer* writer, sapbuf_key key,
                                                                   size_t size,
                                                                   sapbuf_map_draft** draft) SAPBUF_NOEXCEPT;
/* Its bytes; what stands in them is what others left. `size` may be NULL. NULL once it was flipped, or could not be
   resized for want of a buffer. */
SAPBUF_C_API void* sapbuf_map_draft_bytes(const sapbuf_map_draft* draft, size_t* size) SAPBUF_NOEXCEPT;
/* Makes it larger or smaller; what stands in it stays. SAPBUF_TOO_LARGE; SAPBUF_EXHAUSTED if
   a pool with size classes has no buffer for it now: the draft cannot be flipped then. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_map_draft_resize(sapbuf_map_draft* draft, size_t size) SAPBUF_NOEXCEPT;
/* Makes it the key's value; what is not SAPBUF_OK leaves it a draft: as sapbuf_map_writer_put(), SAPBUF_CLOSED if it was
   flipped before. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_map_draft_flip(sapbuf_map_draft* draft) SAPBUF_NOEXCEPT;
/* The same if the key's version is this one still, 0: if the key is not there; SAPBUF_VERSION_CHANGED otherwise. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_map_draft_flip_if(sapbuf_map_draft* draft,
                                                                   uint64_t version) SAPBUF_NOEXCEPT;
/* In any case: flipped or not. */
SAPBUF_C_API void sapbuf_map_draft_drop(sapbuf_map_draft* draft) SAPBUF_NOEXCEPT;

SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_transaction_begin(sapbuf_map_writer* writer,
                                                                   sapbuf_transaction** transaction) SAPBUF_NOEXCEPT;
/* What the key is to have, whether it is there at the commit or not; of a key that was added before, instead of that.
   SAPBUF_OVER_BUDGET for more than 16 keys, and as sapbuf_map_draft_prepare(). */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_transaction_put(sapbuf_transaction* transaction, sapbuf_key key,
                                                                 const void* value, size_t size) SAPBUF_NOEXCEPT;
/* The same of a draft of the same writer, which has nothing any more then. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_transaction_add(sapbuf_transaction* transaction,
                                                                 sapbuf_map_draft* draft) SAPBUF_NOEXCEPT;
SAPBUF_C_API size_t sapbuf_transaction_size(const sapbuf_transaction* transaction) SAPBUF_NOEXCEPT; /* keys */
/* Flips them all, and is empty then; or none, and inserts no key: SAPBUF_FULL (no room for a new key), SAPBUF_EXHAUSTED
   (as sapbuf_map_writer_put(), but for the pool), SAPBUF_TIMEOUT, SAPBUF_STOPPED, SAPBUF_ALREADY_RESERVED,
   SAPBUF_FORKED, SAPBUF_DECLARED_DEAD, SAPBUF_CORRUPT. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_transaction_commit(sapbuf_transaction* transaction) SAPBUF_NOEXCEPT;
/* In any case: committed or not. */
SAPBUF_C_API void sapbuf_transaction_drop(sapbuf_transaction* transaction) SAPBUF_NOEXCEPT;

SAPBUF_C_END

#endif
