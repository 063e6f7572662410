// sapbuf dump: the frames of a stream as they stand, or the entries of a map, or the blocks of a queue, for
// post-mortems; and where everything is.
#include <fmt/format.h>

#include <memory>
#include <optional>
#include <sapbuf/sapbuf.hpp>

#include "common/exit_code.hpp"
#include "common/human.hpp"
#include "common/json.hpp"
#include "common/output.hpp"
#include "common/stream_name.hpp"
#include "sapbuf/commands.hpp"
#include "sapbuf/dump_lines.hpp"

namespace sapbuf::tools {

namespace {

constexpr std::size_t kExcerptBytes = 60;

struct DumpOptions {
  std::string name;
  bool json = false;
  bool layout = false;
};

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

bool has_owner(const FrameRecord& frame) { return frame.kind == "extent" || frame.kind == "busy"; }

// Of a message its payload's size, of everything else what it spans.
std::uint64_t size_of(const FrameRecord& frame) { return frame.kind == "message" ? frame.payload.size() : frame.span; }

constexpr const char* kRow = "{:>4}  {:>10}  {:>10}  {:<7}  {:>5}  {:>10}  {:>5}  {}";

std::string head() {
  return fmt::format(kRow, "SLAB", "GENERATION", "OFFSET", "KIND", "TYPE", "SIZE", "OWNER", "PAYLOAD");
}

std::string row(const FrameRecord& frame) {
  const bool is_message = frame.kind == "message";
  std::string text = fmt::format(kRow, frame.slab, frame.generation, frame.offset, frame.kind,
                                 is_message ? std::to_string(frame.type) : "-", size_of(frame),
                                 has_owner(frame) ? std::to_string(frame.owner) : "-",
                                 is_message ? excerpt(as_text(frame.payload), kExcerptBytes) : "");
  text.erase(text.find_last_not_of(' ') + 1);
  return text + '\n';
}

std::string json_row(const FrameRecord& frame) {
  Json json{{"slab", frame.slab},
            {"generation", frame.generation},
            {"offset", frame.offset},
            {"kind", std::string{frame.kind}},
            {"span", frame.span}};
  if (frame.kind == "message") {
    json["type"] = frame.type;
    json["size"] = frame.payload.size();
    json["excerpt"] = excerpt(as_text(frame.payload), kExcerptBytes);
  }
  if (has_owner(frame)) json["owner"] = frame.owner;
  return json_line(json);
}

// By the right to read alone, as a map and a queue: a post-mortem may be somebody else's.
int dump_frames(const StreamName& name, bool json) {
  DumpLines lines{json ? "" : head()};
  const auto walk = [&] {
    const auto show = [&](const FrameRecord& frame) { lines.add(json ? json_row(frame) : row(frame)); };
    sapbuf::dump(name.segment, name.stream, show);
  };
  return lines.run(walk, "frame", "frames");
}

int dump_layout(const DumpOptions& options) {
  constexpr const char* kPart = "{:>12}  {:>12}  {:<16}  {}";
  const StreamName name = parse_stream_name(options.name);
  std::vector<SegmentPart> parts = sapbuf::layout_of(name.segment);
  if (!name.whole_segment) {
    std::erase_if(parts, [&](const SegmentPart& part) { return part.facility != name.stream; });
    if (parts.empty()) {
      throw Failure(kNoSegment, fmt::format("segment '{}' has no stream '{}'", name.segment, name.stream));
    }
  }
  Output output;
  if (!options.json) output.line(fmt::format(kPart, "OFFSET", "BYTES", "FACILITY", "WHAT"));
  std::uint64_t at = parts.front().offset;
  const auto put = [&](std::uint64_t offset, std::uint64_t bytes, const std::string& facility,
                       const std::string& what) {
    if (options.json) {
      output.put(json_line(Json{{"offset", offset}, {"bytes", bytes}, {"facility", facility}, {"what", what}}));
    } else {
      output.line(fmt::format(kPart, offset, bytes, facility.empty() ? "-" : facility, what));
    }
  };
  for (const SegmentPart& part : parts) {
    if (part.offset > at) put(at, part.offset - at, "", "unused");
    put(part.offset, part.bytes, part.facility, part.what);
    at = part.offset + part.bytes;
  }
  output.flush();
  return kDone;
}

// Runs the look at a facility of one kind; nothing if there is none of that kind.
template <typename Look>
std::optional<int> look_if_there(Look look) {
  try {
    return look();
  } catch (const Error& error) {
    if (error.errc() != Errc::not_found) throw;
  }
  return std::nullopt;
}

// Says what it is, if it is of another kind.
void refuse_other_kind(const FacilityName& name) {
  std::vector<FacilitySnapshot> all;
  try {
    all = inspect(name.segment, {.lag = false}).facilities;
  } catch (const Error&) {
    return;  // not all of the segment can be read
  }
  for (const FacilitySnapshot& there : all) {
    if (there.info.name != name.name || (!there.pool && !there.cell)) continue;
    throw Failure(kFailure, fmt::format("{} is a {}: 'sapbuf status {}' shows it", printable_name(name.text()),
                                        there.pool ? "pool" : "cell", shell_operand(name.text())));
  }
}

int dump_any(const DumpOptions& options) {
  const StreamName name = parse_stream_name(options.name);
  const FacilityName other{name.segment, name.stream};
  try {
    return dump_frames(name, options.json);
  } catch (const Error& error) {
    if (error.errc() != Errc::not_found || name.whole_segment) throw;
    if (const auto done = look_if_there([&] { return dump_map(other, options.json); })) return *done;
    if (const auto done = look_if_there([&] { return dump_queue(other, options.json); })) return *done;
    refuse_other_kind(other);
    throw;
  }
}

}  // namespace

void add_dump(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<DumpOptions>();
  CLI::App* command = app.add_subcommand(
      "dump", "Show a stream's frames, a map's entries or a queue's blocks as they stand, without attaching");
  command
      ->add_option(
          "NAME", options->name,
          "The stream, map or queue: NAME, the stream main of that segment, or NAME/STREAM, NAME/MAP, NAME/QUEUE")
      ->required();
  command->add_flag("--json", options->json, "One JSON object a line, for each frame, entry or block, for programs");
  command->add_flag("--layout", options->layout,
                    "Show where everything is instead: in the whole segment, or of one of its parts");
  command->callback([options, &chosen] {
    chosen = [options] { return options->layout ? dump_layout(*options) : dump_any(*options); };
  });
}

}  // namespace sapbuf::tools
