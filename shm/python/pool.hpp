// Pools, users of pools and buffers, as Python has them.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include <sapbuf/pool.hpp>
#include <sapbuf/writer.hpp>

#include "in_place.hpp"
#include "participant.hpp"

namespace sapbuf::python {

class PoolBuffer;

class OpenPoolUser final : public Participant {
 public:
  OpenPoolUser(const Pool& pool, const std::string& name, std::uint64_t budget);

  std::unique_ptr<PoolBuffer> acquire(std::optional<std::uint64_t> bytes, std::optional<double> timeout);
  std::unique_ptr<PoolBuffer> adopt(const BufferReference& reference);
  int event_fd();
  std::uint32_t slot() const noexcept { return user_.slot(); }

 private:
  void detach() noexcept override { user_.close(); }
  Buffer try_to_acquire(std::optional<std::uint64_t> bytes) noexcept;
  Buffer wait_to_acquire(std::optional<std::uint64_t> bytes, std::chrono::nanoseconds timeout) noexcept;
  std::unique_ptr<PoolBuffer> wrap(Buffer buffer, const char* what);

  PoolUser user_;
};

// A buffer that a user has, until it is released or goes with a message; dropped, it is released. On any thread, also while
// its user waits in another one.
class PoolBuffer final : public InPlace {
 public:
  PoolBuffer(std::shared_ptr<OpenPoolUser> user, Buffer buffer) : user_(std::move(user)), buffer_(std::move(buffer)) {}

  std::span<std::byte> bytes() const override;
  bool is_writable() const noexcept override { return true; }
  BufferReference share();
  void release();         // throws StillExported
  void leave() noexcept;  // releases it once nothing looks at it
  bool is_released() const noexcept { return left_ || !buffer_; }
  // Whether it may go with a message: throws Released, StillExported, Forked. So does attach_to().
  void check_can_go() const;
  void attach_to(Reservation& reservation);

 private:
  void check_open() const;
  void unexported() noexcept override;

  std::shared_ptr<OpenPoolUser> user_;
  Buffer buffer_;
  bool left_ = false;
};

// Throws TypeError.
PoolBuffer& buffer_of(py::handle object);

void bind_pool(py::module_& module);

}  // namespace sapbuf::python
