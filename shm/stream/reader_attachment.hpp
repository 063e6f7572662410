// A reader's slot in its stream, and whether the reader can go on: for all its parts.
#pragma once

#include <memory>

#include "segment/registry.hpp"
#include "stream/stream_core.hpp"

namespace SAPBUF_DETAIL {

class ReaderAttachment final : ForkHook {
 public:
  // `attachment` is one to this stream.
  ReaderAttachment(std::shared_ptr<StreamCore> core, Attachment attachment);
  ~ReaderAttachment();

  StreamCore& core() const noexcept { return *core_; }
  std::uint32_t index() const noexcept { return attachment_.slot(); }
  layout::StreamSlot& slot() const noexcept { return slot_; }
  bool overwrites() const noexcept { return core_->geometry().on_full == OnFull::overwrite; }
  bool in_total_order() const noexcept { return core_->in_total_order(); }

  bool is_current() const noexcept { return attachment_.is_current(); }
  bool is_usable() const noexcept { return !corrupt_ && !core_->forked() && is_current(); }
  void check_usable() const;  // throws what makes it unusable
  // Touches no shared memory.
  bool is_of_parent() const noexcept { return forked_; }

  // Whether a part of the reader found bytes that make no sense.
  bool corrupt() const noexcept { return corrupt_; }
  void set_corrupt(bool corrupt) noexcept { corrupt_ = corrupt; }
  void check_not_corrupt() const {
    if (corrupt_) [[unlikely]]
      throw_corrupt_frame();
  }

 private:
  void after_fork_in_child() noexcept override { forked_ = true; }
  [[noreturn, gnu::cold, gnu::noinline]] void throw_corrupt_frame() const;

  const std::shared_ptr<StreamCore> core_;
  Attachment attachment_;  // given back when this goes
  layout::StreamSlot& slot_;
  bool forked_ = false;
  bool corrupt_ = false;
};

}  // namespace SAPBUF_DETAIL
