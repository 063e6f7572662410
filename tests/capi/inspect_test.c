/* A queue's blocks, a stream's frames, and the parts of a segment: one by one, without attaching. */
#include "check.h"
#include "process.h"

/* --- Blocks */

struct expected_block {
  const char* state;
  const char* content;
  uint32_t deliveries;
  size_t notes;
  bool is_due_later;
  bool has_key;
};

/* Those that are still to be seen, with so many bytes of each. */
struct block_list {
  const struct expected_block* next;
  size_t count;
  size_t content_bytes;
};

static bool see_block(void* context, const sapbuf_queue_block* block) {
  struct block_list* const list = context;
  const struct expected_block* const expected = list->next;
  const bool is_held = strcmp(expected->state, "held") == 0;
  const size_t whole = strlen(expected->content);
  size_t i;
  CHECK(list->count != 0 && block->struct_size == sizeof *block);
  CHECK(strcmp(block->state, expected->state) == 0 && block->deliveries == expected->deliveries);
  CHECK(block->bytes == whole && block->content_size == (whole < list->content_bytes ? whole : list->content_bytes));
  CHECK(block->content_size == 0 || memcmp(block->content, expected->content, block->content_size) == 0);
  CHECK(strcmp(block->holder, is_held ? "worker" : "") == 0);
  CHECK(block->note_count == expected->notes);
  for (i = 0; i < block->note_count; ++i) {
    const sapbuf_delivery_record* const note = block->notes[i];
    CHECK(note->struct_size == sizeof *note && strcmp(note->name, "worker") == 0 && !note->died && note->pid > 1);
    CHECK(note->at_ns > UINT64_C(1000000000000000000));
  }
  CHECK(block->group == 0 && block->type == 7 && block->age_ms < 60000);
  CHECK((block->due_in_ms != 0) == expected->is_due_later);
  CHECK(block->has_key == expected->has_key && block->key == (expected->has_key ? 42 : 0));
  ++list->next;
  --list->count;
  return true;
}

static void expect_blocks(const sapbuf_queue* queue, size_t content_bytes, const struct expected_block* expected,
                          size_t count) {
  struct block_list list = {expected, count, content_bytes};
  CHECK_OK(sapbuf_queue_list_blocks(queue, content_bytes, see_block, &list));
  CHECK(list.count == 0);
}

/* Five bytes of each; the last one has a key. */
static void push_blocks(sapbuf_queue* queue, const char* const* texts, size_t count) {
  sapbuf_reserved_blocks* blocks;
  sapbuf_producer* producer;
  size_t i;
  CHECK_OK(sapbuf_producer_open(queue, NULL, &producer));
  CHECK_OK(sapbuf_producer_reserve(producer, count, &blocks));
  CHECK(sapbuf_reserved_blocks_count(blocks) == count);
  for (i = 0; i < count; ++i) {
    memcpy(sapbuf_reserved_blocks_bytes(blocks, i, NULL), texts[i], 5);
    CHECK_OK(sapbuf_reserved_blocks_set(blocks, i, 5, 7));
  }
  CHECK_OK(sapbuf_reserved_blocks_set_key(blocks, count - 1, 42));
  CHECK_OK(sapbuf_reserved_blocks_release(blocks, count, NULL));
  sapbuf_reserved_blocks_drop(blocks);
  sapbuf_producer_close(producer);
}

static sapbuf_consumer* new_worker(sapbuf_queue* queue) {
  sapbuf_consumer_options options = sapbuf_consumer_options_init();
  sapbuf_consumer* consumer;
  options.name = "worker";
  CHECK_OK(sapbuf_consumer_open(queue, &options, &consumer));
  return consumer;
}

static sapbuf_taken_block take(sapbuf_consumer* consumer) {
  sapbuf_taken_block block;
  size_t taken;
  CHECK_OK(sapbuf_consumer_take(consumer, &block, 1, &taken));
  return block;
}

static bool stop_at_block(void* context, const sapbuf_queue_block* block) {
  (void)block;
  ++*(int*)context;
  return false;
}

