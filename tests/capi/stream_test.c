/* Segments, streams, writers and readers. */
#define _POSIX_C_SOURCE 200809L

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "check.h"
#include "process.h"

/* --- Verbs */

static sapbuf_writer* new_writer(sapbuf_segment* segment) {
  sapbuf_writer* writer;
  CHECK_OK(sapbuf_writer_open(segment, NULL, &writer));
  return writer;
}

static sapbuf_reader* new_reader(sapbuf_segment* segment) {
  sapbuf_reader* reader;
  CHECK_OK(sapbuf_reader_open(segment, NULL, &reader));
  return reader;
}

static void write_text(sapbuf_writer* writer, const char* text, uint16_t type) {
  CHECK_OK(sapbuf_writer_write(writer, text, strlen(text), type));
}

/* The range's next message is this one. */
static sapbuf_frame expect_text(sapbuf_reader* reader, const char* text, uint16_t type) {
  sapbuf_frame frame;
  CHECK(sapbuf_reader_next(reader, &frame));
  CHECK(frame.size == strlen(text) && memcmp(frame.data, text, frame.size) == 0);
  CHECK(frame.type == type);
  CHECK((uintptr_t)frame.data % 8 == 0);
  return frame;
}

static void expect_end(sapbuf_reader* reader) {
  sapbuf_frame frame;
  CHECK(!sapbuf_reader_next(reader, &frame));
  CHECK(frame.data == NULL && frame.size == 0);
  sapbuf_reader_unpin(reader);
}

/* --- Cases */

static void messages_come_as_they_were_committed(void) {
  sapbuf_segment* segment = new_segment(NULL);
  sapbuf_writer* writer = new_writer(segment);
  sapbuf_reader* reader = new_reader(segment);
  void* payload;
  CHECK_STATUS(SAPBUF_NOT_FOUND, sapbuf_reader_pin(reader));
  write_text(writer, "one", 1);
  CHECK_OK(sapbuf_writer_reserve(writer, 8, 2, &payload));
  memcpy(payload, "two and!", 8);
  CHECK_STATUS(SAPBUF_ALREADY_RESERVED, sapbuf_writer_reserve(writer, 8, 2, &payload));
  CHECK(payload == NULL);
  CHECK_STATUS(SAPBUF_ALREADY_RESERVED, sapbuf_writer_write(writer, "x", 1, 0));
  CHECK_STATUS(SAPBUF_ALREADY_RESERVED, sapbuf_writer_reserve_batch_of(writer, 1, 1));
  CHECK_OK(sapbuf_writer_commit_bytes(writer, 3));
  CHECK_STATUS(SAPBUF_CLOSED, sapbuf_writer_commit(writer));
  CHECK_STATUS(SAPBUF_CLOSED, sapbuf_writer_commit_bytes(writer, 1));
  CHECK_STATUS(SAPBUF_CLOSED, sapbuf_writer_abort(writer));
  CHECK_OK(sapbuf_writer_reserve(writer, 100, 3, &payload));
  CHECK_OK(sapbuf_writer_abort(writer));
  CHECK_OK(sapbuf_writer_write(writer, NULL, 0, 4));
  CHECK_OK(sapbuf_writer_reserve(writer, 4, 5, &payload));
  memcpy(payload, "five", 4);
  CHECK_OK(sapbuf_writer_commit(writer));

  CHECK_OK(sapbuf_reader_wait(reader, SAPBUF_FOREVER));
  CHECK_OK(sapbuf_reader_pin(reader));
  CHECK_STATUS(SAPBUF_BUSY, sapbuf_reader_pin(reader));
  CHECK_STATUS(SAPBUF_BUSY, sapbuf_reader_wait(reader, 0));
  expect_text(reader, "one", 1);
  expect_text(reader, "two", 2);
  expect_text(reader, "", 4);
  expect_text(reader, "five", 5);
  expect_end(reader);
  CHECK_STATUS(SAPBUF_TIMEOUT, sapbuf_reader_wait(reader, 0));
  CHECK(sapbuf_reader_delivered(reader) == 4);
  CHECK(sapbuf_reader_lost(reader) == 0 && sapbuf_reader_skipped(reader) == 0);
  sapbuf_reader_close(reader);
  sapbuf_writer_close(writer);
  end_segment(segment);
}

