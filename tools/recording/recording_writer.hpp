// Writes a recording (recording/format.hpp).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "recording/file.hpp"
#include "recording/format.hpp"
#include "recording/packing.hpp"

namespace sapbuf::recording {

struct RecordingOptions {
  bool compress = false;
  bool overwrite = false;                          // a file of that name
  std::size_t block_bytes = std::size_t{1} << 20;  // a block is full when it has so many, unpacked
};

// One thread uses it. What was added is in memory until a block is written; what was written stays when this process is killed, and what
// was written before sync() also when the machine stops. One that goes out of scope without finish() leaves what is written, as if it
// had been killed.
class RecordingWriter {
 public:
  using Nanoseconds = std::chrono::nanoseconds;

  // Makes the file, or takes the one that is there, which stays as it is: nobody else records to it meanwhile. Throws
  // RecordingError.
  static File claim(const std::string& path, const RecordingOptions& options);
  // Empties the file, and begins. `source` names what is recorded; `started_ns` is the wall clock's time, since the epoch. Throws
  // RecordingError.
  RecordingWriter(File&& claimed, std::string_view source, std::uint64_t started_ns, const RecordingOptions& options);
  RecordingWriter(const std::string& path, std::string_view source, std::uint64_t started_ns,
                  const RecordingOptions& options)
      : RecordingWriter(claim(path, options), source, started_ns, options) {}

  // Nothing is written here. `at`: since the recording began, no less than of the one before.
  void add_message(Nanoseconds at, std::uint16_t type, std::uint8_t flags, std::span<const std::byte> payload);
  void add_loss(Nanoseconds at, std::uint64_t messages);

  bool is_full() const noexcept { return content_.size() >= options_.block_bytes; }
  // When the oldest of what is not written yet was added; nothing if all is written.
  std::optional<Nanoseconds> oldest_unwritten() const noexcept;

  // Writes a block of what was added. Throws RecordingError: then the file ends behind its last whole block, what was added since is
  // dropped, and finish() may be tried.
  void write_block();
  // Until the disk has what was written. Throws RecordingError.
  void sync();
  // Writes what was added, and the index, and syncs. Nothing may be added behind that. Throws RecordingError: then the file is as after
  // a kill.
  void finish();

  // What is in the file, without what was only added.
  const Totals& written() const noexcept { return written_; }
  std::uint64_t file_bytes() const noexcept { return end_; }

 private:
  void add(RecordHeader header, std::span<const std::byte> payload);
  void put_block(BlockHeader header, std::span<const std::byte> content, bool may_pack);
  void put(std::span<const std::byte> bytes, std::uint64_t& end);
  void thin_index();

  const RecordingOptions options_;
  File file_;
  std::optional<Compressor> compressor_;
  std::uint64_t end_ = 0;  // behind the last whole block
  std::vector<std::byte> content_;
  BlockHeader block_;  // of what is in content_: times and totals
  Totals written_;
  std::uint64_t first_ns_ = 0;  // of all that is written
  std::uint64_t last_ns_ = 0;
  std::vector<IndexEntry> index_;
  std::uint64_t blocks_ = 0;
  std::uint64_t index_every_ = 1;  // blocks
};

}  // namespace sapbuf::recording
