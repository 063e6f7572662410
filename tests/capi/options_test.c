/* What holds for all calls: structs of other versions, statuses and their texts, arguments that are NULL. */
#include "check.h"

/* The options of a program that was compiled with a later version: a field more, of which zero is the default. */
struct later_options {
  sapbuf_segment_options known;
  uint64_t later;
};

static void options_of_other_versions_are_understood(void) {
  struct later_options later;
  sapbuf_segment_options earlier = sapbuf_segment_options_init();
  sapbuf_segment_options there = sapbuf_segment_options_init();
  sapbuf_segment* segment;
  const sapbuf_segment_options* const options = &later.known;
  memset(&later, 0, sizeof later);
  later.known.struct_size = sizeof later;
  later.known.slabs = 5;
  segment = new_segment(options);
  end_segment(segment);
  later.later = 1;
  CHECK_STATUS(SAPBUF_UNSUPPORTED, sapbuf_segment_create("options", options, &segment));
  CHECK_SAID("does not know");

  earlier.slabs = 3;
  earlier.participants = 7;
  earlier.struct_size = offsetof(sapbuf_segment_options, participants); /* what is behind that is not looked at */
  segment = new_segment(&earlier);
  CHECK_OK(sapbuf_segment_get_options(segment, &there));
  CHECK(there.slabs == 3 && there.participants == 64);
  memset(&later, 0xee, sizeof later);
  later.known.struct_size = sizeof later;
  CHECK_OK(sapbuf_segment_get_options(segment, &later.known));
  CHECK(later.known.slabs == 3 && later.later == 0 && later.known.struct_size == sizeof later);
  earlier.slabs = 0;
  CHECK_OK(sapbuf_segment_get_options(segment, &earlier));
  CHECK(earlier.slabs == 3 && earlier.participants == 7);
  end_segment(segment);

  earlier.struct_size = 0;
  CHECK_STATUS(SAPBUF_INVALID_ARGUMENT, sapbuf_segment_create("options", &earlier, &segment));
  CHECK_SAID("struct_size");
  earlier.struct_size = SIZE_MAX;
  CHECK_STATUS(SAPBUF_INVALID_ARGUMENT, sapbuf_segment_create("options", &earlier, &segment));
  earlier = sapbuf_segment_options_init();
  earlier.order = 2;
  CHECK_STATUS(SAPBUF_INVALID_ARGUMENT, sapbuf_segment_create("options", &earlier, &segment));
  CHECK_SAID("order cannot be 2");
  CHECK_STATUS(SAPBUF_NOT_FOUND, sapbuf_segment_remove("options"));
  CHECK_SAID(sapbuf_strerror(SAPBUF_NOT_FOUND)); /* and nothing of the failure before */
}

static void statuses_have_fixed_values_and_texts(void) {
  sapbuf_segment* segment;
  int value;
  int known = 0;
  CHECK(SAPBUF_OK == 0 && SAPBUF_TIMEOUT == 2 && SAPBUF_ABANDONED == 17 && SAPBUF_CLOSED == 30);
  CHECK(SAPBUF_DECLARED_DEAD == 33 && SAPBUF_INVALID_ARGUMENT == 60 && SAPBUF_SYSTEM == 68);
  for (value = -1; value < 100; ++value) {
    const char* const text = sapbuf_strerror((sapbuf_status)value);
    CHECK(text[0] != '\0');
    if (strstr(text, "does not know") == NULL || value == SAPBUF_UNSUPPORTED) ++known;
  }
  CHECK(known == 32);
  CHECK(strcmp(sapbuf_strerror(SAPBUF_TIMEOUT), sapbuf_strerror(SAPBUF_STOPPED)) != 0);
  CHECK(strchr(sapbuf_version(), '.') != NULL);
  CHECK_STATUS(SAPBUF_NOT_FOUND, sapbuf_segment_open("options\n\x1b[1m", &segment));
  CHECK(strchr(sapbuf_last_error(), '\n') == NULL && strchr(sapbuf_last_error(), '\x1b') == NULL);
}

