// Choices that Python makes by words.
#pragma once

#include <string>

#include <sapbuf/options.hpp>
#include <sapbuf/pool.hpp>

namespace sapbuf::python {

// Each throws InvalidArgument, which says what words there are.
Order order_of(const std::string& word);     // "per-writer", "total"
OnFull on_full_of(const std::string& word);  // "block", "drop", "overwrite"
Fences fences_of(const std::string& word);   // "membarrier", "full"
Grow grow_of(const std::string& word);       // "anyone", "creator", "nobody"
From from_of(const std::string& word);       // "oldest", "newest"
const char* word_of(Order order) noexcept;
const char* word_of(OnFull on_full) noexcept;
const char* word_of(Fences fences) noexcept;

}  // namespace sapbuf::python
