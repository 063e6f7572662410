// The file behind a segment: a POSIX shared-memory object, or a descriptor that the caller supplied.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <boost/interprocess/mapped_region.hpp>
#include <boost/interprocess/shared_memory_object.hpp>

namespace sapbuf::platform {

// Which file it is, whatever its name says by now.
struct FileIdentity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;

  bool operator==(const FileIdentity&) const = default;
};

enum class FileAccess { read_only, read_write };

class SharedFile {
 public:
  SharedFile() = default;
  // Opens the object `/sapbuf.NAME`, or makes an empty one. Throws Error.
  static SharedFile open(std::string_view name, FileAccess access);
  static SharedFile open_or_create(std::string_view name, unsigned mode);
  // False if there is none. Throws Error (permission).
  static bool remove(std::string_view name);

  int descriptor() const noexcept { return object_.get_mapping_handle().handle; }
  std::uint64_t size() const;
  bool has_name() const;  // false once it was removed while this description was open
  FileIdentity identity() const;
  // Whether the name refers to that very file: not if there is none of that name, or another one. Where the system does
  // not say, it does.
  static bool has_identity(std::string_view name, const FileIdentity& identity) noexcept;

  // Makes the file `bytes` long, all zero, with every page really allocated: what fits now cannot fail later. Throws
  // Error (no_space).
  void allocate(std::uint64_t bytes);
  // Copies from the file without mapping it, so that a file that is cut off meanwhile is an error and not a SIGBUS.
  bool read(void* target, std::size_t bytes, std::uint64_t offset) const noexcept;

  // Maps part of the file. Throws Error.
  boost::interprocess::mapped_region map(FileAccess access, std::uint64_t offset, std::uint64_t bytes) const;

 private:
  explicit SharedFile(boost::interprocess::shared_memory_object object) : object_(std::move(object)) {}
  boost::interprocess::shared_memory_object object_;
};

// The object's name from a segment's name. Throws Error (invalid_argument) for a name that cannot be one.
std::string object_name(std::string_view name);

}  // namespace sapbuf::platform
