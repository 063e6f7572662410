// sapbuf dump: the frames as they stand, for post-mortems; and where everything is.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <functional>
#include <memory>

#include "common/exit_code.hpp"
#include "common/human.hpp"
#include "common/json.hpp"
#include "common/output.hpp"
#include "common/stop.hpp"
#include "common/stream_name.hpp"
#include "sapbuf/commands.hpp"

namespace sapbuf::tools {

namespace {

constexpr std::size_t kExcerptBytes = 60;

struct DumpOptions {
  std::string name;
  bool json = false;
  bool layout = false;
};

// Ends the walk over the frames early: a signal came, or nobody reads the output any more.
struct Enough {};

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
  return text;
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

// By the right to read alone: a post-mortem may be somebody else's.
void visit_frames(const StreamName& name, const std::function<void(const FrameRecord&)>& visit) {
  sapbuf::dump(name.segment, name.stream, visit);
}

int dump_frames(const DumpOptions& options) {
  const StreamName name = parse_stream_name(options.name);
  Output output;
  std::uint64_t frames = 0;
  if (!options.json) output.line(head());
  try {
    visit_frames(name, [&](const FrameRecord& frame) {
      if (stop_requested() || output.closed()) throw Enough{};
      ++frames;
      if (options.json) {
        output.put(json_row(frame));
      } else {
        output.line(row(frame));
      }
    });
  } catch (const Enough&) {
    // Whoever asked for the rest does not want it any more.
  } catch (const Error&) {
    if (frames != 0) output.flush();  // what was seen before the bytes stopped making sense
    throw;
  }
  output.flush();
  if (!output.closed()) spdlog::info("{}", counted(frames, "frame"));
  return kDone;
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

}  // namespace

void add_dump(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<DumpOptions>();
  CLI::App* command = app.add_subcommand("dump", "Show the frames as they stand, without attaching");
  command->add_option("NAME", options->name, "The stream: NAME or NAME/STREAM")->required();
  command->add_flag("--json", options->json, "One JSON object for each frame and line, for programs");
  command->add_flag("--layout", options->layout,
                    "Show where everything is instead: in the whole segment, or of one stream");
  command->callback([options, &chosen] {
    chosen = [options] { return options->layout ? dump_layout(*options) : dump_frames(*options); };
  });
}

}  // namespace sapbuf::tools