static void what_was_not_come_to_comes_again(void) {
  sapbuf_segment* segment = new_segment(NULL);
  sapbuf_writer* writer = new_writer(segment);
  sapbuf_reader* reader = new_reader(segment);
  write_text(writer, "one", 0);
  write_text(writer, "two", 0);
  CHECK_OK(sapbuf_reader_pin(reader));
  sapbuf_reader_unpin(reader); /* nothing was looked at */
  CHECK(sapbuf_reader_delivered(reader) == 0);
  CHECK_OK(sapbuf_reader_pin(reader));
  expect_text(reader, "one", 0);
  sapbuf_reader_unpin(reader);
  expect_end(reader);
  CHECK_OK(sapbuf_reader_pin(reader));
  expect_text(reader, "two", 0);
  expect_end(reader);
  sapbuf_reader_close(reader);
  sapbuf_writer_close(writer);
  end_segment(segment);
}

static void frames_of_a_range_come_many_at_once(void) {
  sapbuf_segment* segment = new_segment(NULL);
  sapbuf_writer* writer = new_writer(segment);
  sapbuf_reader* reader = new_reader(segment);
  sapbuf_frame frames[4];
  uint64_t number;
  for (number = 0; number < 6; ++number)
    CHECK_OK(sapbuf_writer_write(writer, &number, sizeof number, (uint16_t)number));
  CHECK_OK(sapbuf_reader_pin(reader));
  CHECK(sapbuf_reader_next_many(reader, frames, 4) == 4);
  CHECK(frames[0].type == 0 && frames[3].type == 3 && *(const uint64_t*)frames[3].data == 3);
  CHECK(sapbuf_reader_next_many(reader, frames, 4) == 2);
  CHECK(frames[1].type == 5);
  CHECK(sapbuf_reader_next_many(reader, frames, 4) == 0);
  sapbuf_reader_unpin(reader);
  CHECK(sapbuf_reader_next_many(reader, frames, 4) == 0);
  CHECK(sapbuf_reader_delivered(reader) == 6);
  sapbuf_reader_close(reader);
  sapbuf_writer_close(writer);
  end_segment(segment);
}

static void append_text(sapbuf_writer* writer, const char* text, uint16_t type) {
  void* payload;
  CHECK_OK(sapbuf_writer_append(writer, strlen(text), type, &payload));
  memcpy(payload, text, strlen(text));
}

static void batches_come_whole(void) {
  const size_t sizes[] = {3, 5};
  sapbuf_segment* segment = new_segment(NULL);
  sapbuf_writer* writer = new_writer(segment);
  sapbuf_reader* reader = new_reader(segment);
  void* payload;
  CHECK_STATUS(SAPBUF_CLOSED, sapbuf_writer_append(writer, 1, 0, &payload));
  CHECK_OK(sapbuf_writer_reserve_batch_sizes(writer, sizes, 2));
  append_text(writer, "one", 1);
  CHECK_STATUS(SAPBUF_NOT_FOUND, sapbuf_reader_pin(reader));
  append_text(writer, "three", 3);
  CHECK_STATUS(SAPBUF_TOO_LARGE, sapbuf_writer_append(writer, 1, 0, &payload));
  CHECK(payload == NULL);
  CHECK_STATUS(SAPBUF_CLOSED, sapbuf_writer_commit_bytes(writer, 3));
  CHECK_STATUS(SAPBUF_ALREADY_RESERVED, sapbuf_writer_write(writer, "x", 1, 0));
  CHECK_OK(sapbuf_writer_commit(writer));
  write_text(writer, "between", 0);
  CHECK_OK(sapbuf_writer_reserve_batch(writer, 2, 8));
  append_text(writer, "four", 4);
  CHECK_OK(sapbuf_writer_commit(writer));
  CHECK_OK(sapbuf_writer_reserve_batch_of(writer, 2, 8));
  append_text(writer, "never", 4);
  CHECK_OK(sapbuf_writer_abort(writer));
  write_text(writer, "last", 0);

  CHECK_OK(sapbuf_reader_pin(reader));
  expect_text(reader, "one", 1);
  expect_text(reader, "three", 3);
  expect_text(reader, "between", 0);
  expect_text(reader, "four", 4);
  expect_text(reader, "last", 0);
  expect_end(reader);
  CHECK_STATUS(SAPBUF_TOO_LARGE, sapbuf_writer_reserve_batch_of(writer, 2, SIZE_MAX));
  write_text(writer, "and on", 0);
  sapbuf_reader_close(reader);
  sapbuf_writer_close(writer);
  end_segment(segment);
}

