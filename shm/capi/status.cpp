#include <algorithm>
#include <cstring>
#include <exception>
#include <new>

#include <sapbuf/version.hpp>

#include "capi/call.hpp"

namespace sapbuf::capi {
namespace {

// Of one thread. Most statuses are told by a text that lasts for ever: no copy is made of it.
struct LastError {
  const char* shown = "";
  char text[1024];
};
thread_local LastError last_error;

sapbuf_status status_of(Status status) noexcept {
  switch (status) {
    case Status::ok:
      return SAPBUF_OK;
    case Status::full:
      return SAPBUF_FULL;
    case Status::timeout:
      return SAPBUF_TIMEOUT;
    case Status::stopped:
      return SAPBUF_STOPPED;
    case Status::would_deadlock:
      return SAPBUF_WOULD_DEADLOCK;
    case Status::too_large:
      return SAPBUF_TOO_LARGE;
    case Status::already_reserved:
      return SAPBUF_ALREADY_RESERVED;
    case Status::exhausted:
      return SAPBUF_EXHAUSTED;
    case Status::over_budget:
      return SAPBUF_OVER_BUDGET;
    case Status::stale:
      return SAPBUF_STALE;
    case Status::other_segment:
      return SAPBUF_OTHER_SEGMENT;
    case Status::attachments_full:
      return SAPBUF_ATTACHMENTS_FULL;
    case Status::not_found:
      return SAPBUF_NOT_FOUND;
    case Status::exists:
      return SAPBUF_EXISTS;
    case Status::version_changed:
      return SAPBUF_VERSION_CHANGED;
    case Status::not_alone:
      return SAPBUF_NOT_ALONE;
    case Status::overtaken:
      return SAPBUF_OVERTAKEN;
    case Status::closed:
      return SAPBUF_CLOSED;
    case Status::forked:
      return SAPBUF_FORKED;
    case Status::corrupt:
      return SAPBUF_CORRUPT;
    case Status::declared_dead:
      return SAPBUF_DECLARED_DEAD;
  }
  return SAPBUF_SYSTEM;
}

sapbuf_status status_of(Errc code) noexcept {
  switch (code) {
    case Errc::not_found:
      return SAPBUF_NOT_FOUND;
    case Errc::exists:
      return SAPBUF_EXISTS;
    case Errc::incompatible:
      return SAPBUF_INCOMPATIBLE;
    case Errc::corrupt:
      return SAPBUF_CORRUPT;
    case Errc::permission_denied:
      return SAPBUF_PERMISSION_DENIED;
    case Errc::no_space:
      return SAPBUF_NO_SPACE;
    case Errc::registry_full:
      return SAPBUF_REGISTRY_FULL;
    case Errc::invalid_argument:
      return SAPBUF_INVALID_ARGUMENT;
    case Errc::busy:
      return SAPBUF_BUSY;
    case Errc::forked:
      return SAPBUF_FORKED;
    case Errc::unsupported:
      return SAPBUF_UNSUPPORTED;
    case Errc::resource_exhausted:
      return SAPBUF_RESOURCE_EXHAUSTED;
    case Errc::system:
      return SAPBUF_SYSTEM;
    case Errc::declared_dead:
      return SAPBUF_DECLARED_DEAD;
  }
  return SAPBUF_SYSTEM;
}

}  // namespace

sapbuf_status fail(sapbuf_status status) noexcept {
  last_error.shown = sapbuf_strerror(status);
  return status;
}

sapbuf_status fail(sapbuf_status status, const char* text) noexcept {
  const std::size_t length = std::min(std::strlen(text), sizeof last_error.text - 1);
  std::memcpy(last_error.text, text, length);
  last_error.text[length] = '\0';
  last_error.shown = last_error.text;
  return status;
}

sapbuf_status fail(Status status) noexcept { return fail(status_of(status)); }

sapbuf_status fail_null(const char* what) noexcept {
  return call([&] { return needed(static_cast<const char*>(nullptr), what), SAPBUF_OK; });
}

sapbuf_status fail_with_caught() noexcept {
  try {
    throw;
  } catch (const Error& error) {
    return fail(status_of(error.errc()), error.what());
  } catch (const Abandoned&) {
    return fail(SAPBUF_ABANDONED);
  } catch (const std::bad_alloc&) {
    return fail(SAPBUF_RESOURCE_EXHAUSTED);
  } catch (const std::exception& error) {
    return fail(SAPBUF_SYSTEM, error.what());
  } catch (...) {
    return fail(SAPBUF_SYSTEM);
  }
}

}  // namespace sapbuf::capi

