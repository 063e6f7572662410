// What became of each message of a round's queues, noted right before or right after each call in memory that outlives
// those who note it.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include <sapbuf/sapbuf.hpp>

#include "soak/board.hpp"

namespace sapbuf::soak {

inline constexpr std::string_view kBlocks = "blocks";  // the pool
inline constexpr std::string_view kJobs = "jobs";
inline constexpr std::string_view kAnswers = "answers";
inline constexpr std::string_view kFailed = "failed";  // dead letters, where there is one group
inline constexpr std::uint64_t kBlockCount = 96;
inline constexpr std::uint32_t kMostMessages = 1 << 18;  // in a round; their numbers are below, 0 is none's
inline constexpr std::uint32_t kQueueGroups = 2;         // at the most
inline constexpr std::uint64_t kQueueKeys = 6;

// Who works on something that only one may work on at a time.
class Workplace {
 public:
  // Throws if somebody is there who lives.
  void enter(std::string_view what);
  void leave(std::string_view what);

 private:
  Shared<pid_t> worker_;
};

// What one group of consumers did with a message.
struct MessageFate {
  Workplace workplace;
  Shared<bool> finishing;  // it may have been done with, by who had it last
  Shared<std::uint8_t> finished;
  Shared<bool> retried;  // a dead letter that was handed out once more: it comes behind others that were newer
};

struct MessageRecord {
  Shared<bool> releasing;  // it may have been released
  Shared<bool> released;
  std::array<MessageFate, kQueueGroups> fates;
};

// In each group, and of each key: the workplace of its messages, and how far they are.
struct KeyRecord {
  Workplace workplace;
  Shared<std::uint64_t> finished_up_to;  // position
};

struct QueueBoard : Diary {
  Shared<bool> finish;
  Shared<std::uint64_t> last_number;
  Shared<std::uint64_t> released;
  Shared<std::uint64_t> taken;
  Shared<std::uint64_t> redelivered;  // of these, that had been taken before
  std::array<MessageRecord, kMostMessages> messages;
  std::array<std::array<KeyRecord, kQueueKeys>, kQueueGroups> keys;
};

// Messages are the same number, word by word; in answers the words behind the first one are inverted.
enum class MessageKind : std::uint16_t { question = 1, answer = 2 };

std::size_t bytes_of_message(std::uint64_t number) noexcept;
void fill_message(std::span<std::byte> bytes, std::uint64_t number, MessageKind kind) noexcept;
// Throws if it is nobody's message, or torn. A question may have been half answered by who died.
std::uint64_t number_of_message(const TakenBlock& block, bool may_be_half_answered);

}  // namespace sapbuf::soak
