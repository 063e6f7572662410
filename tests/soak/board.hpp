// What a round's processes tell the supervisor, in memory that they share and that outlives them: diaries. A diary is
// written by one process only; a kill leaves it as it stands at that moment.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

namespace sapbuf::soak {

inline constexpr std::uint32_t kProducers = 256;  // incarnations in a round; 0 is nobody
inline constexpr std::uint32_t kReaders = 128;

template <typename T>
using Shared = std::atomic<T>;

// How far an incarnation is. Killed in `starting` or `leaving`, it may or may not have been a participant.
enum class Phase : std::uint32_t { absent, starting, attached, leaving, left };

// Times without progress, as the process itself saw them.
class Pace {
 public:
  struct Gap {
    std::uint64_t from_ns;
    std::uint64_t to_ns;
    std::uint64_t length() const noexcept { return to_ns - from_ns; }
  };
  static constexpr std::uint32_t kGaps = 256;

  void begin(std::uint64_t now) noexcept { last_ns_.store(now, std::memory_order_relaxed); }
  void progress(std::uint64_t now) noexcept {
    const std::uint64_t last = last_ns_.load(std::memory_order_relaxed);
    if (now - last >= kShortestNs) note({last, now});
    last_ns_.store(now, std::memory_order_relaxed);
  }
  std::uint32_t gaps() const noexcept { return count_.load(std::memory_order_acquire); }
  const Gap& gap(std::uint32_t index) const noexcept { return gap_[index]; }

 private:
  static constexpr std::uint64_t kShortestNs = 1'000'000;
  // When there is no more room, the shortest goes.
  void note(Gap gap) noexcept;

  Shared<std::uint64_t> last_ns_;
  Shared<std::uint32_t> count_;
  std::array<Gap, kGaps> gap_;
};

struct Diary {
  Shared<Phase> phase;
  Shared<bool> retire;              // asked to detach of its own accord
  Shared<std::uint32_t> successor;  // the incarnation that the same process becomes then; 0: it ends
  Pace pace;
  Shared<bool> troubled;
  std::array<char, 1000> trouble;
  // Tells what is wrong; the process ends.
  void complain(std::string_view text) noexcept;
};

struct alignas(64) ProducerDiary : Diary {
  Shared<std::uint64_t> attempts;   // before reserve; a batch that is under way counts as all of its messages
  Shared<std::uint64_t> begun;      // number of the message that may be committed from now on
  Shared<std::uint64_t> committed;  // number of the last one that surely is
  Shared<std::uint64_t> aborted;
  Shared<std::uint64_t> dropped;
};

// What a reader got of one producer.
struct Sight {
  std::uint64_t base;        // messages before the first that it got
  std::uint64_t last;        // the last number seen
  std::uint64_t unnumbered;  // messages since then, too short for a number
  std::uint64_t received;
  std::uint64_t before;  // `committed` before this reader attached
  std::uint64_t after;   // `begun` after it had attached
  bool known;            // `base` is known
  // The last message that is accounted for.
  std::uint64_t through() const noexcept { return last + unnumbered; }
};

struct alignas(64) ReaderDiary : Diary {
  Shared<std::uint64_t> received;
  Shared<std::uint64_t> received_bytes;
  std::uint64_t delivered;  // as the reader itself counts, when it left
  std::uint64_t lost;
  bool from_the_beginning;
  bool newest;   // attached with From::newest
  bool drained;  // left because nothing was left to read
  std::array<Sight, kProducers> sight;
};

struct Board {
  Shared<bool> finish;  // producers: come to an end
  Shared<bool> drain;   // readers: end when there is nothing more
  Pace idle;            // of a process that only naps: what the machine itself adds to every gap
  std::array<ProducerDiary, kProducers> producers;
  std::array<ReaderDiary, kReaders> readers;
};

void* map_shared(std::size_t bytes);  // zeros; throws std::system_error
void unmap_shared(void* memory, std::size_t bytes) noexcept;

// A board that children made by fork share. All of its words mean "nothing yet" when they are zero, as new memory is.
template <typename T>
class SharedBoardOf {
 public:
  SharedBoardOf() : board_(static_cast<T*>(map_shared(sizeof(T)))) {}
  SharedBoardOf(const SharedBoardOf&) = delete;
  SharedBoardOf& operator=(const SharedBoardOf&) = delete;
  ~SharedBoardOf() { unmap_shared(board_, sizeof(T)); }
  T& operator*() const noexcept { return *board_; }
  T* operator->() const noexcept { return board_; }

 private:
  T* const board_;
};
using SharedBoard = SharedBoardOf<Board>;

}  // namespace sapbuf::soak
