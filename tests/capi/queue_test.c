/* Queues: producers and what they reserve, consumers and what they take. */
#include "check.h"
#include "process.h"

/* --- Verbs */

static sapbuf_queue* new_queue(sapbuf_segment* segment, const char* name, const sapbuf_queue_options* options) {
  sapbuf_queue* queue;
  CHECK_OK(sapbuf_queue_create(segment, name, options, &queue));
  return queue;
}

static sapbuf_producer* new_producer(sapbuf_queue* queue) {
  sapbuf_producer* producer;
  CHECK_OK(sapbuf_producer_open(queue, NULL, &producer));
  return producer;
}

static sapbuf_consumer* new_consumer(sapbuf_queue* queue) {
  sapbuf_consumer* consumer;
  CHECK_OK(sapbuf_consumer_open(queue, NULL, &consumer));
  return consumer;
}

static void push(sapbuf_producer* producer, const char* text) {
  CHECK_OK(sapbuf_producer_push(producer, text, strlen(text), 1));
}

static sapbuf_taken_block take(sapbuf_consumer* consumer, const char* text) {
  sapbuf_taken_block block;
  size_t taken;
  CHECK_OK(sapbuf_consumer_take(consumer, &block, 1, &taken));
  CHECK(taken == 1 && block.size == strlen(text) && memcmp(block.data, text, block.size) == 0);
  return block;
}

static void expect_nothing(sapbuf_consumer* consumer) {
  sapbuf_taken_block block;
  size_t taken;
  CHECK_STATUS(SAPBUF_NOT_FOUND, sapbuf_consumer_take(consumer, &block, 1, &taken));
  CHECK(taken == 0);
}

/* --- Cases */

static void blocks_are_reserved_filled_and_taken(void) {
  sapbuf_segment* segment = new_segment(NULL);
  sapbuf_queue* queue = new_queue(segment, "jobs", NULL);
  sapbuf_producer* producer = new_producer(queue);
  sapbuf_consumer* consumer = new_consumer(queue);
  sapbuf_taken_block blocks[8];
  sapbuf_reserved_blocks* reserved;
  size_t count;
  size_t size;
  size_t i;
  CHECK_OK(sapbuf_producer_reserve(producer, 5, &reserved));
  CHECK(sapbuf_reserved_blocks_count(reserved) == 5);
  for (i = 0; i < 5; ++i) {
    char* const bytes = sapbuf_reserved_blocks_bytes(reserved, i, &size);
    CHECK(size == 4096 && size == sapbuf_queue_block_bytes(queue));
    bytes[0] = (char)('a' + i);
    if (i != 4) CHECK_OK(sapbuf_reserved_blocks_set(reserved, i, 1, (uint16_t)i));
  }
  CHECK_STATUS(SAPBUF_TOO_LARGE, sapbuf_reserved_blocks_set(reserved, 0, 4097, 0));
  CHECK_STATUS(SAPBUF_INVALID_ARGUMENT, sapbuf_reserved_blocks_set(reserved, 5, 1, 0));
  CHECK(sapbuf_reserved_blocks_bytes(reserved, 5, &size) == NULL && size == 0);
  expect_nothing(consumer);
  CHECK_OK(sapbuf_reserved_blocks_release(reserved, 3, &count));
  CHECK(count == 3 && sapbuf_reserved_blocks_count(reserved) == 2);
  CHECK_OK(sapbuf_consumer_take(consumer, blocks, 2, &count));
  CHECK(count == 2 && *(char*)blocks[0].data == 'a' && blocks[0].size == 1 && blocks[0].type == 0);
  CHECK(*(char*)blocks[1].data == 'b' && blocks[1].type == 1 && blocks[1].room == 4096);
  CHECK(blocks[0].deliveries == 1 && blocks[1].position == blocks[0].position + 1);
  CHECK_OK(sapbuf_taken_block_done(&blocks[0]));
  CHECK(blocks[0].data == NULL);
  CHECK_STATUS(SAPBUF_CLOSED, sapbuf_taken_block_done(&blocks[0]));
  CHECK_OK(sapbuf_taken_block_put_back(&blocks[1]));
  blocks[1] = take(consumer, "b");
  CHECK(blocks[1].deliveries == 2);
  CHECK_OK(sapbuf_taken_block_put_back_after(&blocks[1], SAPBUF_MS(500)));
  blocks[2] = take(consumer, "c"); /* the other one is not due yet */
  CHECK_OK(sapbuf_consumer_take_for(consumer, SAPBUF_FOREVER, blocks, 8, &count));
  CHECK(count == 1 && *(char*)blocks[0].data == 'b' && blocks[0].deliveries == 3);
  CHECK_OK(sapbuf_reserved_blocks_release(reserved, 1, NULL));
  sapbuf_reserved_blocks_drop(reserved); /* the last one was never released */
  CHECK_OK(sapbuf_taken_block_done(&blocks[0]));
  CHECK_OK(sapbuf_taken_block_done(&blocks[2]));
  blocks[0] = take(consumer, "d");
  sapbuf_consumer_close(consumer); /* blocks stay its own until they are ended */
  CHECK_OK(sapbuf_taken_block_done(&blocks[0]));
  consumer = new_consumer(queue);
  expect_nothing(consumer);
  CHECK(sapbuf_consumer_slot(consumer) != sapbuf_producer_slot(producer));
  sapbuf_consumer_close(consumer);
  sapbuf_producer_close(producer);
  sapbuf_queue_close(queue);
  end_segment(segment);
}

