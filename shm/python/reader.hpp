// Readers, ranges and frames, as Python has them.
#pragma once

#include <memory>
#include <optional>
#include <set>

#include <sapbuf/reader.hpp>

#include "in_place.hpp"
#include "participant.hpp"

namespace sapbuf::python {

// Keeps messages of a stream where they are, as long as it lives: a participant that reads nothing.
class Anchor {
 public:
  // `generations`: of the messages; they are pinned by somebody else meanwhile. Throws Error, also where they cannot be kept.
  Anchor(const Stream& stream, const std::string& name, const std::set<std::uint64_t>& generations);

 private:
  bool keeps(const std::set<std::uint64_t>& generations);

  Reader reader_;
  std::optional<PinnedRange> range_;  // in streams that overwrite, to be attached keeps nothing
};

// A range that a reader has pinned, and the walk through it. It is left when the reader goes on, at the end of a `with`
// block, or when the reader is closed: from then on its frames are not to be looked at. What looks at one by then keeps
// the memory as it is: by the range itself, or, where the reader goes on and has to pin another one, by an anchor.
class Lease : public std::enable_shared_from_this<Lease> {
 public:
  explicit Lease(PinnedRange range) : range_(std::move(range)) {}
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;

  // Null at the end of the range, and once it was left. Valid until the next call.
  const Frame* next();
  bool is_left() const noexcept { return left_; }
  // Unpins, or leaves that to the last view.
  void leave() noexcept;
  // The same, and unpins in any case. Throws Error.
  void leave_to_anchor(const Stream& stream, const std::string& name);
  void check_usable() const;  // throws Forked, Released

  void begin_view(const Frame& frame) {
    viewed_.insert(frame.position().generation);
    ++views_;
  }
  void end_view() noexcept;

 private:
  void unpin() noexcept;

  const std::uint64_t epoch_ = fork_epoch();
  std::optional<PinnedRange> range_;
  std::optional<PinnedRange::Iterator> at_;  // refers to the range
  std::optional<Anchor> anchor_;
  std::set<std::uint64_t> viewed_;  // generations that were looked at
  std::size_t views_ = 0;
  bool left_ = false;
};

// A message in its place.
class PythonFrame final : public InPlace {
 public:
  PythonFrame(std::shared_ptr<Lease> lease, const Frame& frame) : lease_(std::move(lease)), frame_(frame) {}
  PythonFrame(PythonFrame&& other) noexcept : lease_(std::move(other.lease_)), frame_(other.frame_) {}

  std::span<std::byte> bytes() const override;
  std::uint16_t type() const noexcept { return frame_.type(); }
  py::tuple position() const;
  py::list attachments() const;
  bool is_released() const noexcept { return lease_->is_left(); }

 private:
  void exported() override { lease_->begin_view(frame_); }
  void unexported() noexcept override { lease_->end_view(); }

  std::shared_ptr<Lease> lease_;
  Frame frame_;
};

class OpenReader final : public Participant {
 public:
  // Of the options all but the name, and what ends a wait.
  OpenReader(const Stream& stream, const std::string& name, const ReaderOptions& options);
  ~OpenReader() override { OpenReader::detach(); }

  // The next message, of the range that the reader has or of a new one. Nothing: there is none.
  std::optional<PythonFrame> next_at_once();
  // Waits for one: nothing once the deadline is over or the reader was closed.
  std::optional<PythonFrame> next(const Deadline& deadline);
  // Leaves the range; what was not reached there comes again.
  bool wait(const Deadline& deadline);
  std::shared_ptr<Lease> pin();
  std::shared_ptr<Lease> lease() const noexcept { return lease_; }
  py::list read_many(const Deadline& deadline, std::optional<std::size_t> limit, bool with_types);
  std::uint64_t skip_to_newest();
  // As close(); see Reader::abandon().
  void abandon();

  // For waits in a thread that somebody else ends: begin_helped_wait(); then helped_wait() in the thread, until
  // end_helped_wait() anywhere.
  void begin_helped_wait();
  bool helped_wait();
  void end_helped_wait() noexcept { stop().store(true, std::memory_order_relaxed); }

  // Leaves the range. The descriptor is the reader's, as Reader::event_fd() says.
  int event_fd();
  // Leaves the range.
  bool is_finished();
  // The same, of one that is to end with the stream.
  bool is_at_end() { return until_finished_ && is_finished(); }

  std::uint32_t slot() const noexcept { return reader_.slot(); }
  const Reader& get() const noexcept { return reader_; }

 private:
  void detach() noexcept override;
  void leave();
  // Null: nothing is there.
  const Frame* advance();
  const Frame* advance(const Deadline& deadline);
  bool wait_in_call(const Deadline& deadline);
  PythonFrame in_place(const Frame& frame) const { return PythonFrame{lease_, frame}; }

  const Stream stream_;
  const std::string name_;
  const bool until_finished_;
  bool abandoned_ = false;
  Reader reader_;
  std::shared_ptr<Lease> lease_;  // that this reader walks through
};

void bind_reader(py::module_& module);

}  // namespace sapbuf::python
