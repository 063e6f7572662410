/* Maps: readers, entries and values; writers, drafts and transactions. */
#include "check.h"
#include "process.h"

/* --- Verbs */

static sapbuf_map* new_map(sapbuf_segment* segment) {
  sapbuf_map* map;
  CHECK_OK(sapbuf_map_create(segment, "config", NULL, &map));
  return map;
}

static sapbuf_map_writer* new_writer(sapbuf_map* map) {
  sapbuf_map_writer* writer;
  CHECK_OK(sapbuf_map_writer_open(map, NULL, &writer));
  return writer;
}

static sapbuf_map_reader* new_reader(sapbuf_map* map) {
  sapbuf_map_reader* reader;
  CHECK_OK(sapbuf_map_reader_open(map, NULL, &reader));
  return reader;
}

static void put(sapbuf_map_writer* writer, const char* key, const char* value) {
  CHECK_OK(sapbuf_map_writer_put(writer, sapbuf_key_text(key), value, strlen(value)));
}

static void expect_value(sapbuf_map_reader* reader, const char* key, const char* expected) {
  sapbuf_map_value value;
  CHECK_OK(sapbuf_map_reader_read(reader, sapbuf_key_text(key), &value));
  CHECK(value.size == strlen(expected) && memcmp(value.data, expected, value.size) == 0);
  sapbuf_map_value_release(&value);
}

static void expect_no_value(sapbuf_map_reader* reader, const char* key) {
  sapbuf_map_value value;
  CHECK_STATUS(SAPBUF_NOT_FOUND, sapbuf_map_reader_read(reader, sapbuf_key_text(key), &value));
  CHECK(value.data == NULL);
}

/* --- Cases */

static void values_stay_as_they_were_read(void) {
  sapbuf_segment* segment = new_segment(NULL);
  sapbuf_map* map = new_map(segment);
  sapbuf_map_writer* writer = new_writer(map);
  sapbuf_map_reader* reader = new_reader(map);
  sapbuf_map_entry* entry;
  sapbuf_map_value old;
  sapbuf_map_value value;
  CHECK_OK(sapbuf_map_entry_open(reader, sapbuf_key_text("limits"), &entry));
  CHECK_STATUS(SAPBUF_NOT_FOUND, sapbuf_map_entry_read(entry, &old));
  CHECK(sapbuf_map_value_version(&old) == 0 && sapbuf_map_value_flipped_ns(&old) == 0);
  put(writer, "limits", "100");
  CHECK_OK(sapbuf_map_entry_read(entry, &old));
  put(writer, "limits", "2000");
  CHECK_OK(sapbuf_map_entry_read(entry, &value));
  CHECK(value.size == 4 && memcmp(value.data, "2000", 4) == 0);
  CHECK(sapbuf_map_value_version(&value) > sapbuf_map_value_version(&old));
  CHECK(sapbuf_map_value_flipped_ns(&value) > 0);
  CHECK_OK(sapbuf_map_writer_erase(writer, sapbuf_key_text("limits")));
  CHECK_STATUS(SAPBUF_NOT_FOUND, sapbuf_map_writer_erase(writer, sapbuf_key_text("limits")));
  expect_no_value(reader, "limits");
  sapbuf_map_entry_close(entry);
  sapbuf_map_reader_close(reader); /* values stay until they are released */
  CHECK(old.size == 3 && memcmp(old.data, "100", 3) == 0);
  sapbuf_map_value_release(&old);
  sapbuf_map_value_release(&old);
  sapbuf_map_value_release(&value);
  CHECK_OK(sapbuf_map_writer_put(writer, sapbuf_key_text("empty"), NULL, 0));
  sapbuf_map_writer_close(writer);
  sapbuf_map_close(map);
  end_segment(segment);
}

static void a_reader_keeps_31_values(void) {
  sapbuf_segment* segment = new_segment(NULL);
  sapbuf_map* map = new_map(segment);
  sapbuf_map_writer* writer = new_writer(map);
  sapbuf_map_reader* reader = new_reader(map);
  sapbuf_map_value values[32];
  int i;
  put(writer, "key", "value");
  for (i = 0; i < 31; ++i) CHECK_OK(sapbuf_map_reader_read(reader, sapbuf_key_text("key"), &values[i]));
  CHECK_STATUS(SAPBUF_OVER_BUDGET, sapbuf_map_reader_read(reader, sapbuf_key_text("key"), &values[31]));
  for (i = 0; i < 31; ++i) sapbuf_map_value_release(&values[i]);
  expect_value(reader, "key", "value");
  CHECK(sapbuf_map_reader_slot(reader) != sapbuf_map_writer_slot(writer));
  sapbuf_map_reader_close(reader);
  sapbuf_map_writer_close(writer);
  sapbuf_map_close(map);
  end_segment(segment);
}

