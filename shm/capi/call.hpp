// What every call of the C interface goes through: it looks at its arguments, lets no exception out, and leaves behind what
// sapbuf_last_error() is to say.
#pragma once

#include <string>
#include <utility>

#include <sapbuf.h>
#include <sapbuf/error.hpp>
#include <sapbuf/status.hpp>

namespace sapbuf::capi {

// A function of the program's own said so, through the library's own code.
struct Abandoned {};

// Leave their text for sapbuf_last_error(), and return `status`.
[[gnu::cold, gnu::noinline]] sapbuf_status fail(sapbuf_status status) noexcept;
[[gnu::cold, gnu::noinline]] sapbuf_status fail(sapbuf_status status, const char* text) noexcept;
[[gnu::cold, gnu::noinline]] sapbuf_status fail(Status status) noexcept;
// Of an argument, "writer", that is NULL.
[[gnu::cold, gnu::noinline]] sapbuf_status fail_null(const char* what) noexcept;
// Within a catch block.
[[gnu::cold, gnu::noinline]] sapbuf_status fail_with_caught() noexcept;

[[gnu::always_inline]] inline sapbuf_status answer(Status status) noexcept {
  if (status == Status::ok) [[likely]]
    return SAPBUF_OK;
  return fail(status);
}

// Calls `body`, which returns a sapbuf_status; what it throws becomes one.
template <typename Body>
[[gnu::always_inline]] inline sapbuf_status call(Body body) noexcept {
  try {
    return body();
  } catch (...) {
    return fail_with_caught();
  }
}

// For calls that answer something else: `otherwise` where `body` throws.
template <typename Value, typename Body>
Value call_or(Value otherwise, Body body) noexcept {
  try {
    return body();
  } catch (...) {
    fail_with_caught();
    return otherwise;
  }
}

// Within call(): an argument that must be there.
template <typename T>
T& needed(T* pointer, const char* what) {
  if (pointer == nullptr) throw Error(Errc::invalid_argument, std::string(what) + " is NULL");
  return *pointer;
}

// What `make` returns, as a handle of the program's, to `*handle`; NULL where it throws.
template <typename Handle, typename Make>
sapbuf_status give(Handle** handle, Make make) noexcept {
  if (handle == nullptr) return fail_null("the place for the handle");
  *handle = nullptr;
  return call([&] {
    *handle = new Handle(make());
    return SAPBUF_OK;
  });
}

}  // namespace sapbuf::capi