static void full_queues_do_what_their_policy_says(void) {
  sapbuf_segment* segment = new_segment(NULL);
  sapbuf_queue_options options = sapbuf_queue_options_init();
  sapbuf_producer_options impatient = sapbuf_producer_options_init();
  const char too_large[65] = {0};
  sapbuf_stop_flag stop = {0};
  sapbuf_queue* queue;
  sapbuf_producer* producer;
  sapbuf_producer* other;
  sapbuf_reserved_blocks* reserved;
  sapbuf_reserved_blocks* more;
  size_t count;
  options.slots = 4;
  options.block_bytes = 64;
  queue = new_queue(segment, "jobs", &options);
  impatient.name = "api";
  impatient.timeout_ns = SAPBUF_MS(1);
  impatient.stop = &stop;
  CHECK_OK(sapbuf_producer_open(queue, &impatient, &producer));
  other = new_producer(queue);
  CHECK_OK(sapbuf_producer_reserve_for(other, 2, SAPBUF_FOREVER, &more));
  CHECK_OK(sapbuf_producer_reserve(producer, 4, &reserved));
  CHECK(sapbuf_reserved_blocks_count(reserved) == 4);
  CHECK_OK(sapbuf_reserved_blocks_release(more, 2, &count));
  sapbuf_reserved_blocks_drop(more);
  CHECK_STATUS(SAPBUF_TIMEOUT, sapbuf_reserved_blocks_release(reserved, 4, &count));
  CHECK(count == 2 && sapbuf_reserved_blocks_count(reserved) == 2);
  CHECK_STATUS(SAPBUF_FULL, sapbuf_producer_reserve(producer, 1, &more));
  CHECK(more == NULL);
  CHECK_STATUS(SAPBUF_TIMEOUT, sapbuf_producer_reserve_for(producer, 1, SAPBUF_MS(1), &more));
  sapbuf_stop_flag_raise(&stop);
  CHECK_STATUS(SAPBUF_STOPPED, sapbuf_producer_reserve_for(producer, 1, SAPBUF_FOREVER, &more));
  CHECK_STATUS(SAPBUF_INVALID_ARGUMENT, sapbuf_producer_reserve_for(producer, 0, SAPBUF_FOREVER, &more));
  sapbuf_reserved_blocks_drop(reserved);
  sapbuf_producer_close(other);
  sapbuf_producer_close(producer);
  sapbuf_queue_close(queue);

  options.on_full = SAPBUF_ON_FULL_DROP;
  queue = new_queue(segment, "lossy", &options);
  producer = new_producer(queue);
  CHECK_STATUS(SAPBUF_TOO_LARGE, sapbuf_producer_push(producer, too_large, sizeof too_large, 0));
  CHECK_OK(sapbuf_producer_reserve(producer, 4, &reserved));
  CHECK_OK(sapbuf_reserved_blocks_release(reserved, 4, NULL));
  CHECK_STATUS(SAPBUF_FULL, sapbuf_producer_push(producer, "x", 1, 0));
  CHECK_OK(sapbuf_reserved_blocks_release(reserved, 0, &count));
  CHECK_STATUS(SAPBUF_CLOSED, sapbuf_reserved_blocks_release(reserved, 1, &count));
  sapbuf_reserved_blocks_drop(reserved);
  options.on_full = SAPBUF_ON_FULL_OVERWRITE;
  CHECK_STATUS(SAPBUF_INVALID_ARGUMENT, sapbuf_queue_create(segment, "other", &options, &(sapbuf_queue*){0}));
  CHECK_SAID("on_full of a queue");
  sapbuf_producer_close(producer);
  sapbuf_queue_close(queue);
  end_segment(segment);
}

