// Structs that begin with their size, between programs and libraries of different versions.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include <sapbuf/duration.hpp>
#include <sapbuf/options.hpp>

#include "capi/call.hpp"

namespace sapbuf::capi {

// What no struct of options comes to: more is memory that nobody initialised.
inline constexpr std::size_t kMostStructBytes = 4096;

template <typename Struct>
std::size_t checked_size(const Struct& given) {
  static_assert(offsetof(Struct, struct_size) == 0 && std::is_trivially_copyable_v<Struct>);
  const std::size_t size = given.struct_size;
  if (size >= sizeof size && size <= kMostStructBytes) return size;
  throw Error(Errc::invalid_argument, "the first member of a struct, struct_size, says that it has " +
                                          std::to_string(size) + " bytes: initialise it");
}

// What the program chose; zero, which is the default, in all fields that it does not know. Throws Errc::unsupported where it
// chose something in a field that this library does not know.
template <typename Struct>
Struct chosen(const Struct* given) {
  Struct options{};
  if (given == nullptr) return options;
  const std::size_t size = checked_size(*given);
  const auto* const bytes = reinterpret_cast<const unsigned char*>(given);
  std::memcpy(&options, bytes, std::min(size, sizeof options));
  if (size > sizeof options &&
      std::any_of(bytes + sizeof options, bytes + size, [](unsigned char b) { return b != 0; })) {
    throw Error(
        Errc::unsupported,
        "options have a field that this version of the library does not know: leave it zero, or use a newer one");
  }
  return options;
}

// As much of `from` as the program's struct has room for; zero in fields that this library does not know.
template <typename Struct>
void hand_out(const Struct& from, Struct& to) {
  const std::size_t size = checked_size(to);
  auto* const bytes = reinterpret_cast<unsigned char*>(&to);
  const std::size_t known = std::min(size, sizeof from);
  std::memcpy(bytes, &from, known);
  std::memset(bytes + known, 0, size - known);
  to.struct_size = size;
}

template <typename Value>
Value or_default(Value chosen, Value otherwise) noexcept {
  return chosen == Value{} ? otherwise : chosen;
}

// An enumerator of `Enum`, the last of which is `last`.
template <typename Enum>
Enum checked_choice(std::uint32_t chosen, Enum last, const char* what) {
  if (chosen <= static_cast<std::uint32_t>(last)) return static_cast<Enum>(chosen);
  throw Error(Errc::invalid_argument, std::string(what) + " cannot be " + std::to_string(chosen));
}

inline std::string text_or_none(const char* text) { return text == nullptr ? std::string{} : std::string{text}; }

static_assert(sizeof(std::atomic<bool>) == sizeof(sapbuf_stop_flag) && std::atomic<bool>::is_always_lock_free);
inline const std::atomic<bool>* flag_of(const sapbuf_stop_flag* flag) noexcept {
  return reinterpret_cast<const std::atomic<bool>*>(flag);
}
inline bool is_raised(const sapbuf_stop_flag* flag) noexcept {
  return flag != nullptr && flag_of(flag)->load(std::memory_order_relaxed);
}

// Of an option, where 0 is the default: for ever.
inline Milliseconds patience_of(std::int64_t timeout_ns) noexcept {
  if (timeout_ns == 0 || timeout_ns == SAPBUF_FOREVER) return kForever;
  return std::chrono::nanoseconds{timeout_ns};
}

// "slabs 2, not 8; order total, not per-writer".
inline sapbuf_status tell_differences(const std::vector<std::string>& all, char* text, std::size_t size,
                                      std::size_t* length) {
  if (size != 0) needed(text, "text");
  std::string joined;
  for (const std::string& one : all) joined += (joined.empty() ? "" : "; ") + one;
  if (size != 0) text[joined.copy(text, size - 1)] = '\0';
  if (length != nullptr) *length = joined.size();
  return SAPBUF_OK;
}

}  // namespace sapbuf::capi
