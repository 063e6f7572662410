/* Pools, their users, buffers and runs; and buffers that go with messages. */
#include "check.h"
#include "process.h"

/* --- Verbs */

static sapbuf_pool* new_pool(sapbuf_segment* segment, uint64_t buffer_bytes, uint64_t count) {
  sapbuf_pool_options options = sapbuf_pool_options_init();
  sapbuf_pool* pool;
  options.buffer_bytes = buffer_bytes;
  options.count = count;
  CHECK_OK(sapbuf_pool_create(segment, "frames", &options, &pool));
  return pool;
}

static sapbuf_pool_user* new_user(sapbuf_pool* pool) {
  sapbuf_pool_user* user;
  CHECK_OK(sapbuf_pool_user_open(pool, NULL, &user));
  return user;
}

static sapbuf_buffer acquire(sapbuf_pool_user* user) {
  sapbuf_buffer buffer;
  CHECK_OK(sapbuf_pool_user_acquire(user, &buffer));
  CHECK(buffer.data != NULL && (uintptr_t)buffer.data % 64 == 0);
  return buffer;
}

static sapbuf_buffer_reference share(sapbuf_buffer* buffer) {
  sapbuf_buffer_reference reference;
  CHECK_OK(sapbuf_buffer_share(buffer, &reference));
  return reference;
}

/* --- Cases */

static void buffers_are_acquired_and_released(void) {
  sapbuf_segment* segment = new_segment(NULL);
  sapbuf_pool* pool = new_pool(segment, 1000, 2);
  sapbuf_pool_user* user = new_user(pool);
  sapbuf_buffer one = acquire(user);
  sapbuf_buffer two = acquire(user);
  sapbuf_buffer copy;
  sapbuf_buffer none;
  CHECK(one.size == 1000 && two.size == 1000 && one.data != two.data);
  CHECK_STATUS(SAPBUF_EXHAUSTED, sapbuf_pool_user_acquire(user, &none));
  CHECK(none.data == NULL);
  CHECK_STATUS(SAPBUF_TIMEOUT, sapbuf_pool_user_acquire_for(user, SAPBUF_MS(1), &none));
  copy = one; /* one of both is to be released */
  sapbuf_buffer_release(&copy);
  CHECK(copy.data == NULL && copy.size == 0);
  sapbuf_buffer_release(&copy);
  CHECK_OK(sapbuf_pool_user_acquire_for(user, SAPBUF_FOREVER, &one));
  CHECK_STATUS(SAPBUF_TOO_LARGE, sapbuf_pool_user_acquire_bytes(user, 1001, &none));
  sapbuf_buffer_release(&one);
  CHECK_OK(sapbuf_pool_user_acquire_bytes(user, 900, &one));
  CHECK(one.size == 1000);
  sapbuf_pool_user_close(user); /* the buffers stay until they are released */
  memset(one.data, 1, one.size);
  sapbuf_buffer_release(&one);
  sapbuf_buffer_release(&two);
  CHECK(sapbuf_pool_user_slot(NULL) == UINT32_MAX);
  CHECK_OK(sapbuf_pool_remove(segment, "frames")); /* nobody uses it any more */
  sapbuf_pool_close(pool);
  end_segment(segment);
}