static void keys_are_texts_bytes_or_numbers(void) {
  sapbuf_segment* segment = new_segment(NULL);
  sapbuf_map* map = new_map(segment);
  sapbuf_map_writer* writer = new_writer(map);
  sapbuf_map_reader* reader = new_reader(map);
  sapbuf_map_value value;
  const uint64_t number = 7;
  char long_key[256];
  memset(long_key, 'k', sizeof long_key);
  CHECK_OK(sapbuf_map_writer_insert(writer, sapbuf_key_number(number), "seven", 5));
  CHECK_STATUS(SAPBUF_EXISTS, sapbuf_map_writer_insert(writer, sapbuf_key_bytes(&number, 8), "again", 5));
  CHECK_OK(sapbuf_map_reader_read(reader, sapbuf_key_bytes(&number, 8), &value));
  CHECK(value.size == 5 && memcmp(value.data, "seven", 5) == 0);
  sapbuf_map_value_release(&value);
  CHECK_STATUS(SAPBUF_TOO_LARGE, sapbuf_map_writer_put(writer, sapbuf_key_bytes(long_key, 256), "x", 1));
  CHECK_STATUS(SAPBUF_TOO_LARGE, sapbuf_map_writer_put(writer, sapbuf_key_text(""), "x", 1));
  CHECK_STATUS(SAPBUF_TOO_LARGE, sapbuf_map_writer_put(writer, sapbuf_key_bytes(NULL, 8), "x", 1));
  CHECK_STATUS(SAPBUF_TOO_LARGE, sapbuf_map_draft_prepare(writer, sapbuf_key_text("x"), 513, &(sapbuf_map_draft*){0}));
  CHECK_STATUS(SAPBUF_INVALID_ARGUMENT, sapbuf_map_writer_put(writer, sapbuf_key_text("x"), NULL, 1));
  CHECK(sapbuf_map_size(map) == 1);
  sapbuf_map_reader_close(reader);
  sapbuf_map_writer_close(writer);
  sapbuf_map_close(map);
  end_segment(segment);
}

static bool add_one(void* context, const void* old, size_t old_size, sapbuf_map_draft* fresh) {
  uint64_t number;
  size_t size;
  CHECK(old_size == sizeof number);
  memcpy(&number, old, sizeof number);
  ++number;
  memcpy(sapbuf_map_draft_bytes(fresh, &size), &number, sizeof number);
  CHECK(size == sizeof number);
  return *(const bool*)context;
}

static void drafts_and_updates_flip_their_key(void) {
  sapbuf_segment* segment = new_segment(NULL);
  sapbuf_map* map = new_map(segment);
  sapbuf_map_writer* writer = new_writer(map);
  sapbuf_map_reader* reader = new_reader(map);
  sapbuf_map_draft* draft;
  sapbuf_map_draft* late;
  sapbuf_map_value value;
  uint64_t number = 41;
  bool is_to_be = true;
  size_t size;
  CHECK_OK(sapbuf_map_draft_prepare(writer, sapbuf_key_text("name"), 3, &draft));
  memcpy(sapbuf_map_draft_bytes(draft, &size), "one", 3);
  CHECK(size == 3);
  expect_no_value(reader, "name");
  CHECK_OK(sapbuf_map_draft_resize(draft, 2));
  CHECK_STATUS(SAPBUF_TOO_LARGE, sapbuf_map_draft_resize(draft, 1000));
  CHECK_OK(sapbuf_map_draft_flip_if(draft, 0));
  expect_value(reader, "name", "on");
  CHECK_STATUS(SAPBUF_CLOSED, sapbuf_map_draft_flip(draft));
  CHECK_STATUS(SAPBUF_CLOSED, sapbuf_map_draft_resize(draft, 1));
  CHECK(sapbuf_map_draft_bytes(draft, &size) == NULL && size == 0);
  sapbuf_map_draft_drop(draft);
  CHECK_OK(sapbuf_map_draft_prepare(writer, sapbuf_key_text("name"), 3, &late));
  memcpy(sapbuf_map_draft_bytes(late, NULL), "two", 3);
  CHECK_STATUS(SAPBUF_VERSION_CHANGED, sapbuf_map_draft_flip_if(late, 0));
  CHECK_OK(sapbuf_map_draft_flip(late));
  sapbuf_map_draft_drop(late);
  expect_value(reader, "name", "two");
  CHECK_OK(sapbuf_map_draft_prepare(writer, sapbuf_key_text("name"), 3, &draft));
  sapbuf_map_draft_drop(draft);
  expect_value(reader, "name", "two");

  CHECK_STATUS(SAPBUF_NOT_FOUND, sapbuf_map_writer_update(writer, sapbuf_key_text("count"), add_one, &is_to_be));
  CHECK_OK(sapbuf_map_writer_put(writer, sapbuf_key_text("count"), &number, sizeof number));
  CHECK_OK(sapbuf_map_writer_update(writer, sapbuf_key_text("count"), add_one, &is_to_be));
  is_to_be = false;
  CHECK_STATUS(SAPBUF_ABANDONED, sapbuf_map_writer_update(writer, sapbuf_key_text("count"), add_one, &is_to_be));
  CHECK_OK(sapbuf_map_reader_read(reader, sapbuf_key_text("count"), &value));
  CHECK(*(const uint64_t*)value.data == 42);
  sapbuf_map_value_release(&value);
  sapbuf_map_reader_close(reader);
  sapbuf_map_writer_close(writer);
  sapbuf_map_close(map);
  end_segment(segment);
}

