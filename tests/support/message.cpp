#include "support/message.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <functional>
#include <stdexcept>

#include "support/child.hpp"

namespace sapbuf::test {

// --- Messages ------------------------------------------------------------------------------------------------------

std::ostream& operator<<(std::ostream& out, const Tag& tag) { return out << tag.writer << "/" << tag.number; }

namespace {

std::byte padding(Tag tag, std::size_t position) {
  return static_cast<std::byte>(tag.writer * 31 + tag.number * 7 + position);
}

}  // namespace

void fill(std::span<std::byte> message, Tag tag) {
  std::memcpy(message.data(), &tag, sizeof tag);
  for (std::size_t i = sizeof tag; i < message.size(); ++i) message[i] = padding(tag, i);
}

std::vector<std::byte> message(Tag tag, std::size_t size) {
  std::vector<std::byte> bytes(size);
  fill(bytes, tag);
  return bytes;
}

std::optional<Tag> tag_of(std::span<const std::byte> message) {
  Tag tag;
  if (message.size() < sizeof tag) return std::nullopt;
  std::memcpy(&tag, message.data(), sizeof tag);
  for (std::size_t i = sizeof tag; i < message.size(); ++i) {
    if (message[i] != padding(tag, i)) return std::nullopt;
  }
  return tag;
}

std::size_t size_of(Tag tag, std::size_t largest) {
  std::uint64_t mixed = (std::uint64_t{tag.writer} << 32 | tag.number) * 0x9e37'79b9'7f4a'7c15u;
  mixed ^= mixed >> 29;
  return kTagBytes + mixed % (largest - kTagBytes + 1);
}

Status put(Writer& writer, Tag tag, std::size_t size) {
  Reservation reservation = writer.reserve(std::max(size, kTagBytes));
  if (!reservation) return reservation.status();
  fill(reservation.bytes(), tag);
  reservation.commit();
  return Status::ok;
}

void must_put(Writer& writer, Tag tag, std::size_t size) {
  const Status status = put(writer, tag, size);
  if (status != Status::ok) throw std::runtime_error("not accepted: " + std::string(to_string(status)));
}

std::uint32_t put_until_refused(Writer& writer, Tag first, std::uint32_t most, std::size_t size, Status* refusal) {
  Status status = Status::ok;
  std::uint32_t accepted = 0;
  for (; accepted < most; ++accepted) {
    status = put(writer, {first.writer, first.number + accepted}, size);
    if (status != Status::ok) break;
  }
  if (refusal != nullptr) *refusal = status;
  return accepted;
}

void put_all(Writer& writer, std::uint32_t id, std::uint32_t count, std::size_t largest) {
  for (std::uint32_t number = 0; number < count; ++number) {
    const Tag tag{id, number};
    must_put(writer, tag, size_of(tag, largest));
  }
}

// --- Reading -------------------------------------------------------------------------------------------------------

std::vector<std::string> texts(Reader& reader, std::size_t limit) {
  std::vector<std::string> found;
  if (limit == 0) return found;
  for (const Frame& frame : reader.pin()) {
    found.emplace_back(reinterpret_cast<const char*>(frame.bytes().data()), frame.bytes().size());
    if (found.size() == limit) break;
  }
  return found;
}

std::size_t Log::read(Reader& reader, std::size_t limit) {
  std::size_t count = 0;
  if (limit == 0) return count;
  for (const Frame& frame : reader.pin()) {
    auto tag = tag_of(frame.bytes());
    if (tag && size_of_ != nullptr && frame.bytes().size() != size_of_(*tag)) tag.reset();
    if (!tag) ++torn_;
    tags_.push_back(tag.value_or(Tag{~0u, ~0u}));
    if (++count == limit) break;
  }
  return count;
}

bool Log::read_until(Reader& reader, std::size_t count) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (size() < count) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    if (reader.wait_for(std::chrono::milliseconds{100})) read(reader);
  }
  return true;
}

std::vector<std::uint32_t> Log::numbers_of(std::uint32_t writer) const {
  std::vector<std::uint32_t> numbers;
  for (const Tag& tag : tags_) {
    if (tag.writer == writer) numbers.push_back(tag.number);
  }
  return numbers;
}

std::map<std::uint32_t, std::vector<std::uint32_t>> Log::by_writer() const {
  std::map<std::uint32_t, std::vector<std::uint32_t>> numbers;
  for (const Tag& tag : tags_) numbers[tag.writer].push_back(tag.number);
  return numbers;
}

bool Log::in_order() const {
  const auto numbers = by_writer();
  return std::all_of(numbers.begin(), numbers.end(), [](const auto& writer) {
    return std::adjacent_find(writer.second.begin(), writer.second.end(), std::greater_equal<>{}) ==
           writer.second.end();
  });
}

bool Log::is_complete(std::uint32_t writers, std::uint32_t count) const {
  const auto numbers = by_writer();
  return torn_ == 0 && tags_.size() == std::size_t{writers} * count && numbers.size() == writers && in_order();
}

}  // namespace sapbuf::test
