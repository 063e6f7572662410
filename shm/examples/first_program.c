/* Sends prices, each with a chart that is too large to be copied about, and reads them in place: what first_program.cpp does, in C. The two halves
   may as well stand in two programs. */
#include <sapbuf.h>
#include <stdio.h>
#include <stdlib.h>

static void check(sapbuf_status status) {
  if (status == SAPBUF_OK) return;
  fprintf(stderr, "%s: %s\n", sapbuf_strerror(status), sapbuf_last_error());
  exit(1);
}

static void send_prices(sapbuf_segment* segment, sapbuf_pool* charts) {
  const double prices[] = {99.5, 99.25, 99.75};
  const sapbuf_writer_options named = {.struct_size = sizeof named, .name = "feed-a"};
  sapbuf_writer* writer;
  sapbuf_pool_user* painter;
  check(sapbuf_writer_open(segment, &named, &writer));
  check(sapbuf_pool_user_open(charts, NULL, &painter));
  for (size_t i = 0; i < 3; ++i) {
    sapbuf_buffer chart;
    void* price;
    check(sapbuf_pool_user_acquire(painter, &chart)); /* 1 MiB that nobody else has */
    memset(chart.data, '*', chart.size);
    check(sapbuf_writer_reserve(writer, sizeof prices[i], 7, &price)); /* 7: the message's type, yours to choose */
    memcpy(price, &prices[i], sizeof prices[i]);                       /* straight into shared memory */
    check(sapbuf_writer_attach(writer, &chart));                       /* the message keeps it from here on */
    check(sapbuf_writer_commit(writer));                               /* without it, nobody ever sees the message */
  }
  sapbuf_pool_user_close(painter);
  sapbuf_writer_close(writer);
}

static void show(sapbuf_reader* reader, sapbuf_pool_user* viewer, const sapbuf_frame* frame) {
  sapbuf_buffer_reference reference;
  printf("%d: %g", frame->type, *(const double*)frame->data); /* in place; valid until the range is unpinned */
  if (sapbuf_reader_attachments(reader, frame, &reference, 1) == 1) {
    sapbuf_buffer chart;
    check(sapbuf_pool_user_adopt(viewer, &reference, &chart));
    printf(", a chart of %zu", chart.size);
    sapbuf_buffer_release(&chart);
  }
  printf("\n");
}

static void receive_prices(sapbuf_segment* segment, sapbuf_pool* charts) {
  const sapbuf_reader_options named = {.struct_size = sizeof named, .name = "archiver", .from = SAPBUF_FROM_OLDEST};
  sapbuf_reader* reader;
  sapbuf_pool_user* viewer;
  check(sapbuf_reader_open(segment, &named, &reader));
  check(sapbuf_pool_user_open(charts, NULL, &viewer));
  while (sapbuf_reader_wait(reader, SAPBUF_MS(100)) == SAPBUF_OK) {
    check(sapbuf_reader_pin(reader));
    for (sapbuf_frame frame; sapbuf_reader_next(reader, &frame);) show(reader, viewer, &frame);
    sapbuf_reader_unpin(reader);
  }
  sapbuf_pool_user_close(viewer);
  sapbuf_reader_close(reader);
}

int main(int argc, char** argv) {
  const char* const name = argc > 1 ? argv[1] : "ticks"; /* the memory is /dev/shm/sapbuf.ticks */
  const sapbuf_segment_options slabs = {.struct_size = sizeof slabs, .slabs = 2, .slab_bytes = 1 << 20};
  const sapbuf_pool_options large = {.struct_size = sizeof large, .buffer_bytes = 1 << 20, .count = 8};
  sapbuf_segment* segment;
  sapbuf_pool* charts;
  check(sapbuf_segment_open_or_create(name, &slabs, &segment));
  check(sapbuf_pool_open_or_create(segment, "charts", &large, &charts));
  send_prices(segment, charts);
  receive_prices(segment, charts);
  sapbuf_pool_close(charts);
  sapbuf_segment_close(segment);
  check(sapbuf_segment_remove(name));
  return 0;
}