static void transactions_flip_all_or_none(void) {
  sapbuf_segment* segment = new_segment(NULL);
  sapbuf_map* map = new_map(segment);
  sapbuf_map_writer* writer = new_writer(map);
  sapbuf_map_reader* reader = new_reader(map);
  sapbuf_transaction* transaction;
  sapbuf_map_draft* draft;
  char key[16] = "key-a";
  int i;
  put(writer, "bid", "1");
  put(writer, "ask", "2");
  CHECK_OK(sapbuf_transaction_begin(writer, &transaction));
  CHECK_OK(sapbuf_transaction_put(transaction, sapbuf_key_text("bid"), "3", 1));
  CHECK_OK(sapbuf_map_draft_prepare(writer, sapbuf_key_text("ask"), 1, &draft));
  memcpy(sapbuf_map_draft_bytes(draft, NULL), "4", 1);
  CHECK_OK(sapbuf_transaction_add(transaction, draft));
  CHECK_STATUS(SAPBUF_CLOSED, sapbuf_map_draft_flip(draft));
  sapbuf_map_draft_drop(draft);
  CHECK(sapbuf_transaction_size(transaction) == 2);
  expect_value(reader, "bid", "1");
  CHECK_OK(sapbuf_transaction_commit(transaction));
  CHECK(sapbuf_transaction_size(transaction) == 0);
  expect_value(reader, "bid", "3");
  expect_value(reader, "ask", "4");
  for (i = 0; i < 16; ++i, ++key[4]) CHECK_OK(sapbuf_transaction_put(transaction, sapbuf_key_text(key), "5", 1));
  CHECK_STATUS(SAPBUF_OVER_BUDGET, sapbuf_transaction_put(transaction, sapbuf_key_text(key), "5", 1));
  sapbuf_transaction_drop(transaction);
  expect_no_value(reader, "key-a");
  sapbuf_map_reader_close(reader);
  sapbuf_map_writer_close(writer);
  sapbuf_map_close(map);
  end_segment(segment);
}

struct seen {
  size_t keys;
  size_t bytes;
  size_t most;
};

static bool see(void* context, const void* key, size_t key_size, const sapbuf_map_value* value) {
  struct seen* seen = context;
  CHECK(key_size >= 1 && key != NULL && sapbuf_map_value_version(value) > 0);
  seen->bytes += value->size;
  return ++seen->keys < seen->most;
}

static void all_keys_are_visited(void) {
  sapbuf_segment* segment = new_segment(NULL);
  sapbuf_map* map = new_map(segment);
  sapbuf_map_writer* writer = new_writer(map);
  sapbuf_map_reader* reader = new_reader(map);
  struct seen all = {0, 0, 100};
  struct seen some = {0, 0, 100};
  struct seen first = {0, 0, 1};
  uint64_t i;
  put(writer, "bid/a", "1");
  put(writer, "bid/b", "22");
  put(writer, "ask/a", "333");
  CHECK_OK(sapbuf_map_reader_for_each(reader, NULL, 0, see, &all));
  CHECK(all.keys == 3 && all.bytes == 6);
  CHECK_OK(sapbuf_map_reader_for_each(reader, "bid/", 4, see, &some));
  CHECK(some.keys == 2 && some.bytes == 3);
  CHECK_STATUS(SAPBUF_ABANDONED, sapbuf_map_reader_for_each(reader, NULL, 0, see, &first));
  CHECK(first.keys == 1);
  for (i = 0; i < 40; ++i) CHECK_OK(sapbuf_map_writer_put(writer, sapbuf_key_number(i), "4", 1));
  all.keys = 0;
  CHECK_OK(sapbuf_map_reader_for_each(reader, NULL, 0, see, &all));
  CHECK(all.keys == 43); /* more than the values that a reader keeps at once */
  sapbuf_map_reader_close(reader);
  sapbuf_map_writer_close(writer);
  sapbuf_map_close(map);
  end_segment(segment);
}

