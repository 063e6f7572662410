/* Snapshots: what a segment looks like from outside, while its participants work, hang, and are dead. */
#define _POSIX_C_SOURCE 200809L

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "look.h"
#include "process.h"

/* --- The segment */

static void a_snapshot_tells_of_the_segment(void) {
  sapbuf_segment_options options = sapbuf_segment_options_init();
  sapbuf_segment_options there = sapbuf_segment_options_init();
  sapbuf_segment_snapshot seen = sapbuf_segment_snapshot_init();
  sapbuf_segment* segment;
  sapbuf_snapshot* snapshot;
  CHECK_STATUS(SAPBUF_NOT_FOUND, sapbuf_inspect_by_name("no such segment", NULL, &snapshot));
  CHECK(snapshot == NULL);
  options.slabs = 4;
  options.slab_bytes = 8192;
  options.on_full = SAPBUF_ON_FULL_DROP;
  segment = new_segment(&options);
  CHECK_OK(sapbuf_inspect_by_name(segment_name(), NULL, &snapshot));
  CHECK_OK(sapbuf_snapshot_get_segment(snapshot, &seen));
  CHECK(strcmp(seen.name, segment_name()) == 0 && seen.bytes == sapbuf_segment_bytes(segment));
  CHECK(seen.created_ns != 0 && seen.device != 0 && seen.inode != 0 && seen.mode == 0600 && seen.abi != 0);
  CHECK(seen.owner == geteuid() && seen.struct_size == sizeof seen);
  CHECK_OK(sapbuf_snapshot_get_segment_options(snapshot, &there));
  CHECK(there.slabs == 4 && there.slab_bytes == 8192 && there.on_full == SAPBUF_ON_FULL_DROP);
  CHECK(sapbuf_snapshot_participants(snapshot) == 0 && sapbuf_snapshot_facilities(snapshot) == 1);
  end_segment(segment);
  CHECK(strcmp(seen.name, segment_name()) == 0); /* the snapshot keeps its texts */
  sapbuf_snapshot_close(snapshot);
}

static void memory_of_the_caller_has_no_file(void) {
  sapbuf_segment_options options = sapbuf_segment_options_init();
  sapbuf_segment_snapshot seen = sapbuf_segment_snapshot_init();
  sapbuf_segment* segment;
  sapbuf_snapshot* snapshot;
  size_t bytes;
  void* memory;
  options.slab_bytes = 4096;
  CHECK_OK(sapbuf_segment_bytes_needed(&options, &bytes));
  CHECK(posix_memalign(&memory, 64, bytes) == 0);
  CHECK_OK(sapbuf_segment_create_in(memory, bytes, -1, &options, &segment));
  snapshot = take_snapshot(segment);
  sapbuf_segment_close(segment);
  CHECK_OK(sapbuf_snapshot_get_segment(snapshot, &seen));
  CHECK(seen.name[0] == '\0' && seen.inode == 0 && seen.device == 0 && seen.mode == 0 && seen.bytes == bytes);
  sapbuf_snapshot_close(snapshot);
  free(memory);
}

static void facilities_have_numbers_kinds_and_regions(void) {
  const char* const kinds[] = {"stream", "cell"};
  const char* const names[] = {"main", "pose"};
  sapbuf_segment* segment = new_segment(NULL);
  sapbuf_facility_snapshot seen = sapbuf_facility_snapshot_init();
  sapbuf_cell_snapshot value = sapbuf_cell_snapshot_init();
  sapbuf_snapshot* snapshot;
  sapbuf_cell* cell;
  size_t number = 7;
  CHECK_OK(sapbuf_cell_open_or_create(segment, "pose", 24, NULL, NULL, &cell));
  CHECK_OK(sapbuf_cell_store(cell, "12345678123456781234567", NULL));
  snapshot = take_snapshot(segment);
  CHECK(sapbuf_snapshot_facilities(snapshot) == 2);
  for (number = 0; number < 2; ++number) {
    CHECK_OK(sapbuf_snapshot_get_facility(snapshot, number, &seen));
    CHECK(strcmp(seen.kind, kinds[number]) == 0 && strcmp(seen.name, names[number]) == 0);
    CHECK(number_of(snapshot, names[number]) == number);
    CHECK(seen.offset != 0 && seen.bytes != 0 && seen.most_bytes >= seen.bytes && seen.created_ns != 0);
    CHECK(seen.recoveries == 0 && seen.released == 0 && seen.journal_records == 0);
  }
  CHECK_STATUS(SAPBUF_NOT_FOUND, sapbuf_snapshot_find_facility(snapshot, "pos", &number));
  CHECK_OK(sapbuf_snapshot_get_cell(snapshot, 1, &value));
  CHECK(value.value_bytes == 24 && value.version == 1);
  sapbuf_snapshot_close(snapshot);
  sapbuf_cell_close(cell);
  end_segment(segment);
}