/* Through all kinds of streams, over many slabs: what is inlined, and what is not. */
static void write_and_read_numbers(uint32_t order, uint32_t fences) {
  sapbuf_segment_options options = sapbuf_segment_options_init();
  sapbuf_segment* segment;
  sapbuf_writer* writer;
  sapbuf_reader* reader;
  uint64_t written = 0;
  uint64_t read = 0;
  options.slab_bytes = 4096;
  options.order = order;
  options.fences = fences;
  segment = new_segment(&options);
  writer = new_writer(segment);
  reader = new_reader(segment);
  while (written < 5000) {
    sapbuf_frame frame;
    int i;
    for (i = 0; i < 20; ++i, ++written) {
      void* payload;
      if (i % 2 == 0) {
        CHECK_OK(sapbuf_writer_write(writer, &written, sizeof written, 9));
        continue;
      }
      CHECK_OK(sapbuf_writer_reserve(writer, sizeof written + (size_t)i, 9, &payload));
      memcpy(payload, &written, sizeof written);
      CHECK_OK(i % 3 == 0 ? sapbuf_writer_commit_bytes(writer, sizeof written) : sapbuf_writer_commit(writer));
    }
    CHECK_OK(sapbuf_reader_pin(reader));
    while (sapbuf_reader_next(reader, &frame)) {
      CHECK(*(const uint64_t*)frame.data == read && frame.type == 9 && frame.size >= sizeof read);
      ++read;
    }
    sapbuf_reader_unpin(reader);
  }
  CHECK(read == written && sapbuf_reader_delivered(reader) == written);
  sapbuf_reader_close(reader);
  sapbuf_writer_close(writer);
  end_segment(segment);
}

static void all_kinds_of_streams_keep_their_order(void) {
  write_and_read_numbers(SAPBUF_ORDER_PER_WRITER, SAPBUF_FENCES_MEMBARRIER);
  write_and_read_numbers(SAPBUF_ORDER_TOTAL, SAPBUF_FENCES_MEMBARRIER);
  write_and_read_numbers(SAPBUF_ORDER_PER_WRITER, SAPBUF_FENCES_FULL);
  write_and_read_numbers(SAPBUF_ORDER_TOTAL, SAPBUF_FENCES_FULL);
}

static void full_streams_do_what_their_policy_says(void) {
  sapbuf_segment_options options = sapbuf_segment_options_init();
  sapbuf_writer_options patience = sapbuf_writer_options_init();
  char message[1000] = {0};
  sapbuf_stop_flag stop = {0};
  sapbuf_segment* segment;
  sapbuf_reader* reader;
  sapbuf_writer* writer;
  sapbuf_status status;
  uint32_t policy;
  void* payload;
  for (policy = SAPBUF_ON_FULL_BLOCK; policy <= SAPBUF_ON_FULL_OVERWRITE; ++policy) {
    int written = 0;
    options.slab_bytes = 4096;
    options.on_full = policy;
    patience.timeout_ns = SAPBUF_NO_WAIT;
    segment = new_segment(&options);
    reader = new_reader(segment);
    CHECK_OK(sapbuf_writer_open(segment, &patience, &writer));
    do {
      status = sapbuf_writer_write(writer, message, sizeof message, 0);
    } while (status == SAPBUF_OK && ++written < 100);
    if (policy == SAPBUF_ON_FULL_OVERWRITE) {
      CHECK(written == 100);
      CHECK_OK(sapbuf_reader_pin(reader));
      sapbuf_reader_unpin(reader);
      CHECK(sapbuf_reader_lost(reader) > 80);
    } else {
      CHECK(written < 10);
      CHECK(status == (policy == SAPBUF_ON_FULL_DROP ? SAPBUF_FULL : SAPBUF_TIMEOUT));
    }
    CHECK_STATUS(SAPBUF_TOO_LARGE, sapbuf_writer_reserve(writer, 1 << 20, 0, &payload));
    sapbuf_writer_close(writer);
    if (policy == SAPBUF_ON_FULL_BLOCK) {
      patience.timeout_ns = 0; /* for ever */
      patience.stop = &stop;
      sapbuf_stop_flag_raise(&stop);
      CHECK_OK(sapbuf_writer_open(segment, &patience, &writer));
      CHECK_STATUS(SAPBUF_STOPPED, sapbuf_writer_write(writer, message, sizeof message, 0));
      CHECK_OK(sapbuf_reader_pin(reader));
      CHECK_STATUS(SAPBUF_WOULD_DEADLOCK, sapbuf_writer_write(writer, message, sizeof message, 0));
      sapbuf_reader_unpin(reader);
      sapbuf_writer_close(writer);
      patience.stop = NULL;
    }
    sapbuf_reader_close(reader);
    end_segment(segment);
  }
}

static void* raise_flag(void* flag) {
  const struct timespec moment = {0, 20000000};
  nanosleep(&moment, NULL);
  sapbuf_stop_flag_raise(flag);
  return NULL;
}

