// What the tools print for programs. Keys stand in the order in which the documentation names them.
#pragma once

#include <nlohmann/json.hpp>
#include <sapbuf/sapbuf.hpp>
#include <string>

namespace sapbuf::tools {

using Json = nlohmann::ordered_json;

inline constexpr int kSchemaVersion = 1;

Json to_json(const Snapshot& snapshot);
Json to_json(const DeadParticipant& dead);

// One line of ASCII, newline included: a name may hold anything, and people look at this on terminals, too. Bytes that
// are not UTF-8 are replaced.
std::string json_line(const Json& json);

}  // namespace sapbuf::tools
