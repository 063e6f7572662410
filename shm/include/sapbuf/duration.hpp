// Lengths of time in the public interface: any std::chrono duration will do, and none is too long.
#pragma once

#include <chrono>
#include <concepts>
#include <limits>
#include <ratio>
#include <utility>

#include <sapbuf/abi.hpp>

SAPBUF_BEGIN

namespace detail {

// `time` in units of `To`, rounded up; the longest or the shortest that `To` can say where it cannot say as much. A
// plain conversion overflows: hours::max() would become a time in the past.
template <typename To, typename Rep, typename Period>
constexpr To saturated(std::chrono::duration<Rep, Period> time) noexcept {
  using Factor = std::ratio_divide<Period, typename To::period>;
  if constexpr (std::integral<Rep> && Factor::den == 1) {
    constexpr auto kMost = To::max().count() / Factor::num;
    if (std::cmp_greater(time.count(), kMost)) return To::max();
    if (std::cmp_less(time.count(), -kMost)) return To::min();
    return To{static_cast<typename To::rep>(time.count()) * Factor::num};
  } else {
    const long double value = static_cast<long double>(time.count()) * Factor::num / Factor::den;
    if (value >= static_cast<long double>(To::max().count())) return To::max();
    if (!(value > static_cast<long double>(To::min().count()))) return To::min();  // no number is no time, either
    const To whole{static_cast<typename To::rep>(value)};
    return static_cast<long double>(whole.count()) < value ? whole + To{1} : whole;
  }
}

}  // namespace detail

// Milliseconds, made from any duration: rounded up, and cut off instead of overflowing.
struct Milliseconds : std::chrono::milliseconds {
  template <typename Rep, typename Period>
  constexpr Milliseconds(std::chrono::duration<Rep, Period> time) noexcept
      : std::chrono::milliseconds(detail::saturated<std::chrono::milliseconds>(time)) {}
};

SAPBUF_END
