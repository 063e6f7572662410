// Which share of a slab holds no message: extents' frames and unused rests, and the slab's end. A lone writer fills
// slabs with messages of one size; what then stands in a full one is looked at from outside.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <sapbuf/sapbuf.hpp>
#include <stdexcept>
#include <vector>

#include "scenarios.hpp"
#include "shared_memory.hpp"
#include "sizes.hpp"

namespace sapbuf::bench {
namespace {

constexpr unsigned kBatch = 32;

// What is published at once, and where.
struct Kind {
  const char* name;
  Order order;
  unsigned messages;
};
constexpr Kind kKinds[] = {
    {"sapbuf per_writer", Order::per_writer, 1},
    {"sapbuf per_writer batch 32", Order::per_writer, kBatch},
    {"sapbuf total", Order::total, 1},
    {"sapbuf total batch 32", Order::total, kBatch},
};

// With its header: a multiple of 8 each.
std::uint64_t message_span(std::uint64_t bytes) { return (bytes + 7) / 8 * 8 + 8; }
std::uint64_t span_at_once(std::uint64_t bytes, unsigned messages) { return messages * message_span(bytes); }

// In per cent of a slab, what is left of it when as many as fit stand in it back to back.
double least_waste(std::uint64_t bytes, unsigned messages, std::uint64_t slab_bytes) {
  const std::uint64_t at_once = span_at_once(bytes, messages);
  return 100 * (1 - static_cast<double>(slab_bytes / at_once * at_once) / static_cast<double>(slab_bytes));
}

void check(Status status) {
  if (status != Status::ok) throw std::runtime_error("sapbuf: " + std::string(to_string(status)));
}

void publish(Writer& writer, std::uint64_t bytes, unsigned messages) {
  if (messages == 1) {
    Reservation reservation = writer.reserve(bytes);
    check(reservation.status());
    return reservation.commit();
  }
  Batch batch = writer.reserve_batch_of(messages, bytes);
  check(batch.status());
  for (unsigned i = 0; i < messages; ++i) batch.append(bytes);
  batch.commit();
}

// In per cent of a slab.
double waste(const Kind& kind, std::uint64_t bytes) {
  const SegmentOptions options{.order = kind.order};
  const SharedMemory memory{Segment::bytes_needed(options)};
  const Segment stream = Segment::create_in({{memory.get(), memory.bytes()}}, options);
  // Nobody reads, so slabs are reclaimed as they are needed. The first one is left aside: what a writer takes at first
  // need not be what it takes when it is known to write.
  Writer writer{stream};
  const std::uint64_t at_once = span_at_once(bytes, kind.messages);
  for (std::uint64_t sent = 0; sent < 3 * options.slab_bytes; sent += at_once) publish(writer, bytes, kind.messages);
  struct Found {
    std::uint64_t all = 0;
    std::uint64_t messages = 0;
  };
  std::map<std::uint64_t, Found> generations;
  dump(stream, [&](const FrameRecord& frame) {
    Found& found = generations[frame.generation];
    found.all += frame.span;
    if (frame.kind == "message") found.messages += frame.span;
  });
  if (generations.size() != 2) throw std::runtime_error("a full slab and the next one ought to be there");
  const Found full = generations.begin()->second;
  if (full.all > options.slab_bytes) throw std::runtime_error("more stands in a slab than it has room for");
  return 100 * (1 - static_cast<double>(full.messages) / static_cast<double>(options.slab_bytes));
}

// From 8 bytes to `most`, each some per cent larger than the one before.
std::vector<std::uint64_t> ladder(std::uint64_t most, bool quick) {
  std::vector<std::uint64_t> sizes;
  for (std::uint64_t bytes = 8; bytes <= most; bytes += std::max<std::uint64_t>(8, bytes / (quick ? 2 : 16) / 8 * 8)) {
    sizes.push_back(bytes);
  }
  return sizes;
}

}  // namespace

void measure_waste(Report& report) {
  const std::uint64_t slab_bytes = SegmentOptions{}.slab_bytes;
  const std::uint64_t sixteenth = slab_bytes / 16;
  std::map<std::string, double> worst;
  for (const std::uint64_t bytes : {8, 64, 256, 1000, 4096, 8192, 9216, 16384, 20480, 40960, 61440, 102400, 307200}) {
    std::vector<Column> columns;
    for (const Kind& kind : kKinds) {
      const std::uint64_t at_once = span_at_once(bytes, kind.messages);
      if (at_once > slab_bytes / 2) continue;
      const double figure = waste(kind, bytes);
      columns.push_back({kind.name, {}, {figure}});
      if (at_once <= sixteenth) worst[kind.name] = std::max(worst[kind.name], figure);
    }
    columns.push_back({"limit: whole messages", {}, {least_waste(bytes, 1, slab_bytes)}});
    report.add({"waste", fmt::format("bytes of a slab that hold no message, messages of {}", human_bytes(bytes)), "%",
                std::move(columns), static_cast<double>(bytes)});
  }
  std::vector<Column> shown;
  std::vector<Column> beyond;
  for (const Kind& kind : kKinds) {
    double most = 0;
    for (const std::uint64_t bytes : ladder(sixteenth, report.options().quick)) {
      if (span_at_once(bytes, kind.messages) > sixteenth) break;
      most = std::max(most, waste(kind, bytes) - least_waste(bytes, kind.messages, slab_bytes));
    }
    beyond.push_back({kind.name, {}, {most}});
    shown.push_back({kind.name, {}, {worst[kind.name]}});
  }
  report.add({"waste-worst", "the most of those up to a sixteenth of the slab", "%", std::move(shown)});
  report.add({"waste-beyond", "any size up to a sixteenth of the slab, beyond what whole messages leave at its end",
              "%", std::move(beyond)});
}

}  // namespace sapbuf::bench