/* --- Participants */

static void a_reader_that_lags_is_shown(void) {
  sapbuf_segment* segment = new_segment(NULL);
  sapbuf_reader_options named = sapbuf_reader_options_init();
  sapbuf_inspect_options quick = sapbuf_inspect_options_init();
  sapbuf_stream_ledger ledger = sapbuf_stream_ledger_init();
  sapbuf_participant_snapshot seen;
  sapbuf_snapshot* snapshot;
  sapbuf_writer* writer = new_writer(segment, "feed");
  sapbuf_reader* reader;
  size_t number;
  named.name = "slow";
  CHECK_OK(sapbuf_reader_open(segment, &named, &reader));
  CHECK_OK(sapbuf_writer_write(writer, "abc", 3, 0));
  CHECK_OK(sapbuf_writer_write(writer, "defgh", 5, 0));
  snapshot = take_snapshot(segment);
  CHECK(sapbuf_snapshot_participants(snapshot) == 2);
  seen = participant_named(snapshot, "slow", &number);
  CHECK(seen.role == SAPBUF_ROLE_READER && seen.has_lag && seen.lag_messages == 2 && seen.lag_bytes == 8);
  CHECK(seen.pid == (int32_t)getpid() && seen.slot == sapbuf_reader_slot(reader) && !seen.in_operation);
  CHECK(strcmp(seen.facility, "main") == 0 && seen.liveness == SAPBUF_LIVENESS_ALIVE && seen.incarnation != 0);
  CHECK(seen.held_count == 1 && seen.held[0] == 1 && seen.held_bytes == 1 << 20);
  CHECK(seen.attached_ns != 0 && seen.start_time != 0 && seen.pid_namespace != 0);
  CHECK_OK(sapbuf_snapshot_get_participant_stream_ledger(snapshot, number, &ledger));
  CHECK(ledger.committed == 0 && ledger.delivered == 0);
  seen = participant_named(snapshot, "feed", &number);
  CHECK(seen.role == SAPBUF_ROLE_WRITER && !seen.has_lag);
  CHECK_OK(sapbuf_snapshot_get_participant_stream_ledger(snapshot, number, &ledger));
  CHECK(ledger.committed == 2 && ledger.committed_bytes == 8 && ledger.aborted == 0);
  sapbuf_snapshot_close(snapshot);

  quick.no_lag = true;
  CHECK_OK(sapbuf_inspect_by_name(segment_name(), &quick, &snapshot));
  CHECK(!participant_named(snapshot, "slow", NULL).has_lag);
  sapbuf_snapshot_close(snapshot);
  sapbuf_reader_close(reader);
  sapbuf_writer_close(writer);
  end_segment(segment);
}

/* --- Deaths */

static const char* victims_segment;

static void reserve_and_sleep(volatile uint64_t* told) {
  sapbuf_segment* segment;
  sapbuf_writer* writer;
  void* payload;
  CHECK_OK(sapbuf_segment_open(victims_segment, &segment));
  writer = new_writer(segment, "feed-a");
  CHECK_OK(sapbuf_writer_reserve(writer, 8, 0, &payload));
  tell(told, 1 + sapbuf_writer_slot(writer));
  sleep_for_ever();
}

/* Of the participant "feed-a", who is called hung after that time. */
static uint32_t liveness_after(int64_t hung_after_ns) {
  sapbuf_inspect_options options = sapbuf_inspect_options_init();
  sapbuf_snapshot* snapshot;
  uint32_t liveness;
  options.hung_after_ns = hung_after_ns;
  CHECK_OK(sapbuf_inspect_by_name(victims_segment, &options, &snapshot));
  liveness = participant_named(snapshot, "feed-a", NULL).liveness;
  sapbuf_snapshot_close(snapshot);
  return liveness;
}

