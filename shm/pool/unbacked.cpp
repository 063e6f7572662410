#include "pool/unbacked.hpp"

#include <ctime>

#include <sapbuf/detail/kill_point.hpp>

#include "platform/clock.hpp"
#include "pool/chunks.hpp"

namespace SAPBUF_DETAIL {
namespace {

using layout::ChunkState;
using layout::ChunkWord;
using layout::kChunkBuffers;

struct Pages {
  std::uint64_t offset = 0;  // from the segment's first byte
  std::uint64_t bytes = 0;
};

// Those that have nothing of other chunks.
Pages pages_of(const PoolCore& core, std::uint32_t chunk) noexcept {
  const layout::PoolGeometry& geometry = core.geometry();
  const std::uint64_t begin = geometry.buffers_at + first_buffer_of(chunk) * geometry.stride_bytes;
  const std::uint64_t end = begin + kChunkBuffers * geometry.stride_bytes;
  const std::uint64_t first = layout::round_up(begin, layout::kPageBytes);
  const std::uint64_t last = end / layout::kPageBytes * layout::kPageBytes;
  return first < last ? Pages{first, last - first} : Pages{};
}

// While the caller changes what is behind it: the chunk's word as it will be if that fails.
class Change {
 public:
  Change(PoolCore& core, std::uint32_t chunk, ChunkState from, std::uint32_t owner) noexcept
      : word_(core.chunk(chunk)), end_(ChunkWord::make(from)) {
    std::uint64_t seen = end_.word;
    begun_ = word_.compare_exchange_strong(seen, ChunkWord::make(ChunkState::changing, owner).word,
                                           std::memory_order_acq_rel);
    if (begun_) SAPBUF_KILL_POINT(chunk_changing);
  }
  Change(const Change&) = delete;
  Change& operator=(const Change&) = delete;
  ~Change() {
    if (!begun_) return;
    // pool-free: release, behind what was done to the pages.
    word_.store(end_.word, std::memory_order_release);
    SAPBUF_KILL_POINT(chunk_changed);
  }

  bool begun() const noexcept { return begun_; }
  void end_as(ChunkState state) noexcept { end_ = ChunkWord::make(state); }

 private:
  layout::Word& word_;
  ChunkWord end_;
  bool begun_;
};

constexpr std::uint32_t kNone = ~std::uint32_t{0};
constexpr std::uint64_t kPatienceNs = 20'000'000;  // with others who have chunks in hand, one of whom may be stopped

// Whether somebody has a chunk in hand that nobody uses: it may be free in a moment.
bool is_one_in_hand(const PoolCore& core) noexcept {
  const std::uint32_t chunks = count_chunks(core);
  for (std::uint32_t chunk = 0; chunk < chunks; ++chunk) {
    if (ChunkWord{core.chunk(chunk).load(std::memory_order_acquire)}.state() == ChunkState::changing) return true;
  }
  return false;
}

// The first of so many adjacent chunks that are free, or will be once they have memory; one of them has none. Or kNone.
std::uint32_t find_to_allocate(const PoolCore& core, std::uint32_t wanted) noexcept {
  const std::uint32_t chunks = count_chunks(core);
  std::uint32_t begin = 0;
  std::uint32_t last_unbacked = kNone;
  for (std::uint32_t chunk = 0; chunk < chunks; ++chunk) {
    const ChunkState state = ChunkWord{core.chunk(chunk).load(std::memory_order_acquire)}.state();
    if (state == ChunkState::unbacked) last_unbacked = chunk;
    if (state != ChunkState::unbacked && state != ChunkState::free) begin = chunk + 1;
    const std::uint32_t first = chunk + 1 - wanted;
    if (chunk + 1 >= begin + wanted && last_unbacked != kNone && last_unbacked >= first) return first;
  }
  return kNone;
}

}  // namespace

std::uint64_t give_back_free_chunks(PoolCore& core, std::uint32_t owner) {
  if (core.segment().supplied(0) != nullptr) return 0;
  std::uint64_t given = 0;
  const std::uint32_t complete = core.count() / kChunkBuffers;  // the last one may grow
  for (std::uint32_t chunk = 0; chunk < complete; ++chunk) {
    const Pages pages = pages_of(core, chunk);
    if (pages.bytes == 0) continue;
    Change change{core, chunk, ChunkState::free, owner};
    if (!change.begun()) continue;
    change.end_as(ChunkState::unbacked);  // also if it fails: some may be gone
    core.segment().give_back(pages.offset, pages.bytes);
    given += pages.bytes;
  }
  return given;
}

namespace {

// False: somebody else was faster. Throws Error (no_space).
bool allocate_chunk(PoolCore& core, std::uint32_t chunk, std::uint32_t owner) {
  Change change{core, chunk, ChunkState::unbacked, owner};
  if (!change.begun()) return false;
  const Pages pages = pages_of(core, chunk);
  core.segment().allocate(pages.offset, pages.bytes);
  change.end_as(ChunkState::free);
  return true;
}

}  // namespace

bool allocate_chunks(PoolCore& core, std::uint32_t count, std::uint32_t owner) {
  const auto wanted = static_cast<std::uint32_t>(layout::chunks_of(count));
  const std::uint64_t deadline_ns = platform::monotonic_ns() + kPatienceNs;
  for (bool others_do = false;; others_do = true) {
    const std::uint32_t first = find_to_allocate(core, wanted);
    bool allocated = false;
    for (std::uint32_t chunk = first; first != kNone && chunk < first + wanted; ++chunk) {
      if (allocate_chunk(core, chunk, owner)) allocated = true;
    }
    if (allocated) return true;
    if (first == kNone && !is_one_in_hand(core)) return others_do;
    if (platform::monotonic_ns() >= deadline_ns) return false;
    SAPBUF_KILL_POINT(chunk_awaited);
    const timespec nap{0, 50'000};
    ::nanosleep(&nap, nullptr);
  }
}

}  // namespace SAPBUF_DETAIL
