// What the subcommands of `sapbuf map` say of keys and values.
#pragma once

#include <sapbuf/sapbuf.hpp>
#include <string>
#include <string_view>

#include "common/exit_code.hpp"
#include "common/json.hpp"
#include "sapbuf/facility_name.hpp"

namespace sapbuf::tools {

// Why a key has no value, or could not get one: exit status 1, or 3 where the segment is corrupt.
Failure no_value(const FacilityName& map, std::string_view key, Status status);

// Throws Failure for a key that the map cannot have.
void check_key(const FacilityName& name, const Map& map, std::string_view key);

// {"key", "version", "flipped_ns", "bytes", "value"}; what is not UTF-8 stands as "key_hex" or "value_hex" instead.
Json value_json(std::string_view key, const MapValue& value);

}  // namespace sapbuf::tools