static void payloads_are_aligned_as_the_stream_says(void) {
  sapbuf_segment_options options = sapbuf_segment_options_init();
  sapbuf_segment_options there = sapbuf_segment_options_init();
  sapbuf_segment* segment;
  sapbuf_writer* writer;
  sapbuf_reader* reader;
  sapbuf_frame frame;
  size_t size;
  void* payload;
  options.payload_alignment = 24;
  CHECK_STATUS(SAPBUF_INVALID_ARGUMENT, sapbuf_segment_create(segment_name(), &options, &segment));
  CHECK_SAID("8, 16, 32 or 64");
  options.payload_alignment = 64;
  segment = new_segment(&options);
  CHECK_OK(sapbuf_segment_get_options(segment, &there));
  CHECK(there.payload_alignment == 64);
  writer = new_writer(segment);
  reader = new_reader(segment);
  for (size = 1; size < 200; ++size) {
    CHECK_OK(sapbuf_writer_reserve(writer, size, 1, &payload));
    CHECK((uintptr_t)payload % 64 == 0);
    memset(payload, (int)size, size);
    CHECK_OK(sapbuf_writer_commit(writer));
    CHECK_OK(sapbuf_writer_reserve_batch(writer, 2, 2 * size));
    CHECK_OK(sapbuf_writer_append(writer, size, 1, &payload));
    memset(payload, (int)size, size);
    CHECK_OK(sapbuf_writer_append(writer, size, 1, &payload));
    CHECK((uintptr_t)payload % 64 == 0);
    memset(payload, (int)size, size);
    CHECK_OK(sapbuf_writer_commit(writer));
  }
  CHECK_OK(sapbuf_reader_pin(reader));
  for (size = 1; size < 200; ++size) {
    int i;
    for (i = 0; i < 3; ++i) {
      CHECK(sapbuf_reader_next(reader, &frame));
      CHECK(frame.size == size && (uintptr_t)frame.data % 64 == 0);
      CHECK(((const unsigned char*)frame.data)[size - 1] == size);
    }
  }
  expect_end(reader);
  sapbuf_writer_close(writer);
  sapbuf_reader_close(reader);
  end_segment(segment);
}

static void a_stop_flag_ends_a_wait(void) {
  sapbuf_segment* segment = new_segment(NULL);
  sapbuf_reader_options options = sapbuf_reader_options_init();
  sapbuf_stop_flag stop = {0};
  sapbuf_reader* reader;
  pthread_t thread;
  options.name = "waiter";
  options.stop = &stop;
  CHECK_OK(sapbuf_reader_open(segment, &options, &reader));
  CHECK(pthread_create(&thread, NULL, raise_flag, &stop) == 0);
  CHECK_STATUS(SAPBUF_STOPPED, sapbuf_reader_wait(reader, SAPBUF_FOREVER));
  CHECK(pthread_join(thread, NULL) == 0);
  sapbuf_stop_flag_lower(&stop);
  CHECK_STATUS(SAPBUF_TIMEOUT, sapbuf_reader_wait(reader, SAPBUF_MS(1)));
  sapbuf_reader_close(reader);
  end_segment(segment);
}

static void descriptors_are_readable_when_there_may_be_something(void) {
  sapbuf_segment_options options = sapbuf_segment_options_init();
  sapbuf_writer_options impatient = sapbuf_writer_options_init();
  sapbuf_segment* segment;
  sapbuf_writer* writer;
  sapbuf_reader* reader;
  int readable;
  int writable;
  options.slab_bytes = 4096;
  segment = new_segment(&options);
  impatient.timeout_ns = SAPBUF_NO_WAIT;
  CHECK_OK(sapbuf_writer_open(segment, &impatient, &writer));
  reader = new_reader(segment);
  readable = sapbuf_reader_event_fd(reader);
  CHECK(readable >= 0 && !is_readable(readable, 0));
  write_text(writer, "one", 0);
  CHECK(is_readable(readable, 60000));
  CHECK_OK(sapbuf_reader_pin(reader));
  expect_text(reader, "one", 0);
  CHECK(sapbuf_reader_event_fd(reader) == -1);
  CHECK_SAID("still alive");
  sapbuf_reader_unpin(reader);
  CHECK_STATUS(SAPBUF_NOT_FOUND, sapbuf_reader_pin(reader));
  CHECK(!is_readable(readable, 0));
  writable = sapbuf_writer_event_fd(writer);
  CHECK(writable >= 0 && is_readable(writable, 0));
  while (sapbuf_writer_write(writer, "filler", 6, 0) == SAPBUF_OK) continue;
  CHECK(!is_readable(writable, 0) && is_readable(readable, 60000));
  sapbuf_reader_close(reader);
  CHECK(is_readable(writable, 60000));
  CHECK(sapbuf_reader_event_fd(NULL) == -1 && sapbuf_writer_event_fd(NULL) == -1);
  CHECK_SAID("is NULL");
  sapbuf_writer_close(writer);
  end_segment(segment);
}

