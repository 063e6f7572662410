// What somebody may have meant who mistyped a word.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sapbuf::tools {

// How many letters must be typed otherwise, left out, added, or exchanged with their neighbour.
std::size_t edit_distance(std::string_view typed, std::string_view word);

// The word that `typed` comes closest to: one that it begins, or one in which a third of the letters at the most is mistyped.
// Nothing if there is none.
std::optional<std::string> closest_word(std::string_view typed, const std::vector<std::string>& words);

}  // namespace sapbuf::tools