/* Each call that needs something says so, and changes nothing. */
#define CHECK_NULL(call) CHECK_STATUS(SAPBUF_INVALID_ARGUMENT, call)

static void null_is_an_error_in_calls_of_segments_and_streams(void) {
  sapbuf_segment* segment = new_segment(NULL);
  sapbuf_segment_options options = sapbuf_segment_options_init();
  sapbuf_stream_options stream_options = sapbuf_stream_options_init();
  sapbuf_segment* made;
  sapbuf_stream* stream;
  sapbuf_writer* writer;
  sapbuf_reader* reader;
  sapbuf_frame frame = {NULL, 0, 0, {0}};
  sapbuf_buffer buffer = {NULL, 0, {0}};
  bool finished;
  void* payload;
  size_t bytes;
  uint64_t count;
  CHECK_NULL(sapbuf_segment_create(NULL, NULL, &made));
  CHECK_SAID("name is NULL");
  CHECK_NULL(sapbuf_segment_create("options", NULL, NULL));
  CHECK_NULL(sapbuf_segment_open(NULL, &made));
  CHECK_NULL(sapbuf_segment_open_or_create(NULL, NULL, &made));
  CHECK_NULL(sapbuf_segment_remove(NULL));
  CHECK_NULL(sapbuf_segment_list(NULL, NULL));
  CHECK_NULL(sapbuf_segment_create_in(NULL, 1, -1, NULL, &made));
  CHECK_NULL(sapbuf_segment_open_in(NULL, 1, -1, &made));
  CHECK_NULL(sapbuf_segment_bytes_needed(NULL, NULL));
  CHECK_NULL(sapbuf_segment_max_message_bytes(NULL, &bytes));
  CHECK_NULL(sapbuf_segment_get_options(NULL, &options));
  CHECK_NULL(sapbuf_segment_get_options(segment, NULL));
  CHECK_NULL(sapbuf_segment_differences(NULL, NULL, NULL, 0, NULL));
  CHECK_NULL(sapbuf_segment_differences(segment, NULL, NULL, 1, NULL));
  CHECK_NULL(sapbuf_segment_facilities(segment, NULL, NULL));
  CHECK_NULL(sapbuf_segment_recover(NULL, NULL, NULL, NULL));
  CHECK_NULL(sapbuf_segment_find_dead(NULL, NULL, NULL, NULL));
  CHECK_NULL(sapbuf_segment_find_lock_holders(NULL, 0, NULL, NULL));
  CHECK(sapbuf_segment_name(NULL)[0] == '\0' && sapbuf_segment_bytes(NULL) == 0 && !sapbuf_segment_created(NULL));
  CHECK(!sapbuf_segment_is_current(NULL) && !sapbuf_segment_was_truncated(NULL));
  sapbuf_segment_close(NULL);

  CHECK_NULL(sapbuf_stream_create(NULL, "x", NULL, &stream));
  CHECK_NULL(sapbuf_stream_open(NULL, "x", &stream));
  CHECK_NULL(sapbuf_stream_open_or_create(NULL, "x", NULL, &stream));
  CHECK_NULL(sapbuf_stream_remove(NULL, "x"));
  CHECK_NULL(sapbuf_stream_get_options(NULL, &stream_options));
  CHECK_NULL(sapbuf_stream_differences(NULL, NULL, NULL, 0, NULL));
  CHECK(sapbuf_stream_name(NULL)[0] == '\0' && sapbuf_stream_bytes(NULL) == 0 && !sapbuf_stream_created(NULL));
  CHECK(!sapbuf_stream_is_current(NULL) && sapbuf_stream_max_message_bytes(NULL) == 0);
  sapbuf_stream_close(NULL);

  CHECK_NULL(sapbuf_writer_open(NULL, NULL, &writer));
  CHECK_NULL(sapbuf_writer_open(segment, NULL, NULL));
  CHECK_NULL(sapbuf_writer_open_on(NULL, NULL, &writer));
  CHECK_OK(sapbuf_writer_open(segment, NULL, &writer));
  CHECK_NULL(sapbuf_writer_write(NULL, "x", 1, 0));
  CHECK_NULL(sapbuf_writer_write(writer, NULL, 1, 0));
  CHECK_NULL(sapbuf_writer_reserve(NULL, 1, 0, &payload));
  CHECK_NULL(sapbuf_writer_reserve(writer, 1, 0, NULL));
  CHECK_NULL(sapbuf_writer_reserve_batch(NULL, 1, 1));
  CHECK_NULL(sapbuf_writer_reserve_batch_of(NULL, 1, 1));
  CHECK_NULL(sapbuf_writer_reserve_batch_sizes(writer, NULL, 1));
  CHECK_NULL(sapbuf_writer_append(NULL, 1, 0, &payload));
  CHECK_NULL(sapbuf_writer_append(writer, 1, 0, NULL));
  CHECK_NULL(sapbuf_writer_attach(NULL, &buffer));
  CHECK_NULL(sapbuf_writer_attach(writer, NULL));
  CHECK_NULL(sapbuf_writer_commit(NULL));
  CHECK_NULL(sapbuf_writer_commit_bytes(NULL, 1));
  CHECK_NULL(sapbuf_writer_abort(NULL));
  CHECK_NULL(sapbuf_writer_finish(NULL));
  CHECK(sapbuf_writer_slot(NULL) == UINT32_MAX);
  sapbuf_writer_close(writer);
  sapbuf_writer_close(NULL);

  CHECK_NULL(sapbuf_reader_open(NULL, NULL, &reader));
  CHECK_NULL(sapbuf_reader_open_on(NULL, NULL, &reader));
  CHECK_NULL(sapbuf_reader_wait(NULL, 0));
  CHECK_NULL(sapbuf_reader_pin(NULL));
  CHECK_NULL(sapbuf_reader_skip_to_newest(NULL, &count));
  CHECK_NULL(sapbuf_reader_missed_before(NULL, &count));
  CHECK_NULL(sapbuf_reader_is_finished(NULL, &finished));
  CHECK(sapbuf_reader_position(NULL, &frame).generation == 0);
  CHECK(!sapbuf_reader_next(NULL, &frame) && !sapbuf_reader_next(NULL, NULL));
  CHECK(sapbuf_reader_next_many(NULL, &frame, 1) == 0 && sapbuf_reader_attachments(NULL, &frame, NULL, 0) == 0);
  CHECK(sapbuf_reader_delivered(NULL) == 0 && sapbuf_reader_lost(NULL) == 0 && sapbuf_reader_skipped(NULL) == 0);
  CHECK(!sapbuf_reader_is_current(NULL) && sapbuf_reader_slot(NULL) == UINT32_MAX);
  sapbuf_reader_unpin(NULL);
  sapbuf_reader_close(NULL);
  end_segment(segment);
}

