#include "common/closest_word.hpp"

#include <algorithm>
#include <numeric>

namespace sapbuf::tools {

std::size_t edit_distance(std::string_view typed, std::string_view word) {
  // Of what was typed up to here, to each beginning of the word: two rows back, one row back, and this one.
  std::vector<std::size_t> before_last(word.size() + 1);
  std::vector<std::size_t> last(word.size() + 1);
  std::vector<std::size_t> row(word.size() + 1);
  std::iota(last.begin(), last.end(), std::size_t{0});
  for (std::size_t i = 1; i <= typed.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= word.size(); ++j) {
      const std::size_t otherwise = last[j - 1] + (typed[i - 1] == word[j - 1] ? 0 : 1);
      row[j] = std::min({otherwise, last[j] + 1, row[j - 1] + 1});
      const bool exchanged = i > 1 && j > 1 && typed[i - 1] == word[j - 2] && typed[i - 2] == word[j - 1];
      if (exchanged) row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
    before_last.swap(last);
    last.swap(row);
  }
  return last[word.size()];
}

std::optional<std::string> closest_word(std::string_view typed, const std::vector<std::string>& words) {
  constexpr std::size_t kLeastToComplete = 3;  // letters, dashes included
  std::optional<std::string> closest;
  std::size_t least = 0;
  for (const std::string& word : words) {
    const bool completes = typed.size() >= kLeastToComplete && word.starts_with(typed);
    const std::size_t distance = completes ? 1 : edit_distance(typed, word);
    if (distance > std::max(typed.size(), word.size()) / 3 || (closest && distance >= least)) continue;
    closest = word;
    least = distance;
  }
  return closest;
}

}  // namespace sapbuf::tools