static void a_user_keeps_to_its_budget_and_its_stop_flag(void) {
  sapbuf_segment* segment = new_segment(NULL);
  sapbuf_pool* pool = new_pool(segment, 64, 8);
  sapbuf_pool_user_options options = sapbuf_pool_user_options_init();
  sapbuf_stop_flag stop = {0};
  sapbuf_pool_user* user;
  sapbuf_pool_user* other = new_user(pool);
  sapbuf_buffer buffers[8];
  sapbuf_buffer none;
  int i;
  options.name = "thrifty";
  options.budget = 2;
  options.stop = &stop;
  CHECK_OK(sapbuf_pool_user_open(pool, &options, &user));
  CHECK(sapbuf_pool_user_slot(user) != sapbuf_pool_user_slot(other));
  buffers[0] = acquire(user);
  buffers[1] = acquire(user);
  CHECK_STATUS(SAPBUF_OVER_BUDGET, sapbuf_pool_user_acquire(user, &none));
  sapbuf_buffer_release(&buffers[1]);
  for (i = 1; i < 8; ++i) buffers[i] = acquire(other);
  sapbuf_buffer_release(&buffers[0]);
  buffers[0] = acquire(other);
  CHECK(is_readable(sapbuf_pool_user_event_fd(user), 0));
  CHECK_STATUS(SAPBUF_EXHAUSTED, sapbuf_pool_user_acquire(user, &none));
  CHECK(!is_readable(sapbuf_pool_user_event_fd(user), 0));
  sapbuf_buffer_release(&buffers[1]);
  CHECK(is_readable(sapbuf_pool_user_event_fd(user), 60000));
  buffers[1] = acquire(user);
  CHECK(sapbuf_pool_user_event_fd(NULL) == -1);
  sapbuf_stop_flag_raise(&stop);
  CHECK_STATUS(SAPBUF_STOPPED, sapbuf_pool_user_acquire_for(user, SAPBUF_FOREVER, &none));
  for (i = 0; i < 8; ++i) sapbuf_buffer_release(&buffers[i]);
  sapbuf_pool_user_close(other);
  sapbuf_pool_user_close(user);
  sapbuf_pool_close(pool);
  end_segment(segment);
}

static void shared_buffers_are_adopted_and_viewed(void) {
  sapbuf_segment* segment = new_segment(NULL);
  sapbuf_pool* pool = new_pool(segment, 64, 4);
  sapbuf_pool_user* user = new_user(pool);
  sapbuf_pool_user* other = new_user(pool);
  sapbuf_buffer mine = acquire(user);
  sapbuf_buffer theirs;
  sapbuf_buffer_reference reference;
  sapbuf_buffer_reference again;
  const void* data;
  size_t size;
  int i;
  memcpy(mine.data, "shared", 7);
  reference = share(&mine);
  again = share(&mine);
  CHECK(memcmp(&reference, &again, sizeof again) == 0);
  CHECK_OK(sapbuf_pool_view(pool, &reference, &data, &size));
  CHECK(size == 64 && strcmp(data, "shared") == 0);
  CHECK_OK(sapbuf_pool_user_adopt(other, &reference, &theirs));
  CHECK(strcmp(theirs.data, "shared") == 0);
  sapbuf_buffer_release(&mine);
  CHECK_STATUS(SAPBUF_CLOSED, sapbuf_buffer_share(&mine, &again));
  CHECK(again.where == 0);
  CHECK_OK(sapbuf_pool_user_adopt(user, &reference, &mine)); /* the other one keeps it */
  sapbuf_buffer_release(&mine);
  sapbuf_buffer_release(&theirs);
  for (i = 0; i < 4; ++i) mine = acquire(user); /* all of them: it was free */
  CHECK_STATUS(SAPBUF_STALE, sapbuf_pool_user_adopt(other, &reference, &theirs));
  CHECK_STATUS(SAPBUF_STALE, sapbuf_pool_view(pool, &reference, &data, &size));
  CHECK(data == NULL && size == 0);
  sapbuf_pool_user_close(other);
  sapbuf_pool_user_close(user);
  sapbuf_pool_close(pool);
  end_segment(segment);
}

static void runs_are_adjacent(void) {
  sapbuf_segment* segment = new_segment(NULL);
  sapbuf_pool* pool = new_pool(segment, 128, 64);
  sapbuf_pool_user* user = new_user(pool);
  const struct iovec* iovecs;
  sapbuf_run* run;
  size_t pieces;
  size_t size;
  CHECK_STATUS(SAPBUF_TOO_LARGE, sapbuf_pool_user_acquire_run(user, 0, &run));
  CHECK_OK(sapbuf_pool_user_acquire_run(user, 16, &run));
  CHECK(sapbuf_run_count(run) == 16);
  CHECK((char*)sapbuf_run_part(run, 1, &size) == (char*)sapbuf_run_part(run, 0, NULL) + 128 && size == 128);
  CHECK(sapbuf_run_part(run, 16, &size) == NULL && size == 0);
  CHECK_OK(sapbuf_run_iovecs(run, &iovecs, &pieces));
  CHECK(pieces == 1 && iovecs[0].iov_base == sapbuf_run_part(run, 0, NULL) && iovecs[0].iov_len == 16 * 128);
  sapbuf_run_release(run);
  CHECK_OK(sapbuf_pool_user_acquire_run(user, 64, &run)); /* all there is */
  sapbuf_run_release(run);
  sapbuf_pool_user_close(user);
  sapbuf_pool_close(pool);
  end_segment(segment);
}

