// sapbuf create: makes a segment with its first stream and with pools, or another stream in one.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <vector>

#include "common/command_line.hpp"
#include "common/exit_code.hpp"
#include "common/human.hpp"
#include "common/stream_name.hpp"
#include "sapbuf/commands.hpp"
#include "sapbuf/make_pool.hpp"
#include "sapbuf/pool_spec.hpp"
#include "sapbuf/tell_found.hpp"

namespace sapbuf::tools {

namespace {

// The one that is written, the one that a reader pins, and one to go on with.
constexpr std::uint32_t kFewestToOverwrite = 3;

struct CreateOptions {
  std::string name;
  SegmentOptions segment;
  std::vector<PoolSpec> pools;
  bool no_stream = false;
  bool if_absent = false;
  // Options that were given, and concern a segment only, or a stream only; empty if there was none.
  std::string for_segments;
  std::string for_streams;
};

void warn_of_few_slabs(const StreamOptions& made) {
  if (made.on_full != OnFull::overwrite || made.slabs >= kFewestToOverwrite) return;
  spdlog::warn(
      "an overwriting stream needs two slabs more than readers that pin one: with {} slabs a single reader can "
      "leave writers none to take, and they drop messages (take --slabs 3 or more)",
      made.slabs);
}

void tell_stream_created(const std::string& title, const StreamOptions& made, std::size_t bytes) {
  spdlog::info("created {}: {} of {}, {} order, {} in all", title, counted(made.slabs, "slab"),
               human_bytes(made.slab_bytes), to_string(made.order), human_bytes(bytes));
  warn_of_few_slabs(made);
}

void tell_created(const Segment& segment) {
  const SegmentOptions made = segment.options();
  if (made.main_stream) return tell_stream_created(segment.name(), made.stream(), segment.bytes());
  spdlog::info("created {} without a stream; to make one: sapbuf create {}", segment.name(),
               shell_operand(segment.name() + "/STREAM"));
}
void tell_created(const Stream& stream) { tell_stream_created(title_of(stream), stream.options(), stream.bytes()); }

bool can_be_used(const StreamName& name) {
  try {
    name.whole_segment ? static_cast<void>(Segment::open(name.segment)) : static_cast<void>(open_stream(name));
    return true;
  } catch (const Error&) {
    return false;
  }
}

Segment make_segment(const StreamName& name, const CreateOptions& options) {
  Segment segment = options.if_absent ? Segment::open_or_create(name.segment, options.segment)
                                      : Segment::create(name.segment, options.segment);
  segment.created() ? tell_created(segment) : tell_found(segment.name(), segment.differences(options.segment));
  return segment;
}

// One that cannot be made is the end of it, and what was made before stays.
void create_pools(const Segment& segment, const CreateOptions& options) {
  std::string there;
  for (const PoolSpec& pool : options.pools) {
    try {
      make_pool(segment, pool.name, pool.options, options.if_absent);
    } catch (const Error& error) {
      throw Failure(exit_code(error.errc()),
                    fmt::format("no pool {}: {}; segment {} stays, and of the pools asked for it has {} (sapbuf pool "
                                "create makes others, sapbuf rm {} removes it all)",
                                printable_name(pool.name), error.what(), segment.name(), there.empty() ? "none" : there,
                                shell_operand(segment.name())));
    }
    there += (there.empty() ? "" : ", ") + pool.name;
  }
}

Segment open_segment_of(const StreamName& name) {
  try {
    return Segment::open(name.segment);
  } catch (const Error& error) {
    if (error.errc() != Errc::not_found) throw;
    throw Failure(kNoSegment, fmt::format("{}; to make it, without a stream yet: sapbuf create --no-stream {}",
                                          error.what(), shell_operand(name.segment)));
  }
}

void create_stream(const StreamName& name, const CreateOptions& options) {
  const Segment segment = open_segment_of(name);
  const StreamOptions asked = options.segment.stream();
  if (!options.if_absent) return tell_created(Stream::create(segment, name.stream, asked));
  const Stream stream = Stream::open_or_create(segment, name.stream, asked);
  stream.created() ? tell_created(stream) : tell_found(title_of(stream), stream.differences(asked));
}

void refuse_what_does_not_go_together(const StreamName& name, const CreateOptions& options) {
  if (!name.whole_segment && !options.for_segments.empty()) {
    throw Failure(kUsage, fmt::format("{} is for a segment, with all that is in it: it goes with sapbuf create {}, not "
                                      "with a stream in it",
                                      options.for_segments, shell_operand(name.segment)));
  }
  if (options.no_stream && !options.for_streams.empty()) {
    throw Failure(kUsage, fmt::format("{} is for a stream, and --no-stream makes none", options.for_streams));
  }
  if (options.segment.order == Order::total && options.segment.extent_bytes != 0) {
    throw Failure(kUsage, "--extent-bytes is for per-writer order: in total order writers claim no extents");
  }
}

int create(const CreateOptions& options) {
  const StreamName name = parse_stream_name(options.name);
  refuse_what_does_not_go_together(name, options);
  try {
    name.whole_segment ? create_pools(make_segment(name, options), options) : create_stream(name, options);
    return kDone;
  } catch (const Error& error) {
    if (error.errc() != Errc::exists || !can_be_used(name)) throw;
    throw Failure(kFailure, fmt::format("{} (--if-absent leaves it as it is, sapbuf rm {} removes it)", error.what(),
                                        shell_operand(options.name)));
  }
}

CLI::Option* add_mode(CLI::App& app, unsigned& mode) {
  return app
      .add_option_function<std::string>(
          "--mode",
          [&mode](const std::string& text) {
            const auto value = parse_mode(text);
            if (!value) throw CLI::ValidationError("--mode", fmt::format("'{}' is not octal, 0 to 0777", text));
            mode = *value;
          },
          "Permissions of the segment, octal; the umask does not apply")
      ->type_name("MODE")
      ->default_str("0600");
}

// What a stream has; the options that say so are returned.
std::vector<CLI::Option*> add_stream_options(CLI::App& command, SegmentOptions& segment) {
  return {
      add_count(
          command, "--slabs", "Slabs, 2 to 64; two are double buffering",
          [&segment](std::uint64_t value) { segment.slabs = static_cast<std::uint32_t>(value); }, "2", 2, 64),
      add_size(
          command, "--slab-bytes", "Size of each slab, 4KiB to 4GiB, a multiple of 4096",
          [&segment](std::uint64_t value) { segment.slab_bytes = value; }, "1MiB"),
      add_choice<Order>(command, "--order", segment.order, {{"per-writer", Order::per_writer}, {"total", Order::total}},
                        "Order of delivery: each writer's own, or one for all readers", "per-writer"),
      add_size(
          command, "--extent-bytes",
          "per-writer order: what a writer claims at once, a divisor of the slab's size; unless given, a quarter of a "
          "slab that is smaller than 64KiB",
          [&segment](std::uint64_t value) { segment.extent_bytes = value; }, "16KiB"),
      add_choice<OnFull>(command, "--on-full", segment.on_full,
                         {{"block", OnFull::block}, {"drop", OnFull::drop}, {"overwrite", OnFull::overwrite}},
                         "When no slab can be had: wait, drop the new message, or overwrite the oldest", "block"),
      add_count(
          command, "--attachments", "Buffers of pools attached to the messages of one slab, 1 to 7167",
          [&segment](std::uint64_t value) { segment.attachments = static_cast<std::uint32_t>(value); },
          "one for each KiB", 1, 7167),
      add_count(
          command, "--payload-alignment", "What each payload's address is a multiple of: 8, 16, 32 or 64",
          [&segment](std::uint64_t value) { segment.payload_alignment = static_cast<std::uint32_t>(value); }, "8", 8,
          64),
      add_count(
          command, "--durable-readers",
          "Readers whose place stays in the stream when they end, that there is room for, up to 64",
          [&segment](std::uint64_t value) { segment.durable_readers = static_cast<std::uint32_t>(value); }, "0", 0, 64),
      command.add_flag("--retain", segment.retain,
                       "Keep what is written until a first reader has come: until then, writers wait when it is full"),
  };
}

// What concerns all that is in a segment.
std::vector<CLI::Option*> add_segment_options(CLI::App& command, CreateOptions& options) {
  SegmentOptions& segment = options.segment;
  return {
      add_count(
          command, "--participants",
          "Writers and readers of all streams of the segment, and users of its pools, attached at once, 1 to 1024",
          [&segment](std::uint64_t value) { segment.participants = static_cast<std::uint32_t>(value); }, "64", 1, 1024),
      add_mode(command, segment.mode),
      add_choice<Fences>(command, "--fences", segment.fences,
                         {{"membarrier", Fences::membarrier}, {"full", Fences::full}},
                         "full: slower, for systems without membarrier(2); see sapbuf doctor", "membarrier"),
      command.add_flag("--no-stream", options.no_stream,
                       "Make a segment without a stream, for others to be made in it"),
      add_pool_specs(command, options.pools),
  };
}

std::string given_among(const std::vector<CLI::Option*>& options) {
  for (const CLI::Option* const option : options) {
    if (option->count() != 0) return option->get_name();
  }
  return {};
}

}  // namespace

void add_create(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<CreateOptions>();
  CLI::App* command = app.add_subcommand(
      "create",
      "Make a segment with a stream, and pools (NAME), or another stream in a segment that is there (NAME/STREAM)");
  command
      ->add_option(
          "NAME", options->name,
          "NAME: a segment, with its stream 'main'; its memory is /dev/shm/sapbuf.NAME. NAME/STREAM: a stream in "
          "it")
      ->required();
  const std::vector<CLI::Option*> for_streams = add_stream_options(*command, options->segment);
  const std::vector<CLI::Option*> for_segments = add_segment_options(*command, *options);
  command->add_flag("--if-absent", options->if_absent,
                    "If something of that name exists, leave it as it is, say what differs, and succeed if it can be "
                    "used");
  command->callback([options, for_streams, for_segments, &chosen] {
    options->for_streams = given_among(for_streams);
    options->for_segments = given_among(for_segments);
    options->segment.main_stream = !options->no_stream;
    chosen = [options] { return create(*options); };
  });
}

}  // namespace sapbuf::tools
