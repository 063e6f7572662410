#include "soak/pool_crew.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>

#include "soak/board.hpp"
#include "soak/clock.hpp"
#include "support/pool_invariants.hpp"
#include "support/possessions.hpp"

namespace sapbuf::soak {

struct PoolBoard : Diary {
  Shared<bool> finish;
  Shared<std::uint64_t> filled;
  Shared<std::uint64_t> adopted;
};

namespace {

using namespace std::chrono_literals;
using test::Content;

constexpr std::string_view kFrames = "frames";    // the pool
constexpr std::string_view kCarrier = "carrier";  // the stream
constexpr std::uint64_t kMostBuffers = 64;
constexpr std::size_t kSenders = 2;
constexpr std::size_t kReceivers = 2;

PoolBoard* make_board() {
  void* const memory = ::mmap(nullptr, sizeof(PoolBoard), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
  return static_cast<PoolBoard*>(memory);  // zeros: nothing yet
}

// What a process has, and what must stand in it until it lets go.
class Kept {
 public:
  void add(Buffer buffer, Content content) { all_.push_back({std::move(buffer), content}); }
  std::size_t size() const noexcept { return all_.size(); }
  // Throws if somebody else has written into it.
  std::pair<Buffer, Content> take(std::size_t which) {
    auto taken = std::move(all_.at(which));
    all_.erase(all_.begin() + static_cast<std::ptrdiff_t>(which));
    if (test::content_of(taken.first.bytes()) != taken.second) {
      throw std::runtime_error("a buffer was changed under its holder");
    }
    return taken;
  }

 private:
  std::vector<std::pair<Buffer, Content>> all_;
};

class Sender {
 public:
  Sender(const std::string& segment, PoolBoard& board, std::uint32_t who, Dice dice)
      : board_(board),
        who_(who),
        dice_(dice),
        segment_(Segment::open(segment)),
        user_(Pool::open(segment_, kFrames), {.budget = dice_.one_of({0u, 4u, 24u})}),
        writer_(Stream::open(segment_, kCarrier), {.timeout = 5ms}) {}

  void run() {
    while (!board_.finish.load(std::memory_order_relaxed)) {
      if (!fill_one() || kept_.size() > dice_.below(16)) let_go();
      if (dice_.one_in(4)) ::usleep(static_cast<unsigned>(dice_.below(300)));
    }
  }

 private:
  bool fill_one() {
    Buffer buffer = dice_.one_in(4) ? user_.acquire_for(2ms) : user_.acquire();
    switch (buffer.status()) {
      case Status::ok:
        break;
      case Status::exhausted:
      case Status::timeout:
      case Status::over_budget:
        return false;
      default:
        throw std::runtime_error(fmt::format("acquire says {}", to_string(buffer.status())));
    }
    const Content content = Content::make(who_, number_++);
    test::fill(buffer.bytes(), content);
    board_.filled.fetch_add(1, std::memory_order_relaxed);
    kept_.add(std::move(buffer), content);
    return true;
  }

  void let_go() {
    if (kept_.size() == 0) return;
    auto [buffer, content] = kept_.take(dice_.below(kept_.size()));
    if (dice_.one_in(4)) return;
    if (dice_.one_in(4)) buffer.share();
    Reservation slot = writer_.reserve(sizeof content);
    if (!slot) return;
    std::memcpy(slot.bytes().data(), &content, sizeof content);
    if (slot.attach(std::move(buffer)) && !dice_.one_in(16)) slot.commit();
  }

  PoolBoard& board_;
  const std::uint32_t who_;
  std::uint32_t number_ = 0;
  Dice dice_;
  const Segment segment_;
  PoolUser user_;
  Writer writer_;
  Kept kept_;
};

class Receiver {
 public:
  Receiver(const std::string& segment, PoolBoard& board, Dice dice)
      : board_(board),
        dice_(dice),
        segment_(Segment::open(segment)),
        user_(Pool::open(segment_, kFrames)),
        reader_(Stream::open(segment_, kCarrier)) {}

  void run() {
    while (!board_.finish.load(std::memory_order_relaxed)) {
      if (reader_.wait_for(5ms)) read();
      while (kept_.size() > dice_.below(8)) kept_.take(dice_.below(kept_.size()));
    }
  }

 private:
  void read() {
    for (const Frame& frame : reader_.pin()) {
      Content said;
      if (frame.bytes().size() != sizeof said) throw std::runtime_error("a torn message");
      std::memcpy(&said, frame.bytes().data(), sizeof said);
      for (const BufferReference& reference : frame.attachments()) adopt(reference, said);
      if (dice_.one_in(64)) break;
    }
  }

  void adopt(const BufferReference& reference, Content said) {
    Buffer buffer = user_.adopt(reference);
    if (!buffer) throw std::runtime_error(fmt::format("what is attached: {}", to_string(buffer.status())));
    if (test::content_of(buffer.bytes()) != said) throw std::runtime_error("what is attached is another's");
    board_.adopted.fetch_add(1, std::memory_order_relaxed);
    if (dice_.one_in(2)) kept_.add(std::move(buffer), said);
  }

  PoolBoard& board_;
  Dice dice_;
  const Segment segment_;
  PoolUser user_;
  Reader reader_;
  Kept kept_;
};

}  // namespace

PoolCrew::PoolCrew(std::string segment, const Plan& plan, RoundResult& result)
    : segment_(std::move(segment)), plan_(plan), result_(result), dice_(mix(plan.seed)), board_(make_board()) {
  const Segment own = Segment::open(segment_);
  Stream::create(own, kCarrier,
                 {.slabs = 2,
                  .slab_bytes = 16384,
                  .order = plan.options.order,
                  .on_full = plan.options.on_full,
                  .attachments = dice_.one_of({0u, 6u, 16u})});
  Pool::create(own, kFrames, {.buffer_bytes = 512, .count = dice_.one_of({8u, 48u}), .max_count = kMostBuffers});
}

PoolCrew::~PoolCrew() { ::munmap(board_, sizeof(PoolBoard)); }

void PoolCrew::send_in(bool sends) {
  const std::uint32_t who = next_who_++;
  const Dice dice{mix(plan_.seed ^ std::uint64_t{who} << 40)};
  Process process{[this, sends, who, dice] {
    try {
      sends ? Sender{segment_, *board_, who, dice}.run() : Receiver{segment_, *board_, dice}.run();
    } catch (const std::exception& error) {
      board_->complain(error.what());
      throw;
    }
  }};
  members_.push_back({.sends = sends, .who = who, .process = std::move(process)});
}

void PoolCrew::start() {
  for (std::size_t i = 0; i < kSenders; ++i) send_in(true);
  for (std::size_t i = 0; i < kReceivers; ++i) send_in(false);
}

void PoolCrew::event() {
  if (members_.empty()) return;
  Member& member = members_[dice_.below(members_.size())];
  if (member.killed) return;
  if (!plan_.stops || dice_.one_in(2)) {
    member.killed = true;
    member.process.send(SIGKILL);
    ++result_.pool_kills;
  } else if (member.continue_ns == 0) {
    member.continue_ns = now_ns() + dice_.between(1, 100) * kMillisecond;
    member.process.send(SIGSTOP);
    ++result_.stops;
  }
}

void PoolCrew::continue_due(std::uint64_t now) {
  for (Member& member : members_) {
    if (member.continue_ns == 0 || member.continue_ns > now) continue;
    member.process.send(SIGCONT);
    member.continue_ns = 0;
  }
}

void PoolCrew::reap(bool replace) {
  std::vector<bool> gone;
  std::erase_if(members_, [&](Member& member) {
    const auto status = member.process.reap();
    if (!status) return false;
    if (!member.killed && *status != 0) {
      result_.violations.push_back(fmt::format("a pool's {} ended with status {}: {}",
                                               member.sends ? "sender" : "receiver", *status,
                                               board_->troubled.load() ? board_->trouble.data() : "no reason given"));
    }
    gone.push_back(member.sends);
    return true;
  });
  if (!replace) return;
  for (const bool sends : gone) send_in(sends);
}

void PoolCrew::look() {
  continue_due(now_ns());
  reap(true);
}

void PoolCrew::await_end() {
  board_->finish.store(true);
  continue_due(~std::uint64_t{0});
  for (const std::uint64_t until = now_ns() + kPatience; !members_.empty() && now_ns() < until; ::usleep(500)) {
    reap(false);
  }
  for (const Member& member : members_) {
    result_.violations.push_back(fmt::format("a pool's {} (pid {}) does not come to its end",
                                             member.sends ? "sender" : "receiver", member.process.pid()));
  }
  result_.buffers_filled += board_->filled.load();
  result_.buffers_adopted += board_->adopted.load();
}

void PoolCrew::audit() {
  const Pool pool = Pool::open(Segment::open(segment_), kFrames);
  if (const std::string broken = test::broken_pool_invariant(pool); !broken.empty()) {
    result_.violations.push_back("the pool: " + broken);
  }
  PoolUser auditor{pool, {.name = "auditor"}};
  std::vector<Buffer> all;
  while (Buffer buffer = auditor.acquire_for(1ms)) all.push_back(std::move(buffer));
  result_.buffers_leaked += kMostBuffers - all.size();
  if (all.size() != kMostBuffers) {
    result_.violations.push_back(fmt::format("the auditor gets {} buffers of {}", all.size(), kMostBuffers));
  }
}

}  // namespace sapbuf::soak
