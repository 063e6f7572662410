/* Snapshots, and what is found in them. */
#ifndef SAPBUF_TESTS_CAPI_LOOK_H
#define SAPBUF_TESTS_CAPI_LOOK_H

#include <sapbuf.h>

sapbuf_snapshot* take_snapshot(sapbuf_segment* segment);
/* Of the facility of that name. */
size_t number_of(const sapbuf_snapshot* snapshot, const char* facility);
/* The participant of that name; its number, too, unless `number` is NULL. */
sapbuf_participant_snapshot participant_named(const sapbuf_snapshot* snapshot, const char* name, size_t* number);

sapbuf_writer* new_writer(sapbuf_segment* segment, const char* name);

#endif
