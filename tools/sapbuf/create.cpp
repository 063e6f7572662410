// sapbuf create: makes a stream.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <map>
#include <memory>

#include "common/command_line.hpp"
#include "common/exit_code.hpp"
#include "common/human.hpp"
#include "sapbuf/commands.hpp"

namespace sapbuf::tools {

namespace {

// The one that is written, the one that a reader pins, and one to go on with.
constexpr std::uint32_t kFewestToOverwrite = 3;

struct CreateOptions {
  std::string name;
  SegmentOptions segment;
  bool if_absent = false;
};

void warn_of_few_slabs(const SegmentOptions& made) {
  if (made.on_full != OnFull::overwrite || made.slabs >= kFewestToOverwrite) return;
  spdlog::warn(
      "an overwriting stream needs two slabs more than readers that pin one: with {} slabs a single reader can "
      "leave writers none to take, and they drop messages (take --slabs 3 or more)",
      made.slabs);
}

void tell_created(const Segment& segment) {
  const SegmentOptions made = segment.options();
  spdlog::info("created {}: {} of {}, {} order, {} in all", segment.name(), counted(made.slabs, "slab"),
               human_bytes(made.slab_bytes), to_string(made.order), human_bytes(segment.bytes()));
  warn_of_few_slabs(made);
}

void tell_found(const Segment& segment, const SegmentOptions& asked) {
  const std::vector<std::string> differences = segment.differences(asked);
  if (differences.empty()) {
    spdlog::info("{} exists already and stays as it is", segment.name());
  } else {
    spdlog::warn("{} exists already and stays as it is, but differs from what was asked for: {}", segment.name(),
                 fmt::join(differences, "; "));
  }
}

bool can_be_used(const std::string& name) {
  try {
    static_cast<void>(Segment::open(name));
    return true;
  } catch (const Error&) {
    return false;
  }
}

int create(const CreateOptions& options) {
  if (options.if_absent) {
    const Segment segment = Segment::open_or_create(options.name, options.segment);
    segment.created() ? tell_created(segment) : tell_found(segment, options.segment);
    return kDone;
  }
  try {
    tell_created(Segment::create(options.name, options.segment));
    return kDone;
  } catch (const Error& error) {
    if (error.errc() != Errc::exists || !can_be_used(options.name)) throw;
    throw Failure(kFailure, fmt::format("{} (--if-absent leaves it as it is, sapbuf rm {} removes it)", error.what(),
                                        shell_operand(options.name)));
  }
}

// An option that takes one of a few words.
template <class Value>
void add_choice(CLI::App& app, const std::string& name, Value& value, const std::map<std::string, Value>& choices,
                const std::string& description, const std::string& shown_default) {
  std::string words;
  for (const auto& choice : choices) words += (words.empty() ? "" : "|") + choice.first;
  app.add_option_function<std::string>(
         name,
         [&value, choices, name, words](const std::string& text) {
           const auto found = choices.find(text);
           if (found == choices.end()) {
             throw CLI::ValidationError(name, fmt::format("'{}' is none of {}", text, words));
           }
           value = found->second;
         },
         description)
      ->type_name(words)
      ->default_str(shown_default);
}

void add_mode(CLI::App& app, unsigned& mode) {
  app.add_option_function<std::string>(
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

}  // namespace

void add_create(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<CreateOptions>();
  SegmentOptions& segment = options->segment;
  CLI::App* command = app.add_subcommand("create", "Make a stream");
  command->add_option("NAME", options->name, "The stream's name; its memory is /dev/shm/sapbuf.NAME")->required();
  add_count(
      *command, "--slabs", "Slabs, 2 to 64; two are double buffering",
      [&segment](std::uint64_t value) { segment.slabs = static_cast<std::uint32_t>(value); }, "2", 0, UINT32_MAX);
  add_size(
      *command, "--slab-bytes", "Size of each slab, 4KiB to 4GiB, a multiple of 4096",
      [&segment](std::uint64_t value) { segment.slab_bytes = value; }, "1MiB");
  add_choice<Order>(*command, "--order", segment.order, {{"per-writer", Order::per_writer}, {"total", Order::total}},
                    "Order of delivery: each writer's own, or one for all readers", "per-writer");
  add_size(
      *command, "--extent-bytes",
      "per-writer order: what a writer claims at once, a divisor of the slab's size; unless given, a quarter of a "
      "slab that is smaller than 64KiB",
      [&segment](std::uint64_t value) { segment.extent_bytes = value; }, "16KiB");
  add_choice<OnFull>(*command, "--on-full", segment.on_full,
                     {{"block", OnFull::block}, {"drop", OnFull::drop}, {"overwrite", OnFull::overwrite}},
                     "When no slab can be had: wait, drop the new message, or overwrite the oldest", "block");
  add_count(
      *command, "--participants", "Writers and readers attached at once, 1 to 1024",
      [&segment](std::uint64_t value) { segment.participants = static_cast<std::uint32_t>(value); }, "64", 0,
      UINT32_MAX);
  add_mode(*command, segment.mode);
  add_choice<Fences>(*command, "--fences", segment.fences, {{"membarrier", Fences::membarrier}, {"full", Fences::full}},
                     "full: slower, for systems without membarrier(2); see sapbuf doctor", "membarrier");
  command->add_flag("--retain", segment.retain,
                    "Keep what is written until a first reader has come: until then, writers wait when it is full");
  command->add_flag(
      "--if-absent", options->if_absent,
      "If a stream of that name exists, leave it as it is, say what differs, and succeed if it can be used");
  command->callback([options, &chosen] { chosen = [options] { return create(*options); }; });
}

}  // namespace sapbuf::tools