static void readers_begin_where_they_are_asked_to(void) {
  sapbuf_segment* segment = new_segment(NULL);
  sapbuf_reader_options options = sapbuf_reader_options_init();
  sapbuf_writer* writer = new_writer(segment);
  sapbuf_reader* all = new_reader(segment);
  sapbuf_reader* newest;
  uint64_t count;
  write_text(writer, "one", 0);
  write_text(writer, "two", 0);
  options.from = SAPBUF_FROM_NEWEST;
  options.keep = SAPBUF_KEEP_FRAME;
  CHECK_OK(sapbuf_reader_open(segment, &options, &newest));
  CHECK_OK(sapbuf_reader_missed_before(newest, &count));
  CHECK(count == 2);
  CHECK(sapbuf_reader_missed_any(newest) && !sapbuf_reader_missed_any(all) && !sapbuf_reader_missed_any(NULL));
  write_text(writer, "three", 0);
  CHECK_OK(sapbuf_reader_pin(newest));
  expect_text(newest, "three", 0);
  expect_end(newest);
  CHECK_OK(sapbuf_reader_skip_to_newest(all, &count));
  CHECK(count == 2 && sapbuf_reader_skipped(all) == 2);
  CHECK_OK(sapbuf_reader_skip_to_newest(all, NULL));
  CHECK_OK(sapbuf_reader_pin(all));
  expect_text(all, "three", 0);
  expect_end(all);
  CHECK(sapbuf_reader_is_current(all) && sapbuf_reader_slot(all) != sapbuf_reader_slot(newest));
  CHECK(sapbuf_writer_slot(writer) != sapbuf_reader_slot(all));
  sapbuf_reader_close(newest);
  sapbuf_reader_close(all);
  sapbuf_writer_close(writer);
  end_segment(segment);
}

static void readers_learn_that_no_more_comes(void) {
  sapbuf_segment* segment = new_segment(NULL);
  sapbuf_reader_options options = sapbuf_reader_options_init();
  sapbuf_writer* writer = new_writer(segment);
  sapbuf_reader* reader;
  sapbuf_frame frame;
  sapbuf_position first;
  sapbuf_position second;
  bool finished;
  void* payload;
  options.until_finished = true;
  CHECK_OK(sapbuf_reader_open(segment, &options, &reader));
  write_text(writer, "one", 0);
  write_text(writer, "two", 0);
  CHECK_OK(sapbuf_writer_reserve(writer, 8, 0, &payload));
  CHECK_STATUS(SAPBUF_ALREADY_RESERVED, sapbuf_writer_finish(writer));
  CHECK_OK(sapbuf_writer_abort(writer));
  CHECK_OK(sapbuf_writer_finish(writer));
  CHECK_STATUS(SAPBUF_CLOSED, sapbuf_writer_finish(writer));
  CHECK_STATUS(SAPBUF_CLOSED, sapbuf_writer_write(writer, "x", 1, 0));
  CHECK_STATUS(SAPBUF_CLOSED, sapbuf_writer_reserve_batch_of(writer, 1, 1));
  CHECK_OK(sapbuf_reader_is_finished(reader, &finished));
  CHECK(!finished);
  CHECK_OK(sapbuf_reader_wait(reader, SAPBUF_FOREVER));
  CHECK_OK(sapbuf_reader_pin(reader));
  frame = expect_text(reader, "one", 0);
  first = sapbuf_reader_position(reader, &frame);
  frame = expect_text(reader, "two", 0);
  second = sapbuf_reader_position(reader, &frame);
  CHECK(first.generation >= 1 && second.generation == first.generation && second.offset == first.offset + 16);
  expect_end(reader);
  CHECK(sapbuf_reader_position(reader, &frame).generation == 0);
  CHECK_STATUS(SAPBUF_FINISHED, sapbuf_reader_wait(reader, SAPBUF_FOREVER));
  CHECK_OK(sapbuf_reader_is_finished(reader, &finished));
  CHECK(finished);
  sapbuf_reader_close(reader);
  sapbuf_writer_close(writer);
  end_segment(segment);
}

static bool count_durable(void* context, const sapbuf_durable_reader* reader) {
  uint64_t* behind = context;
  CHECK(strcmp(reader->name, "audit") == 0);
  *behind = reader->attached ? 1000 : reader->behind_messages;
  return *behind != 1000;
}

