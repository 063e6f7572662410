#include "errors.hpp"

#include <exception>

namespace sapbuf::python {
namespace {

struct Meaning {
  const char* name;  // of the exception
  const char* text;
};

Meaning meaning_of(Status status) noexcept {
  switch (status) {
    case Status::ok:
      break;
    case Status::full:
      return {"Full", "there is no room"};
    case Status::timeout:
      return {"Timeout", "the time was over before there was room"};
    case Status::stopped:
      return {"Closed", "the handle was closed while it waited"};
    case Status::would_deadlock:
      return {"WouldDeadlock",
              "this thread's own reader has pinned what would have to be waited for: let it go on, and let go of what "
              "looks at its "
              "messages"};
    case Status::too_large:
      return {"TooLarge", "it is larger than what fits"};
    case Status::already_reserved:
      return {"AlreadyReserved", "a reservation of this handle is still open: commit or abort it first"};
    case Status::exhausted:
      return {"Exhausted", "the pool has no free buffer"};
    case Status::over_budget:
      return {"OverBudget", "this handle holds as many as it may"};
    case Status::stale:
      return {"Stale", "what the reference names was freed, or is in another pool"};
    case Status::other_segment:
      return {"OtherSegment", "it is in another segment"};
    case Status::attachments_full:
      return {"AttachmentsFull", "the slab has as many attached buffers as it can: abort, and reserve anew"};
    case Status::not_found:
      return {"NotFound", "it is not there"};
    case Status::exists:
      return {"Exists", "it is there already"};
    case Status::version_changed:
      return {"VersionChanged", "it has another version by now"};
    case Status::not_alone:
      return {"NotAlone", "other groups get the block, too"};
    case Status::overtaken:
      return {"Overtaken", "values were replaced faster than they could be kept"};
    case Status::closed:
      return {"Closed", "it was closed"};
    case Status::forked:
      return {"Forked", "the handle belongs to the parent process: open the segment again, and make a new one"};
    case Status::corrupt:
      return {"Corrupt", "the segment's bytes contradict themselves"};
    case Status::declared_dead:
      return {"DeclaredDead", "others took this participant for dead: make a new one"};
  }
  return {"Error", "unknown status"};
}

const char* name_of(Errc code) noexcept {
  switch (code) {
    case Errc::not_found:
      return "NotFound";
    case Errc::exists:
      return "Exists";
    case Errc::incompatible:
      return "Incompatible";
    case Errc::corrupt:
      return "Corrupt";
    case Errc::permission_denied:
      return "PermissionDenied";
    case Errc::no_space:
      return "NoSpace";
    case Errc::registry_full:
      return "RegistryFull";
    case Errc::invalid_argument:
      return "InvalidArgument";
    case Errc::busy:
      return "Busy";
    case Errc::forked:
      return "Forked";
    case Errc::unsupported:
      return "Unsupported";
    case Errc::resource_exhausted:
      return "ResourceExhausted";
    case Errc::declared_dead:
      return "DeclaredDead";
    case Errc::system:
      break;
  }
  return "SystemFailure";
}

void set_error(const char* name, const std::string& text) {
  const py::object type = py::module_::import("sapbuf._errors").attr(name);
  PyErr_SetObject(type.ptr(), py::cast(text).ptr());
}

}  // namespace

void raise(const char* name, const std::string& text) {
  set_error(name, text);
  throw py::error_already_set();
}

void raise(Status status, const std::string& what) {
  const Meaning meaning = meaning_of(status);
  raise(meaning.name, what + ": " + meaning.text);
}

void set_error_to_caught() noexcept {
  try {
    throw;
  } catch (py::error_already_set& error) {
    error.restore();
  } catch (const py::builtin_exception& error) {
    error.set_error();
  } catch (const Error& error) {
    set_error(name_of(error.errc()), error.what());
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_RuntimeError, error.what());
  }
}

void translate_errors() {
  py::register_local_exception_translator([](std::exception_ptr thrown) {
    try {
      if (thrown) std::rethrow_exception(thrown);
    } catch (const Error& error) {
      set_error(name_of(error.errc()), error.what());
    }
  });
}

}  // namespace sapbuf::python
