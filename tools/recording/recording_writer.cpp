#include "recording/recording_writer.hpp"

#include <cerrno>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <utility>

#include "recording/checksum.hpp"
#include "recording/error.hpp"

namespace sapbuf::recording {

namespace {

constexpr std::size_t kMostIndexEntries = std::size_t{1} << 16;  // 1 MiB: from there on it gets coarser

template <typename Value>
std::span<const std::byte> bytes_of(const Value& value) noexcept {
  return std::as_bytes(std::span{&value, 1});
}

void append(std::vector<std::byte>& to, std::span<const std::byte> bytes) {
  to.insert(to.end(), bytes.begin(), bytes.end());
}

}  // namespace

File RecordingWriter::claim(const std::string& path, const RecordingOptions& options) {
  if (options.compress && !can_compress()) {
    throw RecordingError(RecordingError::Kind::no_zstd, kHowToGetZstd);  // before there is a file
  }
  return File::create(path, options.overwrite);
}

RecordingWriter::RecordingWriter(File&& claimed, std::string_view source, std::uint64_t started_ns,
                                 const RecordingOptions& options)
    : options_(options), file_(std::move(claimed)) {
  if (options.compress) compressor_.emplace();
  if (!file_.cut(0)) throw RecordingError::of_errno(file_.path());
  put(bytes_of(FileHeader{}), end_);
  std::vector<std::byte> start;
  append(start, bytes_of(StartContent{started_ns}));
  append(start, std::as_bytes(std::span{source}));
  put_block({.kind = BlockKind::start, .totals = {}}, start, false);
}

void RecordingWriter::add_message(Nanoseconds at, std::uint16_t type, std::uint8_t flags,
                                  std::span<const std::byte> payload) {
  if (payload.size() > std::numeric_limits<std::uint32_t>::max())
    throw std::length_error("a message has 4 GiB at most");
  add({.at_ns = static_cast<std::uint64_t>(at.count()),
       .size = static_cast<std::uint32_t>(payload.size()),
       .type = type,
       .kind = RecordKind::message,
       .flags = flags},
      payload);
  block_.totals += Totals{.messages = 1,
                          .payload_bytes = payload.size(),
                          .lost = 0,
                          .with_attachments = (flags & kHadAttachments) != 0 ? 1u : 0u};
}

void RecordingWriter::add_loss(Nanoseconds at, std::uint64_t messages) {
  add({.at_ns = static_cast<std::uint64_t>(at.count()), .size = sizeof messages, .type = 0, .kind = RecordKind::loss},
      bytes_of(messages));
  block_.totals.lost += messages;
}

void RecordingWriter::add(RecordHeader header, std::span<const std::byte> payload) {
  if (content_.empty()) block_.first_ns = header.at_ns;
  block_.last_ns = header.at_ns;
  append(content_, bytes_of(header));
  append(content_, payload);
}

std::optional<RecordingWriter::Nanoseconds> RecordingWriter::oldest_unwritten() const noexcept {
  if (content_.empty()) return std::nullopt;
  return Nanoseconds{block_.first_ns};
}

void RecordingWriter::write_block() {
  if (content_.empty()) return;
  // Whatever comes of it, this is not tried again.
  std::vector<std::byte> content = std::exchange(content_, {});
  const BlockHeader block = std::exchange(block_, {});
  const std::uint64_t offset = end_;
  put_block(block, content, true);
  if (blocks_ == 0) first_ns_ = block.first_ns;
  last_ns_ = block.last_ns;
  written_ += block.totals;
  if (blocks_++ % index_every_ == 0) index_.push_back({offset, block.first_ns});
  if (index_.size() > kMostIndexEntries) thin_index();
  if (content.capacity() > 4 * options_.block_bytes) return;  // a large message need not come again
  content.clear();
  content_ = std::move(content);
}

void RecordingWriter::put_block(BlockHeader header, std::span<const std::byte> content, bool may_pack) {
  std::span<const std::byte> stored = content;
  if (may_pack && compressor_) {
    if (const auto packed = compressor_->compress(content); !packed.empty()) {
      stored = packed;
      header.packing = Packing::zstd;
    }
  }
  header.offset = end_;
  header.stored_bytes = stored.size();
  header.content_bytes = content.size();
  header.content_crc = crc_of(stored);
  header.header_crc = crc_of(header);
  std::uint64_t end = end_;
  put(bytes_of(header), end);
  put(stored, end);
  end_ = end;
}

// Behind `end`, which goes on. If that fails, the file is cut to its whole blocks.
void RecordingWriter::put(std::span<const std::byte> bytes, std::uint64_t& end) {
  if (!file_.write(end, bytes)) {
    const RecordingError error = RecordingError::of_errno("cannot write to " + file_.path());
    file_.cut(end_);  // otherwise readers leave the rest out
    throw error;
  }
  end += bytes.size();
}

// Leaves out every other entry: readers go on from the nearest one.
void RecordingWriter::thin_index() {
  for (std::size_t at = 0; 2 * at < index_.size(); ++at) index_[at] = index_[2 * at];
  index_.resize((index_.size() + 1) / 2);
  index_every_ *= 2;
}

void RecordingWriter::sync() {
  if (!file_.sync() && errno != EINVAL) throw RecordingError::of_errno("cannot sync " + file_.path());
}

void RecordingWriter::finish() {
  write_block();
  const Trailer trailer = [&] {
    Trailer made{.index_offset = end_};
    made.crc = crc_of(made);
    return made;
  }();
  const BlockHeader header{.kind = BlockKind::index, .first_ns = first_ns_, .last_ns = last_ns_, .totals = written_};
  put_block(header, std::as_bytes(std::span{index_}), false);
  put(bytes_of(trailer), end_);
  sync();
}

}  // namespace sapbuf::recording