/* Waits, with patience, until that is what is said. */
static void wait_until_hung(int64_t hung_after_ns) {
  const struct timespec moment = {0, 10000000};
  int waited;
  for (waited = 0; liveness_after(hung_after_ns) != SAPBUF_LIVENESS_HUNG; ++waited) {
    CHECK(waited < 6000);
    nanosleep(&moment, NULL);
  }
}

static void the_hung_and_the_dead_are_told_apart(void) {
  sapbuf_segment* segment = new_segment(NULL);
  struct child child;
  CHECK(SAPBUF_LIVENESS_ALIVE == 0 && SAPBUF_LIVENESS_DEAD == 1 && SAPBUF_LIVENESS_HUNG == 2);
  victims_segment = segment_name();
  child = start_child(reserve_and_sleep);
  wait_until_told(child, 1);
  CHECK(liveness_after(0) == SAPBUF_LIVENESS_ALIVE);
  wait_until_hung(1);
  wait_until_hung(SAPBUF_MS(20));
  CHECK(liveness_after(SAPBUF_MS(3600000)) == SAPBUF_LIVENESS_ALIVE);
  CHECK(liveness_after(SAPBUF_FOREVER) == SAPBUF_LIVENESS_ALIVE);
  wait_until_hung(0); /* some seconds */
  CHECK(liveness_after(-1) == SAPBUF_LIVENESS_ALIVE);
  kill_child(&child);
  CHECK(liveness_after(0) == SAPBUF_LIVENESS_DEAD);
  end_segment(segment);
}

static void the_journal_tells_what_was_taken_from_whom(void) {
  sapbuf_segment* segment = new_segment(NULL);
  sapbuf_facility_snapshot stream = sapbuf_facility_snapshot_init();
  sapbuf_journal_record record = sapbuf_journal_record_init();
  sapbuf_snapshot* snapshot;
  struct child child;
  uint64_t told;
  pid_t pid;
  victims_segment = segment_name();
  child = start_child(reserve_and_sleep);
  pid = child.pid;
  wait_until_told(child, 1);
  told = kill_child(&child);
  CHECK_OK(sapbuf_segment_recover(segment, NULL, NULL, NULL));
  snapshot = take_snapshot(segment);
  CHECK(sapbuf_snapshot_participants(snapshot) == 0);
  CHECK_OK(sapbuf_snapshot_get_facility(snapshot, 0, &stream));
  CHECK(stream.journal_records == 1 && stream.recoveries == 1);
  CHECK_OK(sapbuf_snapshot_get_journal_record(snapshot, 0, 0, &record));
  CHECK(strcmp(record.name, "feed-a") == 0 && record.pid == pid && record.slot == told - 1 && record.number == 1);
  CHECK(record.role == SAPBUF_ROLE_WRITER && record.proof[0] != '\0' && record.repairs != 0);
  CHECK(record.noticed_ns > UINT64_C(1000000000000000000) && record.finished_ns >= record.noticed_ns);
  CHECK(record.held_first == 1 && record.held_last == 1 && record.held_count == 1 && record.held_bytes == 1 << 20);
  CHECK_STATUS(SAPBUF_INVALID_ARGUMENT, sapbuf_snapshot_get_journal_record(snapshot, 0, 1, &record));
  sapbuf_snapshot_close(snapshot);
  end_segment(segment);
}

/* --- What is refused */

#define CHECK_REFUSED(words, call)               \
  do {                                           \
    CHECK_STATUS(SAPBUF_INVALID_ARGUMENT, call); \
    CHECK_SAID(words);                           \
  } while (0)