static void null_is_an_error_in_calls_of_pools_and_cells(void) {
  sapbuf_segment* segment = new_segment(NULL);
  sapbuf_pool_options options = sapbuf_pool_options_init();
  const sapbuf_buffer_reference nothing = {0, 0, 0};
  sapbuf_buffer_reference reference;
  const struct iovec* iovecs;
  sapbuf_pool_user* user;
  sapbuf_buffer buffer;
  sapbuf_pool* pool;
  sapbuf_cell* cell;
  sapbuf_run* run;
  const void* data;
  uint64_t count;
  size_t size;
  CHECK_NULL(sapbuf_pool_options_for_sizes(NULL, 1, 2, 3, 4));
  CHECK_NULL(sapbuf_pool_create(NULL, "x", NULL, &pool));
  CHECK_NULL(sapbuf_pool_create(segment, NULL, NULL, &pool));
  CHECK_NULL(sapbuf_pool_open(segment, NULL, &pool));
  CHECK_NULL(sapbuf_pool_open_or_create(segment, NULL, NULL, &pool));
  CHECK_NULL(sapbuf_pool_remove(segment, NULL));
  CHECK_NULL(sapbuf_pool_get_options(NULL, &options));
  CHECK_NULL(sapbuf_pool_differences(NULL, NULL, NULL, 0, NULL));
  CHECK_NULL(sapbuf_pool_grow_to(NULL, 1));
  CHECK_NULL(sapbuf_pool_trim(NULL, NULL));
  CHECK_NULL(sapbuf_pool_view(NULL, &nothing, &data, &size));
  CHECK(sapbuf_pool_name(NULL)[0] == '\0' && sapbuf_pool_bytes(NULL) == 0 && !sapbuf_pool_created(NULL));
  CHECK(!sapbuf_pool_is_current(NULL) && sapbuf_pool_count(NULL) == 0);
  sapbuf_pool_close(NULL);
  CHECK_NULL(sapbuf_pool_user_open(NULL, NULL, &user));
  CHECK_NULL(sapbuf_pool_user_acquire(NULL, &buffer));
  CHECK_OK(sapbuf_pool_create(segment, "x", NULL, &pool));
  CHECK_OK(sapbuf_pool_user_open(pool, NULL, &user));
  CHECK_NULL(sapbuf_pool_user_acquire(user, NULL));
  CHECK_NULL(sapbuf_pool_user_acquire_bytes(NULL, 1, &buffer));
  CHECK_NULL(sapbuf_pool_user_acquire_for(NULL, 0, &buffer));
  CHECK_NULL(sapbuf_pool_user_acquire_bytes_for(NULL, 1, 0, &buffer));
  CHECK_NULL(sapbuf_pool_user_acquire_run(NULL, 1, &run));
  CHECK_NULL(sapbuf_pool_user_adopt(user, NULL, &buffer));
  CHECK_STATUS(SAPBUF_STALE, sapbuf_pool_user_adopt(user, &nothing, &buffer));
  CHECK_STATUS(SAPBUF_STALE, sapbuf_pool_view(pool, &nothing, &data, &size));
  CHECK_NULL(sapbuf_buffer_share(NULL, &reference));
  sapbuf_buffer_release(NULL);
  CHECK_NULL(sapbuf_run_iovecs(NULL, &iovecs, &size));
  CHECK(sapbuf_run_count(NULL) == 0 && sapbuf_run_part(NULL, 0, NULL) == NULL);
  sapbuf_run_release(NULL);
  sapbuf_pool_user_close(user);
  sapbuf_pool_user_close(NULL);
  sapbuf_pool_close(pool);

  CHECK_NULL(sapbuf_cell_open_or_create(NULL, "c", 8, NULL, NULL, &cell));
  CHECK_NULL(sapbuf_cell_open_to_read(segment, NULL, 8, NULL, &cell));
  CHECK_NULL(sapbuf_cell_remove(segment, NULL));
  CHECK_NULL(sapbuf_cell_load(NULL, &count, NULL));
  CHECK_NULL(sapbuf_cell_store(NULL, &count, NULL));
  CHECK_NULL(sapbuf_cell_update(NULL, NULL, NULL, NULL));
  CHECK_NULL(sapbuf_cell_version(NULL, &count));
  CHECK_NULL(sapbuf_cell_wait_changed(NULL, 0, 0));
  sapbuf_cell_close(NULL);
  end_segment(segment);
}

