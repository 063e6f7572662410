// Messages with buffers attached that say which they are.
#pragma once

#include <boost/test/unit_test.hpp>

#include <cstring>
#include <vector>

#include <sapbuf/sapbuf.hpp>

#include "support/child.hpp"

namespace sapbuf::test {

inline constexpr std::uint64_t kBufferBytes = 64;

// A stream and a pool in one segment.
struct AttachFixture {
  explicit AttachFixture(Order order = Order::per_writer, OnFull on_full = OnFull::block, std::uint64_t count = 16,
                         std::uint32_t attachments = 0, Fences fences = Fences::membarrier)
      : segment(Segment::create(name, {.slab_bytes = 4096,
                                       .order = order,
                                       .on_full = on_full,
                                       .participants = 8,
                                       .fences = fences,
                                       .attachments = attachments})),
        pool(Pool::create(segment, "frames", {.buffer_bytes = kBufferBytes, .count = count})) {}

  TestName name;
  Segment segment;
  Pool pool;
};

// A buffer that says which one it is.
inline Buffer filled(PoolUser& user, std::uint64_t number) {
  Buffer buffer = user.acquire();
  if (buffer) std::memcpy(buffer.bytes().data(), &number, sizeof number);
  return buffer;
}

inline std::uint64_t number_in(std::span<const std::byte> bytes) {
  std::uint64_t number = ~std::uint64_t{0};
  if (bytes.size() >= sizeof number) std::memcpy(&number, bytes.data(), sizeof number);
  return number;
}

// A message that says the number of the first of its buffers, and has `count` of them: number, number + 1, ...
inline Status put(Writer& writer, PoolUser& user, std::uint64_t number, std::uint64_t count = 1) {
  std::vector<Buffer> buffers;
  for (std::uint64_t i = 0; i < count; ++i) {
    buffers.push_back(filled(user, number + i));
    if (!buffers.back()) return buffers.back().status();
  }
  Reservation slot = writer.reserve(sizeof number);
  if (!slot) return slot.status();
  std::memcpy(slot.bytes().data(), &number, sizeof number);
  for (Buffer& buffer : buffers) {
    const Attached attached = slot.attach(std::move(buffer));
    if (!attached) return attached.status();
  }
  slot.commit();
  return Status::ok;
}

// What the messages that are there now have attached, each of which must say what its message says. Nothing for one that
// is wrong.
inline std::vector<std::uint64_t> numbers(Reader& reader, PoolUser& user) {
  std::vector<std::uint64_t> found;
  for (const Frame& frame : reader.pin()) {
    std::uint64_t expected = number_in(frame.bytes());
    for (const BufferReference& reference : frame.attachments()) {
      const Buffer adopted = user.adopt(reference);
      BOOST_TEST(static_cast<bool>(adopted), to_string(adopted.status()));
      BOOST_TEST(number_in(adopted.bytes()) == expected);
      found.push_back(expected++);
    }
  }
  return found;
}

// All of the pool's buffers can be acquired by one user: nothing leaked.
inline std::size_t count_acquirable(const Pool& pool) {
  PoolUser user{pool};
  std::vector<Buffer> all;
  for (;;) {
    Buffer buffer = user.acquire();
    if (!buffer) return all.size();
    all.push_back(std::move(buffer));
  }
}

}  // namespace sapbuf::test
