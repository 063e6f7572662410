// An open file, read and written at offsets, whole or not at all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace sapbuf::recording {

// Move-only. Not thread-safe. Closed when it goes out of scope.
class File {
 public:
  // Throws RecordingError: also if it is no regular file.
  static File open(const std::string& path);
  // Makes it; with `overwrite`, one that is there is taken as it is, unless somebody records to it. Throws RecordingError.
  static File create(const std::string& path, bool overwrite);
  File(File&& other) noexcept;
  File& operator=(File&&) = delete;
  ~File();

  // Throws RecordingError.
  std::uint64_t size() const;
  // False if the file ends before that. Throws RecordingError.
  bool read(std::uint64_t offset, std::span<std::byte> to) const;
  // False with errno set; a part may have been written.
  bool write(std::uint64_t offset, std::span<const std::byte> bytes) noexcept;
  // Cuts off what is behind. False with errno set.
  bool cut(std::uint64_t size) noexcept;
  // Until the disk has it. False with errno set.
  bool sync() noexcept;
  // By create(): it was not there before.
  bool is_new() const noexcept { return is_new_; }
  // Somebody has it from create(), and is not done.
  bool is_being_written() const noexcept;

  const std::string& path() const noexcept { return path_; }

 private:
  File(int fd, std::string path, bool is_new) noexcept : fd_(fd), path_(std::move(path)), is_new_(is_new) {}

  int fd_;
  std::string path_;
  bool is_new_;
};

}  // namespace sapbuf::recording