static void a_durable_reader_goes_on_where_it_left_off(void) {
  sapbuf_segment_options options = sapbuf_segment_options_init();
  sapbuf_reader_options durable = sapbuf_reader_options_init();
  sapbuf_segment* segment;
  sapbuf_stream* stream;
  sapbuf_writer* writer;
  sapbuf_reader* reader;
  sapbuf_reader* other;
  uint64_t behind = 0;
  options.durable_readers = 1;
  segment = new_segment(&options);
  CHECK_OK(sapbuf_segment_get_options(segment, &options));
  CHECK(options.durable_readers == 1);
  CHECK_OK(sapbuf_stream_open(segment, NULL, &stream));
  writer = new_writer(segment);
  durable.durable = true;
  CHECK_STATUS(SAPBUF_INVALID_ARGUMENT, sapbuf_reader_open(segment, &durable, &reader)); /* it has no name */
  durable.name = "audit";
  durable.durable_max_bytes = 1 << 20;
  durable.durable_max_away_ns = SAPBUF_MS(60000);
  CHECK_OK(sapbuf_reader_open(segment, &durable, &reader));
  CHECK_STATUS(SAPBUF_BUSY, sapbuf_reader_open_on(stream, &durable, &other));
  write_text(writer, "one", 0);
  write_text(writer, "two", 0);
  CHECK_OK(sapbuf_reader_pin(reader));
  expect_text(reader, "one", 0);
  sapbuf_reader_unpin(reader);
  CHECK_STATUS(SAPBUF_ABANDONED, sapbuf_stream_durable_readers(stream, count_durable, &behind));
  CHECK(behind == 1000);
  CHECK_STATUS(SAPBUF_BUSY, sapbuf_stream_remove_durable_reader(stream, "audit"));
  sapbuf_reader_close(reader);
  CHECK_OK(sapbuf_stream_durable_readers(stream, count_durable, &behind));
  CHECK(behind == 1);
  CHECK_OK(sapbuf_reader_open_on(stream, &durable, &reader));
  CHECK_OK(sapbuf_reader_pin(reader));
  expect_text(reader, "two", 0);
  sapbuf_reader_abandon(reader);
  sapbuf_reader_abandon(NULL);
  CHECK_OK(sapbuf_reader_open_on(stream, &durable, &reader));
  CHECK_OK(sapbuf_reader_pin(reader));
  expect_text(reader, "two", 0);
  expect_end(reader);
  sapbuf_reader_close(reader);
  durable.name = "other";
  CHECK_STATUS(SAPBUF_REGISTRY_FULL, sapbuf_reader_open(segment, &durable, &reader));
  CHECK_OK(sapbuf_stream_remove_durable_reader(stream, "audit"));
  CHECK_STATUS(SAPBUF_NOT_FOUND, sapbuf_stream_remove_durable_reader(stream, "audit"));
  CHECK_STATUS(SAPBUF_INVALID_ARGUMENT, sapbuf_stream_durable_readers(stream, NULL, NULL));
  sapbuf_writer_close(writer);
  sapbuf_stream_close(stream);
  end_segment(segment);
}

static void streams_beside_main_have_names_and_options(void) {
  sapbuf_segment* segment = new_segment(NULL);
  sapbuf_stream_options options = sapbuf_stream_options_init();
  sapbuf_stream_options there = sapbuf_stream_options_init();
  sapbuf_stream* orders;
  sapbuf_stream* again;
  sapbuf_writer* writer;
  sapbuf_reader* reader;
  char text[64];
  size_t length;
  options.slab_bytes = 8192;
  options.order = SAPBUF_ORDER_TOTAL;
  CHECK_STATUS(SAPBUF_NOT_FOUND, sapbuf_stream_open(segment, "orders", &orders));
  CHECK(orders == NULL);
  CHECK_OK(sapbuf_stream_create(segment, "orders", &options, &orders));
  CHECK_STATUS(SAPBUF_EXISTS, sapbuf_stream_create(segment, "orders", &options, &again));
  CHECK_OK(sapbuf_stream_open_or_create(segment, "orders", NULL, &again));
  CHECK(sapbuf_stream_created(orders) && !sapbuf_stream_created(again));
  CHECK(strcmp(sapbuf_stream_name(again), "orders") == 0);
  CHECK_OK(sapbuf_stream_get_options(again, &there));
  CHECK(there.slab_bytes == 8192 && there.order == SAPBUF_ORDER_TOTAL && there.slabs == 2);
  CHECK_OK(sapbuf_stream_differences(again, &options, text, sizeof text, &length));
  CHECK(length == 0 && text[0] == '\0');
  options.slabs = 4;
  CHECK_OK(sapbuf_stream_differences(again, &options, text, sizeof text, &length));
  CHECK(length == strlen(text) && strcmp(text, "slabs 2, not 4") == 0);
  CHECK_OK(sapbuf_stream_differences(again, &options, text, 8, &length));
  CHECK(strcmp(text, "slabs 2") == 0 && length == strlen("slabs 2, not 4"));
  CHECK(sapbuf_stream_max_message_bytes(again) > 4096 && sapbuf_stream_bytes(again) > 2 * 8192);

  CHECK_OK(sapbuf_writer_open_on(orders, NULL, &writer));
  CHECK_OK(sapbuf_reader_open_on(again, NULL, &reader));
  sapbuf_stream_close(again); /* the reader goes on without it */
  write_text(writer, "buy", 0);
  CHECK_OK(sapbuf_reader_pin(reader));
  expect_text(reader, "buy", 0);
  expect_end(reader);
  CHECK_STATUS(SAPBUF_BUSY, sapbuf_stream_remove(segment, "orders"));
  sapbuf_reader_close(reader);
  sapbuf_writer_close(writer);
  CHECK(sapbuf_stream_is_current(orders));
  CHECK_OK(sapbuf_stream_remove(segment, "orders"));
  CHECK(!sapbuf_stream_is_current(orders));
  CHECK_STATUS(SAPBUF_NOT_FOUND, sapbuf_stream_remove(segment, "orders"));
  CHECK_STATUS(SAPBUF_NOT_FOUND, sapbuf_writer_open_on(orders, NULL, &writer));
  sapbuf_stream_close(orders);
  CHECK_OK(sapbuf_stream_open(segment, NULL, &orders));
  CHECK(strcmp(sapbuf_stream_name(orders), "main") == 0);
  sapbuf_stream_close(orders);
  end_segment(segment);
}

