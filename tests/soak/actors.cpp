#include "soak/actors.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <numeric>
#include <sapbuf/sapbuf.hpp>
#include <stdexcept>

#include "soak/clock.hpp"
#include "soak/dice.hpp"
#include "stream/stream_core.hpp"
#include "support/main_stream.hpp"

namespace sapbuf::soak {
namespace {

using namespace std::chrono_literals;

constexpr auto relaxed = std::memory_order_relaxed;

// Only the owner counts: a plain load and store will do.
void add(Shared<std::uint64_t>& counter, std::uint64_t count = 1) {
  counter.store(counter.load(relaxed) + count, std::memory_order_release);
}

// ---- producers

// How a producer spends its time between messages: some never pause, some leave their extents idle.
struct Manner {
  std::uint64_t messages;  // between two naps; 0: never
  unsigned nap_us;
};

class Producer {
 public:
  Producer(const Scene& scene, std::uint32_t id)
      : scene_(scene),
        id_(static_cast<std::uint16_t>(id)),
        diary_(scene.board.producers[id]),
        dice_(mix(scene.seed ^ id)),
        manner_(dice_.one_of<Manner>({{0, 0}, {0, 0}, {4096, 100}, {64, 100}, {1000, 1000}})) {}

  void run() {
    const Segment segment = Segment::open(scene_.stream);
    Writer writer{segment, {.name = producer_name(id_)}};
    diary_.pace.begin(now_ns());
    diary_.phase.store(Phase::attached);
    for (std::uint64_t count = 1; !scene_.board.finish.load(relaxed) && !diary_.retire.load(relaxed); ++count) {
      if (dice_.one_in(16)) {
        publish_batch(writer, segment.max_message_bytes() / 2);
      } else {
        publish(writer);
      }
      if (manner_.messages != 0 && count % manner_.messages == 0) nap();
    }
    diary_.phase.store(Phase::leaving);
    writer.close();
    diary_.phase.store(Phase::left);
  }

 private:
  void nap() {
    ::usleep(manner_.nap_us);
    diary_.pace.begin(now_ns());
  }

  void publish(Writer& writer) {
    const std::uint64_t number = diary_.committed.load(relaxed) + 1;
    const std::size_t size = scene_.messages.size_of(id_, number);
    const bool abort = dice_.one_in(64);
    add(diary_.attempts);
    Reservation slot = writer.reserve(size, id_);
    if (!slot) return note_refusal(slot.status());
    scene_.messages.fill(slot.bytes(), id_, number);
    if (abort) {
      slot.abort();
      add(diary_.aborted);
    } else {
      diary_.begun.store(number, std::memory_order_release);
      slot.commit();
      diary_.committed.store(number, std::memory_order_release);
    }
    diary_.pace.progress(now_ns());
  }

  // Several at once, or none of them; one attempt in the ledger, unless it succeeds.
  void publish_batch(Writer& writer, std::size_t most_bytes) {
    const std::uint64_t first = diary_.committed.load(relaxed) + 1;
    std::array<std::size_t, kBatch> sizes;
    for (std::size_t i = 0; i < kBatch; ++i) sizes[i] = scene_.messages.size_of(id_, first + i);
    const std::size_t bytes = std::accumulate(sizes.begin(), sizes.end(), std::size_t{0});
    if (bytes > most_bytes) return publish(writer);
    const bool abort = dice_.one_in(8);
    add(diary_.attempts, kBatch);
    Batch batch = dice_.one_in(2) ? writer.reserve_batch(kBatch, bytes) : writer.reserve_batch(sizes);
    if (!batch) {
      note_refusal(batch.status());
      return count_as_one();
    }
    for (std::uint64_t number = first; number < first + kBatch; ++number) {
      const auto message = batch.append(scene_.messages.size_of(id_, number), id_);
      if (message.data() == nullptr) throw std::runtime_error("a batch has no room for what it was made for");
      scene_.messages.fill(message, id_, number);
    }
    if (abort) {
      batch.abort();
      add(diary_.aborted);
      count_as_one();
    } else {
      diary_.begun.store(first + kBatch - 1, std::memory_order_release);
      batch.commit();
      diary_.committed.store(first + kBatch - 1, std::memory_order_release);
    }
    diary_.pace.progress(now_ns());
  }