static void pools_grow_shrink_and_tell_their_options(void) {
  sapbuf_segment* segment = new_segment(NULL);
  sapbuf_pool_options options = sapbuf_pool_options_init();
  sapbuf_pool_options there = sapbuf_pool_options_init();
  sapbuf_pool* pool;
  sapbuf_pool* again;
  sapbuf_pool_user* user;
  sapbuf_buffer buffer;
  uint64_t bytes;
  size_t length;
  CHECK_STATUS(SAPBUF_NOT_FOUND, sapbuf_pool_open(segment, "frames", &pool));
  options.buffer_bytes = 4096;
  options.max_count = 256;
  options.grow = SAPBUF_GROW_NOBODY;
  CHECK_OK(sapbuf_pool_open_or_create(segment, "frames", &options, &pool));
  CHECK_OK(sapbuf_pool_open(segment, "frames", &again));
  CHECK(sapbuf_pool_created(pool) && !sapbuf_pool_created(again) && sapbuf_pool_is_current(again));
  CHECK(strcmp(sapbuf_pool_name(again), "frames") == 0);
  CHECK_OK(sapbuf_pool_get_options(again, &there));
  CHECK(there.buffer_bytes == 4096 && there.count == 64 && there.max_count == 256 && there.grow == SAPBUF_GROW_NOBODY);
  CHECK_OK(sapbuf_pool_differences(again, &options, NULL, 0, &length));
  CHECK(length == 0);
  CHECK(sapbuf_pool_count(pool) == 64);
  CHECK_OK(sapbuf_pool_grow_to(pool, 128));
  CHECK(sapbuf_pool_count(pool) >= 128 && sapbuf_pool_count(pool) <= 256);
  CHECK(sapbuf_pool_bytes(pool) > 128 * 4096);
  CHECK_STATUS(SAPBUF_INVALID_ARGUMENT, sapbuf_pool_grow_to(pool, 257));
  CHECK_OK(sapbuf_pool_trim(pool, &bytes));
  CHECK(bytes >= 64 * 4096);
  CHECK_OK(sapbuf_pool_trim(pool, NULL));
  sapbuf_pool_close(again);
  sapbuf_pool_close(pool);

  options = sapbuf_pool_options_init();
  CHECK_OK(sapbuf_pool_options_for_sizes(&options, 16, 65536, 1 << 20, 0));
  CHECK_OK(sapbuf_pool_create(segment, "heap", &options, &pool));
  user = new_user(pool);
  CHECK_OK(sapbuf_pool_user_acquire_bytes(user, 300, &buffer));
  CHECK(buffer.size >= 300 && buffer.size < 400);
  sapbuf_buffer_release(&buffer);
  CHECK_OK(sapbuf_pool_user_acquire_bytes_for(user, 65536, SAPBUF_MS(100), &buffer));
  CHECK(buffer.size == 65536);
  sapbuf_buffer_release(&buffer);
  CHECK_STATUS(SAPBUF_TOO_LARGE, sapbuf_pool_user_acquire_bytes_for(user, 65537, SAPBUF_MS(100), &buffer));
  sapbuf_pool_user_close(user);
  CHECK_OK(sapbuf_pool_remove(segment, "heap"));
  CHECK(!sapbuf_pool_is_current(pool));
  sapbuf_pool_close(pool);
  end_segment(segment);
}

