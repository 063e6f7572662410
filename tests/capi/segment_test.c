/* Segments, what lives in them, and taking back what the dead held. */
#define _POSIX_C_SOURCE 200809L

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"
#include "process.h"

static bool count_name(void* context, const char* name) {
  if (strcmp(name, segment_name()) == 0) ++*(int*)context;
  return true;
}

static bool stop_at_once(void* context, const char* name) {
  (void)name;
  ++*(int*)context;
  return false;
}

static void segments_are_made_opened_and_removed(void) {
  sapbuf_segment_options options = sapbuf_segment_options_init();
  sapbuf_segment_options there = sapbuf_segment_options_init();
  sapbuf_segment* segment;
  sapbuf_segment* again;
  int seen = 0;
  size_t bytes;
  char text[64];
  size_t length;
  CHECK_STATUS(SAPBUF_NOT_FOUND, sapbuf_segment_open("no such segment", &segment));
  CHECK(segment == NULL);
  CHECK_SAID("no such segment");
  CHECK_STATUS(SAPBUF_INVALID_ARGUMENT, sapbuf_segment_open("a/b", &segment));
  options.slabs = 4;
  options.slab_bytes = 65536;
  options.on_full = SAPBUF_ON_FULL_DROP;
  segment = new_segment(&options);
  CHECK_STATUS(SAPBUF_EXISTS, sapbuf_segment_create(segment_name(), NULL, &again));
  CHECK_OK(sapbuf_segment_open_or_create(segment_name(), NULL, &again));
  CHECK(sapbuf_segment_created(segment) && !sapbuf_segment_created(again));
  CHECK(strcmp(sapbuf_segment_name(again), segment_name()) == 0);
  CHECK_OK(sapbuf_segment_get_options(again, &there));
  CHECK(there.slabs == 4 && there.slab_bytes == 65536 && there.on_full == SAPBUF_ON_FULL_DROP);
  CHECK(there.participants == 64 && there.mode == 0600 && !there.no_main_stream && !there.retain);
  CHECK_OK(sapbuf_segment_differences(again, &options, text, sizeof text, &length));
  CHECK(length == 0);
  options.slabs = 8;
  CHECK_OK(sapbuf_segment_differences(again, &options, text, sizeof text, NULL));
  CHECK(strcmp(text, "slabs 4, not 8") == 0);
  CHECK_OK(sapbuf_segment_max_message_bytes(again, &bytes));
  CHECK(bytes > 65000 && bytes < 65536);
  CHECK_OK(sapbuf_segment_bytes_needed(&options, &bytes));
  CHECK(bytes > sapbuf_segment_bytes(again) && sapbuf_segment_bytes(again) > 4 * 65536);
  CHECK_OK(sapbuf_segment_list(count_name, &seen));
  CHECK(seen == 1);
  CHECK_STATUS(SAPBUF_ABANDONED, sapbuf_segment_list(stop_at_once, &seen));
  CHECK(seen == 2);
  CHECK(sapbuf_segment_is_current(again) && !sapbuf_segment_was_truncated(again));
  end_segment(segment);
  CHECK(!sapbuf_segment_is_current(again));
  CHECK_STATUS(SAPBUF_NOT_FOUND, sapbuf_segment_remove(segment_name()));
  sapbuf_segment_close(again);
  options.no_main_stream = true;
  segment = new_segment(&options);
  CHECK_STATUS(SAPBUF_NOT_FOUND, sapbuf_segment_max_message_bytes(segment, &bytes));
  end_segment(segment);
}

static bool see_facility(void* context, const sapbuf_facility_info* facility) {
  char* const kinds = context;
  CHECK(facility->struct_size == sizeof *facility && facility->bytes > 0 && facility->offset > 0);
  strcat(strcat(strcat(strcat(kinds, facility->kind), " "), facility->name), ";");
  return true;
}

static void facilities_are_listed(void) {
  sapbuf_segment* segment = new_segment(NULL);
  char kinds[256] = "";
  sapbuf_cell* cell;
  CHECK_OK(sapbuf_cell_open_or_create(segment, "pose", 8, NULL, NULL, &cell));
  CHECK_OK(sapbuf_segment_facilities(segment, see_facility, kinds));
  CHECK(strcmp(kinds, "stream main;cell pose;") == 0);
  sapbuf_cell_close(cell);
  end_segment(segment);
}