static void waits_of_consumers_end(void) {
  sapbuf_segment* segment = new_segment(NULL);
  sapbuf_queue* queue = new_queue(segment, "jobs", NULL);
  sapbuf_producer* producer = new_producer(queue);
  sapbuf_consumer_options options = sapbuf_consumer_options_init();
  sapbuf_stop_flag stop = {0};
  sapbuf_consumer* consumer;
  sapbuf_taken_block block;
  size_t taken;
  options.name = "worker-3";
  options.stop = &stop;
  CHECK_OK(sapbuf_consumer_open(queue, &options, &consumer));
  CHECK_STATUS(SAPBUF_TIMEOUT, sapbuf_consumer_wait(consumer, SAPBUF_MS(1)));
  CHECK_STATUS(SAPBUF_TIMEOUT, sapbuf_consumer_take_for(consumer, 0, &block, 1, &taken));
  CHECK(!is_readable(sapbuf_consumer_event_fd(consumer), 0) && is_readable(sapbuf_producer_event_fd(producer), 0));
  push(producer, "job");
  CHECK(is_readable(sapbuf_consumer_event_fd(consumer), 60000));
  CHECK(sapbuf_consumer_event_fd(NULL) == -1 && sapbuf_producer_event_fd(NULL) == -1);
  CHECK_OK(sapbuf_consumer_wait(consumer, SAPBUF_FOREVER));
  block = take(consumer, "job");
  CHECK_OK(sapbuf_taken_block_done(&block));
  sapbuf_stop_flag_raise(&stop);
  CHECK_STATUS(SAPBUF_STOPPED, sapbuf_consumer_wait(consumer, SAPBUF_FOREVER));
  CHECK_STATUS(SAPBUF_STOPPED, sapbuf_consumer_take_for(consumer, SAPBUF_FOREVER, &block, 1, &taken));
  CHECK_STATUS(SAPBUF_INVALID_ARGUMENT, sapbuf_consumer_take(consumer, &block, 0, &taken));
  options.group = 1;
  CHECK_STATUS(SAPBUF_INVALID_ARGUMENT, sapbuf_consumer_open(queue, &options, &(sapbuf_consumer*){0}));
  sapbuf_consumer_close(consumer);
  sapbuf_producer_close(producer);
  sapbuf_queue_close(queue);
  end_segment(segment);
}

