// What it costs to hold a shared buffer for a moment: adopted and released, while others hold it. Beside it, the least
// that a mask of holders in the buffer's word could cost: a bit that is set and taken away again.
#include <fmt/format.h>

#include <atomic>
#include <optional>
#include <sapbuf/pool.hpp>

#include "at_once.hpp"
#include "pool_place.hpp"
#include "scenarios.hpp"
#include "shared_memory.hpp"
#include "single_calls.hpp"

namespace sapbuf::bench {
namespace {

// A buffer that so many users hold: the one who shared it, and others who adopted it.
class Held {
 public:
  Held(const Pool& pool, unsigned holders) : users_(holders) {
    for (unsigned i = 0; i < holders; ++i) {
      users_[i].emplace(pool);
      buffers_.push_back(i == 0 ? users_[i]->acquire() : users_[i]->adopt(reference_));
      if (i == 0) reference_ = buffers_[i].share();
      if (!buffers_[i]) throw std::runtime_error("no buffer to hold");
    }
  }
  const BufferReference& reference() const noexcept { return reference_; }

 private:
  std::vector<std::optional<PoolUser>> users_;
  std::vector<Buffer> buffers_;
  BufferReference reference_;
};

bool adopt_and_release(PoolUser& user, const BufferReference& reference) noexcept {
  const Buffer buffer = user.adopt(reference);
  std::byte* at = buffer.bytes().data();
  benchmark::DoNotOptimize(at);
  return at != nullptr;
}

class Mask {
 public:
  explicit Mask(unsigned holders) { holders_->store((std::uint64_t{1} << holders) - 1); }

  // By a holder whose number nobody else has. False if nobody held it, so that it was free by now.
  bool adopt_and_release(unsigned number) const noexcept {
    const std::uint64_t own = std::uint64_t{1} << number;
    const bool is_held = holders_->fetch_or(own, std::memory_order_acquire) != 0;
    benchmark::DoNotOptimize(is_held);
    const bool is_last = holders_->fetch_and(~own, std::memory_order_acq_rel) == own;
    benchmark::DoNotOptimize(is_last);
    return is_held;
  }

 private:
  const SharedMemory memory_{4096};
  std::atomic<std::uint64_t>* const holders_ = new (memory_.get()) std::atomic<std::uint64_t>{0};
};

constexpr const char* kPool = "sapbuf pool";
constexpr const char* kMask = "mask in a word";
constexpr unsigned kOwnNumber = 62;  // in a mask; the second process has the next one

void measure_alone(Report& report, const Pool& pool) {
  std::vector<Call> calls;
  for (const unsigned holders : {1u, 4u, 16u}) {
    const std::string many = fmt::format(", {} holder{}", holders, holders == 1 ? "" : "s");
    calls.push_back({kPool + many, [=](benchmark::State& state) {
                       const Held held{pool, holders};
                       PoolUser user{pool};
                       for (auto _ : state) {
                         if (!adopt_and_release(user, held.reference())) return state.SkipWithError("not adopted");
                       }
                     }});
    calls.push_back({kMask + many, [=](benchmark::State& state) {
                       const Mask mask{holders};
                       for (auto _ : state) {
                         if (!mask.adopt_and_release(kOwnNumber)) return state.SkipWithError("not held");
                       }
                     }});
  }
  report.add({"pool-adopt", "adopt + release of a shared buffer", "ns", run_calls(calls, report.options(), 1)});
}

// Two processes that adopt and release the same buffer, each on its core.
void measure_at_once(Report& report, const PoolPlace& place) {
  const std::uint64_t count = report.options().quick ? 50'000 : 2'000'000;
  const Held held{place.pool(), 1};
  const Mask mask{1};
  const auto ns = [count](double seconds) { return seconds * 1e9 / static_cast<double>(count); };
  const auto with_pool = [&](unsigned, const Ready& ready) {
    PoolUser user{place.pool()};
    ready();
    for (std::uint64_t i = 0; i < count; ++i) {
      if (!adopt_and_release(user, held.reference())) throw std::runtime_error("not adopted");
    }
  };
  const auto with_mask = [&](unsigned process, const Ready& ready) {
    ready();
    for (std::uint64_t i = 0; i < count; ++i) {
      if (!mask.adopt_and_release(kOwnNumber + process)) throw std::runtime_error("not held");
    }
  };
  std::vector<Column> columns{{kPool, [&] { return ns(at_once(2, with_pool)); }},
                              {kMask, [&] { return ns(at_once(2, with_mask)); }}};
  report.measure({"pool-adopt-at-once", "adopt + release of a shared buffer, two processes at once", "ns",
                  std::move(columns), 0, true});
}

}  // namespace

void measure_pool_adopt(Report& report) {
  const PoolPlace place{{.buffer_bytes = 64, .count = 64}};
  measure_alone(report, place.pool());
  measure_at_once(report, place);
}

}  // namespace sapbuf::bench
