// Readers, writers, open ranges and reservations that live on while the words under them change: the input is a script
// of steps. Where the input is peaceful, every step leaves the segment as it must be.
#include <optional>

#include "fuzz/target.hpp"
#include "fuzz/world.hpp"
#include "support/invariants.hpp"

namespace sapbuf::fuzz {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kHandles = 3;
constexpr unsigned kMostHandlesMade = 8;  // attaching costs more than all other steps

struct LiveWriter {
  explicit LiveWriter(const Segment& segment) : writer(segment, {.timeout = 0ms}) {}
  Writer writer;
  std::optional<Reservation> reservation;
};

struct LiveReader {
  LiveReader(const Segment& segment, From from) : reader(segment, {.from = from}) {}
  Reader reader;
  std::optional<PinnedRange> range;
  PinnedRange::Iterator at;
};

class Script {
 public:
  Script(World& world, const Segment& segment, Input& input) : world_(world), segment_(segment), input_(input) {}

  void run() {
    take_steps(
        world_, input_, [&] { take_step(); }, [&] { look_at_words(); });
  }

 private:
  void look_at_words() const {
    const bool settled = find_dead(segment_).dead.empty();
    test::check_invariants(segment_, settled ? test::Motion::none : test::Motion::stopped);
  }

  void take_step() {
    const std::uint8_t step = input_.byte();
    const std::size_t which = step >> 4 & 3;
    switch (step & 15) {
      case 0:
      case 1:
        return world_.edit(input_);
      case 2:
        return edit_on_the_way();
      case 3:
        return make_writer(which);
      case 4:
        return make_reader(which, (step & 0x80) != 0 ? From::newest : From::oldest);
      case 5:
      case 6:
        return write(which);
      case 7:
        return reserve(which);
      case 8:
        return end_reservation(which, (step & 0x80) != 0);
      case 9:
        return pin(which);
      case 10:
        return walk(which);
      case 11:
        return unpin(which);
      case 12:
        return wait(which);
      case 13:
        return look(step >> 4);
      case 14:
        return close(which, (step & 0x80) != 0);
      default:
        return read(which);
    }
  }

  // The edit itself follows in the input, behind the number of kill points until it is made.
  void edit_on_the_way() {
    Input later = input_;
    static_cast<void>(input_.word());
    world_.lie_in_wait_once(later);
  }

  LiveWriter* writer(std::size_t which) { return writers_[which % kHandles].get(); }
  LiveReader* reader(std::size_t which) { return readers_[which % kHandles].get(); }

  void make_writer(std::size_t which) {
    if (made_ < kMostHandlesMade && ++made_ != 0) {
      writers_[which % kHandles].reset();
      writers_[which % kHandles] = std::make_unique<LiveWriter>(segment_);
    }
  }
  void make_reader(std::size_t which, From from) {
    if (made_ < kMostHandlesMade && ++made_ != 0) {
      readers_[which % kHandles].reset();
      readers_[which % kHandles] = std::make_unique<LiveReader>(segment_, from);
    }
  }

  void write(std::size_t which) {
    reserve(which);
    end_reservation(which, false);
  }
  void reserve(std::size_t which) {
    const std::size_t size = input_.half() % 5000;
    LiveWriter* const live = writer(which);
    if (live == nullptr) return;
    Reservation fresh = live->writer.reserve(size);
    if (fresh) live->reservation.emplace(std::move(fresh));
  }
  void end_reservation(std::size_t which, bool abort) {
    LiveWriter* const live = writer(which);
    if (live == nullptr || !live->reservation) return;
    test::overwrite(segment_, live->reservation->bytes());
    const std::size_t size = live->reservation->bytes().size();
    if (abort) live->reservation->abort();
    live->reservation->commit(size - size / 4);
    live->reservation.reset();
  }

  void pin(std::size_t which) {
    LiveReader* const live = reader(which);
    if (live == nullptr || live->range) return;
    live->range.emplace(live->reader.pin());
    live->at = live->range->begin();
  }
  void walk(std::size_t which) {
    LiveReader* const live = reader(which);
    if (live == nullptr || !live->range) return;
    for (unsigned i = 0; i < 4 && live->at != std::default_sentinel; ++i, ++live->at) {
      test::touch(segment_, live->at->bytes());
    }
  }
  void unpin(std::size_t which) {
    if (LiveReader* const live = reader(which)) live->range.reset();
  }
  void read(std::size_t which) {
    pin(which);
    LiveReader* const live = reader(which);
    if (live == nullptr || !live->range) return;
    for (; live->at != std::default_sentinel; ++live->at) test::touch(segment_, live->at->bytes());
    live->range.reset();
  }
  void wait(std::size_t which) {
    if (LiveReader* const live = reader(which)) static_cast<void>(live->reader.wait_for(1us));
  }

  void look(unsigned how) {
    switch (how % 4) {
      case 0:
        return static_cast<void>(recover(segment_));
      case 1:
        return static_cast<void>(find_dead(segment_));
      case 2:
        return static_cast<void>(inspect(segment_));
      default:
        return test::dump_all(segment_, &World::pause);
    }
  }

  void close(std::size_t which, bool of_reader) {
    if (of_reader) {
      readers_[which % kHandles].reset();
    } else {
      writers_[which % kHandles].reset();
    }
  }

  World& world_;
  const Segment& segment_;
  Input& input_;
  unsigned made_ = 0;
  std::unique_ptr<LiveWriter> writers_[kHandles];
  std::unique_ptr<LiveReader> readers_[kHandles];
};

}  // namespace
}  // namespace sapbuf::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sapbuf;
  fuzz::Input input{data, size};
  fuzz::World world{input};
  fuzz::tolerate([&] {
    const Segment segment = Segment::open_in(world.memory());
    fuzz::Script{world, segment, input}.run();
  });
  return 0;
}