static void numbers_that_there_are_not_are_refused(void) {
  sapbuf_segment* segment = new_segment(NULL);
  sapbuf_participant_snapshot participant = sapbuf_participant_snapshot_init();
  sapbuf_facility_snapshot facility = sapbuf_facility_snapshot_init();
  sapbuf_journal_record record = sapbuf_journal_record_init();
  sapbuf_slab_snapshot slab = sapbuf_slab_snapshot_init();
  sapbuf_durable_reader reader = sapbuf_durable_reader_init();
  sapbuf_stream_ledger ledger = sapbuf_stream_ledger_init();
  sapbuf_pool_holder holder = sapbuf_pool_holder_init();
  sapbuf_snapshot* snapshot;
  sapbuf_pool* pool;
  CHECK_OK(sapbuf_pool_create(segment, "frames", NULL, &pool));
  snapshot = take_snapshot(segment);
  CHECK_REFUSED("no participant 0: there are 0", sapbuf_snapshot_get_participant(snapshot, 0, &participant));
  CHECK_REFUSED("participant 9", sapbuf_snapshot_get_participant_stream_ledger(snapshot, 9, &ledger));
  CHECK_REFUSED("no facility 2: there are 2", sapbuf_snapshot_get_facility(snapshot, 2, &facility));
  CHECK_REFUSED("no facility", sapbuf_snapshot_get_stream_departed(snapshot, SIZE_MAX, &ledger));
  CHECK_REFUSED("no record of the journal 0", sapbuf_snapshot_get_journal_record(snapshot, 0, 0, &record));
  CHECK_REFUSED("no slab 2: there are 2", sapbuf_snapshot_get_slab(snapshot, 0, 2, &slab));
  CHECK_REFUSED("no durable reader 0", sapbuf_snapshot_get_durable_reader(snapshot, 0, 0, &reader));
  CHECK_REFUSED("no holder 0", sapbuf_snapshot_get_pool_holder(snapshot, 1, 0, &holder));
  CHECK(participant.name == NULL && facility.kind == NULL && slab.state == NULL && holder.name == NULL);
  sapbuf_snapshot_close(snapshot);
  sapbuf_pool_close(pool);
  end_segment(segment);
}

static void facilities_of_another_kind_are_refused(void) {
  sapbuf_segment* segment = new_segment(NULL);
  sapbuf_stream_snapshot stream = sapbuf_stream_snapshot_init();
  sapbuf_slab_snapshot slab = sapbuf_slab_snapshot_init();
  sapbuf_pool_snapshot pool = sapbuf_pool_snapshot_init();
  sapbuf_pool_ledger pool_ledger = sapbuf_pool_ledger_init();
  sapbuf_map_snapshot map = sapbuf_map_snapshot_init();
  sapbuf_map_ledger map_ledger = sapbuf_map_ledger_init();
  sapbuf_queue_snapshot queue = sapbuf_queue_snapshot_init();
  sapbuf_queue_ledger queue_ledger = sapbuf_queue_ledger_init();
  sapbuf_stream_ledger stream_ledger = sapbuf_stream_ledger_init();
  sapbuf_cell_snapshot value = sapbuf_cell_snapshot_init();
  sapbuf_cell_options named = sapbuf_cell_options_init();
  sapbuf_snapshot* snapshot;
  sapbuf_cell* cell;
  named.name = "robot";
  CHECK_OK(sapbuf_cell_open_or_create(segment, "pose", 8, NULL, &named, &cell));
  snapshot = take_snapshot(segment);
  CHECK_REFUSED("pose, has kind cell, not stream", sapbuf_snapshot_get_stream(snapshot, 1, &stream));
  CHECK_REFUSED("not stream", sapbuf_snapshot_get_slab(snapshot, 1, 0, &slab));
  CHECK_REFUSED("main, has kind stream, not pool", sapbuf_snapshot_get_pool(snapshot, 0, &pool));
  CHECK_REFUSED("not pool", sapbuf_snapshot_get_pool_present(snapshot, 0, &pool_ledger));
  CHECK_REFUSED("not map", sapbuf_snapshot_get_map(snapshot, 0, &map));
  CHECK_REFUSED("not queue", sapbuf_snapshot_get_queue(snapshot, 0, &queue));
  CHECK_REFUSED("not cell", sapbuf_snapshot_get_cell(snapshot, 0, &value));
  CHECK_REFUSED("participant 0, robot, is no writer or reader of a stream",
                sapbuf_snapshot_get_participant_stream_ledger(snapshot, 0, &stream_ledger));
  CHECK_REFUSED("is no user of a pool", sapbuf_snapshot_get_participant_pool_ledger(snapshot, 0, &pool_ledger));
  CHECK_REFUSED("is an editor of a cell", sapbuf_snapshot_get_participant_map_ledger(snapshot, 0, &map_ledger));
  CHECK_REFUSED("is no producer or consumer", sapbuf_snapshot_get_participant_queue_ledger(snapshot, 0, &queue_ledger));
  sapbuf_snapshot_close(snapshot);
  sapbuf_cell_close(cell);
  end_segment(segment);
}