/* Request and response, in one and the same block. */
static void blocks_are_passed_on(void) {
  sapbuf_segment* segment = new_segment(NULL);
  sapbuf_pool_options pool_options = sapbuf_pool_options_init();
  sapbuf_queue_options options = sapbuf_queue_options_init();
  sapbuf_pool* pool;
  sapbuf_queue* requests;
  sapbuf_queue* responses;
  sapbuf_queue* elsewhere;
  sapbuf_producer* asks;
  sapbuf_producer* answers;
  sapbuf_producer* to_others;
  sapbuf_consumer* serves;
  sapbuf_consumer* hears;
  sapbuf_taken_block block;
  CHECK_OK(sapbuf_pool_create(segment, "blocks", &pool_options, &pool));
  options.pool = "blocks";
  options.slots = 16;
  requests = new_queue(segment, "requests", &options);
  responses = new_queue(segment, "responses", &options);
  elsewhere = new_queue(segment, "elsewhere", NULL);
  asks = new_producer(requests);
  answers = new_producer(responses);
  to_others = new_producer(elsewhere);
  serves = new_consumer(requests);
  hears = new_consumer(responses);
  push(asks, "2 + 2");
  block = take(serves, "2 + 2");
  CHECK_STATUS(SAPBUF_STALE, sapbuf_taken_block_pass_to(&block, to_others, 1, 0));
  CHECK_STATUS(SAPBUF_TOO_LARGE, sapbuf_taken_block_pass_to(&block, answers, block.room + 1, 0));
  memcpy(block.data, "2 + 2 is 4", 10);
  CHECK_OK(sapbuf_taken_block_pass_to(&block, answers, 10, 7));
  CHECK(block.data == NULL);
  CHECK_STATUS(SAPBUF_CLOSED, sapbuf_taken_block_pass_to(&block, answers, 1, 0));
  expect_nothing(serves);
  block = take(hears, "2 + 2 is 4");
  CHECK(block.type == 7);
  CHECK_OK(sapbuf_taken_block_done(&block));
  sapbuf_consumer_close(hears);
  sapbuf_consumer_close(serves);
  sapbuf_producer_close(to_others);
  sapbuf_producer_close(answers);
  sapbuf_producer_close(asks);
  sapbuf_queue_close(elsewhere);
  sapbuf_queue_close(responses);
  sapbuf_queue_close(requests);
  sapbuf_pool_close(pool);
  end_segment(segment);
}

static void each_group_gets_each_block(void) {
  sapbuf_segment* segment = new_segment(NULL);
  sapbuf_queue_options options = sapbuf_queue_options_init();
  sapbuf_consumer_options second = sapbuf_consumer_options_init();
  sapbuf_queue* queue;
  sapbuf_producer* producer;
  sapbuf_consumer* one;
  sapbuf_consumer* two;
  sapbuf_taken_block block;
  options.groups = 2;
  second.group = 1;
  queue = new_queue(segment, "jobs", &options);
  producer = new_producer(queue);
  one = new_consumer(queue);
  CHECK_OK(sapbuf_consumer_open(queue, &second, &two));
  push(producer, "job");
  block = take(one, "job");
  CHECK_STATUS(SAPBUF_STALE, sapbuf_taken_block_pass_to(&block, producer, 1, 0)); /* its own queue is no other one */
  CHECK_OK(sapbuf_taken_block_done(&block));
  block = take(two, "job");
  CHECK_OK(sapbuf_taken_block_done(&block));
  sapbuf_consumer_close(two);
  sapbuf_consumer_close(one);
  sapbuf_producer_close(producer);
  sapbuf_queue_close(queue);
  end_segment(segment);
}

