// What the tools print for programs. Keys stand in the order in which the documentation names them.
#pragma once

#include <nlohmann/json.hpp>
#include <sapbuf/sapbuf.hpp>
#include <string>
#include <string_view>

namespace sapbuf::tools {

using Json = nlohmann::ordered_json;

inline constexpr int kSchemaVersion = 1;
inline constexpr int kStatusSchemaVersion = 2;  // 1 knew of one stream in a segment

// A segment, and all that is in it. The keys that version 1 had are those of `stream`, and say nothing (null, or empty)
// if the segment has no such stream.
Json status_json(const Snapshot& snapshot, std::string_view stream);
// `participants`: of their stream.
Json durable_readers_json(const std::vector<DurableReaderInfo>& readers,
                          const std::vector<ParticipantSnapshot>& participants);
Json facility_json(const FacilityInfo& facility);
void add_pool(Json& json, const PoolSnapshot& pool);
void add_map(Json& json, const MapSnapshot& map);
void add_queue(Json& json, const QueueSnapshot& queue);
Json to_json(const DeadParticipant& dead);

// Any bytes: as `field` where they are UTF-8, otherwise in hexadecimal digits, as `field` with "_hex" behind it.
void add_bytes(Json& json, const std::string& field, std::string_view bytes);

// One line of ASCII, newline included: a name may hold anything, and people look at this on terminals, too. Bytes that
// are not UTF-8 are replaced.
std::string json_line(const Json& json);

}  // namespace sapbuf::tools
