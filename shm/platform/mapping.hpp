// Pages of a segment's file in this process's memory.
#pragma once

#include <cstddef>
#include <cstdint>

#include "platform/fork_guard.hpp"
#include "platform/shared_file.hpp"

namespace sapbuf::platform {

// A page that nobody touches, mapped through an open file description: it keeps the description, and the locks taken
// through it, until the process's memory goes, whatever becomes of the descriptor. Children never have it.
class Anchor final : public ForkWatcher {
 public:
  Anchor() = default;
  Anchor(const Anchor&) = delete;
  Anchor& operator=(const Anchor&) = delete;
  ~Anchor();

  // Returns 0, or errno's value. The description must be open for reading. May throw std::bad_alloc.
  int hold(NoFork& section, int descriptor);
  // When this returns, the description is gone, unless a descriptor of it is open somewhere.
  void release() noexcept;

 private:
  void after_fork_in_child() noexcept override { address_ = nullptr; }

  void* address_ = nullptr;
  std::size_t bytes_ = 0;
  bool watched_ = false;
};

// Whether core files contain it.
enum class Dump { yes, no };

// A range of the file, or memory of the caller's that others share. A child made by fork has private zeros in its
// place; one that runs no fork handlers has nothing there.
class Mapping final : public ForkWatcher {
 public:
  Mapping() = default;
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping();

  // Its address is a multiple of `alignment`, a power of two. Throws Error.
  void map(int descriptor, FileAccess access, std::uint64_t offset, std::uint64_t bytes, Dump dump,
           std::uint64_t alignment = 1);
  // Memory that the caller mapped and will unmap.
  void adopt(std::byte* address, std::uint64_t bytes);

  std::byte* data() const noexcept { return address_; }

 private:
  void before_fork() noexcept override;
  void after_fork_in_parent() noexcept override;
  void after_fork_in_child() noexcept override;

  std::byte* address_ = nullptr;
  std::size_t bytes_ = 0;
  bool owned_ = false;
  bool in_child_ = false;  // during a fork: the child has it until it is replaced
  bool watched_ = false;
};

// Keeps the whole pages of a range out of core files, or lets them in.
void set_dump(std::byte* address, std::uint64_t bytes, Dump dump) noexcept;

}  // namespace sapbuf::platform