static void blocks_of_a_key_come_one_after_the_other(void) {
  sapbuf_segment* segment = new_segment(NULL);
  sapbuf_queue_options options = sapbuf_queue_options_init();
  sapbuf_queue_options there = sapbuf_queue_options_init();
  sapbuf_queue* queue;
  sapbuf_producer* producer;
  sapbuf_consumer* consumer;
  sapbuf_reserved_blocks* reserved;
  sapbuf_taken_block blocks[4];
  sapbuf_taken_block second;
  uint64_t key = 0;
  size_t count;
  options.keys = 4;
  queue = new_queue(segment, "jobs", &options);
  CHECK_OK(sapbuf_queue_get_options(queue, &there));
  CHECK(there.keys == 4);
  producer = new_producer(queue);
  consumer = new_consumer(queue);
  CHECK_OK(sapbuf_producer_reserve(producer, 3, &reserved));
  for (count = 0; count < 3; ++count) {
    memcpy(sapbuf_reserved_blocks_bytes(reserved, count, NULL), &"abc"[count], 1);
    CHECK_OK(sapbuf_reserved_blocks_set(reserved, count, 1, 0));
  }
  CHECK_OK(sapbuf_reserved_blocks_set_key(reserved, 0, 7));
  CHECK_OK(sapbuf_reserved_blocks_set_key(reserved, 1, 7));
  CHECK_STATUS(SAPBUF_INVALID_ARGUMENT, sapbuf_reserved_blocks_set_key(reserved, 3, 7));
  CHECK_OK(sapbuf_reserved_blocks_release(reserved, 3, NULL));
  sapbuf_reserved_blocks_drop(reserved);
  CHECK_OK(sapbuf_consumer_take(consumer, blocks, 4, &count));
  CHECK(count == 2 && *(char*)blocks[0].data == 'a' && *(char*)blocks[1].data == 'c');
  CHECK_OK(sapbuf_taken_block_key(&blocks[0], &key));
  CHECK(key == 7);
  CHECK_STATUS(SAPBUF_NOT_FOUND, sapbuf_taken_block_key(&blocks[1], &key));
  CHECK_OK(sapbuf_taken_block_done(&blocks[0]));
  CHECK_STATUS(SAPBUF_CLOSED, sapbuf_taken_block_key(&blocks[0], &key));
  second = take(consumer, "b");
  CHECK_OK(sapbuf_taken_block_done(&second));
  CHECK_OK(sapbuf_taken_block_done(&blocks[1]));
  sapbuf_consumer_close(consumer);
  sapbuf_producer_close(producer);
  sapbuf_queue_close(queue);
  end_segment(segment);
}

static void dead_letters_are_handed_out_again(void) {
  sapbuf_segment* segment = new_segment(NULL);
  sapbuf_queue_options options = sapbuf_queue_options_init();
  sapbuf_queue* queue;
  sapbuf_producer* producer;
  sapbuf_consumer* consumer;
  sapbuf_taken_block block;
  size_t count;
  options.max_deliveries = 1;
  queue = new_queue(segment, "jobs", &options);
  producer = new_producer(queue);
  consumer = new_consumer(queue);
  CHECK_STATUS(SAPBUF_NOT_FOUND, sapbuf_consumer_take_dead(consumer, &block, 1, &count));
  push(producer, "job");
  block = take(consumer, "job");
  CHECK_OK(sapbuf_taken_block_put_back(&block));
  expect_nothing(consumer);
  CHECK_OK(sapbuf_consumer_take_dead(consumer, &block, 1, &count));
  CHECK(count == 1 && block.size == 3);
  CHECK_OK(sapbuf_taken_block_retry(&block));
  CHECK_STATUS(SAPBUF_CLOSED, sapbuf_taken_block_retry(&block));
  block = take(consumer, "job");
  CHECK(block.deliveries == 1);
  CHECK_OK(sapbuf_taken_block_put_back(&block));
  CHECK_OK(sapbuf_consumer_take_dead(consumer, &block, 1, &count));
  CHECK_OK(sapbuf_taken_block_done(&block));
  CHECK_STATUS(SAPBUF_NOT_FOUND, sapbuf_consumer_take_dead(consumer, &block, 1, &count));
  sapbuf_consumer_close(consumer);
  sapbuf_producer_close(producer);
  sapbuf_queue_close(queue);
  end_segment(segment);
}

