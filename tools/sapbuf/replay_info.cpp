#include "sapbuf/replay_info.hpp"

#include <fmt/format.h>

#include "common/human.hpp"
#include "common/json.hpp"

namespace sapbuf::tools {

std::string unfinished_text(const recording::RecordingReader& reader, std::uint64_t torn_bytes) {
  if (reader.is_finished()) return "";
  if (reader.is_being_written()) return "it is still being recorded";
  const std::string torn =
      torn_bytes == 0 ? ""
                      : fmt::format("; the last {} are a part of a block, and left out", counted(torn_bytes, "byte"));
  return "its recorder was killed, or had no room to finish it" + torn;
}

std::string damage_text(const recording::Damage& damage) {
  if (damage.places == 0) return "";
  return fmt::format("damaged in {}: {} make no sense, and had {} or more", counted(damage.places, "place"),
                     human_bytes(damage.bytes), counted(damage.messages, "message"));
}

std::string recording_text(const std::string& file, const recording::RecordingReader& reader,
                           const recording::Summary& summary) {
  const recording::Totals& totals = summary.totals;
  std::string text = fmt::format(
      "{}: a recording of {}, begun {}\n{} ({}) in {} of the file, the first one {} after the beginning, the last one "
      "{}\n{} lost before they were recorded\n",
      printable(file), printable_name(reader.source()), human_time(reader.started_ns()),
      counted(totals.messages, "message"), human_bytes(totals.payload_bytes), human_bytes(reader.file_bytes()),
      human_duration(summary.first), human_duration(summary.last), counted(totals.lost, "message"));
  if (totals.with_attachments != 0) {
    text += fmt::format("{} had buffers attached, which are not in it\n", counted(totals.with_attachments, "message"));
  }
  const std::string unfinished = unfinished_text(reader, summary.torn_bytes);
  text += unfinished.empty() ? "finished\n" : "not finished: " + unfinished + "\n";
  if (const std::string damage = damage_text(summary.damage); !damage.empty()) text += damage + "\n";
  if (const std::uint64_t missing = summary.missing.value_or(0); missing != 0) {
    text += fmt::format("missing: {} of {}\n", human_count(missing), counted(totals.messages + missing, "message"));
  }
  return text;
}

std::string recording_json(const std::string& file, const recording::RecordingReader& reader,
                           const recording::Summary& summary) {
  return json_line({{"schema_version", kSchemaVersion},
                    {"file", file},
                    {"stream", reader.source()},
                    {"started_ns", reader.started_ns()},
                    {"finished", reader.is_finished()},
                    {"being_recorded", reader.is_being_written()},
                    {"messages", summary.totals.messages},
                    {"bytes", summary.totals.payload_bytes},
                    {"lost", summary.totals.lost},
                    {"with_attachments", summary.totals.with_attachments},
                    {"first_ns", summary.first.count()},
                    {"last_ns", summary.last.count()},
                    {"duration_ns", (summary.last - summary.first).count()},
                    {"file_bytes", reader.file_bytes()},
                    {"torn_bytes", summary.torn_bytes},
                    {"damaged_places", summary.damage.places},
                    {"damaged_bytes", summary.damage.bytes},
                    {"damaged_messages", summary.damage.messages},
                    {"missing_messages", summary.missing ? Json(*summary.missing) : Json()}});
}

}  // namespace sapbuf::tools
