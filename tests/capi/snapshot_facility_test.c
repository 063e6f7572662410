/* What a snapshot says of streams, pools, maps and queues. */
#include "check.h"
#include "look.h"

/* --- Streams */

static sapbuf_slab_snapshot slab_of(const sapbuf_snapshot* snapshot, size_t slab) {
  sapbuf_slab_snapshot seen = sapbuf_slab_snapshot_init();
  CHECK_OK(sapbuf_snapshot_get_slab(snapshot, number_of(snapshot, "main"), slab, &seen));
  return seen;
}

static bool is_held_by(const sapbuf_slab_snapshot* slab, const char* name) {
  size_t i;
  for (i = 0; i < slab->held_by_count; ++i)
    if (strcmp(slab->held_by[i], name) == 0) return true;
  return false;
}

/* A stream of two slabs, with room for a durable reader that is away. */
static sapbuf_segment* segment_with_an_absent_reader(void) {
  sapbuf_segment_options options = sapbuf_segment_options_init();
  sapbuf_reader_options durable = sapbuf_reader_options_init();
  sapbuf_segment* segment;
  sapbuf_reader* reader;
  options.slab_bytes = 4096;
  options.durable_readers = 1;
  segment = new_segment(&options);
  durable.name = "audit";
  durable.durable = true;
  durable.durable_max_bytes = 1 << 20;
  durable.durable_max_away_ns = SAPBUF_MS(60000);
  CHECK_OK(sapbuf_reader_open(segment, &durable, &reader));
  sapbuf_reader_close(reader);
  return segment;
}

static void streams_show_their_slabs_and_who_keeps_them(void) {
  sapbuf_segment* segment = segment_with_an_absent_reader();
  sapbuf_stream_snapshot stream = sapbuf_stream_snapshot_init();
  sapbuf_stream_options options = sapbuf_stream_options_init();
  sapbuf_stream_ledger departed = sapbuf_stream_ledger_init();
  sapbuf_durable_reader audit = sapbuf_durable_reader_init();
  sapbuf_slab_snapshot slab;
  sapbuf_snapshot* snapshot;
  sapbuf_writer* writer = new_writer(segment, "gone");
  void* payload;
  CHECK_OK(sapbuf_writer_write(writer, "abc", 3, 0));
  CHECK_OK(sapbuf_writer_finish(writer));
  sapbuf_writer_close(writer);
  writer = new_writer(segment, "feed");
  CHECK_OK(sapbuf_writer_reserve(writer, 100, 0, &payload));
  snapshot = take_snapshot(segment);
  CHECK_OK(sapbuf_snapshot_get_stream(snapshot, 0, &stream));
  CHECK(stream.generation == 1 && stream.slabs == 2 && stream.durable_readers == 1 && stream.finished_writers == 1);
  CHECK(stream.departed_participants == 2 && !stream.awaits_first_reader);
  CHECK_OK(sapbuf_snapshot_get_stream_options(snapshot, 0, &options));
  CHECK(options.slabs == 2 && options.slab_bytes == 4096 && options.durable_readers == 1);
  CHECK_OK(sapbuf_snapshot_get_stream_departed(snapshot, 0, &departed));
  CHECK(departed.committed == 1 && departed.committed_bytes == 3);
  slab = slab_of(snapshot, 0);
  CHECK(strcmp(slab.state, "active") == 0 && slab.generation == 1 && slab.capacity_bytes == 4096);
  CHECK(slab.used_bytes > 100 && slab.used_bytes <= 4096);
  CHECK(slab.held_by_count == 2 && is_held_by(&slab, "feed") && is_held_by(&slab, "audit"));
  slab = slab_of(snapshot, 1);
  CHECK(strcmp(slab.state, "free") == 0 && slab.generation == 0 && slab.held_by_count == 0);
  CHECK_OK(sapbuf_snapshot_get_durable_reader(snapshot, 0, 0, &audit));
  CHECK(strcmp(audit.name, "audit") == 0 && !audit.attached && audit.has_away && audit.away_ms < 60000);
  CHECK(audit.behind_messages == 1 && audit.behind_bytes == 3 && audit.kept_bytes == 4096);
  CHECK(audit.max_bytes == 1 << 20 && audit.max_away_ns == SAPBUF_MS(60000));
  CHECK(participant_named(snapshot, "feed", NULL).in_operation);
  sapbuf_snapshot_close(snapshot);
  sapbuf_writer_close(writer);
  end_segment(segment);
}

