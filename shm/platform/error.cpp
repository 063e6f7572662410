#include <sapbuf/error.hpp>
#include <sapbuf/status.hpp>
#include <sapbuf/text.hpp>

namespace sapbuf {
inline namespace SAPBUF_ABI {
namespace {

class Category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "sapbuf"; }
  std::string message(int code) const override {
    switch (static_cast<Errc>(code)) {
      case Errc::not_found:
        return "no such segment";
      case Errc::exists:
        return "the segment exists already";
      case Errc::incompatible:
        return "not a segment that this version can use";
      case Errc::corrupt:
        return "the segment is corrupt";
      case Errc::permission_denied:
        return "permission denied";
      case Errc::no_space:
        return "not enough shared memory";
      case Errc::registry_full:
        return "every participant slot is taken";
      case Errc::invalid_argument:
        return "invalid argument";
      case Errc::busy:
        return "a live process holds what is needed";
      case Errc::forked:
        return "the handle belongs to the parent process";
      case Errc::unsupported:
        return "not supported by this system";
      case Errc::resource_exhausted:
        return "out of descriptors, mappings or memory";
      case Errc::system:
        return "a system call failed";
      case Errc::declared_dead:
        return "the participant was taken for dead";
    }
    return "unknown error";
  }
};

}  // namespace

const std::error_category& error_category() noexcept {
  static const Category category;
  return category;
}

std::error_code make_error_code(Errc code) noexcept { return {static_cast<int>(code), error_category()}; }

Error::Error(Errc code, const std::string& message)
    : std::system_error(make_error_code(code)), message_(printable(message)) {}

std::string_view to_string(Status status) noexcept {
  switch (status) {
    case Status::ok:
      return "ok";
    case Status::full:
      return "full";
    case Status::timeout:
      return "timeout";
    case Status::stopped:
      return "stopped";
    case Status::would_deadlock:
      return "would_deadlock";
    case Status::too_large:
      return "too_large";
    case Status::already_reserved:
      return "already_reserved";
    case Status::exhausted:
      return "exhausted";
    case Status::over_budget:
      return "over_budget";
    case Status::stale:
      return "stale";
    case Status::other_segment:
      return "other_segment";
    case Status::attachments_full:
      return "attachments_full";
    case Status::not_found:
      return "not_found";
    case Status::exists:
      return "exists";
    case Status::version_changed:
      return "version_changed";
    case Status::not_alone:
      return "not_alone";
    case Status::overtaken:
      return "overtaken";
    case Status::closed:
      return "closed";
    case Status::forked:
      return "forked";
    case Status::corrupt:
      return "corrupt";
    case Status::declared_dead:
      return "declared_dead";
  }
  return "unknown";
}

}  // namespace SAPBUF_ABI
}  // namespace sapbuf
