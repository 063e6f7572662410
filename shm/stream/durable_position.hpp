// How far a durable reader has come: kept in the stream beside its record (layout/durable_reader.hpp), so that another one
// can go on there. The reader that has the record writes it down behind each range, and nobody else writes there meanwhile.
#pragma once

#include "stream/reader_window.hpp"
#include "stream/stream_core.hpp"

namespace SAPBUF_DETAIL {

class DurablePosition {
 public:
  DurablePosition(StreamCore& core, std::uint32_t index) noexcept : core_(core), index_(index) {}

  std::uint32_t index() const noexcept { return index_; }

  // The reader comes to a generation. What the table says of an older one counts no more.
  //   killed before the generation: the next reader does it once more
  void enter(const Window& window) noexcept;
  // Where it goes on in a place that begins at `place.at`; counts what stands before that as passed. False: the words make
  // no sense.
  bool resume(Window& window, Place& place) noexcept;
  // Behind a range: what was read comes to nobody again.
  void store(const Window& window) noexcept;
  // The messages of the stream before this position; nothing: nobody counted them.
  void store_passed(std::optional<std::uint64_t> messages) noexcept;
  std::optional<std::uint64_t> passed() const noexcept;

 private:
  layout::Word& word_of(std::uint32_t slab, const Place& place) noexcept;

  StreamCore& core_;
  const std::uint32_t index_;  // of the record
};

// Messages that stand in the stream behind the position of a record, whoever has it.
Passed count_behind(StreamCore& core, std::uint32_t index);

}  // namespace SAPBUF_DETAIL
