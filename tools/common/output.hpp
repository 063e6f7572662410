// Standard output, for data: one large buffer, so that millions of lines a second cost a copy each and few writes.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>

namespace sapbuf::tools {

// Not thread-safe. What is still buffered when it goes out of scope is lost: call `flush`. Throws Failure when the
// output cannot be written (disk full, say), or when it takes nothing for a second after a signal asked to stop. Once
// the other end of a pipe is closed, everything is swallowed and `closed` says so.
class Output {
 public:
  static constexpr std::size_t kBufferBytes = std::size_t{1} << 20;

  Output() : buffer_(std::make_unique_for_overwrite<char[]>(kBufferBytes)) {}

  void put(std::string_view text) { append(text.data(), text.size(), 0); }
  // The bytes, then a newline.
  void line(std::span<const std::byte> bytes) { append(reinterpret_cast<const char*>(bytes.data()), bytes.size(), 1); }
  void line(std::string_view text) { append(text.data(), text.size(), 1); }

  bool nearly_full() const noexcept { return used_ > kBufferBytes - kBufferBytes / 8; }
  void flush();

  // Nobody reads any more, as far as a write has shown.
  bool closed() const noexcept { return closed_; }
  // The same, but asks the system: for a reader of a pipe that went away while there was nothing to write.
  bool look_if_closed() noexcept;

 private:
  void append(const char* bytes, std::size_t size, std::size_t newlines) {
    if (size >= kBufferBytes - used_) [[unlikely]] {
      append_slow(bytes, size, newlines);
      return;
    }
    if (size != 0) std::memcpy(buffer_.get() + used_, bytes, size);
    used_ += size;
    if (newlines != 0) buffer_[used_++] = '\n';
  }
  void append_slow(const char* bytes, std::size_t size, std::size_t newlines);
  void write_all(const char* bytes, std::size_t size);

  std::unique_ptr<char[]> buffer_;
  std::size_t used_ = 0;
  bool closed_ = false;
};

// Everything at once, for the tools that print a page.
void print(std::string_view text);

}  // namespace sapbuf::tools
