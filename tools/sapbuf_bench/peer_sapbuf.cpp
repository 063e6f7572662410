#include <unistd.h>

#include <algorithm>
#include <sapbuf/sapbuf.hpp>
#include <stdexcept>

#include "hand_over.hpp"

namespace sapbuf::bench {
namespace {

using namespace std::chrono_literals;

class SapbufPeer final : public Peer {
 public:
  SapbufPeer(const SegmentOptions& options, unsigned batch) : options_(options), batch_(batch) {}

  void prepare(const Load&) override {
    name_ = "bench." + std::to_string(::getpid());
    Segment::remove(name_);
    Segment::create(name_, options_);
  }

  void produce(const Load& load, const Ready& begin) override {
    const Segment segment = Segment::open(name_);
    Writer writer{segment, {.name = "producer"}};
    begin();
    if (batch_ == 1) {
      produce_singly(writer, load);
    } else {
      produce_batches(writer, load);
    }
  }

  std::uint64_t consume(const Load& load, const Ready& ready) override {
    const Segment segment = Segment::open(name_);
    Reader reader{segment, {.name = "consumer"}};
    ready();
    const std::uint64_t wanted = load.messages * load.producers;
    std::uint64_t sum = 0;
    for (std::uint64_t seen = 0; seen < wanted;) {
      if (!reader.wait_for(20s)) throw std::runtime_error("sapbuf: nothing came for 20 s");
      for (const Frame& frame : reader.pin()) {
        sum += sum_of(frame.bytes().data(), frame.bytes().size());
        ++seen;
      }
    }
    return sum;
  }

  void clean_up() noexcept override {
    try {
      Segment::remove(name_);
    } catch (const Error&) {
      // It was ours; if it cannot be removed, 'sapbuf ls' shows it.
    }
  }

 private:
  static void check(Status status) {
    if (status != Status::ok) throw std::runtime_error("sapbuf: " + std::string(to_string(status)));
  }

  // The writers are moved in: a local variable is what their inlined path wants.
  static void produce_singly(Writer& given, const Load& load) {
    Writer writer{std::move(given)};
    for (std::uint64_t number = 0; number < load.messages; ++number) {
      Reservation reservation = writer.reserve(load.message_bytes);
      if (!reservation) return check(reservation.status());
      fill(reservation.bytes().data(), load.message_bytes, number);
      reservation.commit();
    }
  }

  void produce_batches(Writer& given, const Load& load) const {
    Writer writer{std::move(given)};
    for (std::uint64_t number = 0; number < load.messages;) {
      const std::uint64_t end = std::min(number + batch_, load.messages);
      Batch batch = writer.reserve_batch_of(end - number, load.message_bytes);
      if (!batch) return check(batch.status());
      for (; number < end; ++number) fill(batch.append(load.message_bytes).data(), load.message_bytes, number);
      batch.commit();
    }
  }

  const SegmentOptions options_;
  const unsigned batch_;
  std::string name_;
};

}  // namespace

std::unique_ptr<Peer> make_sapbuf(const SegmentOptions& options, unsigned batch) {
  return std::make_unique<SapbufPeer>(options, batch);
}

}  // namespace sapbuf::bench
