/* Cells: one small value, replaced by many, read by many. */
#ifndef SAPBUF_C_CELL_H
#define SAPBUF_C_CELL_H

#include <sapbuf/c/segment.h>

SAPBUF_C_BEGIN

/* A handle of a cell, and a participant of the segment. One thread at a time. Any number of handles may store at once:
   nobody waits for anybody, and who reads gets one of the values that were stored, whole. */
typedef struct sapbuf_cell sapbuf_cell;

typedef struct sapbuf_cell_options {
  size_t struct_size;
  const char* name; /* of this handle, for people; 63 bytes are kept. NULL: the program's name and pid */
  const sapbuf_stop_flag* stop;
} sapbuf_cell_options;

SAPBUF_C_INIT(sapbuf_cell_options)

/* For values of `size` bytes, 1 to 4096, that mean the same to everybody. One that is not there is made, with the value at
   `initial` (NULL: zeroes) as version 0. SAPBUF_INCOMPATIBLE where values have another size, and as sapbuf_reader_open(). */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_cell_open_or_create(sapbuf_segment* segment, const char* name,
                                                                     size_t size, const void* initial,
                                                                     const sapbuf_cell_options* options,
                                                                     sapbuf_cell** cell) SAPBUF_NOEXCEPT;
/* To read only: SAPBUF_NOT_FOUND if it is not there; storing answers SAPBUF_PERMISSION_DENIED. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_cell_open_to_read(sapbuf_segment* segment, const char* name,
                                                                   size_t size, const sapbuf_cell_options* options,
                                                                   sapbuf_cell** cell) SAPBUF_NOEXCEPT;
SAPBUF_C_API sapbuf_status sapbuf_cell_remove(sapbuf_segment* segment, const char* name) SAPBUF_NOEXCEPT;
SAPBUF_C_API void sapbuf_cell_close(sapbuf_cell* cell) SAPBUF_NOEXCEPT;

/* The newest value, copied to `value`. `*version`, which may be NULL: how many values there were before it. Makes no system
   call. SAPBUF_FORKED, SAPBUF_DECLARED_DEAD, SAPBUF_CORRUPT, SAPBUF_NOT_FOUND if the cell was removed. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_cell_load(sapbuf_cell* cell, void* value,
                                                           uint64_t* version) SAPBUF_NOEXCEPT;
/* Makes these bytes the newest value. `*version`, which may be NULL: its version. As sapbuf_cell_load(). */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_cell_store(sapbuf_cell* cell, const void* value,
                                                            uint64_t* version) SAPBUF_NOEXCEPT;
/* Calls `change` with a copy of the newest value, which it changes: that is stored if no other one was meanwhile; otherwise
   it begins anew, so `change` may be called several times. If it returns false, nothing is stored: SAPBUF_ABANDONED. */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_cell_update(sapbuf_cell* cell,
                                                             bool (*change)(void* context, void* value), void* context,
                                                             uint64_t* version) SAPBUF_NOEXCEPT;
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_cell_version(sapbuf_cell* cell, uint64_t* version) SAPBUF_NOEXCEPT;
/* Until the version is another one than `seen`: SAPBUF_OK; SAPBUF_TIMEOUT, SAPBUF_STOPPED, and as sapbuf_cell_load(). */
SAPBUF_C_API SAPBUF_CHECKED sapbuf_status sapbuf_cell_wait_changed(sapbuf_cell* cell, uint64_t seen,
                                                                   int64_t timeout_ns) SAPBUF_NOEXCEPT;

SAPBUF_C_END

#endif
