// The same calls of a stream through the C interface and in C++, in one process.
#include <sapbuf.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <sapbuf/sapbuf.hpp>

#include "scenarios.hpp"
#include "single_calls.hpp"

namespace sapbuf::bench {
namespace {

constexpr std::size_t kBytes = 16;
constexpr std::int64_t kFrames = 1000;  // that are there to be walked over

using Message = std::array<std::byte, kBytes>;

void expect_ok(sapbuf_status status) {
  if (status != SAPBUF_OK) throw Error(Errc::system, sapbuf_last_error());
}

// Memory for one segment at a time: always the same, so that neither language has luckier pages.
struct Place {
  Place() : bytes(Segment::bytes_needed({})), memory(std::aligned_alloc(64, (bytes + 63) / 64 * 64)) {}
  ~Place() { std::free(memory); }
  std::size_t bytes;
  void* memory;
};
Place& place() {
  static Place place;
  return place;
}

// Of the C interface, with a writer and a reader.
struct CStream {
  CStream() {
    expect_ok(sapbuf_segment_create_in(place().memory, place().bytes, -1, nullptr, &segment));
    expect_ok(sapbuf_writer_open(segment, nullptr, &writer));
    expect_ok(sapbuf_reader_open(segment, nullptr, &reader));
  }
  ~CStream() {
    sapbuf_reader_close(reader);
    sapbuf_writer_close(writer);
    sapbuf_segment_close(segment);
  }
  void leave_nobody_to_read() {
    sapbuf_reader_close(reader);
    reader = nullptr;
  }

  sapbuf_segment* segment = nullptr;
  sapbuf_writer* writer = nullptr;
  sapbuf_reader* reader = nullptr;
};

Segment make_segment() { return Segment::create_in({{static_cast<std::byte*>(place().memory), place().bytes}}, {}); }

void reserve_in_cpp(benchmark::State& state) {
  const Segment segment = make_segment();
  Writer writer{segment};
  const Message message{};
  for (auto _ : state) {
    Reservation reservation = writer.reserve(kBytes);
    std::memcpy(reservation.bytes().data(), message.data(), kBytes);
    reservation.commit();
  }
}

void reserve_in_c(benchmark::State& state) {
  CStream stream;
  stream.leave_nobody_to_read();
  sapbuf_writer* const writer = stream.writer;
  const Message message{};
  for (auto _ : state) {
    void* payload;
    if (sapbuf_writer_reserve(writer, kBytes, 0, &payload) != SAPBUF_OK) state.SkipWithError(sapbuf_last_error());
    std::memcpy(payload, message.data(), kBytes);
    sapbuf_writer_commit(writer);
  }
}

void write_in_cpp(benchmark::State& state) {
  const Segment segment = make_segment();
  Writer writer{segment};
  const Message message{};
  for (auto _ : state)
    if (writer.write(message) != Status::ok) state.SkipWithError("no room");
}

void write_in_c(benchmark::State& state) {
  CStream stream;
  stream.leave_nobody_to_read();
  sapbuf_writer* const writer = stream.writer;
  const Message message{};
  for (auto _ : state)
    if (sapbuf_writer_write(writer, message.data(), kBytes, 0) != SAPBUF_OK) state.SkipWithError(sapbuf_last_error());
}

// As other languages call it.
void write_by_calls(benchmark::State& state) {
  CStream stream;
  stream.leave_nobody_to_read();
  decltype(&sapbuf_writer_write) write = &sapbuf_writer_write;
  benchmark::DoNotOptimize(write);
  const Message message{};
  for (auto _ : state)
    if (write(stream.writer, message.data(), kBytes, 0) != SAPBUF_OK) state.SkipWithError(sapbuf_last_error());
}

// `walk` goes over all that was written, and returns a sum that it depends on.
template <typename Write, typename Walk>
void walk_over_frames(benchmark::State& state, Write write, Walk walk) {
  std::uint64_t sum = 0;
  while (state.KeepRunningBatch(kFrames)) {
    state.PauseTiming();
    for (std::int64_t i = 0; i < kFrames; ++i) write();
    state.ResumeTiming();
    sum += walk();
  }
  benchmark::DoNotOptimize(sum);
}

std::uint64_t first_word(const void* data) {
  std::uint64_t word;
  std::memcpy(&word, data, sizeof word);
  return word;
}

void walk_in_cpp(benchmark::State& state) {
  const Segment segment = make_segment();
  Writer writer{segment};
  Reader reader{segment};
  const Message message{};
  const auto write = [&] {
    if (writer.write(message) != Status::ok) state.SkipWithError("no room");
  };
  walk_over_frames(state, write, [&] {
    std::uint64_t sum = 0;
    for (const Frame& frame : reader.pin()) sum += first_word(frame.bytes().data());
    return sum;
  });
}

void walk_in_c(benchmark::State& state) {
  CStream stream;
  const Message message{};
  const auto write = [&] { expect_ok(sapbuf_writer_write(stream.writer, message.data(), kBytes, 0)); };
  walk_over_frames(state, write, [&] {
    std::uint64_t sum = 0;
    expect_ok(sapbuf_reader_pin(stream.reader));
    for (sapbuf_frame frame; sapbuf_reader_next(stream.reader, &frame);) sum += first_word(frame.data);
    sapbuf_reader_unpin(stream.reader);
    return sum;
  });
}

void walk_in_c_by_64(benchmark::State& state) {
  CStream stream;
  const Message message{};
  const auto write = [&] { expect_ok(sapbuf_writer_write(stream.writer, message.data(), kBytes, 0)); };
  walk_over_frames(state, write, [&] {
    std::array<sapbuf_frame, 64> frames;
    std::uint64_t sum = 0;
    expect_ok(sapbuf_reader_pin(stream.reader));
    while (const std::size_t count = sapbuf_reader_next_many(stream.reader, frames.data(), frames.size()))
      for (std::size_t i = 0; i < count; ++i) sum += first_word(frames[i].data);
    sapbuf_reader_unpin(stream.reader);
    return sum;
  });
}

}  // namespace

void measure_c_calls(Report& report) {
  const std::vector<Call> writes{{"C++, reserve and commit", reserve_in_cpp},
                                 {"C, reserve and commit", reserve_in_c},
                                 {"C++, write", write_in_cpp},
                                 {"C, write", write_in_c},
                                 {"C, write, not inlined", write_by_calls}};
  const std::vector<Call> walks{{"C++", walk_in_cpp}, {"C", walk_in_c}, {"C, 64 frames a call", walk_in_c_by_64}};
  report.add({"c-writes", "a message of 16 bytes", "ns", run_calls(writes, report.options(), 1)});
  report.add({"c-walks", "from one frame of 16 bytes to the next, with a look at it", "ns",
              run_calls(walks, report.options(), 1)});
}

}  // namespace sapbuf::bench
