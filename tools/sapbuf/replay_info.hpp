// What `sapbuf replay --info` says of a recording.
#pragma once

#include <string>

#include "recording/recording_reader.hpp"

namespace sapbuf::tools {

// For people: lines.
std::string recording_text(const std::string& file, const recording::RecordingReader& reader,
                           const recording::Summary& summary);
// For programs: an object in a line.
std::string recording_json(const std::string& file, const recording::RecordingReader& reader,
                           const recording::Summary& summary);

// How it ended: nothing if it was finished, and all is there. For people, behind the file's name and a colon.
std::string unfinished_text(const recording::RecordingReader& reader, std::uint64_t torn_bytes);
// Nothing if there is none.
std::string damage_text(const recording::Damage& damage);

}  // namespace sapbuf::tools