/* A struct of a program that was compiled with a later version. */
struct later_cell {
  sapbuf_cell_snapshot known;
  uint64_t later;
};

static void structs_of_other_versions_are_understood(void) {
  sapbuf_segment* segment = new_segment(NULL);
  sapbuf_cell_snapshot earlier = sapbuf_cell_snapshot_init();
  sapbuf_inspect_options options = sapbuf_inspect_options_init();
  sapbuf_snapshot* snapshot;
  struct later_cell later;
  sapbuf_cell* cell;
  CHECK_OK(sapbuf_cell_open_or_create(segment, "pose", 8, NULL, NULL, &cell));
  CHECK_OK(sapbuf_cell_store(cell, "1234567", NULL));
  snapshot = take_snapshot(segment);
  earlier.struct_size = offsetof(sapbuf_cell_snapshot, version);
  earlier.version = 77;
  CHECK_OK(sapbuf_snapshot_get_cell(snapshot, 1, &earlier));
  CHECK(earlier.value_bytes == 8 && earlier.version == 77); /* what is behind its end stays */
  CHECK(earlier.struct_size == offsetof(sapbuf_cell_snapshot, version));
  memset(&later, 0xee, sizeof later);
  later.known.struct_size = sizeof later;
  CHECK_OK(sapbuf_snapshot_get_cell(snapshot, 1, &later.known));
  CHECK(later.known.version == 1 && later.later == 0 && later.known.struct_size == sizeof later);
  earlier.struct_size = 0;
  CHECK_REFUSED("struct_size", sapbuf_snapshot_get_cell(snapshot, 1, &earlier));
  sapbuf_snapshot_close(snapshot);
  options.struct_size = 0;
  CHECK_REFUSED("struct_size", sapbuf_inspect(segment, &options, &snapshot));
  CHECK(snapshot == NULL);
  sapbuf_cell_close(cell);
  end_segment(segment);
}

static sapbuf_segment* inherited_segment;
static sapbuf_snapshot* inherited_snapshot;

static void look_at_what_was_inherited(volatile uint64_t* told) {
  sapbuf_segment_snapshot seen = sapbuf_segment_snapshot_init();
  sapbuf_snapshot* snapshot;
  (void)told;
  CHECK_STATUS(SAPBUF_FORKED, sapbuf_inspect(inherited_segment, NULL, &snapshot));
  CHECK_OK(sapbuf_inspect_by_name(segment_name(), NULL, &snapshot));
  sapbuf_snapshot_close(snapshot);
  CHECK_OK(sapbuf_snapshot_get_segment(inherited_snapshot, &seen));
  CHECK(strcmp(seen.name, segment_name()) == 0);
}

static void a_snapshot_outlives_a_fork(void) {
  struct child child;
  inherited_segment = new_segment(NULL);
  inherited_snapshot = take_snapshot(inherited_segment);
  child = start_child(look_at_what_was_inherited);
  join_child(&child);
  sapbuf_snapshot_close(inherited_snapshot);
  end_segment(inherited_segment);
}

static const struct test_case tests[] = {
    {"a_snapshot_tells_of_the_segment", a_snapshot_tells_of_the_segment},
    {"memory_of_the_caller_has_no_file", memory_of_the_caller_has_no_file},
    {"facilities_have_numbers_kinds_and_regions", facilities_have_numbers_kinds_and_regions},
    {"a_reader_that_lags_is_shown", a_reader_that_lags_is_shown},
    {"the_hung_and_the_dead_are_told_apart", the_hung_and_the_dead_are_told_apart},
    {"the_journal_tells_what_was_taken_from_whom", the_journal_tells_what_was_taken_from_whom},
    {"numbers_that_there_are_not_are_refused", numbers_that_there_are_not_are_refused},
    {"facilities_of_another_kind_are_refused", facilities_of_another_kind_are_refused},
    {"structs_of_other_versions_are_understood", structs_of_other_versions_are_understood},
    {"a_snapshot_outlives_a_fork", a_snapshot_outlives_a_fork},
};

int main(int argc, char** argv) { return run_tests(tests, sizeof tests / sizeof *tests, argc, argv); }