static void a_durable_reader_without_limits_has_none(void) {
  sapbuf_segment_options options = sapbuf_segment_options_init();
  sapbuf_reader_options durable = sapbuf_reader_options_init();
  sapbuf_durable_reader seen = sapbuf_durable_reader_init();
  sapbuf_segment* segment;
  sapbuf_snapshot* snapshot;
  sapbuf_reader* reader;
  options.durable_readers = 1;
  segment = new_segment(&options);
  durable.name = "audit";
  durable.durable = true;
  CHECK_OK(sapbuf_reader_open(segment, &durable, &reader));
  snapshot = take_snapshot(segment);
  CHECK_OK(sapbuf_snapshot_get_durable_reader(snapshot, 0, 0, &seen));
  CHECK(seen.attached && seen.slot == sapbuf_reader_slot(reader) && !seen.has_away && seen.away_ms == 0);
  CHECK(seen.max_bytes == 0 && seen.max_away_ns == 0);
  sapbuf_snapshot_close(snapshot);
  sapbuf_reader_close(reader);
  end_segment(segment);
}

/* --- Pools */

static sapbuf_pool_user* new_user(sapbuf_pool* pool, const char* name) {
  sapbuf_pool_user_options options = sapbuf_pool_user_options_init();
  sapbuf_pool_user* user;
  options.name = name;
  CHECK_OK(sapbuf_pool_user_open(pool, &options, &user));
  return user;
}

static void pools_show_what_is_held_and_by_whom(void) {
  sapbuf_segment* segment = new_segment(NULL);
  sapbuf_pool_options options = sapbuf_pool_options_init();
  sapbuf_pool_options there = sapbuf_pool_options_init();
  sapbuf_pool_snapshot seen = sapbuf_pool_snapshot_init();
  sapbuf_pool_holder holder = sapbuf_pool_holder_init();
  sapbuf_pool_ledger ledger = sapbuf_pool_ledger_init();
  sapbuf_participant_snapshot user;
  sapbuf_buffer_reference reference;
  sapbuf_buffer buffers[3];
  sapbuf_snapshot* snapshot;
  sapbuf_pool_user* camera;
  sapbuf_pool_user* gone;
  sapbuf_pool* pool;
  size_t number;
  int i;
  options.buffer_bytes = 1000;
  options.count = 64;
  CHECK_OK(sapbuf_pool_create(segment, "frames", &options, &pool));
  camera = new_user(pool, "camera");
  gone = new_user(pool, "gone");
  for (i = 0; i < 3; ++i) CHECK_OK(sapbuf_pool_user_acquire(i == 2 ? gone : camera, &buffers[i]));
  CHECK_OK(sapbuf_buffer_share(&buffers[1], &reference));
  sapbuf_buffer_release(&buffers[2]);
  sapbuf_pool_user_close(gone);
  snapshot = take_snapshot(segment);
  number = number_of(snapshot, "frames");
  CHECK_OK(sapbuf_snapshot_get_pool(snapshot, number, &seen));
  CHECK(seen.count == 64 && seen.in_use == 1 && seen.shared == 1 && seen.in_use_bytes == 1000 && seen.peak >= 2);
  CHECK(seen.free + seen.cached == 62 && seen.shared_bytes == 1000 && seen.cached_bytes == seen.cached * 1000);
  CHECK(seen.acquired == 2 && seen.waits == 0 && seen.waiting == 0 && seen.grown == 0 && seen.departed_users == 1);
  CHECK(seen.classes == 0 && seen.holders == 1 && seen.piece_bytes >= 1000);
  CHECK_OK(sapbuf_snapshot_get_pool_options(snapshot, number, &there));
  CHECK(there.buffer_bytes == 1000 && there.count == 64 && there.max_bytes == 0);
  CHECK_OK(sapbuf_snapshot_get_pool_holder(snapshot, number, 0, &holder));
  CHECK(strcmp(holder.name, "camera") == 0 && holder.buffers == 2 && holder.bytes == 2000);
  CHECK(holder.slot == sapbuf_pool_user_slot(camera) && holder.oldest_ms < 60000);
  CHECK_OK(sapbuf_snapshot_get_pool_present(snapshot, number, &ledger));
  CHECK(ledger.acquired == 2 && ledger.held == 2 && ledger.released == 0);
  CHECK_OK(sapbuf_snapshot_get_pool_departed(snapshot, number, &ledger));
  CHECK(ledger.acquired == 1 && ledger.held == 0 && ledger.released == 1);
  user = participant_named(snapshot, "camera", &number);
  CHECK(user.role == SAPBUF_ROLE_USER && user.held_count == 2 && user.held_bytes == 2000 && !user.has_lag);
  CHECK(user.held[0] >= 1 && user.held[1] >= 1 && user.held[0] != user.held[1]);
  CHECK_OK(sapbuf_snapshot_get_participant_pool_ledger(snapshot, number, &ledger));
  CHECK(ledger.acquired == 2 && ledger.held == 2 && ledger.refills >= 1);
  sapbuf_snapshot_close(snapshot);
  sapbuf_buffer_release(&buffers[0]);
  sapbuf_buffer_release(&buffers[1]);
  sapbuf_pool_user_close(camera);
  sapbuf_pool_close(pool);
  end_segment(segment);
}