static void null_is_an_error_in_calls_of_maps(void) {
  sapbuf_segment* segment = new_segment(NULL);
  const sapbuf_key key = sapbuf_key_text("key");
  sapbuf_map_options options = sapbuf_map_options_init();
  sapbuf_transaction* transaction;
  sapbuf_map_reader* reader;
  sapbuf_map_writer* writer;
  sapbuf_map_entry* entry;
  sapbuf_map_draft* draft;
  sapbuf_map_value value;
  sapbuf_map* map;
  CHECK_NULL(sapbuf_map_create(NULL, "x", NULL, &map));
  CHECK_NULL(sapbuf_map_open(segment, NULL, &map));
  CHECK_NULL(sapbuf_map_open_or_create(segment, NULL, NULL, &map));
  CHECK_NULL(sapbuf_map_remove(NULL, "x"));
  CHECK_NULL(sapbuf_map_get_options(NULL, &options));
  CHECK_NULL(sapbuf_map_differences(NULL, NULL, NULL, 0, NULL));
  CHECK(sapbuf_map_name(NULL)[0] == '\0' && sapbuf_map_bytes(NULL) == 0 && !sapbuf_map_created(NULL));
  CHECK(!sapbuf_map_is_current(NULL) && sapbuf_map_size(NULL) == 0 && sapbuf_map_max_value_bytes(NULL) == 0);
  sapbuf_map_close(NULL);
  CHECK_NULL(sapbuf_map_reader_open(NULL, NULL, &reader));
  CHECK_NULL(sapbuf_map_reader_read(NULL, key, &value));
  CHECK_NULL(sapbuf_map_reader_for_each(NULL, NULL, 0, NULL, NULL));
  CHECK_NULL(sapbuf_map_reader_wait_changed(NULL, 0, 0));
  CHECK(sapbuf_map_reader_version(NULL) == 0 && sapbuf_map_reader_slot(NULL) == UINT32_MAX);
  sapbuf_map_reader_close(NULL);
  CHECK_NULL(sapbuf_map_entry_open(NULL, key, &entry));
  CHECK_NULL(sapbuf_map_entry_read(NULL, &value));
  CHECK_NULL(sapbuf_map_entry_wait_changed(NULL, 0, 0));
  sapbuf_map_entry_close(NULL);
  CHECK(sapbuf_map_value_version(NULL) == 0 && sapbuf_map_value_flipped_ns(NULL) == 0);
  sapbuf_map_value_release(NULL);
  CHECK_NULL(sapbuf_map_writer_open(NULL, NULL, &writer));
  CHECK_NULL(sapbuf_map_writer_put(NULL, key, "x", 1));
  CHECK_NULL(sapbuf_map_writer_insert(NULL, key, "x", 1));
  CHECK_NULL(sapbuf_map_writer_erase(NULL, key));
  CHECK_NULL(sapbuf_map_writer_update(NULL, key, NULL, NULL));
  CHECK(sapbuf_map_writer_slot(NULL) == UINT32_MAX);
  sapbuf_map_writer_close(NULL);
  CHECK_NULL(sapbuf_map_draft_prepare(NULL, key, 1, &draft));
  CHECK_NULL(sapbuf_map_draft_resize(NULL, 1));
  CHECK_NULL(sapbuf_map_draft_flip(NULL));
  CHECK_NULL(sapbuf_map_draft_flip_if(NULL, 1));
  CHECK(sapbuf_map_draft_bytes(NULL, NULL) == NULL);
  sapbuf_map_draft_drop(NULL);
  CHECK_NULL(sapbuf_transaction_begin(NULL, &transaction));
  CHECK_NULL(sapbuf_transaction_put(NULL, key, "x", 1));
  CHECK_NULL(sapbuf_transaction_add(NULL, NULL));
  CHECK_NULL(sapbuf_transaction_commit(NULL));
  CHECK(sapbuf_transaction_size(NULL) == 0);
  sapbuf_transaction_drop(NULL);
  end_segment(segment);
}