  void count_as_one() {
    diary_.attempts.store(diary_.attempts.load(relaxed) - (kBatch - 1), std::memory_order_release);
  }

  void note_refusal(Status status) {
    if (status != Status::full) throw std::runtime_error(fmt::format("reserve says {}", to_string(status)));
    add(diary_.dropped);
    diary_.pace.progress(now_ns());
  }

  const Scene& scene_;
  std::uint16_t id_;
  ProducerDiary& diary_;
  Dice dice_;
  Manner manner_;
};

// ---- readers

class Reading {
 public:
  Reading(const Scene& scene, std::uint32_t id)
      : scene_(scene), id_(id), diary_(scene.board.readers[id]), dice_(mix(scene.seed ^ (std::uint64_t{id} << 32))) {}

  void run() {
    const Segment segment = Segment::open(scene_.stream);
    for (std::uint32_t p = 0; p < kProducers; ++p) diary_.sight[p].before = scene_.board.producers[p].committed.load();
    Reader reader{segment, {.name = reader_name(id_), .from = diary_.newest ? From::newest : From::oldest}};
    for (std::uint32_t p = 0; p < kProducers; ++p) diary_.sight[p].after = scene_.board.producers[p].begun.load();
    diary_.pace.begin(now_ns());
    diary_.phase.store(Phase::attached);
    while (!diary_.retire.load(relaxed)) {
      const bool draining = scene_.board.drain.load();
      if (reader.wait_for(10ms)) {
        read_range(reader);
      } else if (draining) {
        diary_.drained = true;
        break;
      }
    }
    diary_.delivered = reader.delivered();
    diary_.lost = reader.lost();
    diary_.phase.store(Phase::leaving);
    reader.close();
    diary_.phase.store(Phase::left);
  }

 private:
  void read_range(Reader& reader) {
    const bool breaks_off = dice_.one_in(16);
    std::uint64_t left = breaks_off ? dice_.between(1, 100) : 0;
    for (const Frame& frame : reader.pin()) {
      take(frame);
      if (breaks_off && --left == 0) {
        if (dice_.one_in(32)) ::usleep(500);  // with the range still pinned
        break;
      }
      if (diary_.retire.load(relaxed)) break;
    }
  }

  void take(const Frame& frame) {
    const std::uint16_t producer = frame.type();
    if (producer == 0 || producer >= kProducers) throw wrong(producer, "no such producer");
    if (!scene_.messages.is_whole(frame.bytes(), producer)) throw wrong(producer, "torn message");
    Sight& sight = diary_.sight[producer];
    if (Messages::is_numbered(frame.bytes().size())) {
      take_numbered(sight, producer, frame.bytes());
    } else {
      take_unnumbered(sight, producer, frame.bytes().size());
    }
    ++sight.received;
    add(diary_.received);
    add(diary_.received_bytes, frame.bytes().size());
    diary_.pace.progress(now_ns());
  }

  void take_numbered(Sight& sight, std::uint16_t producer, std::span<const std::byte> message) {
    const std::uint64_t number = Messages::number_of(message);
    if (message.size() != scene_.messages.size_of(producer, number)) throw wrong(producer, "wrong size", number);
    const std::uint64_t expected = sight.through() + 1;
    const bool may_skip = !scene_.lossless || (!sight.known && !diary_.from_the_beginning);
    if (number < expected) throw wrong(producer, fmt::format("again, or out of order: expected {}", expected), number);
    if (number > expected && !may_skip) throw wrong(producer, fmt::format("missing from {}", expected), number);
    if (!sight.known) sight.base = number - expected;
    sight.known = true;
    sight.unnumbered = 0;
    sight.last = number;
  }

  void take_unnumbered(Sight& sight, std::uint16_t producer, std::size_t size) {
    ++sight.unnumbered;
    const bool number_is_known = scene_.lossless && (sight.known || diary_.from_the_beginning);
    if (number_is_known && scene_.messages.size_of(producer, sight.through()) != size) {
      throw wrong(producer, "wrong short message", sight.through());
    }
  }