static void blocks_are_listed_in_their_order(void) {
  const char* const texts[] = {"first", "2ndxx", "third", "forth", "fifth"};
  const struct expected_block expected[] = {{"dead", "first", 2, 2, false, false},
                                            {"held", "2ndxx", 1, 0, false, false},
                                            {"returned", "third", 1, 1, true, false},
                                            {"queued", "forth", 0, 0, false, false},
                                            {"queued", "fifth", 0, 0, false, true}};
  sapbuf_segment* segment = new_segment(NULL);
  sapbuf_queue_options options = sapbuf_queue_options_init();
  sapbuf_queue* queue;
  sapbuf_consumer* consumer;
  sapbuf_taken_block held;
  sapbuf_taken_block block;
  int seen = 0;
  int i;
  options.max_deliveries = 2;
  CHECK_OK(sapbuf_queue_create(segment, "jobs", &options, &queue));
  expect_blocks(queue, 0, NULL, 0);
  push_blocks(queue, texts, 5);
  consumer = new_worker(queue);
  for (i = 0; i < 2; ++i) {
    block = take(consumer);
    CHECK_OK(sapbuf_taken_block_put_back(&block));
  }
  held = take(consumer);
  block = take(consumer);
  CHECK_OK(sapbuf_taken_block_put_back_after(&block, SAPBUF_MS(3600000)));
  expect_blocks(queue, 4096, expected, 5);
  expect_blocks(queue, 2, expected, 5);
  expect_blocks(queue, 0, expected, 5);
  CHECK_STATUS(SAPBUF_ABANDONED, sapbuf_queue_list_blocks(queue, 0, stop_at_block, &seen));
  CHECK(seen == 1);
  CHECK_OK(sapbuf_taken_block_done(&held));
  sapbuf_consumer_close(consumer);
  sapbuf_queue_close(queue);
  end_segment(segment);
}

static const char* victims_segment;

static void take_and_sleep(volatile uint64_t* told) {
  sapbuf_segment* segment;
  sapbuf_queue* queue;
  CHECK_OK(sapbuf_segment_open(victims_segment, &segment));
  CHECK_OK(sapbuf_queue_open(segment, "jobs", &queue));
  take(new_worker(queue));
  tell(told, 1);
  sleep_for_ever();
}

static pid_t expected_pid;

static bool see_death(void* context, const sapbuf_queue_block* block) {
  CHECK(strcmp(block->state, "returned") == 0 && block->deliveries == 1 && block->note_count == 1);
  CHECK(block->notes[0]->died && block->notes[0]->pid == expected_pid);
  ++*(int*)context;
  return true;
}

static void a_block_names_the_dead_who_had_it(void) {
  const char* const text = "first";
  sapbuf_segment* segment = new_segment(NULL);
  sapbuf_queue_options options = sapbuf_queue_options_init();
  sapbuf_queue* queue;
  struct child child;
  int seen = 0;
  options.max_deliveries = 4;
  CHECK_OK(sapbuf_queue_create(segment, "jobs", &options, &queue));
  push_blocks(queue, &text, 1);
  victims_segment = segment_name();
  child = start_child(take_and_sleep);
  expected_pid = child.pid;
  wait_until_told(child, 1);
  kill_child(&child);
  CHECK_OK(sapbuf_segment_recover(segment, NULL, NULL, NULL));
  CHECK_OK(sapbuf_queue_list_blocks(queue, 0, see_death, &seen));
  CHECK(seen == 1);
  sapbuf_queue_close(queue);
  end_segment(segment);
}

/* --- Frames */

struct frame_list {
  char text[64]; /* of all messages, with their types */
  uint64_t end;  /* of the last frame */
  int busy;      /* reserved, and not committed */
};

static bool see_frame(void* context, const sapbuf_frame_record* frame) {
  struct frame_list* const list = context;
  CHECK(frame->struct_size == sizeof *frame && frame->slab == 0 && frame->generation == 1 && frame->span != 0);
  CHECK(frame->offset == list->end);
  list->end = frame->offset + frame->span;
  if (strcmp(frame->kind, "busy") == 0) {
    CHECK(frame->payload_size == 0 && frame->type == 0);
    ++list->busy;
    return true;
  }
  CHECK(strcmp(frame->kind, "message") == 0);
  strncat(list->text, frame->payload, frame->payload_size);
  strcat(list->text, frame->type == 5 ? "5" : "?");
  return true;
}

static bool stop_at_frame(void* context, const sapbuf_frame_record* frame) {
  (void)frame;
  ++*(int*)context;
  return false;
}

static void write_and_sleep(volatile uint64_t* told) {
  sapbuf_segment* segment;
  sapbuf_writer* writer;
  void* payload;
  CHECK_OK(sapbuf_segment_open(victims_segment, &segment));
  CHECK_OK(sapbuf_writer_open(segment, NULL, &writer));
  CHECK_OK(sapbuf_writer_write(writer, "one", 3, 5));
  CHECK_OK(sapbuf_writer_write(writer, "two", 3, 5));
  CHECK_OK(sapbuf_writer_reserve(writer, 8, 5, &payload));
  tell(told, 1);
  sleep_for_ever();
}