static sapbuf_segment* inherited_segment;
static sapbuf_pool* inherited_pool;
static sapbuf_map* inherited_map;

static void ask_what_was_inherited(volatile uint64_t* told) {
  char kinds[256] = "";
  (void)told;
  CHECK_STATUS(SAPBUF_FORKED, sapbuf_segment_facilities(inherited_segment, see_facility, kinds));
  CHECK_STATUS(SAPBUF_FORKED, sapbuf_pool_grow_to(inherited_pool, 1));
  CHECK(sapbuf_pool_count(inherited_pool) == 0);
  CHECK_SAID("fork");
  CHECK(sapbuf_map_size(inherited_map) == 0);
  CHECK_SAID("fork");
}

static void what_was_inherited_tells_nothing(void) {
  struct child child;
  inherited_segment = new_segment(NULL);
  CHECK_OK(sapbuf_pool_create(inherited_segment, "pool", NULL, &inherited_pool));
  CHECK_OK(sapbuf_map_create(inherited_segment, "map", NULL, &inherited_map));
  child = start_child(ask_what_was_inherited);
  join_child(&child);
  sapbuf_map_close(inherited_map);
  sapbuf_pool_close(inherited_pool);
  end_segment(inherited_segment);
}

static void memory_of_the_caller_holds_a_segment(void) {
  sapbuf_segment_options options = sapbuf_segment_options_init();
  sapbuf_segment* segment;
  sapbuf_segment* again;
  sapbuf_writer* writer;
  size_t bytes;
  void* memory;
  options.slab_bytes = 4096;
  CHECK_OK(sapbuf_segment_bytes_needed(&options, &bytes));
  CHECK(posix_memalign(&memory, 64, bytes) == 0);
  CHECK_STATUS(SAPBUF_NO_SPACE, sapbuf_segment_create_in(memory, 4096, -1, &options, &segment));
  CHECK_OK(sapbuf_segment_create_in(memory, bytes, -1, &options, &segment));
  CHECK_OK(sapbuf_segment_open_in(memory, bytes, -1, &again));
  CHECK(sapbuf_segment_name(again)[0] == '\0' && sapbuf_segment_is_current(again));
  CHECK_OK(sapbuf_writer_open(again, NULL, &writer));
  CHECK_OK(sapbuf_writer_write(writer, "x", 1, 0));
  CHECK_STATUS(SAPBUF_BUSY, sapbuf_segment_create_in(memory, bytes, -1, &options, &(sapbuf_segment*){0}));
  sapbuf_writer_close(writer);
  sapbuf_segment_close(again);
  sapbuf_segment_close(segment);
  free(memory);
}

/* --- Deaths */

static const char* victims_segment;

static void reserve_and_sleep(volatile uint64_t* told) {
  sapbuf_writer_options options = sapbuf_writer_options_init();
  sapbuf_segment* segment;
  sapbuf_writer* writer;
  void* payload;
  options.name = "feed-a";
  CHECK_OK(sapbuf_segment_open(victims_segment, &segment));
  CHECK_OK(sapbuf_writer_open(segment, &options, &writer));
  CHECK_OK(sapbuf_writer_reserve(writer, 8, 0, &payload));
  tell(told, 1);
  sleep_for_ever();
}

static pid_t expected_pid;

static void see_dead(void* context, const sapbuf_dead_participant* dead) {
  CHECK(dead->struct_size == sizeof *dead && dead->role == SAPBUF_ROLE_WRITER && dead->pid == expected_pid);
  CHECK(strcmp(dead->name, "feed-a") == 0 && strcmp(dead->facility, "main") == 0 && dead->proof[0] != '\0');
  CHECK(dead->held_count == 1 && dead->held[0] >= 1 && dead->held_bytes > 0);
  ++*(int*)context;
}

