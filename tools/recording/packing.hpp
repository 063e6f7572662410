// Blocks made smaller, and as they were.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "recording/format.hpp"

namespace sapbuf::recording {

// Whether zstd was there when this was built.
bool can_compress() noexcept;
// What to do where it was not.
inline constexpr const char* kHowToGetZstd =
    "this sapbuf was built without zstd: install libzstd-dev (Debian), and configure and build it again";

// One thread uses it. Both keep what they need from one block to the next.
class Compressor {
 public:
  // Throws RecordingError (no_zstd).
  Compressor();
  ~Compressor();

  // Valid until the next call. Empty if it would get no smaller.
  std::span<const std::byte> compress(std::span<const std::byte> content);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// One thread uses it.
class Decompressor {
 public:
  Decompressor();
  ~Decompressor();

  // Fills `to`. False if `packed` is nothing that has so many bytes. Throws RecordingError (no_zstd).
  bool decompress(std::span<const std::byte> packed, std::span<std::byte> to);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sapbuf::recording