  std::runtime_error wrong(std::uint16_t producer, std::string_view what, std::uint64_t number = 0) const {
    return std::runtime_error(fmt::format("{}, message {}: {} ({} received)", producer_name(producer), number, what,
                                          diary_.received.load(relaxed)));
  }

  const Scene& scene_;
  std::uint32_t id_;
  ReaderDiary& diary_;
  Dice dice_;
};

// Lives one incarnation after the other, as long as the supervisor names a successor.
template <typename Diaries, typename Live>
void live(Diaries& diaries, std::uint32_t id, Live live_once) {
  while (id != 0) {
    Diary& diary = diaries[id];
    diary.phase.store(Phase::starting);
    try {
      live_once(id);
    } catch (const std::exception& error) {
      diary.complain(error.what());
      throw;
    }
    id = diary.retire.load() ? diary.successor.load() : 0;
  }
}

// What keeps the oldest generation that is not closed.
std::string what_stands(const Segment& segment) {
  detail::StreamCore& core = test::main_stream(segment);
  const std::uint64_t generation = core.control().closed_through.load() + 1;
  std::string text = fmt::format("generation {} is not closed", generation);
  for (const SlabSnapshot& slab : inspect(segment).slabs) {
    text += fmt::format("; {} {}", slab.generation, slab.state);
    if (slab.generation != generation || segment.options().order == Order::total) continue;
    const std::uint64_t granules = core.geometry().granules_per_slab();
    for (std::uint64_t granule = 0; granule < granules; ++granule) {
      const layout::Extent extent{core.extent(slab.index, granule).load()};
      if (extent.state() == layout::ExtentState::closed) granule += extent.granules() - 1;
      if (extent.state() == layout::ExtentState::closed) continue;
      const layout::StreamSlot& owner = core.slot(extent.owner());
      text +=
          fmt::format(", granule {} is {:x}, its owner's registration {:x}, claim {:x}, progress {:x}, revoked {:x}",
                      granule, extent.word, test::participant(segment, extent.owner()).registration.load(),
                      owner.claim.load(), owner.progress.load(), owner.revoked.load());
      break;
    }
  }
  return text;
}

}  // namespace

std::string producer_name(std::uint32_t id) { return fmt::format("producer-{}", id); }
std::string reader_name(std::uint32_t id) { return fmt::format("reader-{}", id); }

void produce(const Scene& scene, std::uint32_t first) {
  live(scene.board.producers, first, [&](std::uint32_t id) { Producer{scene, id}.run(); });
}

void read(const Scene& scene, std::uint32_t first) {
  live(scene.board.readers, first, [&](std::uint32_t id) { Reading{scene, id}.run(); });
}

void idle(const Scene& scene) {
  Pace& pace = scene.board.idle;
  for (pace.begin(now_ns()); !scene.board.finish.load(); pace.progress(now_ns())) ::usleep(500);
}

void probe(const Scene& scene) {
  const Segment segment = Segment::open(scene.stream);
  const SegmentOptions options = segment.options();
  Reader reader{segment, {.name = "probe-reader", .from = From::newest}};
  Writer writer{segment, {.name = "probe-writer", .timeout = std::chrono::nanoseconds{kPatience} / 1ms * 1ms}};
  const std::size_t size = segment.max_message_bytes() / 2;
  for (std::uint32_t turn = 0; turn < 4 * options.slabs; ++turn) {
    // At its next look, a reader lets go of what it has read: a dropping writer would not wait for that.
    reader.wait_for(0ms);
    Reservation slot = writer.reserve(size, 1);
    if (!slot) {
      throw std::runtime_error(
          fmt::format("turn {}: reserve says {}; {}", turn, to_string(slot.status()), what_stands(segment)));
    }
    scene.messages.fill(slot.bytes(), 1, turn + 1);
    slot.commit();
    std::uint64_t got = 0;
    if (!reader.wait_for(std::chrono::nanoseconds{kPatience})) throw std::runtime_error("nothing to read");
    for (const Frame& frame : reader.pin()) got += scene.messages.is_whole(frame.bytes(), 1) ? 1 : 0;
    if (got != 1) throw std::runtime_error(fmt::format("turn {}: {} messages instead of one", turn, got));
  }
}

}  // namespace sapbuf::soak
