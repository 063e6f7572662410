#include "recording/recording_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <utility>

#include "recording/checksum.hpp"
#include "recording/error.hpp"

namespace sapbuf::recording {

namespace {

using Kind = RecordingError::Kind;

// A block is written when it has a megabyte, and a message has 4 GiB at most.
constexpr std::uint64_t kMostContentBytes = (std::uint64_t{1} << 32) + (std::uint64_t{1} << 31);

// Takes a structure away from the front. False if the bytes are not so many.
template <typename Value>
bool take(std::span<const std::byte>& bytes, Value& value) noexcept {
  if (bytes.size() < sizeof value) return false;
  std::memcpy(&value, bytes.data(), sizeof value);
  bytes = bytes.subspan(sizeof value);
  return true;
}

std::uint64_t block_bytes(const BlockHeader& block) noexcept { return sizeof block + block.stored_bytes; }

}  // namespace

RecordingReader::RecordingReader(const std::string& path) : file_(File::open(path)), size_(file_.size()) {
  read_file_header();
  read_end();
  read_start();
  damage_at_opening_ = damage_;
  seek({});
}

void RecordingReader::read_file_header() const {
  FileHeader header;
  if (!file_.read(0, std::as_writable_bytes(std::span{&header, 1})) || header.magic != kFileMagic || header.zero != 0) {
    throw RecordingError(Kind::no_recording, file_.path() + " is no recording");
  }
  if (header.version != kFormatVersion) {
    throw RecordingError(Kind::no_recording,
                         fmt::format("{} is a recording of version {}: this program knows version {}", file_.path(),
                                     header.version, kFormatVersion));
  }
}

// The trailer, and the index that it leads to.
void RecordingReader::read_end() {
  Trailer trailer;
  if (size_ < sizeof(FileHeader) + sizeof trailer) return;
  const std::uint64_t trailer_offset = size_ - sizeof trailer;
  if (!file_.read(trailer_offset, std::as_writable_bytes(std::span{&trailer, 1})) || trailer.magic != kTrailerMagic ||
      trailer.crc != crc_of(trailer)) {
    return;
  }
  const auto index = read_block_header(file_, trailer.index_offset, trailer_offset);
  if (!index || index->kind != BlockKind::index || index->offset + block_bytes(*index) != trailer_offset) return;
  is_finished_ = true;
  index_header_ = *index;
  if (!load(*index)) return count_damaged(*index);
  IndexEntry entry;
  while (take(content_, entry)) index_.push_back(entry);
}

void RecordingReader::read_start() {
  const auto start = read_block_header(file_, sizeof(FileHeader), size_);
  if (!start || start->kind != BlockKind::start) return;  // the walk finds that out, too
  StartContent content;
  if (!load(*start) || !take(content_, content)) return count_damaged(*start);
  started_ns_ = content.started_ns;
  source_.assign(reinterpret_cast<const char*>(content_.data()), content_.size());
}

// What is in the block, checked and unpacked, in content_. False if it is not what was written.
bool RecordingReader::load(const BlockHeader& block) {
  content_ = {};
  if (block.content_bytes > kMostContentBytes) return false;
  stored_.resize(block.stored_bytes);
  if (!file_.read(block.offset + sizeof block, stored_) || crc_of(stored_) != block.content_crc) return false;
  if (block.packing == Packing::zstd) {
    unpacked_.resize(block.content_bytes);
    if (!decompressor_.decompress(stored_, unpacked_)) return false;
    content_ = unpacked_;
  } else {
    content_ = stored_;
  }
  return block.packing <= Packing::zstd && content_.size() == block.content_bytes;
}

// A block of records whose content is not what was written. The last one of a recording that nobody finished is torn off: a machine that
// stopped left its header without all the rest.
void RecordingReader::leave_out(const BlockHeader& block) noexcept {
  content_ = {};
  if (is_finished_ || block.offset + block_bytes(block) != size_) return count_damaged(block);
  torn_bytes_ += block_bytes(block);
}

void RecordingReader::count_damaged(const BlockHeader& block) noexcept {
  ++damage_.places;
  damage_.messages += block.kind == BlockKind::records ? block.totals.messages : 0;
  damage_.bytes += block_bytes(block);
}

Damage RecordingReader::damage() const noexcept {
  Damage all = damage_;
  all.places += walk_->damaged_places();
  all.bytes += walk_->damaged_bytes();
  // A recorder that came to the end tore nothing off.
  if (is_finished_ && walk_->torn_bytes() != 0) {
    ++all.places;
    all.bytes += walk_->torn_bytes();
  }
  return all;
}

std::uint64_t RecordingReader::torn_bytes() const noexcept {
  return is_finished_ ? 0 : torn_bytes_ + walk_->torn_bytes();
}

Summary RecordingReader::summarize(bool verify) {
  seek({});
  Summary summary;
  if (is_finished_ && !verify) {
    return {.totals = index_header_.totals,
            .first = std::chrono::nanoseconds{index_header_.first_ns},
            .last = std::chrono::nanoseconds{index_header_.last_ns},
            .damage = damage()};
  }
  bool is_first = true;
  while (const auto block = walk_->next()) {
    if (block->kind != BlockKind::records) continue;
    if (verify && !load(*block)) {
      leave_out(*block);
      continue;
    }
    summary.totals += block->totals;
    if (std::exchange(is_first, false)) summary.first = std::chrono::nanoseconds{block->first_ns};
    summary.last = std::chrono::nanoseconds{block->last_ns};
  }
  summary.damage = damage();
  if (is_finished_) {
    const std::uint64_t recorded = index_header_.totals.messages;
    summary.missing = recorded - std::min(summary.totals.messages, recorded);
  }
  summary.torn_bytes = torn_bytes();
  seek({});
  return summary;
}

void RecordingReader::seek(std::chrono::nanoseconds from) {
  from_ns_ = static_cast<std::uint64_t>(std::max<std::int64_t>(0, from.count()));
  walk_ = std::make_unique<BlockWalk>(file_, is_finished_ ? index_header_.offset : size_);
  content_ = {};
  damage_ = damage_at_opening_;
  torn_bytes_ = 0;
  // One that begins at this very time may have some before it that end then.
  const auto behind = std::lower_bound(index_.begin(), index_.end(), from_ns_,
                                       [](const IndexEntry& entry, std::uint64_t at) { return entry.first_ns < at; });
  if (behind != index_.begin()) walk_->go_to(std::prev(behind)->offset);
}

const Record* RecordingReader::next() {
  do {
    while (!content_.empty()) {
      if (!take_record()) {
        count_damaged(block_);
        content_ = {};
        break;
      }
      if (static_cast<std::uint64_t>(record_.at.count()) >= from_ns_) return &record_;
    }
  } while (load_next_block());
  return nullptr;
}

bool RecordingReader::load_next_block() {
  while (const auto block = walk_->next()) {
    if (block->kind != BlockKind::records || block->last_ns < from_ns_) continue;
    block_ = *block;
    if (load(block_)) return true;
    leave_out(block_);
  }
  return false;
}

// The next one of content_. False if what stands there is none.
bool RecordingReader::take_record() {
  RecordHeader header;
  if (!take(content_, header) || content_.size() < header.size) return false;
  record_ = {.kind = header.kind,
             .at = std::chrono::nanoseconds{header.at_ns},
             .type = header.type,
             .had_attachments = (header.flags & kHadAttachments) != 0,
             .payload = content_.first(header.size)};
  content_ = content_.subspan(header.size);
  if (header.kind == RecordKind::message) return true;
  auto payload = std::exchange(record_.payload, {});
  return header.kind == RecordKind::loss && take(payload, record_.lost);
}

}  // namespace sapbuf::recording
