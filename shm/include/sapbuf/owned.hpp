// A value in a buffer of a pool.
#pragma once

#include <new>
#include <type_traits>

#include <sapbuf/abi.hpp>
#include <sapbuf/pool.hpp>

SAPBUF_BEGIN

// What may live in shared memory: it looks the same in every process, and needs no destructor, for whoever has it may be killed.
// Pointers and references in it are the caller's business: they mean nothing elsewhere.
template <typename T>
concept Shareable = std::is_object_v<T> && std::is_standard_layout_v<T> && std::is_trivially_destructible_v<T>;

// A T that stands at the beginning of a Buffer, or the reason why there is none. Move-only, as the Buffer; it lets go of it.
template <Shareable T>
class [[nodiscard]] Owned {
 public:
  Owned() noexcept = default;

  // A new one in the buffer. Without one: the buffer's status; too_large if the buffer is too small for a T, or not aligned for it
  // (then it is let go of).
  template <typename... Arguments>
  static Owned make(Buffer buffer,
                    Arguments&&... arguments) noexcept(std::is_nothrow_constructible_v<T, Arguments...>) {
    Owned owned{std::move(buffer)};
    if (owned) ::new (owned.buffer_.bytes().data()) T(std::forward<Arguments>(arguments)...);
    return owned;
  }
  // The one that somebody made there, and gave on by reference.
  static Owned view(Buffer buffer) noexcept { return Owned{std::move(buffer)}; }

  explicit operator bool() const noexcept { return status_ == Status::ok && static_cast<bool>(buffer_); }
  Status status() const noexcept { return status_ == Status::ok ? buffer_.status() : status_; }

  T* get() const noexcept { return *this ? std::launder(reinterpret_cast<T*>(buffer_.bytes().data())) : nullptr; }
  T& operator*() const noexcept { return *get(); }
  T* operator->() const noexcept { return get(); }

  // As Buffer::share().
  BufferReference share() noexcept { return buffer_.share(); }
  // The buffer, to be attached to a message, say; this has nothing any more.
  Buffer take_buffer() noexcept { return std::move(buffer_); }
  void release() noexcept { buffer_.release(); }

 private:
  explicit Owned(Buffer buffer) noexcept : buffer_(std::move(buffer)), status_(buffer_.status()) {
    if (!buffer_ || fits(buffer_.bytes())) return;
    status_ = Status::too_large;
    buffer_.release();
  }

  static bool fits(std::span<const std::byte> bytes) noexcept {
    return bytes.size() >= sizeof(T) && reinterpret_cast<std::uintptr_t>(bytes.data()) % alignof(T) == 0;
  }

  Buffer buffer_;
  Status status_ = Status::closed;
};

SAPBUF_END