static void the_dead_are_found_and_taken_back_from(void) {
  sapbuf_segment* segment = new_segment(NULL);
  sapbuf_recovery recovery = sapbuf_recovery_init();
  struct child child;
  int told = 0;
  victims_segment = segment_name();
  child = start_child(reserve_and_sleep);
  expected_pid = child.pid;
  wait_until_told(child, 1);
  CHECK_OK(sapbuf_segment_find_dead(segment, &recovery, see_dead, &told));
  CHECK(recovery.dead == 0 && told == 0);
  kill_child(&child);
  CHECK_OK(sapbuf_segment_find_dead(segment, &recovery, see_dead, &told));
  CHECK(recovery.dead == 1 && told == 1);
  recovery.struct_size = 12; /* of a program that knows no more than the number of the dead */
  recovery.released = 99;
  CHECK_OK(sapbuf_segment_recover(segment, &recovery, see_dead, &told));
  CHECK(recovery.dead == 1 && told == 2 && recovery.released == 99 && recovery.struct_size == 12);
  recovery = sapbuf_recovery_init();
  CHECK_OK(sapbuf_segment_recover(segment, &recovery, NULL, NULL));
  CHECK(recovery.dead == 0 && !recovery.pending && recovery.left_alone == 0);
  end_segment(segment);
}

static void lock_for_reading_and_sleep(volatile uint64_t* told) {
  char path[96] = "/dev/shm/sapbuf.";
  struct flock lock;
  const int file = open(strcat(path, victims_segment), O_RDONLY);
  memset(&lock, 0, sizeof lock);
  lock.l_type = F_RDLCK;
  lock.l_start = ((off_t)1 << 60) + 1; /* the stream's lock, see shm/layout/header.hpp */
  lock.l_len = 1;
  tell(told, file >= 0 && fcntl(file, F_SETLK, &lock) == 0);
  sleep_for_ever();
}

static void see_holder(void* context, const sapbuf_lock_holder* holder) {
  CHECK(holder->struct_size == sizeof *holder && holder->pid == expected_pid && holder->for_reading);
  CHECK(holder->program[0] != '\0');
  ++*(int*)context;
}

static void who_stops_a_segment_is_named(void) {
  sapbuf_segment* segment = new_segment(NULL);
  struct child child;
  int told = 0;
  CHECK_OK(sapbuf_segment_find_lock_holders(segment, SAPBUF_MS(10), see_holder, &told));
  victims_segment = segment_name();
  child = start_child(lock_for_reading_and_sleep);
  expected_pid = child.pid;
  wait_until_told(child, 1);
  CHECK_STATUS(SAPBUF_BUSY, sapbuf_segment_find_lock_holders(segment, SAPBUF_MS(10), see_holder, &told));
  CHECK_STATUS(SAPBUF_BUSY, sapbuf_segment_find_lock_holders(segment, 0, NULL, NULL));
  CHECK(told == 1);
  kill_child(&child);
  CHECK_OK(sapbuf_segment_find_lock_holders(segment, SAPBUF_MS(10), see_holder, &told));
  end_segment(segment);
}

static void a_truncated_segment_is_survived(void) {
  sapbuf_segment* segment = new_segment(NULL);
  char path[96] = "/dev/shm/sapbuf.";
  sapbuf_writer* writer;
  sapbuf_status status = SAPBUF_OK;
  int i;
  CHECK_OK(sapbuf_survive_truncation());
  sapbuf_set_slabs_in_core_dumps(false);
  CHECK_OK(sapbuf_writer_open(segment, NULL, &writer));
  CHECK_OK(sapbuf_writer_write(writer, "x", 1, 0));
  CHECK(truncate(strcat(path, segment_name()), 0) == 0);
  for (i = 0; i < 1000 && status == SAPBUF_OK; ++i) status = sapbuf_writer_write(writer, "x", 1, 0);
  CHECK(status == SAPBUF_CORRUPT && sapbuf_segment_was_truncated(segment));
  sapbuf_writer_close(writer);
  end_segment(segment);
}

static const struct test_case tests[] = {
    {"segments_are_made_opened_and_removed", segments_are_made_opened_and_removed},
    {"facilities_are_listed", facilities_are_listed},
    {"what_was_inherited_tells_nothing", what_was_inherited_tells_nothing},
    {"memory_of_the_caller_holds_a_segment", memory_of_the_caller_holds_a_segment},
    {"the_dead_are_found_and_taken_back_from", the_dead_are_found_and_taken_back_from},
    {"who_stops_a_segment_is_named", who_stops_a_segment_is_named},
    {"a_truncated_segment_is_survived", a_truncated_segment_is_survived},
};

int main(int argc, char** argv) { return run_tests(tests, sizeof tests / sizeof *tests, argc, argv); }
