// Reads a recording (recording/format.hpp), whole, torn or damaged.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "recording/block_walk.hpp"
#include "recording/file.hpp"
#include "recording/format.hpp"
#include "recording/packing.hpp"

namespace sapbuf::recording {

// A message, or a loss.
struct Record {
  RecordKind kind = RecordKind::message;
  std::chrono::nanoseconds at{};  // since the recording began
  std::uint16_t type = 0;
  bool had_attachments = false;
  std::span<const std::byte> payload;  // of a message; valid until the next record is asked for
  std::uint64_t lost = 0;              // of a loss: messages
};

// What of the file could not be read, as far as one has come.
struct Damage {
  std::uint64_t places = 0;    // blocks whose checksum is wrong, and stretches that are no blocks
  std::uint64_t messages = 0;  // in these blocks, as far as their headers say
  std::uint64_t bytes = 0;     // of the file
};

struct Summary {
  Totals totals;  // of the blocks that are there
  std::chrono::nanoseconds first{};
  std::chrono::nanoseconds last{};
  Damage damage;
  // Messages that were recorded, and cannot be read. Of a recording that was finished, and is verified; otherwise nobody knows.
  std::optional<std::uint64_t> missing{};
  std::uint64_t torn_bytes = 0;  // behind the last whole block: the recorder was killed while it wrote
};

// One thread uses it. It sees the file as long as it was when it was opened. All methods throw RecordingError where the file cannot be
// read.
class RecordingReader {
 public:
  // Throws RecordingError (no_recording) if the file does not begin as a recording does.
  explicit RecordingReader(const std::string& path);

  // What was recorded, and when it began (wall clock, since the epoch); empty and 0 where this is damaged.
  const std::string& source() const noexcept { return source_; }
  std::uint64_t started_ns() const noexcept { return started_ns_; }
  std::uint64_t file_bytes() const noexcept { return size_; }
  // The recorder ended it, with an index.
  bool is_finished() const noexcept { return is_finished_; }
  bool is_being_written() const noexcept { return !is_finished_ && file_.is_being_written(); }

  // Of a recording that was finished, what its index says; otherwise what the blocks' headers say. `verify`: what is in the blocks is
  // read, and compared with the checksums. The next record is the first one then.
  Summary summarize(bool verify);

  // The next record is the first one that came at this time or later. Finds the place by the index, or by the headers.
  void seek(std::chrono::nanoseconds from);
  // Null: there is none. What is damaged is left out, and counted.
  const Record* next();
  // Since seek(), and of what belongs to the whole file.
  Damage damage() const noexcept;
  // As in Summary; 0 until `next` has come to the end.
  std::uint64_t torn_bytes() const noexcept;

 private:
  void read_file_header() const;
  void read_end();
  void read_start();
  bool load_next_block();
  bool load(const BlockHeader& block);
  void leave_out(const BlockHeader& block) noexcept;
  void count_damaged(const BlockHeader& block) noexcept;
  bool take_record();

  File file_;
  const std::uint64_t size_;
  std::string source_;
  std::uint64_t started_ns_ = 0;
  bool is_finished_ = false;
  BlockHeader index_header_;
  std::vector<IndexEntry> index_;
  Damage damage_at_opening_;      // of the start and the index
  Damage damage_;                 // since seek(); without what the walk found
  std::uint64_t torn_bytes_ = 0;  // the same
  std::unique_ptr<BlockWalk> walk_;
  std::uint64_t from_ns_ = 0;

  Decompressor decompressor_;
  std::vector<std::byte> stored_;
  std::vector<std::byte> unpacked_;
  BlockHeader block_;                   // that `content_` is of
  std::span<const std::byte> content_;  // what is left of it
  Record record_;
};

}  // namespace sapbuf::recording
