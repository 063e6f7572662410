/* Cells: values of a size that is known at run time only. */
#include "check.h"
#include "process.h"

struct pose {
  double x, y;
  char odd[3];
};

static bool move(void* context, void* value) {
  struct pose* pose = value;
  pose->x += 1;
  return *(const bool*)context;
}

static void values_are_stored_loaded_and_updated(void) {
  sapbuf_segment* segment = new_segment(NULL);
  const struct pose initial = {1, 2, "ab"};
  struct pose pose;
  sapbuf_cell* cell;
  sapbuf_cell* view;
  uint64_t version;
  bool is_to_be = true;
  CHECK_STATUS(SAPBUF_NOT_FOUND, sapbuf_cell_open_to_read(segment, "pose", sizeof pose, NULL, &view));
  CHECK_OK(sapbuf_cell_open_or_create(segment, "pose", sizeof pose, &initial, NULL, &cell));
  CHECK_OK(sapbuf_cell_open_to_read(segment, "pose", sizeof pose, NULL, &view));
  CHECK_STATUS(SAPBUF_INCOMPATIBLE, sapbuf_cell_open_to_read(segment, "pose", 8, NULL, &(sapbuf_cell*){0}));
  CHECK_OK(sapbuf_cell_load(view, &pose, &version));
  CHECK(version == 0 && pose.x == 1 && pose.y == 2 && strcmp(pose.odd, "ab") == 0);
  pose.y = 3;
  CHECK_OK(sapbuf_cell_store(cell, &pose, &version));
  CHECK(version == 1);
  CHECK_OK(sapbuf_cell_update(cell, move, &is_to_be, &version));
  CHECK(version == 2);
  is_to_be = false;
  CHECK_STATUS(SAPBUF_ABANDONED, sapbuf_cell_update(cell, move, &is_to_be, NULL));
  CHECK_OK(sapbuf_cell_load(view, &pose, NULL));
  CHECK(pose.x == 2 && pose.y == 3 && strcmp(pose.odd, "ab") == 0);
  CHECK_OK(sapbuf_cell_version(view, &version));
  CHECK(version == 2);
  CHECK_STATUS(SAPBUF_PERMISSION_DENIED, sapbuf_cell_store(view, &pose, NULL));
  CHECK_STATUS(SAPBUF_PERMISSION_DENIED, sapbuf_cell_update(view, move, &is_to_be, NULL));
  CHECK_STATUS(SAPBUF_BUSY, sapbuf_cell_remove(segment, "pose"));
  sapbuf_cell_close(view);
  sapbuf_cell_close(cell);
  CHECK_OK(sapbuf_cell_remove(segment, "pose"));
  CHECK_STATUS(SAPBUF_NOT_FOUND, sapbuf_cell_remove(segment, "pose"));
  end_segment(segment);
}

/* Each size has its last word right, and nothing behind it is touched. */
static void sizes_are_to_the_byte(void) {
  sapbuf_segment* segment = new_segment(NULL);
  unsigned char value[4096];
  unsigned char loaded[4097];
  size_t size;
  sapbuf_cell* cell;
  CHECK_STATUS(SAPBUF_INVALID_ARGUMENT, sapbuf_cell_open_or_create(segment, "x", 0, NULL, NULL, &cell));
  CHECK_STATUS(SAPBUF_INVALID_ARGUMENT, sapbuf_cell_open_or_create(segment, "x", 4097, NULL, NULL, &cell));
  for (size = 0; size < sizeof value; ++size) value[size] = (unsigned char)(size * 7 + 1);
  for (size = 1; size <= 4096; size += size < 20 ? 1 : 1019) {
    CHECK_OK(sapbuf_cell_open_or_create(segment, "x", size, NULL, NULL, &cell));
    memset(loaded, 0xee, sizeof loaded);
    CHECK_OK(sapbuf_cell_load(cell, loaded, NULL));
    CHECK(loaded[0] == 0 && loaded[size - 1] == 0 && loaded[size] == 0xee);
    CHECK_OK(sapbuf_cell_store(cell, value, NULL));
    CHECK_OK(sapbuf_cell_load(cell, loaded, NULL));
    CHECK(memcmp(loaded, value, size) == 0 && loaded[size] == 0xee);
    sapbuf_cell_close(cell);
    CHECK_OK(sapbuf_cell_remove(segment, "x"));
  }
  end_segment(segment);
}

static void changes_are_waited_for(void) {
  sapbuf_segment* segment = new_segment(NULL);
  sapbuf_cell_options options = sapbuf_cell_options_init();
  sapbuf_stop_flag stop = {0};
  sapbuf_cell* cell;
  int value = 1;
  options.name = "screen";
  options.stop = &stop;
  CHECK_OK(sapbuf_cell_open_or_create(segment, "state", sizeof value, NULL, &options, &cell));
  CHECK_STATUS(SAPBUF_TIMEOUT, sapbuf_cell_wait_changed(cell, 0, SAPBUF_MS(1)));
  CHECK_OK(sapbuf_cell_store(cell, &value, NULL));
  CHECK_OK(sapbuf_cell_wait_changed(cell, 0, SAPBUF_FOREVER));
  sapbuf_stop_flag_raise(&stop);
  CHECK_STATUS(SAPBUF_STOPPED, sapbuf_cell_wait_changed(cell, 1, SAPBUF_FOREVER));
  sapbuf_cell_close(cell);
  end_segment(segment);
}

static const char* victims_segment;

static void store_pairs_until_killed(volatile uint64_t* told) {
  sapbuf_segment* segment;
  sapbuf_cell* cell;
  uint64_t pair[2] = {0, 0};
  CHECK_OK(sapbuf_segment_open(victims_segment, &segment));
  CHECK_OK(sapbuf_cell_open_or_create(segment, "pair", sizeof pair, NULL, NULL, &cell));
  for (;;) {
    pair[0] = ++pair[1];
    CHECK_OK(sapbuf_cell_store(cell, pair, NULL));
    tell(told, pair[0]);
  }
}

static void a_killed_writer_leaves_a_whole_value(void) {
  sapbuf_segment* segment = new_segment(NULL);
  uint64_t pair[2];
  sapbuf_cell* cell;
  int round;
  victims_segment = segment_name();
  CHECK_OK(sapbuf_cell_open_or_create(segment, "pair", sizeof pair, NULL, NULL, &cell));
  for (round = 1; round <= 10; ++round) {
    struct child child = start_child(store_pairs_until_killed);
    uint64_t stored;
    wait_until_told(child, (uint64_t)round * 500);
    stored = kill_child(&child);
    CHECK_OK(sapbuf_cell_load(cell, pair, NULL));
    CHECK(pair[0] == pair[1] && (pair[0] == stored || pair[0] == stored + 1));
  }
  sapbuf_cell_close(cell);
  end_segment(segment);
}

static const struct test_case tests[] = {
    {"values_are_stored_loaded_and_updated", values_are_stored_loaded_and_updated},
    {"sizes_are_to_the_byte", sizes_are_to_the_byte},
    {"changes_are_waited_for", changes_are_waited_for},
    {"a_killed_writer_leaves_a_whole_value", a_killed_writer_leaves_a_whole_value},
};

int main(int argc, char** argv) { return run_tests(tests, sizeof tests / sizeof *tests, argc, argv); }
