// Opening: any header, any geometry, any size of memory, any bytes behind it.
//
//   byte 0     what to begin with (see below)
//   byte 1..3  bytes of memory
//   byte 4     how many edits of the header follow: an offset in it and a word each
//   the rest   bytes of the directory, and of what is behind it
#include <algorithm>
#include <cstring>

#include <sapbuf/layout/header.hpp>

#include "fuzz/input.hpp"
#include "fuzz/target.hpp"
#include "fuzz/world.hpp"

namespace sapbuf::fuzz {
namespace {

using namespace std::chrono_literals;

enum Begin : std::uint8_t {
  kTotal = 1,
  kShared = 2,  // memory with a descriptor
  kPlaced = 4,  // the parts are put where the edited geometry says
  kUnaligned = 8,
  kWhatOpened = 16,  // memory of just the size that the edited geometry asks for
};

// Header edits reach the geometry's fields, and what is in front of them.
void edit_header(layout::SegmentHeader& header, Input& input) {
  auto* const bytes = reinterpret_cast<std::byte*>(&header);
  const unsigned edits = input.byte() % 8;
  for (unsigned i = 0; i < edits; ++i) {
    const std::size_t at = input.byte() % sizeof header;
    const std::size_t width = std::min<std::size_t>(std::size_t{1} << (input.byte() & 3), sizeof header - at);
    const std::uint64_t word = input.word();
    std::memcpy(bytes + at, &word, width);
  }
}

void use(const Memory& memory) {
  tolerate([&] {
    const Segment segment = Segment::open_in(memory);
    tolerate([&] { test::inspect_all(segment); });
    tolerate([&] { test::dump_all(segment); });
    tolerate([&] { test::read_all(segment, From::oldest, 1us); });
    tolerate([&] { test::write_many(segment, 0ms); });
  });
}

// The smallest streams there are: their bytes are the model.
const test::HeapMemory& original(Order order) {
  static const auto make = [](Order which) {
    const SegmentOptions options{.slab_bytes = 4096, .order = which, .participants = 4};
    auto* const memory = new test::HeapMemory{options};
    static_cast<void>(Segment::create_in(*memory, options));
    return memory;
  };
  static const test::HeapMemory* const per_writer = make(Order::per_writer);
  static const test::HeapMemory* const total = make(Order::total);
  return order == Order::total ? *total : *per_writer;
}

void fill(std::span<std::byte> bytes, const test::HeapMemory& model, const layout::SegmentHeader& header,
          std::span<const std::uint8_t> control) {
  std::memset(bytes.data(), 0, bytes.size());
  const std::size_t known = std::min(bytes.size(), model.bytes().size());
  std::memcpy(bytes.data(), model.bytes().data(), known);
  std::memcpy(bytes.data(), &header, std::min(bytes.size(), sizeof header));
  // From the directory on.
  if (bytes.size() <= layout::kPageBytes) return;
  const auto behind = bytes.subspan(layout::kPageBytes);
  if (!control.empty()) std::memcpy(behind.data(), control.data(), std::min(behind.size(), control.size()));
}

void open_and_use(Input input) {
  constexpr std::uint64_t kMostMemory = 1 << 20;
  const std::uint8_t begin = input.byte();
  std::uint64_t size = (input.half() | std::uint64_t{input.byte()} << 16) % kMostMemory;
  const test::HeapMemory& model = original((begin & kTotal) != 0 ? Order::total : Order::per_writer);
  alignas(layout::SegmentHeader) std::byte bytes[sizeof(layout::SegmentHeader)];
  std::memcpy(bytes, model.bytes().data(), sizeof bytes);
  auto& header = *reinterpret_cast<layout::SegmentHeader*>(bytes);
  edit_header(header, input);
  if ((begin & kPlaced) != 0 && !layout::problem_with(header.geometry)) layout::place(header.geometry);
  if ((begin & kWhatOpened) != 0 && header.geometry.most_bytes < kMostMemory) size = header.geometry.most_bytes;
  if ((begin & kShared) != 0) {
    const test::SharedMemory memory{std::max<std::size_t>(size, 1)};
    fill(memory.bytes(), model, header, input.rest());
    return use(memory);
  }
  const std::size_t shift = (begin & kUnaligned) != 0 ? 8 : 0;
  const test::HeapMemory memory{size + shift};
  const std::span<std::byte> part = memory.bytes().subspan(shift);
  fill(part, model, header, input.rest());
  use({.bytes = part});
}

}  // namespace
}  // namespace sapbuf::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sapbuf::fuzz::open_and_use({data, size});
  return 0;
}