static void size_classes_are_shown_by_size(void) {
  sapbuf_segment* segment = new_segment(NULL);
  sapbuf_pool_options options = sapbuf_pool_options_init();
  sapbuf_pool_snapshot seen = sapbuf_pool_snapshot_init();
  sapbuf_pool_class smaller = sapbuf_pool_class_init();
  sapbuf_pool_class larger = sapbuf_pool_class_init();
  sapbuf_snapshot* snapshot;
  sapbuf_pool_user* user;
  sapbuf_buffer small;
  sapbuf_buffer large;
  sapbuf_pool* pool;
  CHECK_OK(sapbuf_pool_options_for_sizes(&options, 16, 65536, 1 << 20, 0));
  CHECK_OK(sapbuf_pool_create(segment, "heap", &options, &pool));
  user = new_user(pool, "user");
  CHECK_OK(sapbuf_pool_user_acquire_bytes(user, 300, &small));
  CHECK_OK(sapbuf_pool_user_acquire_bytes(user, 5000, &large));
  snapshot = take_snapshot(segment);
  CHECK_OK(sapbuf_snapshot_get_pool(snapshot, 1, &seen));
  CHECK(seen.classes == 2 && seen.in_use == 2 && seen.in_use_bytes == small.size + large.size);
  CHECK(seen.piece_bytes == 16 && seen.count * seen.piece_bytes == 1 << 20);
  CHECK_OK(sapbuf_snapshot_get_pool_class(snapshot, 1, 0, &smaller));
  CHECK_OK(sapbuf_snapshot_get_pool_class(snapshot, 1, 1, &larger));
  CHECK(smaller.bytes == small.size && larger.bytes == large.size && smaller.buffers > smaller.free);
  CHECK(larger.buffers > larger.free);
  CHECK_STATUS(SAPBUF_INVALID_ARGUMENT, sapbuf_snapshot_get_pool_class(snapshot, 1, 2, &larger));
  sapbuf_snapshot_close(snapshot);
  sapbuf_buffer_release(&small);
  sapbuf_buffer_release(&large);
  sapbuf_pool_user_close(user);
  sapbuf_pool_close(pool);
  end_segment(segment);
}

/* --- Maps */

static sapbuf_map_writer* new_editor(sapbuf_map* map, const char* name) {
  sapbuf_map_writer_options options = sapbuf_map_writer_options_init();
  sapbuf_map_writer* writer;
  options.name = name;
  CHECK_OK(sapbuf_map_writer_open(map, &options, &writer));
  return writer;
}

