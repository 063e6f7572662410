/* What all of <sapbuf.h> rests on. */
#ifndef SAPBUF_C_BASE_H
#define SAPBUF_C_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Of what the shared library exports, also where all else in it is hidden. */
#define SAPBUF_C_API __attribute__((visibility("default")))
/* Of calls whose status must be looked at. */
#define SAPBUF_CHECKED __attribute__((warn_unused_result))

#ifdef __cplusplus
#define SAPBUF_NOEXCEPT noexcept
#define SAPBUF_C_BEGIN extern "C" {
#define SAPBUF_C_END }
#else
#define SAPBUF_NOEXCEPT
#define SAPBUF_C_BEGIN
#define SAPBUF_C_END
#endif

/* Defines `NAME NAME_init(void)`: a struct that begins with its size, and is all zero behind that. */
#define SAPBUF_C_INIT(name)                              \
  static inline name name##_init(void) SAPBUF_NOEXCEPT { \
    name fresh;                                          \
    memset(&fresh, 0, sizeof fresh);                     \
    fresh.struct_size = sizeof fresh;                    \
    return fresh;                                        \
  }

SAPBUF_C_BEGIN

#define SAPBUF_MS(milliseconds) ((int64_t)(milliseconds)*INT64_C(1000000))
#define SAPBUF_FOREVER INT64_MAX

/* Ends waits: those of all handles whose options point to it return within milliseconds once it is raised, with
   SAPBUF_STOPPED. Must outlive them. Begins as {0}. */
typedef struct sapbuf_stop_flag {
  unsigned char raised;
} sapbuf_stop_flag;

/* On any thread, and in a signal handler. */
static inline void sapbuf_stop_flag_raise(sapbuf_stop_flag* flag) SAPBUF_NOEXCEPT {
  __atomic_store_n(&flag->raised, 1, __ATOMIC_RELAXED);
}
static inline void sapbuf_stop_flag_lower(sapbuf_stop_flag* flag) SAPBUF_NOEXCEPT {
  __atomic_store_n(&flag->raised, 0, __ATOMIC_RELAXED);
}

/* Of the library that is linked: "0.1.0". */
SAPBUF_C_API const char* sapbuf_version(void) SAPBUF_NOEXCEPT;

SAPBUF_C_END

#endif
