#include "recording/block_walk.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <vector>

#include "recording/checksum.hpp"

namespace sapbuf::recording {

namespace {

constexpr std::size_t kSearchBytes = std::size_t{1} << 20;

}  // namespace

std::optional<BlockHeader> read_block_header(const File& file, std::uint64_t offset, std::uint64_t end) {
  if (offset > end || end - offset < sizeof(BlockHeader)) return std::nullopt;
  BlockHeader header;
  if (!file.read(offset, std::as_writable_bytes(std::span{&header, 1}))) return std::nullopt;
  const bool is_good = header.magic == kBlockMagic && header.header_crc == crc_of(header) && header.offset == offset &&
                       header.stored_bytes <= end - offset - sizeof(BlockHeader);
  return is_good ? std::optional{header} : std::nullopt;
}

std::optional<BlockHeader> BlockWalk::next() {
  if (at_ >= end_) return std::nullopt;
  std::optional<BlockHeader> block = read_block_header(file_, at_, end_);
  if (!block) {
    block = first_good_block_behind(at_);
    if (!block) {
      torn_bytes_ = end_ - at_;
      at_ = end_;
      return std::nullopt;
    }
    damaged_bytes_ += block->offset - at_;
    ++damaged_places_;
  }
  at_ = block->offset + sizeof(BlockHeader) + block->stored_bytes;
  return block;
}

std::optional<BlockHeader> BlockWalk::first_good_block_behind(std::uint64_t offset) const {
  std::array<char, sizeof kBlockMagic> magic;
  std::memcpy(magic.data(), &kBlockMagic, magic.size());
  std::vector<char> bytes;
  for (std::uint64_t from = offset + 1; from + sizeof(BlockHeader) <= end_;) {
    bytes.resize(static_cast<std::size_t>(std::min<std::uint64_t>(kSearchBytes, end_ - from)));
    if (!file_.read(from, std::as_writable_bytes(std::span{bytes}))) return std::nullopt;
    const std::string_view text{bytes.data(), bytes.size()};
    for (std::size_t at = text.find({magic.data(), magic.size()}); at != std::string_view::npos;
         at = text.find({magic.data(), magic.size()}, at + 1)) {
      if (const auto block = read_block_header(file_, from + at, end_)) return block;
    }
    from += bytes.size() - (magic.size() - 1);  // one may stand across the border
  }
  return std::nullopt;
}

}  // namespace sapbuf::recording