static void maps_show_their_keys_and_editors(void) {
  sapbuf_segment* segment = new_segment(NULL);
  sapbuf_map_options options = sapbuf_map_options_init();
  sapbuf_map_options there = sapbuf_map_options_init();
  sapbuf_map_reader_options named = sapbuf_map_reader_options_init();
  sapbuf_map_snapshot seen = sapbuf_map_snapshot_init();
  sapbuf_map_ledger ledger = sapbuf_map_ledger_init();
  sapbuf_participant_snapshot viewer;
  sapbuf_snapshot* snapshot;
  sapbuf_map_reader* reader;
  sapbuf_map_writer* editor;
  sapbuf_map_value value;
  sapbuf_map* map;
  size_t number;
  options.keys = 100;
  options.value_bytes = 64;
  CHECK_OK(sapbuf_map_create(segment, "prices", &options, &map));
  editor = new_editor(map, "gone");
  CHECK_OK(sapbuf_map_writer_put(editor, sapbuf_key_text("a"), "1", 1));
  sapbuf_map_writer_close(editor);
  editor = new_editor(map, "loader");
  CHECK_OK(sapbuf_map_writer_put(editor, sapbuf_key_text("a"), "2", 1));
  CHECK_OK(sapbuf_map_writer_put(editor, sapbuf_key_text("b"), "3", 1));
  CHECK_OK(sapbuf_map_writer_put(editor, sapbuf_key_text("c"), "4", 1));
  CHECK_OK(sapbuf_map_writer_erase(editor, sapbuf_key_text("c")));
  named.name = "screen";
  CHECK_OK(sapbuf_map_reader_open(map, &named, &reader));
  CHECK_OK(sapbuf_map_reader_read(reader, sapbuf_key_text("a"), &value));
  snapshot = take_snapshot(segment);
  number = number_of(snapshot, "prices");
  CHECK_OK(sapbuf_snapshot_get_map(snapshot, number, &seen));
  CHECK(seen.keys == 2 && seen.room >= 100 && seen.changes >= 5 && seen.departed_participants == 1);
  CHECK(number_of(snapshot, seen.pool) != number && seen.pool[0] != '\0');
  CHECK_OK(sapbuf_snapshot_get_map_options(snapshot, number, &there));
  CHECK(there.keys >= 100 && there.value_bytes == 64);
  CHECK_OK(sapbuf_snapshot_get_map_present(snapshot, number, &ledger));
  CHECK(ledger.flipped == 1 && ledger.inserted == 2 && ledger.erased == 1);
  CHECK_OK(sapbuf_snapshot_get_map_departed(snapshot, number, &ledger));
  CHECK(ledger.flipped == 0 && ledger.inserted == 1 && ledger.erased == 0);
  viewer = participant_named(snapshot, "screen", &number);
  CHECK(viewer.role == SAPBUF_ROLE_VIEWER && viewer.held_count == 1 && viewer.held[0] >= 1);
  CHECK_STATUS(SAPBUF_INVALID_ARGUMENT, sapbuf_snapshot_get_participant_map_ledger(snapshot, number, &ledger));
  for (number = 0;; ++number) {
    sapbuf_participant_snapshot one = sapbuf_participant_snapshot_init();
    CHECK_OK(sapbuf_snapshot_get_participant(snapshot, number, &one));
    if (one.role == SAPBUF_ROLE_EDITOR) break; /* it is a user of the pool, too, by the same name */
  }
  CHECK_OK(sapbuf_snapshot_get_participant_map_ledger(snapshot, number, &ledger));
  CHECK(ledger.flipped == 1 && ledger.inserted == 2 && ledger.erased == 1 && ledger.waits == 0);
  sapbuf_snapshot_close(snapshot);
  sapbuf_map_value_release(&value);
  sapbuf_map_reader_close(reader);
  sapbuf_map_writer_close(editor);
  sapbuf_map_close(map);
  end_segment(segment);
}

/* --- Queues */

static sapbuf_taken_block take(sapbuf_consumer* consumer) {
  sapbuf_taken_block block;
  size_t taken;
  CHECK_OK(sapbuf_consumer_take(consumer, &block, 1, &taken));
  return block;
}