static void changes_are_waited_for(void) {
  sapbuf_segment* segment = new_segment(NULL);
  sapbuf_map* map = new_map(segment);
  sapbuf_map_writer* writer = new_writer(map);
  sapbuf_map_reader_options options = sapbuf_map_reader_options_init();
  sapbuf_stop_flag stop = {0};
  sapbuf_map_reader* reader;
  sapbuf_map_entry* entry;
  uint64_t version;
  options.name = "risk";
  options.stop = &stop;
  CHECK_OK(sapbuf_map_reader_open(map, &options, &reader));
  CHECK_OK(sapbuf_map_entry_open(reader, sapbuf_key_text("limits"), &entry));
  CHECK_STATUS(SAPBUF_TIMEOUT, sapbuf_map_entry_wait_changed(entry, 0, SAPBUF_MS(1)));
  version = sapbuf_map_reader_version(reader);
  CHECK(is_readable(sapbuf_map_reader_event_fd(reader), 0) && sapbuf_map_reader_event_fd(NULL) == -1);
  CHECK_STATUS(SAPBUF_TIMEOUT, sapbuf_map_reader_wait_changed(reader, version, 0));
  CHECK(!is_readable(sapbuf_map_reader_event_fd(reader), 0));
  put(writer, "limits", "1");
  CHECK(is_readable(sapbuf_map_reader_event_fd(reader), 60000));
  CHECK_OK(sapbuf_map_entry_wait_changed(entry, 0, SAPBUF_FOREVER));
  CHECK_OK(sapbuf_map_reader_wait_changed(reader, version, SAPBUF_FOREVER));
  CHECK(sapbuf_map_reader_version(reader) > version);
  version = sapbuf_map_reader_version(reader);
  sapbuf_stop_flag_raise(&stop);
  CHECK_STATUS(SAPBUF_STOPPED, sapbuf_map_reader_wait_changed(reader, version, SAPBUF_FOREVER));
  CHECK_STATUS(SAPBUF_STOPPED, sapbuf_map_entry_wait_changed(entry, 1, SAPBUF_FOREVER));
  sapbuf_map_entry_close(entry);
  sapbuf_map_reader_close(reader);
  sapbuf_map_writer_close(writer);
  sapbuf_map_close(map);
  end_segment(segment);
}

static void maps_tell_their_options(void) {
  sapbuf_segment* segment = new_segment(NULL);
  sapbuf_pool_options pool_options = sapbuf_pool_options_init();
  sapbuf_map_options options = sapbuf_map_options_init();
  sapbuf_map_options there = sapbuf_map_options_init();
  sapbuf_map_writer_options impatient = sapbuf_map_writer_options_init();
  sapbuf_map_writer* writer;
  sapbuf_pool* pool;
  sapbuf_map* map;
  sapbuf_map* again;
  char text[64];
  size_t length;
  options.keys = 2;
  options.pool = "frames";
  CHECK_STATUS(SAPBUF_NOT_FOUND, sapbuf_map_create(segment, "config", &options, &map));
  CHECK_OK(sapbuf_pool_create(segment, "frames", &pool_options, &pool));
  CHECK_OK(sapbuf_map_open_or_create(segment, "config", &options, &map));
  CHECK_OK(sapbuf_map_open(segment, "config", &again));
  CHECK(sapbuf_map_created(map) && !sapbuf_map_created(again) && sapbuf_map_is_current(again));
  CHECK(strcmp(sapbuf_map_name(again), "config") == 0 && sapbuf_map_bytes(again) > 0);
  CHECK_OK(sapbuf_map_get_options(again, &there));
  CHECK(there.keys == 2 && strcmp(there.pool, "frames") == 0 && there.key_bytes == 255);
  CHECK(sapbuf_map_max_value_bytes(again) == 4096 - 32);
  options.keys = 3;
  CHECK_OK(sapbuf_map_differences(again, &options, text, sizeof text, &length));
  CHECK(strncmp(text, "keys 2, not 3", 13) == 0);
  impatient.name = "admin";
  impatient.timeout_ns = SAPBUF_NO_WAIT;
  CHECK_OK(sapbuf_map_writer_open(map, &impatient, &writer));
  put(writer, "one", "1");
  put(writer, "two", "2");
  CHECK_STATUS(SAPBUF_FULL, sapbuf_map_writer_put(writer, sapbuf_key_text("three"), "3", 1));
  CHECK_STATUS(SAPBUF_BUSY, sapbuf_map_remove(segment, "config"));
  sapbuf_map_writer_close(writer);
  CHECK_OK(sapbuf_map_remove(segment, "config"));
  CHECK_STATUS(SAPBUF_NOT_FOUND, sapbuf_map_remove(segment, "config"));
  CHECK(!sapbuf_map_is_current(map));
  sapbuf_map_close(again);
  sapbuf_map_close(map);
  sapbuf_pool_close(pool);
  end_segment(segment);
}

