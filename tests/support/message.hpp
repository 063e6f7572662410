// Messages that tell who wrote them, and logs of what readers got.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <ostream>
#include <span>
#include <string>
#include <vector>

#include <sapbuf/sapbuf.hpp>

namespace sapbuf::test {

// --- Messages ------------------------------------------------------------------------------------------------------

// Which message of which writer.
struct Tag {
  std::uint32_t writer = 0;
  std::uint32_t number = 0;
  auto operator<=>(const Tag&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Tag& tag);

inline constexpr std::size_t kTagBytes = sizeof(Tag);

// A tag, and bytes that follow from it up to `size` (kTagBytes at the least).
void fill(std::span<std::byte> message, Tag tag);
// The tag, if every byte is as `fill` wrote it.
std::optional<Tag> tag_of(std::span<const std::byte> message);
// A size for the tag's message, spread from kTagBytes up to `largest`.
std::size_t size_of(Tag tag, std::size_t largest);

// The same as bytes of its own.
std::vector<std::byte> message(Tag tag, std::size_t size);

// Reserves, fills, commits.
Status put(Writer& writer, Tag tag, std::size_t size = kTagBytes);
// The same; throws if it is not accepted.
void must_put(Writer& writer, Tag tag, std::size_t size = kTagBytes);
// Messages from `first` on, until one is not accepted, or there are `most`. Returns how many were; `refusal` is told why.
std::uint32_t put_until_refused(Writer& writer, Tag first, std::uint32_t most, std::size_t size,
                                Status* refusal = nullptr);
// Messages 0 .. count-1 of one writer, of all sizes up to `largest`. Throws if one is not accepted.
void put_all(Writer& writer, std::uint32_t id, std::uint32_t count, std::size_t largest);

// --- Reading -------------------------------------------------------------------------------------------------------

// What is there now, as text; at most `limit` messages, then the loop breaks off.
std::vector<std::string> texts(Reader& reader, std::size_t limit = ~std::size_t{0});

// What a reader got, checked byte by byte on the way.
class Log {
 public:
  using SizeOf = std::size_t (*)(Tag);
  Log() = default;
  // `size_of`: how many bytes each message must have, where that is known.
  explicit Log(SizeOf size_of) : size_of_(size_of) {}

  // What is there now (`limit`: then the loop breaks off). Returns how many messages that was.
  std::size_t read(Reader& reader, std::size_t limit = ~std::size_t{0});
  // Reads on until there are `count` messages in all; false if they do not come within the tests' patience.
  bool read_until(Reader& reader, std::size_t count);

  const std::vector<Tag>& tags() const noexcept { return tags_; }
  std::size_t size() const noexcept { return tags_.size(); }
  std::size_t torn() const noexcept { return torn_; }
  // A writer's numbers, in the order in which they came; and each writer's.
  std::vector<std::uint32_t> numbers_of(std::uint32_t writer) const;
  std::map<std::uint32_t, std::vector<std::uint32_t>> by_writer() const;
  // Whether each writer's numbers only rise.
  bool in_order() const;
  // Whether each of the writers' messages 0 .. count-1 came once, and each writer's in order; and none was torn.
  bool is_complete(std::uint32_t writers, std::uint32_t count) const;

 private:
  SizeOf size_of_ = nullptr;
  std::vector<Tag> tags_;
  std::size_t torn_ = 0;
};

}  // namespace sapbuf::test
