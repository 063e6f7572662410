// A reader, inside the library: the parts that it is made of, each in a file of its name.
//
//   ReaderAttachment   its slot in the stream, and whether it can go on;  reader_start: how it comes by it
//   ReaderWindows      where it stands in each generation that it has not finished, and what it knows of new ones
//   ReaderPins         what keeps slabs for it in streams that overwrite
//   ReaderLoss         how many messages it does not get
//   DurablePosition    how far a durable one has come, for the next one of its name
//   ReaderWalk         the walk of one range
//   ReaderPace         how it keeps its distance from busy writers
//
// Its calls are in reader.cpp: they look (reader_look) and wait (reader_wait, reader_gaps), begin a walk, or leave out
// all but the newest message (reader_newest).
#pragma once

#include <atomic>
#include <memory>
#include <optional>

#include "segment/event_fd.hpp"
#include "stream/reader_attachment.hpp"
#include "stream/reader_loss.hpp"
#include "stream/reader_pace.hpp"
#include "stream/reader_pins.hpp"
#include "stream/reader_walk.hpp"
#include "stream/reader_windows.hpp"

namespace SAPBUF_DETAIL {

struct ReaderStart;

struct ReaderState {
  ReaderState(const std::shared_ptr<StreamCore>& core, const ReaderOptions& options);
  ReaderState(const ReaderState&) = delete;  // its parts refer to each other
  ReaderState& operator=(const ReaderState&) = delete;

  ReaderAttachment attachment;
  ReaderLoss loss;
  std::optional<DurablePosition> durable;
  ReaderWindows windows;
  ReaderPins pins;
  ReaderWalk walk;
  ReaderPace pace;

  const std::atomic<bool>* const stop;  // see ReaderOptions
  const bool until_finished;            // the same
  std::uint64_t recovery_tried_ns = 0;
  std::unique_ptr<EventFd> event_fd;  // null until somebody asks for it
  bool closed = false;                // by its Reader, while a range is alive: goes with the range

 private:
  ReaderState(const std::shared_ptr<StreamCore>& core, const ReaderOptions& options, ReaderStart start);
};

// Detaches; while a range is alive, when that goes. Null: nothing to do.
void close_reader(ReaderState* state) noexcept;

}  // namespace SAPBUF_DETAIL