/* --- Deaths */

static const char* victims_segment;

static void write_numbers_until_killed(volatile uint64_t* told) {
  sapbuf_segment* segment;
  sapbuf_writer* writer;
  uint64_t number = 0;
  CHECK_OK(sapbuf_segment_open(victims_segment, &segment));
  writer = new_writer(segment);
  for (;;) {
    CHECK_OK(sapbuf_writer_write(writer, &number, sizeof number, 0));
    tell(told, ++number);
  }
}

/* Whenever it is killed: all that it told is there, in order, and at most one more, which it could not tell of. */
static void a_killed_writer_loses_nothing_that_it_committed(void) {
  int round;
  for (round = 0; round < 20; ++round) {
    sapbuf_segment* segment = new_segment(NULL);
    sapbuf_reader* reader = new_reader(segment);
    sapbuf_writer* writer;
    struct child child;
    uint64_t expected = 0;
    uint64_t committed = 0;
    bool is_killed = false;
    sapbuf_frame frame;
    victims_segment = segment_name();
    child = start_child(write_numbers_until_killed);
    wait_until_told(child, 1);
    while (!is_killed || sapbuf_reader_wait(reader, 0) == SAPBUF_OK) {
      if (expected > (uint64_t)round * 1000 && !is_killed) {
        committed = kill_child(&child);
        is_killed = true;
      }
      if (sapbuf_reader_pin(reader) != SAPBUF_OK) continue;
      while (sapbuf_reader_next(reader, &frame)) {
        CHECK(frame.size == sizeof expected && *(const uint64_t*)frame.data == expected);
        ++expected;
      }
      sapbuf_reader_unpin(reader);
    }
    CHECK(expected == committed || expected == committed + 1);
    writer = new_writer(segment);
    write_text(writer, "and on", 0);
    CHECK_OK(sapbuf_reader_pin(reader));
    expect_text(reader, "and on", 0);
    expect_end(reader);
    sapbuf_writer_close(writer);
    sapbuf_reader_close(reader);
    end_segment(segment);
  }
}

static void reserve_and_sleep(volatile uint64_t* told) {
  sapbuf_segment* segment;
  sapbuf_writer* writer;
  void* payload;
  CHECK_OK(sapbuf_segment_open(victims_segment, &segment));
  writer = new_writer(segment);
  write_text(writer, "committed", 0);
  CHECK_OK(sapbuf_writer_reserve(writer, 9, 0, &payload));
  memcpy(payload, "reserved!", 9);
  tell(told, 1);
  sleep_for_ever();
}

/* How many numbers there were to be read, from `from` on. */
static uint64_t read_numbers(sapbuf_reader* reader, uint64_t from) {
  uint64_t read = from;
  sapbuf_frame frame;
  if (sapbuf_reader_pin(reader) != SAPBUF_OK) return 0;
  while (sapbuf_reader_next(reader, &frame)) CHECK(*(const uint64_t*)frame.data == read++);
  sapbuf_reader_unpin(reader);
  return read - from;
}

