#include "look.h"

#include "check.h"

sapbuf_snapshot* take_snapshot(sapbuf_segment* segment) {
  sapbuf_snapshot* snapshot;
  CHECK_OK(sapbuf_inspect(segment, NULL, &snapshot));
  return snapshot;
}

size_t number_of(const sapbuf_snapshot* snapshot, const char* facility) {
  size_t number;
  CHECK_OK(sapbuf_snapshot_find_facility(snapshot, facility, &number));
  return number;
}

sapbuf_participant_snapshot participant_named(const sapbuf_snapshot* snapshot, const char* name, size_t* number) {
  sapbuf_participant_snapshot seen = sapbuf_participant_snapshot_init();
  size_t i;
  for (i = 0; i < sapbuf_snapshot_participants(snapshot); ++i) {
    CHECK_OK(sapbuf_snapshot_get_participant(snapshot, i, &seen));
    if (number != NULL) *number = i;
    if (strcmp(seen.name, name) == 0) return seen;
  }
  fail_check(__FILE__, __LINE__, name);
  return seen;
}

sapbuf_writer* new_writer(sapbuf_segment* segment, const char* name) {
  sapbuf_writer_options options = sapbuf_writer_options_init();
  sapbuf_writer* writer;
  options.name = name;
  CHECK_OK(sapbuf_writer_open(segment, &options, &writer));
  return writer;
}
