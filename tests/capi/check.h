/* What a test in C needs: it says what did not hold, where, and what the library said, and ends the program. */
#ifndef SAPBUF_TESTS_CAPI_CHECK_H
#define SAPBUF_TESTS_CAPI_CHECK_H

#include <sapbuf.h>

#define CHECK(condition)                                          \
  do {                                                            \
    if (!(condition)) fail_check(__FILE__, __LINE__, #condition); \
  } while (0)

/* The call answers this status, and says why in words, unless it is SAPBUF_OK. */
#define CHECK_STATUS(expected, call) check_status(__FILE__, __LINE__, #call, expected, call)
#define CHECK_OK(call) CHECK_STATUS(SAPBUF_OK, call)

/* The latest text of sapbuf_last_error() has these words in it. */
#define CHECK_SAID(words) check_said(__FILE__, __LINE__, words)

struct test_case {
  const char* name;
  void (*run)(void);
};
/* Runs each in turn, or the one that the first argument names. */
int run_tests(const struct test_case* tests, size_t count, int argc, char** argv);

void fail_check(const char* file, int line, const char* what);
void check_status(const char* file, int line, const char* call, sapbuf_status expected, sapbuf_status answered);
void check_said(const char* file, int line, const char* words);

/* Whether a descriptor is readable, or becomes so within that time. */
bool is_readable(int descriptor, int milliseconds);

/* A segment with a name that no other test has, removed at the end of the case that asked for it. */
sapbuf_segment* new_segment(const sapbuf_segment_options* options);
const char* segment_name(void); /* of the latest one */
void end_segment(sapbuf_segment* segment);

#endif