static void what_a_killed_writer_had_reserved_is_seen_by_nobody(void) {
  sapbuf_segment_options options = sapbuf_segment_options_init();
  sapbuf_writer_options patience = sapbuf_writer_options_init();
  sapbuf_segment* segment;
  sapbuf_reader* reader;
  sapbuf_writer* writer;
  struct child child;
  uint64_t number = 0;
  uint64_t read = 0;
  options.slab_bytes = 4096;
  segment = new_segment(&options);
  reader = new_reader(segment);
  victims_segment = segment_name();
  child = start_child(reserve_and_sleep);
  wait_until_told(child, 1);
  CHECK_OK(sapbuf_reader_pin(reader));
  expect_text(reader, "committed", 0);
  expect_end(reader);
  kill_child(&child);
  patience.timeout_ns =
      SAPBUF_MS(200); /* in which it finds the dead; then it is this reader who keeps it from going on */
  CHECK_OK(sapbuf_writer_open(segment, &patience, &writer));
  while (number < 2000) {
    const sapbuf_status status = sapbuf_writer_write(writer, &number, sizeof number, 0);
    if (status == SAPBUF_OK) {
      ++number;
    } else {
      CHECK(status == SAPBUF_TIMEOUT);
    }
    if (status != SAPBUF_OK || number % 100 == 0) read += read_numbers(reader, read);
  }
  CHECK(read == 2000);
  sapbuf_reader_close(reader);
  sapbuf_writer_close(writer);
  end_segment(segment);
}

static sapbuf_writer* inherited_writer;
static sapbuf_reader* inherited_reader;
static sapbuf_segment* inherited_segment;

static void use_what_was_inherited(volatile uint64_t* told) {
  void* payload;
  sapbuf_writer* writer;
  (void)told;
  CHECK_STATUS(SAPBUF_FORKED, sapbuf_writer_write(inherited_writer, "x", 1, 0));
  CHECK_STATUS(SAPBUF_FORKED, sapbuf_writer_reserve(inherited_writer, 1, 0, &payload));
  CHECK_STATUS(SAPBUF_FORKED, sapbuf_writer_reserve_batch_of(inherited_writer, 1, 1));
  CHECK_STATUS(SAPBUF_FORKED, sapbuf_reader_wait(inherited_reader, 0));
  CHECK_STATUS(SAPBUF_FORKED, sapbuf_reader_pin(inherited_reader));
  CHECK_STATUS(SAPBUF_FORKED, sapbuf_writer_open(inherited_segment, NULL, &writer));
  sapbuf_writer_close(inherited_writer);
  sapbuf_reader_close(inherited_reader);
  sapbuf_segment_close(inherited_segment);
}

static void inherited_handles_say_so(void) {
  struct child child;
  inherited_segment = new_segment(NULL);
  inherited_writer = new_writer(inherited_segment);
  inherited_reader = new_reader(inherited_segment);
  write_text(inherited_writer, "before", 0);
  child = start_child(use_what_was_inherited);
  join_child(&child);
  write_text(inherited_writer, "behind", 0);
  CHECK_OK(sapbuf_reader_pin(inherited_reader));
  expect_text(inherited_reader, "before", 0);
  expect_text(inherited_reader, "behind", 0);
  expect_end(inherited_reader);
  sapbuf_reader_close(inherited_reader);
  sapbuf_writer_close(inherited_writer);
  end_segment(inherited_segment);
}

static const struct test_case tests[] = {
    {"messages_come_as_they_were_committed", messages_come_as_they_were_committed},
    {"what_was_not_come_to_comes_again", what_was_not_come_to_comes_again},
    {"frames_of_a_range_come_many_at_once", frames_of_a_range_come_many_at_once},
    {"batches_come_whole", batches_come_whole},
    {"all_kinds_of_streams_keep_their_order", all_kinds_of_streams_keep_their_order},
    {"full_streams_do_what_their_policy_says", full_streams_do_what_their_policy_says},
    {"payloads_are_aligned_as_the_stream_says", payloads_are_aligned_as_the_stream_says},
    {"a_stop_flag_ends_a_wait", a_stop_flag_ends_a_wait},
    {"descriptors_are_readable_when_there_may_be_something", descriptors_are_readable_when_there_may_be_something},
    {"readers_begin_where_they_are_asked_to", readers_begin_where_they_are_asked_to},
    {"readers_learn_that_no_more_comes", readers_learn_that_no_more_comes},
    {"a_durable_reader_goes_on_where_it_left_off", a_durable_reader_goes_on_where_it_left_off},
    {"streams_beside_main_have_names_and_options", streams_beside_main_have_names_and_options},
    {"a_killed_writer_loses_nothing_that_it_committed", a_killed_writer_loses_nothing_that_it_committed},
    {"what_a_killed_writer_had_reserved_is_seen_by_nobody", what_a_killed_writer_had_reserved_is_seen_by_nobody},
    {"inherited_handles_say_so", inherited_handles_say_so},
};

int main(int argc, char** argv) { return run_tests(tests, sizeof tests / sizeof *tests, argc, argv); }