/* All who ever used it are dead, one in the midst of a message; nobody has recovered anything. */
static void frames_of_the_dead_are_dumped(void) {
  sapbuf_segment_options options = sapbuf_segment_options_init();
  sapbuf_segment* segment;
  sapbuf_stream* stream;
  struct child child;
  int way;
  int seen = 0;
  options.order = SAPBUF_ORDER_TOTAL;
  segment = new_segment(&options);
  victims_segment = segment_name();
  child = start_child(write_and_sleep);
  wait_until_told(child, 1);
  kill_child(&child);
  CHECK_OK(sapbuf_stream_open(segment, NULL, &stream));
  for (way = 0; way < 3; ++way) {
    struct frame_list list = {"", 0, 0};
    if (way == 0) CHECK_OK(sapbuf_stream_dump(stream, see_frame, &list));
    if (way != 0) CHECK_OK(sapbuf_stream_dump_by_name(segment_name(), way == 1 ? NULL : "main", see_frame, &list));
    CHECK(strcmp(list.text, "one5two5") == 0 && list.busy == 1);
  }
  CHECK_STATUS(SAPBUF_ABANDONED, sapbuf_stream_dump(stream, stop_at_frame, &seen));
  CHECK_STATUS(SAPBUF_ABANDONED, sapbuf_stream_dump_by_name(segment_name(), NULL, stop_at_frame, &seen));
  CHECK(seen == 2);
  CHECK_STATUS(SAPBUF_NOT_FOUND, sapbuf_stream_dump_by_name(segment_name(), "no such stream", stop_at_frame, &seen));
  CHECK_STATUS(SAPBUF_NOT_FOUND, sapbuf_stream_dump_by_name("no such segment", NULL, stop_at_frame, &seen));
  sapbuf_stream_close(stream);
  end_segment(segment);
}

/* --- Parts */

struct part_list {
  uint64_t end; /* of the last one */
  int of_main;
  int of_pose;
  int common;
};

static bool see_part(void* context, const sapbuf_segment_part* part) {
  struct part_list* const list = context;
  CHECK(part->struct_size == sizeof *part && part->what[0] != '\0' && part->bytes != 0 && part->offset >= list->end);
  list->end = part->offset + part->bytes;
  list->common += part->facility[0] == '\0';
  list->of_main += strcmp(part->facility, "main") == 0;
  list->of_pose += strcmp(part->facility, "pose") == 0;
  return true;
}

static bool stop_at_part(void* context, const sapbuf_segment_part* part) {
  ++*(int*)context;
  CHECK(strcmp(part->what, "header") == 0 && part->offset == 0);
  return false;
}

static void parts_come_in_the_order_of_their_offsets(void) {
  sapbuf_segment* segment = new_segment(NULL);
  sapbuf_cell* cell;
  int seen = 0;
  int way;
  CHECK_OK(sapbuf_cell_open_or_create(segment, "pose", 8, NULL, NULL, &cell));
  for (way = 0; way < 2; ++way) {
    struct part_list list = {0, 0, 0, 0};
    if (way == 0) CHECK_OK(sapbuf_segment_layout(segment, see_part, &list));
    if (way == 1) CHECK_OK(sapbuf_segment_layout_by_name(segment_name(), see_part, &list));
    CHECK(list.common == 4 && list.of_main > 2 && list.of_pose >= 1 && list.end <= sapbuf_segment_bytes(segment));
  }
  CHECK_STATUS(SAPBUF_ABANDONED, sapbuf_segment_layout(segment, stop_at_part, &seen));
  CHECK_STATUS(SAPBUF_ABANDONED, sapbuf_segment_layout_by_name(segment_name(), stop_at_part, &seen));
  CHECK(seen == 2);
  CHECK_STATUS(SAPBUF_NOT_FOUND, sapbuf_segment_layout_by_name("no such segment", see_part, NULL));
  sapbuf_cell_close(cell);
  end_segment(segment);
}

static const struct test_case tests[] = {
    {"blocks_are_listed_in_their_order", blocks_are_listed_in_their_order},
    {"a_block_names_the_dead_who_had_it", a_block_names_the_dead_who_had_it},
    {"frames_of_the_dead_are_dumped", frames_of_the_dead_are_dumped},
    {"parts_come_in_the_order_of_their_offsets", parts_come_in_the_order_of_their_offsets},
};

int main(int argc, char** argv) { return run_tests(tests, sizeof tests / sizeof *tests, argc, argv); }
