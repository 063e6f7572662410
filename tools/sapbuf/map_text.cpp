#include "sapbuf/map_text.hpp"

#include <fmt/format.h>

#include "common/human.hpp"

namespace sapbuf::tools {

Failure no_value(const FacilityName& map, std::string_view key, Status status) {
  const std::string shown = excerpt(key, 80);
  switch (status) {
    case Status::not_found:
      return Failure(kFailure, fmt::format("{} has no key '{}'", map.text(), shown));
    case Status::version_changed:
      return Failure(kFailure, fmt::format("'{}' in {} has another version: left as it is", shown, map.text()));
    case Status::full:
      return Failure(kFailure, fmt::format("{} has as many keys as it can: remove some, or make it anew with more "
                                           "(--max-keys)",
                                           map.text()));
    case Status::too_large:
      return Failure(kFailure, fmt::format("the value is larger than {} takes", map.text()));
    case Status::timeout:
      return Failure(kFailure, fmt::format("'{}' in {} could not be had in time: its writer, or whoever keeps old "
                                           "versions, is stopped ('sapbuf status {}' shows them)",
                                           shown, map.text(), shell_operand(map.text())));
    default:
      return Failure(exit_code(status), fmt::format("'{}' in {}: {}", shown, map.text(), to_string(status)));
  }
}

void check_key(const FacilityName& name, const Map& map, std::string_view key) {
  const std::uint64_t most = map.options().key_bytes;
  if (!key.empty() && key.size() <= most) return;
  throw Failure(kFailure, fmt::format("a key of {} has 1 to {} bytes, not {}", name.text(), most, key.size()));
}

Json value_json(std::string_view key, const MapValue& value) {
  Json json;
  add_bytes(json, "key", key);
  json["version"] = value.version();
  json["flipped_ns"] = value.flipped_ns();
  json["bytes"] = value.bytes().size();
  add_bytes(json, "value", value.text());
  return json;
}

}  // namespace sapbuf::tools
