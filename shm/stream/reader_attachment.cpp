#include "stream/reader_attachment.hpp"

namespace SAPBUF_DETAIL {

ReaderAttachment::ReaderAttachment(std::shared_ptr<StreamCore> core, Attachment attachment)
    : core_(std::move(core)), attachment_(std::move(attachment)), slot_(core_->slot(attachment_.slot())) {
  core_->add(*this);
}

ReaderAttachment::~ReaderAttachment() { core_->remove(*this); }

void ReaderAttachment::check_usable() const {
  core_->check_not_forked();
  if (!is_current()) {
    throw Error(Errc::declared_dead, core_->title() +
                                         ": others took this reader for dead, and what it held was given back: make a "
                                         "new one. Something took away what proves that the process lives (it unmapped "
                                         "memory of the library's?)");
  }
  check_not_corrupt();
}

void ReaderAttachment::throw_corrupt_frame() const { core_->throw_corrupt("a frame makes no sense"); }

}  // namespace SAPBUF_DETAIL
