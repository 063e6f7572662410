#include "support/hostile.hpp"
#include "support/main_stream.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;

void check_is_in_slabs(const Segment& segment, std::span<const std::byte> part) {
  const std::uint64_t slabs_bytes = segment.bytes() - main_stream(segment).geometry().slabs_at;
  const std::byte* const slabs = main_stream(segment).slab_for_reading(0);
  const std::byte* const writable = main_stream(segment).slab_for_writing(0);
  const auto lies_in = [&](const std::byte* begin) {
    return part.data() >= begin && part.size() <= slabs_bytes && part.data() - begin <= std::ptrdiff_t(slabs_bytes) &&
           std::uint64_t(part.data() - begin) <= slabs_bytes - part.size();
  };
  if (!lies_in(slabs) && !lies_in(writable)) throw std::logic_error("a frame or a reservation lies outside the slabs");
}

}  // namespace

std::vector<Region> regions_of(const Segment& segment) {
  const layout::StreamGeometry& g = main_stream(segment).geometry();
  const layout::SegmentGeometry& common = segment.core()->geometry();
  return {{"registry", common.control_at, common.slots_at + 8 * sizeof(layout::ParticipantSlot)},
          {"control", g.head_at, g.slots_at},
          {"slots", g.slots_at, g.slots_at + 8 * sizeof(layout::StreamSlot)},
          {"descriptors", g.descriptors_at, g.extents_at},
          {"extents", g.extents_at, std::max(g.extents_at + 8, std::min(g.slabs_at, g.extents_at + 256))},
          {"attached", g.attached_at, std::min(g.slabs_at, g.attached_at + 256)},
          {"frames", g.slabs_at, g.end()},
          {"all", common.control_at, g.end()}};
}

Busy::Busy(const SegmentOptions& options, std::uint32_t messages) : segment{options} {
  for (std::uint32_t number = 0; number < messages; ++number) {
    static_cast<void>(put(number % 2 == 0 ? first : second, {number % 2, number}, 8 + number * 11 % 300));
    if (number % 3 == 0) log.read(reader, 5);
  }
}

void touch(const Segment& segment, std::span<const std::byte> frame) {
  check_is_in_slabs(segment, frame);
  volatile std::byte all{};
  for (const std::byte byte : frame) all = all ^ byte;
}

void overwrite(const Segment& segment, std::span<std::byte> reservation) {
  check_is_in_slabs(segment, reservation);
  std::memset(reservation.data(), 0xff, reservation.size());
}

void touch(const Segment& segment, const Frame& frame) {
  touch(segment, frame.bytes());
  std::size_t count = 0;
  for ([[maybe_unused]] const BufferReference& reference : frame.attachments()) ++count;
  if (count > layout::kMaxAttachedPlaces) throw std::logic_error("a message has more attached than there is");
}

void inspect_all(const Segment& segment) {
  static_cast<void>(inspect(segment));
  static_cast<void>(find_dead(segment));
}

void dump_all(const Segment& segment, const Pause& pause) {
  dump(segment, [&](const FrameRecord& frame) {
    if (!frame.payload.empty()) touch(segment, frame.payload);
    pause();
  });
}

void read_all(const Segment& segment, From from, std::chrono::nanoseconds patience, const Pause& pause) {
  Reader reader{segment, {.from = from}};
  for (int round = 0; round < 3; ++round) {
    reader.wait_for(round == 0 ? 0ns : patience);
    for (const Frame& frame : reader.pin()) {
      touch(segment, frame);
      pause();
    }
  }
}

void write_many(const Segment& segment, std::chrono::milliseconds timeout, const Pause& pause) {
  Writer writer{segment, {.timeout = timeout}};
  for (std::uint32_t number = 0; number < 30; ++number) {
    Reservation open = writer.reserve(number * 37 % 700);
    pause();
    if (open) overwrite(segment, open.bytes());
    if (number % 7 == 0) open.abort();
    open.commit(number % 5 == 0 ? open.bytes().size() / 2 : open.bytes().size());
  }
}

void write_and_read(const Segment& segment, std::chrono::milliseconds timeout, const Pause& pause) {
  Reader reader{segment};
  Writer writer{segment, {.timeout = timeout}};
  for (std::uint32_t number = 0; number < 30; ++number) {
    static_cast<void>(writer.write("after all"));
    pause();
    std::size_t count = 0;
    for (const Frame& frame : reader.pin()) {
      touch(segment, frame);
      pause();
      if (++count == 100) break;
    }
  }
}

}  // namespace sapbuf::test