static void queues_tell_their_options(void) {
  sapbuf_segment* segment = new_segment(NULL);
  sapbuf_queue_options options = sapbuf_queue_options_init();
  sapbuf_queue_options there = sapbuf_queue_options_init();
  sapbuf_queue* queue;
  sapbuf_queue* again;
  sapbuf_queue* dead;
  sapbuf_producer* producer;
  sapbuf_consumer* consumer;
  sapbuf_taken_block block;
  char text[64];
  size_t length;
  CHECK_STATUS(SAPBUF_NOT_FOUND, sapbuf_queue_open(segment, "jobs", &queue));
  options.slots = 8;
  options.max_deliveries = 2;
  options.dead_letters = "failed";
  CHECK_OK(sapbuf_queue_open_or_create(segment, "jobs", &options, &queue));
  CHECK_OK(sapbuf_queue_open(segment, "jobs", &again));
  CHECK(sapbuf_queue_created(queue) && !sapbuf_queue_created(again) && sapbuf_queue_is_current(again));
  CHECK(strcmp(sapbuf_queue_name(again), "jobs") == 0 && sapbuf_queue_bytes(again) > 0);
  CHECK_OK(sapbuf_queue_get_options(again, &there));
  CHECK(there.slots == 8 && there.max_deliveries == 2 && strcmp(there.dead_letters, "failed") == 0);
  options.slots = 16;
  CHECK_OK(sapbuf_queue_differences(again, &options, text, sizeof text, &length));
  CHECK(strncmp(text, "slots 8, not 16", 15) == 0);

  producer = new_producer(queue);
  consumer = new_consumer(queue);
  push(producer, "bad");
  block = take(consumer, "bad");
  CHECK_OK(sapbuf_taken_block_put_back(&block));
  block = take(consumer, "bad");
  CHECK_OK(sapbuf_taken_block_put_back(&block));
  expect_nothing(consumer); /* it is a dead letter */
  sapbuf_consumer_close(consumer);
  sapbuf_producer_close(producer);
  CHECK_OK(sapbuf_queue_open(segment, "failed", &dead));
  consumer = new_consumer(dead);
  block = take(consumer, "bad");
  CHECK_OK(sapbuf_taken_block_done(&block));
  sapbuf_consumer_close(consumer);
  sapbuf_queue_close(dead);
  CHECK_OK(sapbuf_queue_remove(segment, "jobs"));
  CHECK_STATUS(SAPBUF_NOT_FOUND, sapbuf_queue_remove(segment, "jobs"));
  CHECK(!sapbuf_queue_is_current(queue));
  sapbuf_queue_close(again);
  sapbuf_queue_close(queue);
  end_segment(segment);
}

/* --- Deaths */

enum { victims_slots = 16384 };
static const char* victims_segment;

static void push_until_killed(volatile uint64_t* told) {
  sapbuf_segment* segment;
  sapbuf_queue* queue;
  sapbuf_producer* producer;
  uint64_t number = 0;
  CHECK_OK(sapbuf_segment_open(victims_segment, &segment));
  CHECK_OK(sapbuf_queue_open(segment, "jobs", &queue));
  producer = new_producer(queue);
  while (number < victims_slots) { /* the one who kills may come late, and nobody takes before that */
    CHECK_OK(sapbuf_producer_push(producer, &number, sizeof number, 0));
    tell(told, ++number);
  }
  sleep_for_ever();
}

static void take_and_sleep(volatile uint64_t* told) {
  sapbuf_segment* segment;
  sapbuf_queue* queue;
  sapbuf_consumer* consumer;
  sapbuf_taken_block blocks[4];
  size_t taken;
  CHECK_OK(sapbuf_segment_open(victims_segment, &segment));
  CHECK_OK(sapbuf_queue_open(segment, "jobs", &queue));
  consumer = new_consumer(queue);
  CHECK_OK(sapbuf_consumer_take(consumer, blocks, 4, &taken));
  CHECK(taken == 4);
  CHECK_OK(sapbuf_taken_block_done(&blocks[1]));
  tell(told, 1);
  sleep_for_ever();
}

static sapbuf_taken_block inherited_block;
static sapbuf_consumer* inherited_consumer;

static void use_what_was_inherited(volatile uint64_t* told) {
  size_t taken;
  (void)told;
  CHECK_STATUS(SAPBUF_FORKED, sapbuf_consumer_take(inherited_consumer, &(sapbuf_taken_block){0}, 1, &taken));
  CHECK_STATUS(SAPBUF_FORKED, sapbuf_consumer_wait(inherited_consumer, SAPBUF_FOREVER));
  CHECK_STATUS(SAPBUF_CLOSED, sapbuf_taken_block_done(&inherited_block));
  CHECK(inherited_block.data == NULL);
}

static void an_inherited_block_is_the_parents(void) {
  sapbuf_segment* segment = new_segment(NULL);
  sapbuf_queue* queue = new_queue(segment, "jobs", NULL);
  sapbuf_producer* producer = new_producer(queue);
  struct child child;
  inherited_consumer = new_consumer(queue);
  push(producer, "job");
  inherited_block = take(inherited_consumer, "job");
  child = start_child(use_what_was_inherited);
  join_child(&child);
  CHECK_OK(sapbuf_taken_block_put_back(&inherited_block));
  inherited_block = take(inherited_consumer, "job");
  CHECK_OK(sapbuf_taken_block_done(&inherited_block));
  sapbuf_consumer_close(inherited_consumer);
  sapbuf_producer_close(producer);
  sapbuf_queue_close(queue);
  end_segment(segment);
}

