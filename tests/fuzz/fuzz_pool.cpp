// Users of a pool, and those who attach its buffers, that live on while the words under them change: the input is a
// script of steps. Nobody may get what is no buffer of the pool. Where the input is peaceful, every step leaves the pool
// as it must be, and nobody gets what somebody else has.
#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "fuzz/pool_world.hpp"
#include "fuzz/target.hpp"
#include "fuzz/world.hpp"
#include "pool/pool_core.hpp"
#include "support/pool_invariants.hpp"

namespace sapbuf::fuzz {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kHandles = 3;
constexpr std::size_t kMostHeld = 32;
constexpr unsigned kMostHandlesMade = 6;  // attaching costs more than all other steps

class Script {
 public:
  Script(FacilityWorld& world, const Segment& segment, Input& input)
      : world_(world), segment_(segment), pool_(Pool::open(segment, "frames")), input_(input) {}

  void run() {
    take_steps(
        world_, input_, [&] { take_step(); }, [&] { look_at_words(); });
  }

 private:
  void look_at_words() const {
    const bool settled = find_dead(segment_).dead.empty();
    const auto motion = settled ? test::Motion::none : test::Motion::stopped;
    const std::string problem = test::broken_pool_invariant(pool_, motion);
    if (!problem.empty()) throw std::logic_error(problem);
  }

  void take_step() {
    const std::uint8_t step = input_.byte();
    const std::size_t which = step >> 4 & 3;
    switch (step & 15) {
      case 0:
      case 1:
        return world_.edit(input_);
      case 2:
        return world_.edit_on_the_way(input_);
      case 3:
        return make_user(which);
      case 4:
        return keep(which, [](PoolUser& user) { return user.acquire(); });
      case 5:
        return keep(which, [bytes = any_size()](PoolUser& user) { return user.acquire(bytes); });
      case 6:
        return keep(which, [bytes = any_size()](PoolUser& user) { return user.acquire_for(bytes, 1us); });
      case 7:
      case 8:
        return release();
      case 9:
        return share();
      case 10:
        return keep(which, [&](PoolUser& user) { return user.adopt(reference_); });
      case 11:
        return adopt_anything(which);
      case 12:
        return attach();
      case 13:
        return read(which);
      case 14:
        return look(step >> 4);
      default:
        return (step & 0x80) != 0 ? open_anew() : users_[which % kHandles].reset();
    }
  }

  void make_user(std::size_t which) {
    if (made_++ >= kMostHandlesMade) return;
    users_[which % kHandles].reset();
    users_[which % kHandles] = std::make_unique<PoolUser>(pool_);
  }

  // All of it is written; so it must be a buffer of the pool's, whole.
  void touch(const Buffer& buffer) const {
    const auto at = static_cast<std::uint64_t>(buffer.bytes().data() - pool_.core()->buffers());
    const layout::PoolGeometry& geometry = pool_.core()->geometry();
    const std::uint64_t most = geometry.max_count * geometry.stride_bytes;
    const std::uint64_t bytes = buffer.bytes().size();
    const bool is_size = geometry.classes != 0 ? bytes % geometry.stride_bytes == 0 && bytes <= kFuzzedLargest
                                               : bytes == kFuzzedBufferBytes;
    if (!is_size || at % geometry.stride_bytes != 0 || at >= most || bytes > most - at)
      throw std::logic_error("what a user got is no buffer of the pool");
    std::memset(buffer.bytes().data(), 0xff, buffer.bytes().size());
  }

  std::uint64_t any_size() {
    return pool_.core()->has_classes() ? std::uint64_t{input_.byte()} * kFuzzedLargest / 255 : kFuzzedBufferBytes;
  }

  template <typename Take>
  void keep(std::size_t which, Take take) {
    PoolUser* const user = users_[which % kHandles].get();
    if (user == nullptr || held_.size() >= kMostHeld) return;
    Buffer buffer = take(*user);
    if (!buffer) return;
    touch(buffer);
    held_.push_back(std::move(buffer));
  }

  void adopt_anything(std::size_t which) {
    const BufferReference any{reference_.where, input_.byte() % 32u, input_.byte() % 8u};
    keep(which, [&](PoolUser& user) { return user.adopt(any); });
  }

  std::size_t pick() { return input_.byte() % held_.size(); }
  void release() {
    if (held_.empty()) return;
    std::swap(held_[pick()], held_.back());
    held_.pop_back();
  }
  void share() {
    if (!held_.empty()) reference_ = held_[pick()].share();
  }

  void attach() {
    if (writer_ == nullptr) writer_ = std::make_unique<Writer>(segment_, WriterOptions{.timeout = 0ms});
    if (held_.empty()) return;
    Buffer& buffer = held_[pick()];
    Reservation slot = writer_->reserve(8);
    if (slot && slot.attach(std::move(buffer))) slot.commit();
    std::erase_if(held_, [](const Buffer& each) { return !each; });
  }

  void read(std::size_t which) {
    if (reader_ == nullptr) reader_ = std::make_unique<Reader>(segment_);
    std::size_t count = 0;
    for (const Frame& frame : reader_->pin()) {
      for (const BufferReference& reference : frame.attachments()) {
        keep(which, [&](PoolUser& user) { return user.adopt(reference); });
        if (++count == 100) return;
      }
    }
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
        return static_cast<void>(layout_of(segment_));
    }
  }

  void open_anew() const {
    const Segment segment = Segment::open_in(world_.memory());
    tolerate([&] { static_cast<void>(inspect(segment)); });
    const Pool pool = Pool::open(segment, "frames");
    static_cast<void>(pool.count());
  }

  FacilityWorld& world_;
  const Segment& segment_;
  const Pool pool_;
  Input& input_;
  unsigned made_ = 0;
  BufferReference reference_;
  std::unique_ptr<PoolUser> users_[kHandles];
  std::unique_ptr<Writer> writer_;
  std::unique_ptr<Reader> reader_;
  std::vector<Buffer> held_;
};

}  // namespace
}  // namespace sapbuf::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sapbuf;
  fuzz::Input input{data, size};
  const std::uint8_t choice = input.byte();
  fuzz::FacilityWorld world{fuzz::busy_pool(choice), choice, input};
  fuzz::tolerate([&] {
    const Segment segment = Segment::open_in(world.memory());
    fuzz::Script{world, segment, input}.run();
  });
  return 0;
}
