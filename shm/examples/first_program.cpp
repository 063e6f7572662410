// Writes ticks and reads them in place. The two halves may as well stand in two programs.
#include <cstring>
#include <iostream>
#include <sapbuf/sapbuf.hpp>

struct Tick {
  int number;
  double price;
};

int main(int argc, char** argv) {
  const std::string name = argc > 1 ? argv[1] : "ticks";  // /dev/shm/sapbuf.ticks
  auto segment = sapbuf::Segment::open_or_create(name, {.slabs = 2, .slab_bytes = 1 << 20});

  sapbuf::Writer writer{segment, {.name = "feed-a"}};
  for (const Tick tick : {Tick{1, 99.5}, Tick{2, 99.25}, Tick{3, 99.75}}) {
    auto slot = writer.reserve(sizeof tick, 7);  // 7: the message's type, yours to choose
    if (!slot) return std::cerr << "not written: " << to_string(slot.status()) << '\n', 1;
    std::memcpy(slot.bytes().data(), &tick, sizeof tick);
    slot.commit();  // what is never committed, nobody sees
  }

  sapbuf::Reader reader{segment, {.name = "archiver", .from = sapbuf::From::oldest}};
  while (reader.wait_for(std::chrono::milliseconds{100})) {
    for (const sapbuf::Frame& frame : reader.pin()) {  // valid until the range is left
      const auto& tick = *reinterpret_cast<const Tick*>(frame.bytes().data());
      std::cout << "type " << frame.type() << ": " << tick.number << " at " << tick.price << '\n';
    }
  }
  sapbuf::Segment::remove(name);
}