const char* sapbuf_strerror(sapbuf_status status) noexcept {
  // Any value may come, also one that is none of the enumeration's: then C++ must not load it as one.
  std::int32_t value;
  static_assert(sizeof value == sizeof status);
  std::memcpy(&value, &status, sizeof value);
  switch (value) {
    case SAPBUF_OK:
      return "all went well";
    case SAPBUF_FULL:
      return "there is no room";
    case SAPBUF_TIMEOUT:
      return "the time is over";
    case SAPBUF_STOPPED:
      return "the stop flag ended the wait";
    case SAPBUF_WOULD_DEADLOCK:
      return "this thread has pinned what it would wait for: unpin it first";
    case SAPBUF_TOO_LARGE:
      return "too large: it can never fit";
    case SAPBUF_ALREADY_RESERVED:
      return "a reservation is open: commit or abort it first";
    case SAPBUF_EXHAUSTED:
      return "no buffer is free, and the pool cannot grow";
    case SAPBUF_OVER_BUDGET:
      return "this participant holds as many as it can";
    case SAPBUF_STALE:
      return "what the reference names was freed, or is in another pool";
    case SAPBUF_OTHER_SEGMENT:
      return "in another segment";
    case SAPBUF_ATTACHMENTS_FULL:
      return "the slab has as many attached buffers as it can: abort, and reserve anew";
    case SAPBUF_NOT_FOUND:
      return "not found";
    case SAPBUF_EXISTS:
      return "it exists already";
    case SAPBUF_VERSION_CHANGED:
      return "the key has another version by now";
    case SAPBUF_NOT_ALONE:
      return "other groups of consumers get the block, too";
    case SAPBUF_OVERTAKEN:
      return "the value was replaced many times in a row while it was looked up";
    case SAPBUF_ABANDONED:
      return "the program's own function ended the call";
    case SAPBUF_FINISHED:
      return "all has been read, and no more comes";
    case SAPBUF_CLOSED:
      return "there is nothing here any more";
    case SAPBUF_FORKED:
      return "the handle was inherited through fork: open another one";
    case SAPBUF_CORRUPT:
      return "the segment's bytes contradict themselves";
    case SAPBUF_DECLARED_DEAD:
      return "others took this participant for dead: open another one";
    case SAPBUF_INVALID_ARGUMENT:
      return "an argument cannot work";
    case SAPBUF_INCOMPATIBLE:
      return "not a sapbuf segment, of another version, or values of another size";
    case SAPBUF_PERMISSION_DENIED:
      return "permission denied";
    case SAPBUF_NO_SPACE:
      return "there is too little memory for it";
    case SAPBUF_REGISTRY_FULL:
      return "every participant slot is taken";
    case SAPBUF_BUSY:
      return "a live process, or a pinned range, holds what is needed";
    case SAPBUF_UNSUPPORTED:
      return "the system, or this version of the library, does not know how to do that";
    case SAPBUF_RESOURCE_EXHAUSTED:
      return "out of descriptors, mappings or memory";
    case SAPBUF_SYSTEM:
      return "a system call failed";
  }
  return "a status that this version of the library does not know";
}

const char* sapbuf_last_error() noexcept { return sapbuf::capi::last_error.shown; }

const char* sapbuf_version() noexcept { return sapbuf::kVersion; }
