// What the users of a pool have, as they know it themselves: noted in memory that outlives them, and written into every
// buffer. So whoever looks from outside can tell whether somebody lost one, or has what is another's.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <vector>

#include <sapbuf/pool.hpp>

namespace sapbuf::test {

inline constexpr std::uint32_t kMostBuffers = 320;  // of a pool whose users take notes

// Who filled a buffer, and when in his life. Never 0.
struct Content {
  std::uint64_t word = 0;
  static Content make(std::uint32_t who, std::uint32_t number) noexcept {
    return {std::uint64_t{who} << 32 | (std::uint64_t{number} + 1)};
  }
  std::uint32_t who() const noexcept { return static_cast<std::uint32_t>(word >> 32); }
  bool operator==(const Content&) const = default;
};

void fill(std::span<std::byte> buffer, Content content);
// Nothing if not all of it is one content.
std::optional<Content> content_of(std::span<const std::byte> buffer);

// Of one user. Each word is stored right behind the call that gave the buffer, or before the one that lets go of it.
struct Possessions {
  static constexpr std::uint64_t kShared = std::uint64_t{1} << 63;
  static constexpr Content content_of(std::uint64_t noted) noexcept { return {noted & ~kShared}; }
  std::array<std::atomic<std::uint64_t>, kMostBuffers> content{};  // by buffer; 0: not his
};

class SharedPossessions {
 public:
  SharedPossessions();
  ~SharedPossessions();
  SharedPossessions(const SharedPossessions&) = delete;
  SharedPossessions& operator=(const SharedPossessions&) = delete;
  Possessions* operator->() const noexcept { return possessions_; }
  Possessions& operator*() const noexcept { return *possessions_; }

 private:
  Possessions* possessions_;
};

// A reference on its way, and what its buffer must say.
struct Offer {
  BufferReference reference;
  Content content;
};

// A user that fills all that it gets, and takes notes.
class Hand {
 public:
  Hand(const Pool& pool, Possessions& notes, std::uint32_t who, PoolUserOptions options = {});

  Status take();
  // Of so many bytes.
  Status take(std::uint64_t bytes);
  Status take_for(std::chrono::nanoseconds timeout);
  // Until there is no more.
  void take_all();
  // Of the one that it got last.
  Offer share();
  // Throws if it is another one than was offered.
  Status adopt(const Offer& offer);
  void release_last();
  // Straight to the pool, past the magazine.
  void release_last_elsewhere();
  void release_all();
  // So many adjacent ones, as one; and the last such run.
  Status take_run(std::uint32_t buffers);
  void release_run();
  // The one that it got last, and its note, which is gone. For whoever attaches it.
  std::pair<Buffer, std::uint64_t> give_away();
  void take_back(Buffer buffer, std::uint64_t noted);
  void close() { user_.close(); }

  std::uint32_t who() const noexcept { return who_; }
  std::size_t size() const noexcept { return buffers_.size(); }
  PoolUser& user() noexcept { return user_; }
  const Pool& pool() const noexcept { return pool_; }

 private:
  Status accept(Buffer buffer);
  std::uint32_t index_of(std::span<const std::byte> bytes) const;
  void note(std::span<const std::byte> bytes, std::uint64_t word);
  void note(const Buffer& buffer, std::uint64_t word) { note(buffer.bytes(), word); }

  Pool pool_;
  Possessions& notes_;
  const std::uint32_t who_;
  std::uint32_t number_ = 0;
  PoolUser user_;
  std::vector<Buffer> buffers_;
  std::vector<Run> runs_;
};

// Says what is wrong with what these users have: a buffer that does not say what its holder noted, or that two have for
// themselves. Nobody may run meanwhile.
std::string broken_possession(const Pool& pool, const std::vector<const Possessions*>& all);
// How many buffers they have in all.
std::size_t count_possessed(const std::vector<const Possessions*>& all);

}  // namespace sapbuf::test