static void queues_show_what_each_group_has_before_it(void) {
  sapbuf_segment* segment = new_segment(NULL);
  sapbuf_queue_options options = sapbuf_queue_options_init();
  sapbuf_queue_options there = sapbuf_queue_options_init();
  sapbuf_consumer_options worker = sapbuf_consumer_options_init();
  sapbuf_queue_snapshot seen = sapbuf_queue_snapshot_init();
  sapbuf_queue_group group = sapbuf_queue_group_init();
  sapbuf_queue_ledger ledger = sapbuf_queue_ledger_init();
  sapbuf_participant_snapshot holder;
  sapbuf_taken_block blocks[4];
  sapbuf_snapshot* snapshot;
  sapbuf_producer* producer;
  sapbuf_consumer* consumer;
  sapbuf_queue* queue;
  size_t number;
  int i;
  options.groups = 2;
  options.max_deliveries = 2;
  options.slots = 16;
  CHECK_OK(sapbuf_queue_create(segment, "jobs", &options, &queue));
  CHECK_OK(sapbuf_producer_open(queue, NULL, &producer));
  worker.name = "worker";
  CHECK_OK(sapbuf_consumer_open(queue, &worker, &consumer));
  for (i = 0; i < 5; ++i) CHECK_OK(sapbuf_producer_push(producer, "job", 3, 1));
  sapbuf_producer_close(producer);
  blocks[0] = take(consumer);
  CHECK_OK(sapbuf_taken_block_put_back(&blocks[0]));
  blocks[0] = take(consumer);
  CHECK_OK(sapbuf_taken_block_put_back(&blocks[0])); /* twice delivered: a dead letter */
  for (i = 0; i < 3; ++i) blocks[i] = take(consumer);
  CHECK_OK(sapbuf_taken_block_done(&blocks[0]));
  CHECK_OK(sapbuf_taken_block_put_back(&blocks[1]));
  snapshot = take_snapshot(segment);
  number = number_of(snapshot, "jobs");
  CHECK_OK(sapbuf_snapshot_get_queue(snapshot, number, &seen));
  CHECK(seen.pushed == 5 && seen.ended == 1 && seen.groups == 2 && seen.departed_participants == 1);
  CHECK(strcmp(seen.pool, "jobs.blocks") == 0 && seen.oldest_ms < 60000);
  CHECK_OK(sapbuf_snapshot_get_queue_group(snapshot, number, 0, &group));
  CHECK(group.queued == 1 && group.returned == 1 && group.held == 1 && group.dead == 1);
  CHECK_OK(sapbuf_snapshot_get_queue_group(snapshot, number, 1, &group));
  CHECK(group.queued == 5 && group.returned == 0 && group.held == 0 && group.dead == 0);
  CHECK_STATUS(SAPBUF_INVALID_ARGUMENT, sapbuf_snapshot_get_queue_group(snapshot, number, 2, &group));
  CHECK_OK(sapbuf_snapshot_get_queue_options(snapshot, number, &there));
  CHECK(there.groups == 2 && there.max_deliveries == 2 && there.slots == 16 && there.dead_letters == NULL);
  CHECK_OK(sapbuf_snapshot_get_queue_present(snapshot, number, &ledger));
  CHECK(ledger.taken == 5 && ledger.redelivered == 1 && ledger.ended == 1 && ledger.pushed == 0);
  CHECK_OK(sapbuf_snapshot_get_queue_departed(snapshot, number, &ledger));
  CHECK(ledger.pushed == 5 && ledger.taken == 0);
  holder = participant_named(snapshot, "worker", &number);
  CHECK(holder.role == SAPBUF_ROLE_CONSUMER && holder.held_count == 1 && holder.in_operation);
  CHECK_OK(sapbuf_snapshot_get_participant_queue_ledger(snapshot, number, &ledger));
  CHECK(ledger.taken == 5 && ledger.dead_letters == 1 && ledger.put_back >= 2 && ledger.waits == 0);
  sapbuf_snapshot_close(snapshot);
  CHECK_OK(sapbuf_taken_block_done(&blocks[2]));
  sapbuf_consumer_close(consumer);
  sapbuf_queue_close(queue);
  end_segment(segment);
}

static const struct test_case tests[] = {
    {"streams_show_their_slabs_and_who_keeps_them", streams_show_their_slabs_and_who_keeps_them},
    {"a_durable_reader_without_limits_has_none", a_durable_reader_without_limits_has_none},
    {"pools_show_what_is_held_and_by_whom", pools_show_what_is_held_and_by_whom},
    {"size_classes_are_shown_by_size", size_classes_are_shown_by_size},
    {"maps_show_their_keys_and_editors", maps_show_their_keys_and_editors},
    {"queues_show_what_each_group_has_before_it", queues_show_what_each_group_has_before_it},
};

int main(int argc, char** argv) { return run_tests(tests, sizeof tests / sizeof *tests, argc, argv); }