/* --- Deaths */

static const char* victims_segment;

static void put_pairs_until_killed(volatile uint64_t* told) {
  sapbuf_segment* segment;
  sapbuf_map* map;
  sapbuf_map_writer* writer;
  sapbuf_transaction* pair;
  uint64_t number = 0;
  CHECK_OK(sapbuf_segment_open(victims_segment, &segment));
  CHECK_OK(sapbuf_map_open(segment, "config", &map));
  writer = new_writer(map);
  CHECK_OK(sapbuf_transaction_begin(writer, &pair));
  for (;;) {
    ++number;
    CHECK_OK(sapbuf_transaction_put(pair, sapbuf_key_text("bid"), &number, sizeof number));
    CHECK_OK(sapbuf_transaction_put(pair, sapbuf_key_text("ask"), &number, sizeof number));
    CHECK_OK(sapbuf_transaction_commit(pair));
    tell(told, number);
  }
}

static uint64_t number_of(sapbuf_map_reader* reader, const char* key) {
  sapbuf_map_value value;
  uint64_t number;
  CHECK_OK(sapbuf_map_reader_read(reader, sapbuf_key_text(key), &value));
  memcpy(&number, value.data, sizeof number);
  sapbuf_map_value_release(&value);
  return number;
}

static void a_killed_writer_leaves_old_values_or_new_ones(void) {
  sapbuf_segment* segment = new_segment(NULL);
  sapbuf_map* map = new_map(segment);
  sapbuf_map_reader* reader = new_reader(map);
  const uint64_t zero = 0;
  int round;
  victims_segment = segment_name();
  for (round = 1; round <= 10; ++round) {
    sapbuf_map_writer* writer = new_writer(map);
    struct child child;
    uint64_t committed;
    uint64_t number;
    CHECK_OK(sapbuf_map_writer_put(writer, sapbuf_key_text("bid"), &zero, sizeof zero));
    CHECK_OK(sapbuf_map_writer_put(writer, sapbuf_key_text("ask"), &zero, sizeof zero));
    child = start_child(put_pairs_until_killed);
    wait_until_told(child, (uint64_t)round * 50);
    committed = kill_child(&child);
    CHECK_OK(sapbuf_segment_recover(segment, NULL, NULL, NULL));
    number = number_of(reader, "bid");
    CHECK(number == number_of(reader, "ask"));
    CHECK(number == committed || number == committed + 1);
    put(writer, "bid", "a writer goes on"); /* nothing keeps the key */
    sapbuf_map_writer_close(writer);
  }
  sapbuf_map_reader_close(reader);
  sapbuf_map_close(map);
  end_segment(segment);
}

static const struct test_case tests[] = {
    {"values_stay_as_they_were_read", values_stay_as_they_were_read},
    {"a_reader_keeps_31_values", a_reader_keeps_31_values},
    {"keys_are_texts_bytes_or_numbers", keys_are_texts_bytes_or_numbers},
    {"drafts_and_updates_flip_their_key", drafts_and_updates_flip_their_key},
    {"transactions_flip_all_or_none", transactions_flip_all_or_none},
    {"all_keys_are_visited", all_keys_are_visited},
    {"changes_are_waited_for", changes_are_waited_for},
    {"maps_tell_their_options", maps_tell_their_options},
    {"a_killed_writer_leaves_old_values_or_new_ones", a_killed_writer_leaves_old_values_or_new_ones},
};

int main(int argc, char** argv) { return run_tests(tests, sizeof tests / sizeof *tests, argc, argv); }
