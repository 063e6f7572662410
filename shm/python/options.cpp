#include "options.hpp"

#include <array>
#include <cstddef>
#include <string_view>
#include <utility>

#include "errors.hpp"

namespace sapbuf::python {
namespace {

template <typename Choice>
using Word = std::pair<std::string_view, Choice>;

constexpr std::array kOrders{Word<Order>{"per-writer", Order::per_writer}, Word<Order>{"total", Order::total}};
constexpr std::array kOnFulls{Word<OnFull>{"block", OnFull::block}, Word<OnFull>{"drop", OnFull::drop},
                              Word<OnFull>{"overwrite", OnFull::overwrite}};
constexpr std::array kFences{Word<Fences>{"membarrier", Fences::membarrier}, Word<Fences>{"full", Fences::full}};
constexpr std::array kGrows{Word<Grow>{"anyone", Grow::anyone}, Word<Grow>{"creator", Grow::creator},
                            Word<Grow>{"nobody", Grow::nobody}};
constexpr std::array kFroms{Word<From>{"oldest", From::oldest}, Word<From>{"newest", From::newest}};

template <typename Choice, std::size_t count>
Choice choose(const std::array<Word<Choice>, count>& words, const char* option, const std::string& asked) {
  std::string known;
  for (const auto& [word, choice] : words) {
    if (word == asked) return choice;
    known += (known.empty() ? "\"" : ", \"") + std::string{word} + '"';
  }
  raise("InvalidArgument", std::string{option} + " is one of " + known + ", not \"" + asked + '"');
}

template <typename Choice, std::size_t count>
const char* word_in(const std::array<Word<Choice>, count>& words, Choice wanted) noexcept {
  for (const auto& [word, choice] : words) {
    if (choice == wanted) return word.data();
  }
  return "unknown";
}

}  // namespace

Order order_of(const std::string& word) { return choose(kOrders, "order", word); }
OnFull on_full_of(const std::string& word) { return choose(kOnFulls, "on_full", word); }
Fences fences_of(const std::string& word) { return choose(kFences, "fences", word); }
Grow grow_of(const std::string& word) { return choose(kGrows, "grow", word); }
From from_of(const std::string& word) { return choose(kFroms, "start", word); }
const char* word_of(Order order) noexcept { return word_in(kOrders, order); }
const char* word_of(OnFull on_full) noexcept { return word_in(kOnFulls, on_full); }
const char* word_of(Fences fences) noexcept { return word_in(kFences, fences); }

}  // namespace sapbuf::python