static void null_is_an_error_in_calls_of_queues(void) {
  sapbuf_segment* segment = new_segment(NULL);
  sapbuf_queue_options options = sapbuf_queue_options_init();
  sapbuf_reserved_blocks* blocks;
  sapbuf_producer* producer;
  sapbuf_consumer* consumer;
  sapbuf_taken_block block;
  sapbuf_queue* queue;
  size_t count;
  CHECK_NULL(sapbuf_queue_create(NULL, "x", NULL, &queue));
  CHECK_NULL(sapbuf_queue_open(segment, NULL, &queue));
  CHECK_NULL(sapbuf_queue_open_or_create(segment, NULL, NULL, &queue));
  CHECK_NULL(sapbuf_queue_remove(NULL, "x"));
  CHECK_NULL(sapbuf_queue_get_options(NULL, &options));
  CHECK_NULL(sapbuf_queue_differences(NULL, NULL, NULL, 0, NULL));
  CHECK(sapbuf_queue_name(NULL)[0] == '\0' && sapbuf_queue_bytes(NULL) == 0 && !sapbuf_queue_created(NULL));
  CHECK(!sapbuf_queue_is_current(NULL) && sapbuf_queue_block_bytes(NULL) == 0);
  sapbuf_queue_close(NULL);
  CHECK_NULL(sapbuf_producer_open(NULL, NULL, &producer));
  CHECK_NULL(sapbuf_producer_push(NULL, "x", 1, 0));
  CHECK_NULL(sapbuf_producer_reserve(NULL, 1, &blocks));
  CHECK_NULL(sapbuf_producer_reserve_for(NULL, 1, 0, &blocks));
  CHECK(sapbuf_producer_slot(NULL) == UINT32_MAX);
  sapbuf_producer_close(NULL);
  CHECK_NULL(sapbuf_reserved_blocks_set(NULL, 0, 0, 0));
  CHECK_NULL(sapbuf_reserved_blocks_release(NULL, 1, &count));
  CHECK(sapbuf_reserved_blocks_count(NULL) == 0 && sapbuf_reserved_blocks_bytes(NULL, 0, NULL) == NULL);
  sapbuf_reserved_blocks_drop(NULL);
  CHECK_NULL(sapbuf_consumer_open(NULL, NULL, &consumer));
  CHECK_NULL(sapbuf_consumer_take(NULL, &block, 1, &count));
  CHECK_NULL(sapbuf_consumer_take_for(NULL, 0, &block, 1, &count));
  CHECK_NULL(sapbuf_consumer_wait(NULL, 0));
  CHECK(sapbuf_consumer_slot(NULL) == UINT32_MAX);
  sapbuf_consumer_close(NULL);
  CHECK_NULL(sapbuf_taken_block_done(NULL));
  CHECK_NULL(sapbuf_taken_block_put_back(NULL));
  CHECK_NULL(sapbuf_taken_block_put_back_after(NULL, 0));
  CHECK_NULL(sapbuf_taken_block_pass_to(NULL, NULL, 0, 0));
  end_segment(segment);
}