static void what_a_killed_producer_released_is_there(void) {
  sapbuf_segment* segment = new_segment(NULL);
  sapbuf_queue_options options = sapbuf_queue_options_init();
  sapbuf_queue* queue;
  sapbuf_consumer* consumer;
  int round;
  options.slots = victims_slots;
  options.block_bytes = 64;
  queue = new_queue(segment, "jobs", &options);
  consumer = new_consumer(queue);
  victims_segment = segment_name();
  for (round = 0; round < 10; ++round) {
    struct child child = start_child(push_until_killed);
    sapbuf_taken_block block;
    uint64_t expected = 0;
    uint64_t pushed;
    size_t taken;
    wait_until_told(child, (uint64_t)round * 100 + 1);
    pushed = kill_child(&child);
    CHECK_OK(sapbuf_segment_recover(segment, NULL, NULL, NULL));
    while (sapbuf_consumer_take(consumer, &block, 1, &taken) == SAPBUF_OK) {
      CHECK(*(const uint64_t*)block.data == expected);
      ++expected;
      CHECK_OK(sapbuf_taken_block_done(&block));
    }
    CHECK(expected == pushed || expected == pushed + 1);
  }
  sapbuf_consumer_close(consumer);
  sapbuf_queue_close(queue);
  end_segment(segment);
}

static void what_a_killed_consumer_had_is_delivered_again(void) {
  const char* const texts[] = {"a", "c", "d"};
  sapbuf_segment* segment = new_segment(NULL);
  sapbuf_queue* queue = new_queue(segment, "jobs", NULL);
  sapbuf_producer* producer = new_producer(queue);
  sapbuf_consumer* consumer = new_consumer(queue);
  sapbuf_taken_block block;
  struct child child;
  int i;
  push(producer, "a");
  push(producer, "b");
  push(producer, "c");
  push(producer, "d");
  victims_segment = segment_name();
  child = start_child(take_and_sleep);
  wait_until_told(child, 1);
  push(producer, "newer");
  kill_child(&child);
  CHECK_OK(sapbuf_segment_recover(segment, NULL, NULL, NULL));
  for (i = 0; i < 3; ++i) {
    block = take(consumer, texts[i]);
    CHECK(block.deliveries == 2);
    CHECK_OK(sapbuf_taken_block_done(&block));
  }
  block = take(consumer, "newer");
  CHECK(block.deliveries == 1);
  CHECK_OK(sapbuf_taken_block_done(&block));
  expect_nothing(consumer);
  sapbuf_consumer_close(consumer);
  sapbuf_producer_close(producer);
  sapbuf_queue_close(queue);
  end_segment(segment);
}

static const struct test_case tests[] = {
    {"blocks_are_reserved_filled_and_taken", blocks_are_reserved_filled_and_taken},
    {"full_queues_do_what_their_policy_says", full_queues_do_what_their_policy_says},
    {"waits_of_consumers_end", waits_of_consumers_end},
    {"blocks_are_passed_on", blocks_are_passed_on},
    {"each_group_gets_each_block", each_group_gets_each_block},
    {"blocks_of_a_key_come_one_after_the_other", blocks_of_a_key_come_one_after_the_other},
    {"dead_letters_are_handed_out_again", dead_letters_are_handed_out_again},
    {"queues_tell_their_options", queues_tell_their_options},
    {"an_inherited_block_is_the_parents", an_inherited_block_is_the_parents},
    {"what_a_killed_producer_released_is_there", what_a_killed_producer_released_is_there},
    {"what_a_killed_consumer_had_is_delivered_again", what_a_killed_consumer_had_is_delivered_again},
};

int main(int argc, char** argv) { return run_tests(tests, sizeof tests / sizeof *tests, argc, argv); }
