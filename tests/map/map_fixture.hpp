// A segment with a map for one test, and what the tests of maps do again and again.
#pragma once

#include <csignal>
#include <cstring>
#include <functional>
#include <string>

#include <sapbuf/detail/kill_point.hpp>
#include <sapbuf/sapbuf.hpp>

#include "support/child.hpp"

namespace sapbuf::test {

struct MapFixture {
  explicit MapFixture(const MapOptions& options = {.keys = 16, .value_bytes = 64, .key_bytes = 24, .values = 32},
                      Fences fences = Fences::membarrier)
      : segment(Segment::create(name, {.participants = 8, .fences = fences, .main_stream = false})),
        map(Map::create(segment, "config", options)) {}

  // In another process.
  Map open_again() const { return Map::open(Segment::open(name), "config"); }
  Pool pool() const { return Pool::open(segment, "config.values"); }

  TestName name;
  Segment segment;
  Map map;
};

// A value that says which version it is, all over.
inline std::string value_of(std::uint64_t number, std::size_t bytes = 48) {
  std::string text(bytes, static_cast<char>('a' + number % 26));
  std::memcpy(text.data(), &number, std::min(bytes, sizeof number));
  return text;
}
inline bool is_whole(std::span<const std::byte> value) {
  std::uint64_t number;
  if (value.size() < sizeof number) return false;
  std::memcpy(&number, value.data(), sizeof number);
  const std::string wanted = value_of(number, value.size());
  return std::memcmp(value.data(), wanted.data(), value.size()) == 0;
}
inline std::uint64_t number_in(std::span<const std::byte> value) {
  std::uint64_t number = 0;
  std::memcpy(&number, value.data(), std::min(value.size(), sizeof number));
  return number;
}

// Another process does `act` with the map, and is killed at the `nth` kill point that it comes to from when `act` calls
// arm(). False: it came to its end before.
inline bool is_killed_at(unsigned nth, const MapFixture& fixture,
                         const std::function<void(const Map&, const std::function<void()>& arm)>& act) {
  Child victim{[&](Link&) {
    const Map own = fixture.open_again();
    act(own, [nth] { kill_point::arm(KillPoint::any, kill_self, nth); });
    kill_point::disarm();
  }};
  return victim.wait() == -SIGKILL;
}

inline std::size_t count_keys(const Map& map) {
  std::size_t keys = 0;
  const Status all = MapReader{map}.for_each([&](std::string_view, const MapValue&) { ++keys; });
  if (all != Status::ok) throw std::runtime_error("not all keys were visited");
  return keys;
}

// Buffers that one user can have: all of the pool's but for those that are kept.
inline std::size_t count_free_values(const Pool& pool) {
  PoolUser user{pool};
  std::vector<Buffer> all;
  while (Buffer buffer = user.acquire()) all.push_back(std::move(buffer));
  return all.size();
}

}  // namespace sapbuf::test