/* Attached to a single message, and to those of a batch. */
static void buffers_go_with_messages(void) {
  sapbuf_segment* segment = new_segment(NULL);
  sapbuf_pool* pool = new_pool(segment, 64, 8);
  sapbuf_pool_user* user = new_user(pool);
  sapbuf_writer* writer;
  sapbuf_reader* reader;
  sapbuf_buffer_reference references[2];
  sapbuf_buffer free_ones[4];
  sapbuf_buffer buffer;
  sapbuf_frame frame;
  void* payload;
  int i;
  CHECK_OK(sapbuf_writer_open(segment, NULL, &writer));
  CHECK_OK(sapbuf_reader_open(segment, NULL, &reader));
  buffer = acquire(user);
  CHECK_STATUS(SAPBUF_CLOSED, sapbuf_writer_attach(writer, &buffer));
  CHECK(buffer.data != NULL);
  CHECK_OK(sapbuf_writer_reserve(writer, 8, 1, &payload));
  for (i = 0; i < 3; ++i) {
    if (i != 0) buffer = acquire(user);
    memcpy(buffer.data, i == 0 ? "a" : i == 1 ? "b" : "c", 2);
    CHECK_OK(sapbuf_writer_attach(writer, &buffer));
    CHECK(buffer.data == NULL);
    CHECK_STATUS(SAPBUF_CLOSED, sapbuf_writer_attach(writer, &buffer));
  }
  CHECK_OK(sapbuf_writer_commit(writer));
  CHECK_OK(sapbuf_writer_reserve_batch_of(writer, 2, 8));
  CHECK_OK(sapbuf_writer_append(writer, 8, 2, &payload));
  CHECK_OK(sapbuf_writer_append(writer, 8, 3, &payload));
  buffer = acquire(user);
  memcpy(buffer.data, "d", 2);
  CHECK_OK(sapbuf_writer_attach(writer, &buffer));
  CHECK_OK(sapbuf_writer_commit(writer));
  CHECK_OK(sapbuf_writer_reserve(writer, 8, 4, &payload));
  buffer = acquire(user);
  CHECK_OK(sapbuf_writer_attach(writer, &buffer));
  CHECK_OK(sapbuf_writer_abort(writer)); /* which frees it: four of eight are attached to messages */
  for (i = 0; i < 4; ++i) free_ones[i] = acquire(user);
  for (i = 0; i < 4; ++i) sapbuf_buffer_release(&free_ones[i]);
  CHECK_OK(sapbuf_writer_write(writer, "x", 1, 5));

  CHECK_OK(sapbuf_reader_pin(reader));
  CHECK(sapbuf_reader_next(reader, &frame) && frame.type == 1);
  CHECK(sapbuf_reader_attachments(reader, &frame, references, 2) == 3);
  CHECK(sapbuf_reader_attachments(reader, &frame, NULL, 0) == 3);
  CHECK_OK(sapbuf_pool_user_adopt(user, &references[1], &buffer));
  CHECK(strcmp(buffer.data, "b") == 0);
  CHECK(sapbuf_reader_next(reader, &frame) && frame.type == 2);
  CHECK(sapbuf_reader_attachments(reader, &frame, references, 2) == 0);
  CHECK(sapbuf_reader_next(reader, &frame) && frame.type == 3);
  CHECK(sapbuf_reader_attachments(reader, &frame, references, 2) == 1);
  {
    const void* data;
    size_t size;
    CHECK_OK(sapbuf_pool_view(pool, &references[0], &data, &size));
    CHECK(strcmp(data, "d") == 0);
  }
  CHECK(sapbuf_reader_next(reader, &frame) && frame.type == 5);
  CHECK(!sapbuf_reader_next(reader, &frame));
  sapbuf_reader_unpin(reader);
  CHECK(strcmp(buffer.data, "b") == 0);
  sapbuf_buffer_release(&buffer);
  sapbuf_reader_close(reader);
  sapbuf_writer_close(writer);
  sapbuf_pool_user_close(user);
  sapbuf_pool_close(pool);
  end_segment(segment);
}

