#include "check.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char* running = "";
static char name[64];

void fail_check(const char* file, int line, const char* what) {
  fprintf(stderr, "%s:%d: %s: does not hold: %s (sapbuf: %s)\n", file, line, running, what, sapbuf_last_error());
  sapbuf_segment_remove(name);
  exit(1);
}

void check_status(const char* file, int line, const char* call, sapbuf_status expected, sapbuf_status answered) {
  if (answered == expected) {
    if (expected != SAPBUF_OK && sapbuf_last_error()[0] == '\0') fail_check(file, line, "a failure is told in words");
    return;
  }
  fprintf(stderr, "%s:%d: %s: %s\n  answered %d, %s, not %d, %s\n", file, line, running, call, (int)answered,
          sapbuf_strerror(answered), (int)expected, sapbuf_strerror(expected));
  fail_check(file, line, call);
}

void check_said(const char* file, int line, const char* words) {
  if (strstr(sapbuf_last_error(), words) == NULL) fail_check(file, line, words);
}

int run_tests(const struct test_case* tests, size_t count, int argc, char** argv) {
  size_t i;
  for (i = 0; i < count; ++i) {
    if (argc > 1 && strcmp(argv[1], tests[i].name) != 0) continue;
    running = tests[i].name;
    tests[i].run();
    printf("%s\n", running);
  }
  return 0;
}

bool is_readable(int descriptor, int milliseconds) {
  struct pollfd asked = {descriptor, POLLIN, 0};
  return poll(&asked, 1, milliseconds) == 1 && (asked.revents & POLLIN) != 0;
}

sapbuf_segment* new_segment(const sapbuf_segment_options* options) {
  static int number = 0;
  sapbuf_segment* segment;
  snprintf(name, sizeof name, "capi-%d-%d", (int)getpid(), ++number);
  CHECK_OK(sapbuf_segment_create(name, options, &segment));
  return segment;
}

const char* segment_name(void) { return name; }

void end_segment(sapbuf_segment* segment) {
  sapbuf_segment_close(segment);
  CHECK_OK(sapbuf_segment_remove(name));
}
