// Why the system refused something about a segment's file, in words that name the cause and what to do about it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <sapbuf/limits.hpp>

#include "platform/file_facts.hpp"

namespace sapbuf::platform {

std::string quoted_segment(std::string_view name);
// "'sapbuf rm --force' removes it", or who else could.
std::string how_to_remove(const FileFacts& facts);

// `error` is errno's value. `facts` are the object's, if there is one that could be looked at.
[[noreturn]] void throw_open_error(int error, std::string_view name, const std::optional<FileFacts>& facts,
                                   bool writing);
[[noreturn]] void throw_not_a_file(std::string_view name, const FileFacts& facts);
[[noreturn]] void throw_make_error(int error);
[[noreturn]] void throw_remove_error(int error, std::string_view name, const PathFacts& found);
[[noreturn]] void throw_no_space(std::uint64_t bytes, const SpaceLimit& limit);
[[noreturn]] void throw_allocate_error(int error, std::uint64_t bytes);
[[noreturn]] void throw_map_error(int error, std::uint64_t bytes);

}  // namespace sapbuf::platform
