#include "platform/cancellation.hpp"

#include <pthread.h>

namespace sapbuf::platform {

Uncancellable::Uncancellable() noexcept { ::pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before_); }

Uncancellable::~Uncancellable() { ::pthread_setcancelstate(before_, nullptr); }

void UncancellableFromNow::begin() noexcept {
  ::pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before_);
  begun_ = true;
}

UncancellableFromNow::~UncancellableFromNow() {
  if (begun_) ::pthread_setcancelstate(before_, nullptr);
}

}  // namespace sapbuf::platform