static bool see_no_block(void* context, const sapbuf_queue_block* block) { return context == (const void*)block; }
static bool see_no_frame(void* context, const sapbuf_frame_record* frame) { return context == (const void*)frame; }
static bool see_no_part(void* context, const sapbuf_segment_part* part) { return context == (const void*)part; }

static void null_is_an_error_in_calls_of_inspection(void) {
  sapbuf_segment* segment = new_segment(NULL);
  sapbuf_segment_snapshot seen = sapbuf_segment_snapshot_init();
  sapbuf_segment_options segment_options = sapbuf_segment_options_init();
  sapbuf_participant_snapshot participant = sapbuf_participant_snapshot_init();
  sapbuf_stream_ledger stream_ledger = sapbuf_stream_ledger_init();
  sapbuf_pool_ledger pool_ledger = sapbuf_pool_ledger_init();
  sapbuf_map_ledger map_ledger = sapbuf_map_ledger_init();
  sapbuf_queue_ledger queue_ledger = sapbuf_queue_ledger_init();
  sapbuf_snapshot* snapshot;
  size_t number;
  CHECK_NULL(sapbuf_inspect(NULL, NULL, &snapshot));
  CHECK_SAID("segment is NULL");
  CHECK_NULL(sapbuf_inspect(segment, NULL, NULL));
  CHECK_NULL(sapbuf_inspect_by_name(NULL, NULL, &snapshot));
  CHECK_NULL(sapbuf_inspect_by_name("x", NULL, NULL));
  CHECK_NULL(sapbuf_queue_list_blocks(NULL, 0, see_no_block, NULL));
  CHECK_NULL(sapbuf_stream_dump(NULL, see_no_frame, NULL));
  CHECK_NULL(sapbuf_stream_dump_by_name(NULL, NULL, see_no_frame, NULL));
  CHECK_NULL(sapbuf_stream_dump_by_name(segment_name(), NULL, NULL, NULL));
  CHECK_NULL(sapbuf_segment_layout(NULL, see_no_part, NULL));
  CHECK_NULL(sapbuf_segment_layout(segment, NULL, NULL));
  CHECK_NULL(sapbuf_segment_layout_by_name(NULL, see_no_part, NULL));
  CHECK_NULL(sapbuf_segment_layout_by_name(segment_name(), NULL, NULL));
  CHECK(sapbuf_snapshot_participants(NULL) == 0 && sapbuf_snapshot_facilities(NULL) == 0);
  sapbuf_snapshot_close(NULL);

  CHECK_NULL(sapbuf_snapshot_get_segment(NULL, &seen));
  CHECK_NULL(sapbuf_snapshot_get_segment_options(NULL, &segment_options));
  CHECK_NULL(sapbuf_snapshot_get_participant(NULL, 0, &participant));
  CHECK_NULL(sapbuf_snapshot_get_participant_stream_ledger(NULL, 0, &stream_ledger));
  CHECK_NULL(sapbuf_snapshot_get_participant_pool_ledger(NULL, 0, &pool_ledger));
  CHECK_NULL(sapbuf_snapshot_get_participant_map_ledger(NULL, 0, &map_ledger));
  CHECK_NULL(sapbuf_snapshot_get_participant_queue_ledger(NULL, 0, &queue_ledger));
  CHECK_NULL(sapbuf_snapshot_find_facility(NULL, "main", &number));
  CHECK_NULL(sapbuf_snapshot_get_stream_departed(NULL, 0, &stream_ledger));
  CHECK_NULL(sapbuf_snapshot_get_pool_present(NULL, 0, &pool_ledger));
  CHECK_NULL(sapbuf_snapshot_get_map_present(NULL, 0, &map_ledger));
  CHECK_NULL(sapbuf_snapshot_get_queue_present(NULL, 0, &queue_ledger));
  CHECK_OK(sapbuf_inspect(segment, NULL, &snapshot));
  CHECK_NULL(sapbuf_snapshot_find_facility(snapshot, NULL, &number));
  CHECK_NULL(sapbuf_snapshot_find_facility(snapshot, "main", NULL));
  CHECK_NULL(sapbuf_snapshot_get_segment(snapshot, NULL));
  CHECK_NULL(sapbuf_snapshot_get_segment_options(snapshot, NULL));
  CHECK_NULL(sapbuf_snapshot_get_facility(snapshot, 0, NULL));
  CHECK_NULL(sapbuf_snapshot_get_journal_record(snapshot, 0, 0, NULL));
  CHECK_NULL(sapbuf_snapshot_get_stream(snapshot, 0, NULL));
  CHECK_NULL(sapbuf_snapshot_get_slab(snapshot, 0, 0, NULL));
  CHECK_NULL(sapbuf_snapshot_get_cell(snapshot, 0, NULL));
  sapbuf_snapshot_close(snapshot);
  end_segment(segment);
}

static const struct test_case tests[] = {
    {"options_of_other_versions_are_understood", options_of_other_versions_are_understood},
    {"statuses_have_fixed_values_and_texts", statuses_have_fixed_values_and_texts},
    {"null_is_an_error_in_calls_of_segments_and_streams", null_is_an_error_in_calls_of_segments_and_streams},
    {"null_is_an_error_in_calls_of_pools_and_cells", null_is_an_error_in_calls_of_pools_and_cells},
    {"null_is_an_error_in_calls_of_maps", null_is_an_error_in_calls_of_maps},
    {"null_is_an_error_in_calls_of_queues", null_is_an_error_in_calls_of_queues},
    {"null_is_an_error_in_calls_of_inspection", null_is_an_error_in_calls_of_inspection},
};

int main(int argc, char** argv) { return run_tests(tests, sizeof tests / sizeof *tests, argc, argv); }
