// The blocks of a recording, in their order, as far as they are whole.
#pragma once

#include <cstdint>
#include <optional>

#include "recording/file.hpp"
#include "recording/format.hpp"

namespace sapbuf::recording {

// One thread uses it. Reads headers; what is in a block is read by whoever wants it. Its methods throw RecordingError where the file
// cannot be read.
class BlockWalk {
 public:
  // From the first block to `end`: the end of the file, or of its last block.
  BlockWalk(const File& file, std::uint64_t end) noexcept : file_(file), end_(end) {}

  // The next block whose header is good, and which ends within the file. Nothing: there are no more.
  std::optional<BlockHeader> next();
  // The next one is that at `offset`, or the first good one behind it.
  void go_to(std::uint64_t offset) noexcept { at_ = offset; }

  std::uint64_t at() const noexcept { return at_; }
  std::uint64_t end() const noexcept { return end_; }
  // Bytes between good blocks, so far, that make no sense.
  std::uint64_t damaged_bytes() const noexcept { return damaged_bytes_; }
  std::uint64_t damaged_places() const noexcept { return damaged_places_; }
  // Bytes behind the last good block. 0 until `next` has come there.
  std::uint64_t torn_bytes() const noexcept { return torn_bytes_; }

 private:
  std::optional<BlockHeader> good_block_at(std::uint64_t offset) const;
  std::optional<BlockHeader> first_good_block_behind(std::uint64_t offset) const;

  const File& file_;
  const std::uint64_t end_;
  std::uint64_t at_ = sizeof(FileHeader);
  std::uint64_t damaged_bytes_ = 0;
  std::uint64_t damaged_places_ = 0;
  std::uint64_t torn_bytes_ = 0;
};

// The header at `offset` of a block that ends at `end` at the latest; nothing if there is no good one.
std::optional<BlockHeader> read_block_header(const File& file, std::uint64_t offset, std::uint64_t end);

}  // namespace sapbuf::recording
