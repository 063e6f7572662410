// CRC-32 as zlib, gzip and PNG have it.
#pragma once

#include <zlib.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "recording/format.hpp"

namespace sapbuf::recording {

inline std::uint32_t crc_of(std::span<const std::byte> bytes) noexcept {
  return static_cast<std::uint32_t>(::crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

// Of all that stands behind the header's own checksum.
inline std::uint32_t crc_of(const BlockHeader& header) noexcept {
  return crc_of(std::as_bytes(std::span{&header, 1}).subspan(offsetof(BlockHeader, content_crc)));
}

inline std::uint32_t crc_of(const Trailer& trailer) noexcept {
  return crc_of(std::as_bytes(std::span{&trailer.index_offset, 1}));
}

}  // namespace sapbuf::recording
