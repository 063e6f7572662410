#include "map/keyed_hash.hpp"

#include <bit>
#include <cstring>

namespace SAPBUF_DETAIL {
namespace {

struct SipState {
  std::uint64_t v0, v1, v2, v3;

  void round() noexcept {
    v0 += v1;
    v1 = std::rotl(v1, 13) ^ v0;
    v0 = std::rotl(v0, 32);
    v2 += v3;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1;
    v1 = std::rotl(v1, 17) ^ v2;
    v2 = std::rotl(v2, 32);
  }
  void take(std::uint64_t word) noexcept {
    v3 ^= word;
    round();
    v0 ^= word;
  }
};

}  // namespace

std::uint64_t keyed_hash(const std::uint64_t (&seed)[2], std::string_view bytes) noexcept {
  SipState state{seed[0] ^ 0x736f6d6570736575u, seed[1] ^ 0x646f72616e646f6du, seed[0] ^ 0x6c7967656e657261u,
                 seed[1] ^ 0x7465646279746573u};
  const std::size_t whole = bytes.size() / 8 * 8;
  for (std::size_t at = 0; at < whole; at += 8) {
    std::uint64_t word;
    std::memcpy(&word, bytes.data() + at, 8);
    state.take(word);
  }
  std::uint64_t last = std::uint64_t{bytes.size()} << 56;
  std::memcpy(&last, bytes.data() + whole, bytes.size() - whole);
  state.take(last);
  state.v2 ^= 0xff;
  for (int round = 0; round < 3; ++round) state.round();
  return state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
}

}  // namespace SAPBUF_DETAIL
