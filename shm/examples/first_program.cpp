// Sends prices, each with a chart that is too large to be copied about, and reads them in place. The two halves may as well
// stand in two programs.
#include <cstring>
#include <iostream>
#include <sapbuf/sapbuf.hpp>

int main(int argc, char** argv) {
  const std::string name = argc > 1 ? argv[1] : "ticks";  // the memory is /dev/shm/sapbuf.ticks
  auto segment = sapbuf::Segment::open_or_create(name, {.slabs = 2, .slab_bytes = 1 << 20});
  auto charts = sapbuf::Pool::open_or_create(segment, "charts", {.buffer_bytes = 1 << 20, .count = 8});

  sapbuf::Writer writer{segment, {.name = "feed-a"}};
  sapbuf::PoolUser painter{charts, {.name = "feed-a"}};
  for (const double price : {99.5, 99.25, 99.75}) {
    sapbuf::Buffer chart = painter.acquire();  // 1 MiB that nobody else has
    if (!chart) return std::cerr << to_string(chart.status()) << '\n', 1;
    std::memset(chart.bytes().data(), '*', chart.bytes().size());
    auto slot = writer.reserve(sizeof price, 7);  // 7: the message's type, yours to choose
    if (!slot) return std::cerr << to_string(slot.status()) << '\n', 1;
    std::memcpy(slot.bytes().data(), &price, sizeof price);  // straight into shared memory
    slot.attach(std::move(chart));                           // the message keeps it from here on
    slot.commit();                                           // without it, nobody ever sees the message
  }

  sapbuf::Reader reader{segment, {.name = "archiver", .from = sapbuf::From::oldest}};
  sapbuf::PoolUser viewer{charts, {.name = "archiver"}};
  while (reader.wait_for(std::chrono::milliseconds{100})) {
    for (const sapbuf::Frame& frame : reader.pin()) {  // in place; valid until the loop is left
      std::cout << frame.type() << ": " << *reinterpret_cast<const double*>(frame.bytes().data());
      for (const sapbuf::BufferReference& reference : frame.attachments())
        if (sapbuf::Buffer chart = viewer.adopt(reference)) std::cout << ", a chart of " << chart.bytes().size();
      std::cout << '\n';
    }
  }
  sapbuf::Segment::remove(name);
}
