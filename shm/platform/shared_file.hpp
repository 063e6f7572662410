// The file behind a named segment: an object in /dev/shm. This is the one place that opens, makes, names and removes
// them.
//
//   open    what has the name may be anybody's mistake or trick: no link is followed, no FIFO or device is waited for,
//           and nothing but a regular file is taken
//   make    without a name (O_TMPFILE): nobody sees the file before it is finished, and the kernel takes it away if its
//           maker dies
//   name    one step of the kernel, which fails if the name is taken: nothing that others left there is touched
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <boost/interprocess/mapped_region.hpp>

#include "platform/file_facts.hpp"

namespace sapbuf::platform {

enum class FileAccess { read_only, read_write };

// Owns an open file description; close-on-exec.
class SharedFile {
 public:
  SharedFile() = default;
  SharedFile(SharedFile&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  SharedFile& operator=(SharedFile&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~SharedFile();

  // Opens the object `sapbuf.NAME`. Throws Error: not_found (find: nothing instead), incompatible if it is no regular
  // file, permission_denied, or what else the system has against it.
  static SharedFile open(std::string_view name, FileAccess access);
  static std::optional<SharedFile> find(std::string_view name, FileAccess access);
  // Makes an empty file without a name, with exactly this mode. Throws Error.
  static SharedFile make(unsigned mode);
  // Gives such a file its name. False if something has that name already. Throws Error.
  bool give_name(std::string_view name) const;
  // Takes the name away from a regular file, whatever is in it. False if there is none. Throws Error (incompatible,
  // permission_denied).
  static bool remove(std::string_view name);

  int descriptor() const noexcept { return descriptor_; }
  FileFacts facts() const;
  std::uint64_t size() const { return facts().bytes; }
  bool has_name() const { return facts().links != 0; }  // false once it was removed while this description was open
  // Whether the name refers to that very file: not if there is none of that name, or another one. Where the system does
  // not say, it does.
  static bool has_identity(std::string_view name, const FileIdentity& identity) noexcept;

  // Copies from the file without mapping it, so that a file that is cut off meanwhile is an error and not a SIGBUS.
  // False if it ends before that. Throws Error if the system refuses.
  bool read(void* target, std::size_t bytes, std::uint64_t offset) const;

  // Maps part of the file. Throws Error (resource_exhausted).
  boost::interprocess::mapped_region map(FileAccess access, std::uint64_t offset, std::uint64_t bytes) const;

 private:
  explicit SharedFile(int descriptor) noexcept : descriptor_(descriptor) {}
  int descriptor_ = -1;
};

// A part of a file that is open for writing, behind its end or in a hole, becomes zeros with every page really allocated:
// what fits now cannot fail later. What is there already stays. Throws Error (no_space), and says which limit was in the
// way; no signal comes of it.
void allocate_range(int descriptor, std::uint64_t offset, std::uint64_t bytes);
// The opposite: the pages are the system's again, and whoever looks at that part finds zeros. Throws Error.
void give_back_range(int descriptor, std::uint64_t offset, std::uint64_t bytes);

// The object's name from a segment's name. Throws Error (invalid_argument) for a name that cannot be one.
std::string object_name(std::string_view name);
// Where it is.
std::string object_path(std::string_view name);

}  // namespace sapbuf::platform