static void more_attachments_than_a_slab_has_room_for(void) {
  sapbuf_segment_options options = sapbuf_segment_options_init();
  sapbuf_segment* segment;
  sapbuf_pool* pool;
  sapbuf_pool_user* user;
  sapbuf_writer* writer;
  sapbuf_buffer buffer;
  sapbuf_status status = SAPBUF_OK;
  void* payload;
  int attached = 0;
  options.attachments = 4;
  options.participants = 4; /* for each of which a slab has one more */
  segment = new_segment(&options);
  pool = new_pool(segment, 64, 64);
  user = new_user(pool);
  CHECK_OK(sapbuf_writer_open(segment, NULL, &writer));
  CHECK_OK(sapbuf_writer_reserve(writer, 8, 1, &payload));
  while (status == SAPBUF_OK && attached < 50) {
    buffer = acquire(user);
    status = sapbuf_writer_attach(writer, &buffer);
    if (status == SAPBUF_OK) ++attached;
  }
  CHECK(status == SAPBUF_ATTACHMENTS_FULL && attached >= 1 && attached <= 4 && buffer.data != NULL);
  CHECK_OK(sapbuf_writer_commit(writer));
  for (attached = 0; attached < 20; ++attached) { /* there is always room for the first one */
    if (attached != 0) buffer = acquire(user);
    CHECK_OK(sapbuf_writer_reserve(writer, 8, 1, &payload));
    CHECK_OK(sapbuf_writer_attach(writer, &buffer));
    CHECK_OK(sapbuf_writer_commit(writer));
  }
  sapbuf_writer_close(writer);
  sapbuf_pool_user_close(user);
  sapbuf_pool_close(pool);
  end_segment(segment);
}

/* --- Deaths */

static const char* victims_segment;

static void acquire_all_and_sleep(volatile uint64_t* told) {
  sapbuf_segment* segment;
  sapbuf_pool* pool;
  sapbuf_pool_user* user;
  sapbuf_buffer buffer;
  uint64_t count = 0;
  CHECK_OK(sapbuf_segment_open(victims_segment, &segment));
  CHECK_OK(sapbuf_pool_open(segment, "frames", &pool));
  user = new_user(pool);
  while (sapbuf_pool_user_acquire(user, &buffer) == SAPBUF_OK) {
    if (++count == 1) share(&buffer);
  }
  tell(told, count);
  sleep_for_ever();
}

static void what_a_killed_user_held_comes_back(void) {
  sapbuf_segment* segment = new_segment(NULL);
  sapbuf_pool* pool = new_pool(segment, 64, 16);
  sapbuf_pool_user* user = new_user(pool);
  sapbuf_buffer buffers[16];
  struct child child;
  int i;
  victims_segment = segment_name();
  child = start_child(acquire_all_and_sleep);
  wait_until_told(child, 16);
  CHECK_STATUS(SAPBUF_EXHAUSTED, sapbuf_pool_user_acquire(user, &buffers[0]));
  kill_child(&child);
  for (i = 0; i < 16; ++i) CHECK_OK(sapbuf_pool_user_acquire_for(user, SAPBUF_MS(60000), &buffers[i]));
  for (i = 0; i < 16; ++i) sapbuf_buffer_release(&buffers[i]);
  sapbuf_pool_user_close(user);
  sapbuf_pool_close(pool);
  end_segment(segment);
}

static const struct test_case tests[] = {
    {"buffers_are_acquired_and_released", buffers_are_acquired_and_released},
    {"a_user_keeps_to_its_budget_and_its_stop_flag", a_user_keeps_to_its_budget_and_its_stop_flag},
    {"shared_buffers_are_adopted_and_viewed", shared_buffers_are_adopted_and_viewed},
    {"runs_are_adjacent", runs_are_adjacent},
    {"pools_grow_shrink_and_tell_their_options", pools_grow_shrink_and_tell_their_options},
    {"buffers_go_with_messages", buffers_go_with_messages},
    {"more_attachments_than_a_slab_has_room_for", more_attachments_than_a_slab_has_room_for},
    {"what_a_killed_user_held_comes_back", what_a_killed_user_held_comes_back},
};

int main(int argc, char** argv) { return run_tests(tests, sizeof tests / sizeof *tests, argc, argv); }
