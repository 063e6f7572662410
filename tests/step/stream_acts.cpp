#include "step/stream_acts.hpp"

#include "step/stream_world.hpp"

#include <algorithm>
#include <stdexcept>

namespace sapbuf::test {

using namespace std::chrono_literals;

namespace {

template <typename Handle, typename... Arguments>
Handle* leak(Arguments&&... arguments) {
  return new Handle(std::forward<Arguments>(arguments)...);
}

bool write_number(const Turn& turn, std::uint32_t number) {
  const auto message = scripted({turn.id, number});
  if (turn.writer.write(std::span<const std::byte>{message}) != Status::ok) return false;
  turn.diary.committed.fetch_add(1);
  return true;
}

template <typename Handle, typename Options>
std::function<void()> attach(const Scene& scene, const Options& options) {
  auto* const segment = leak<Segment>(Segment::open(scene.name));
  return [segment, options] {
    try {
      leak<Handle>(*segment, options);
    } catch (const Error& error) {
      if (error.errc() != Errc::busy) throw;  // somebody who is stopped holds the maintenance lock
    }
  };
}

}  // namespace

Part writer_that(std::uint32_t messages, Act act) {
  return [=](const Scene& scene) -> std::function<void()> {
    auto* const segment = leak<Segment>(Segment::open(scene.name));
    auto* const writer = leak<Writer>(*segment, WriterOptions{.name = "victim", .timeout = scene.timeout});
    write_messages(*writer, scene.id, 0, messages);
    scene.diary.committed.store(committed_numbers(0, messages).size());
    return [=, turn = Turn{*writer, scene.diary, scene.id, messages}] { act(turn); };
  };
}

Part reader_that(std::function<void(Reader&)> act) {
  return [=](const Scene& scene) -> std::function<void()> {
    auto* const segment = leak<Segment>(Segment::open(scene.name));
    auto* const reader = leak<Reader>(*segment, ReaderOptions{.name = "victim"});
    return [=] { act(*reader); };
  };
}

Part durable_reader_that(std::function<void(Reader&, Diary&)> act) {
  return [=](const Scene& scene) -> std::function<void()> {
    auto* const segment = leak<Segment>(Segment::open(scene.name));
    auto* const reader = leak<Reader>(*segment, kDurableVictim);
    return [=, &diary = scene.diary] { act(*reader, diary); };
  };
}

std::uint32_t read_messages_of_peer(Reader& reader, std::uint32_t most) {
  std::uint32_t count = 0;
  for (const Frame& frame : reader.pin()) {
    const auto tag = tag_of(frame.bytes());
    if (!tag) throw std::runtime_error("a torn message was delivered");
    count += tag->writer == kPeerId ? 1 : 0;
    if (count == most) break;
  }
  return count;
}

void read_durable_ranges(Reader& reader, Diary& diary) {
  for (int range = 0; range < 3; ++range) diary.passed.fetch_add(read_messages_of_peer(reader, kDurableRange));
}

void close_durable(Reader& reader, Diary&) { reader.close(); }

Act write_several(std::size_t count) {
  return [=](const Turn& turn) {
    for (std::uint32_t number = turn.next; number < turn.next + count; ++number) {
      if (!write_number(turn, number)) return;
    }
  };
}

void write_one(const Turn& turn) { write_number(turn, turn.next); }
void write_large(const Turn& turn) { write_number(turn, 14); }

void commit_fewer(const Turn& turn) {
  const auto message = scripted({turn.id, turn.next});
  auto reservation = turn.writer.reserve(message.size() + 64);
  if (!reservation) return;
  std::memcpy(reservation.bytes().data(), message.data(), message.size());
  reservation.commit(message.size());
  turn.diary.committed.fetch_add(1);
}

void write_batch(const Turn& turn) {
  constexpr std::uint32_t kMessages = 3;
  turn.diary.at_once.store(kMessages);
  std::size_t bytes = 0;
  for (std::uint32_t i = 0; i < kMessages; ++i) bytes += scripted_size({turn.id, turn.next + i});
  Batch batch = turn.writer.reserve_batch(kMessages, bytes);
  if (!batch) return;
  for (std::uint32_t number = turn.next; number < turn.next + kMessages; ++number) {
    const auto message = scripted({turn.id, number});
    std::memcpy(batch.append(message.size()).data(), message.data(), message.size());
  }
  batch.commit();
  turn.diary.committed.fetch_add(kMessages);
}

void only_reserve(const Turn& turn) { leak<Reservation>(turn.writer.reserve(24)); }
void reserve_and_abort(const Turn& turn) { turn.writer.reserve(24).abort(); }
void close_writer(const Turn& turn) { turn.writer.close(); }

void pin_and_unpin(Reader& reader) {
  for (const Frame& frame : reader.pin()) static_cast<void>(frame);
}

void pin_and_compare(Reader& reader) {
  for (const Frame& frame : reader.pin()) {
    const std::span<const std::byte> bytes = frame.bytes();
    const std::vector<std::byte> copy(bytes.begin(), bytes.end());
    if (!std::equal(bytes.begin(), bytes.end(), copy.begin())) throw std::runtime_error("a pinned frame has changed");
  }
}

void read_all(Reader& reader) {
  while (reader.wait_for(0ms)) pin_and_unpin(reader);
}

void wait_shortly(Reader& reader) { reader.wait_for(1us); }
void close_reader(Reader& reader) { reader.close(); }

std::function<void()> attach_writer(const Scene& scene) {
  return attach<Writer>(scene, WriterOptions{.name = "victim"});
}
std::function<void()> attach_reader(const Scene& scene) {
  return attach<Reader>(scene, ReaderOptions{.name = "victim"});
}
std::function<void()> attach_durable(const Scene& scene) { return attach<Reader>(scene, kDurableVictim); }

std::function<void()> run_recovery(const Scene& scene) {
  auto* const segment = leak<Segment>(Segment::open(scene.name));
  return [segment] { recover(*segment); };
}

}  // namespace sapbuf::test
