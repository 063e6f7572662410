// The hash of keys: SipHash-1-3 (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012; as hash tables use
// it), keyed by a seed of the map's own, so that nobody can choose keys that meet in one place.
#pragma once

#include <cstdint>
#include <string_view>

#include <sapbuf/abi.hpp>

namespace SAPBUF_DETAIL {

std::uint64_t keyed_hash(const std::uint64_t (&seed)[2], std::string_view bytes) noexcept;

}  // namespace SAPBUF_DETAIL
