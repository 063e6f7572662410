// sapbuf pool create: a pool in a segment that is there.
#include <fmt/format.h>

#include <memory>
#include <optional>

#include "common/command_line.hpp"
#include "common/exit_code.hpp"
#include "sapbuf/facility_name.hpp"
#include "sapbuf/make_pool.hpp"
#include "sapbuf/pool_commands.hpp"
#include "sapbuf/pool_spec.hpp"

namespace sapbuf::tools {

namespace {

constexpr std::uint64_t kDefaultRoom = std::uint64_t{16} << 20;

constexpr std::uint64_t kMostBuffers = std::uint64_t{1} << 31;

struct PoolCreateOptions {
  std::string name;
  PoolOptions preset;  // the defaults, if none was chosen
  // Those that were given go before the preset, wherever they stand on the command line.
  std::optional<std::uint64_t> buffer_bytes;
  std::optional<std::uint64_t> alignment;
  std::optional<std::uint64_t> count;
  std::optional<std::uint64_t> max_count;
  std::optional<SizeRange> sizes;
  std::uint64_t room = kDefaultRoom;  // for buffers of these
  std::uint64_t max_room = 0;
  Grow grow = Grow::anyone;
  bool if_absent = false;
};

PoolOptions asked_for_sizes(const PoolCreateOptions& options) {
  PoolOptions asked = PoolOptions::for_sizes(options.sizes->min_bytes, options.sizes->max_bytes, options.room,
                                             options.max_room, options.alignment.value_or(0));
  asked.grow = options.grow;
  return asked;
}

PoolOptions asked_for(const PoolCreateOptions& options) {
  if (options.sizes) return asked_for_sizes(options);
  const PoolOptions& preset = options.preset;
  return {.buffer_bytes = options.buffer_bytes.value_or(preset.buffer_bytes),
          .count = options.count.value_or(preset.count),
          .max_count = options.max_count.value_or(preset.max_count),
          .alignment = options.alignment.value_or(preset.alignment),
          .grow = options.grow};
}

int create(const PoolCreateOptions& options) {
  const FacilityName name = parse_pool_name(options.name);
  make_pool(Segment::open(name.segment), name.name, asked_for(options), options.if_absent);
  return kDone;
}

}  // namespace

void add_pool_create(CLI::App& pool, Action& chosen) {
  auto options = std::make_shared<PoolCreateOptions>();
  CLI::App* command = pool.add_subcommand("create", "Make a pool in a segment that is there, also one in use");
  command->add_option("SEGMENT/POOL", options->name, "The segment, and the pool's name in it")->required();
  auto* const preset = add_choice<PoolOptions>(
      *command, "--preset", options->preset,
      {{"serialization", {.buffer_bytes = 128 << 10}},
       {"compression", {.buffer_bytes = 64 << 10}},
       {"vectors", {.buffer_bytes = 4 << 10, .alignment = 64}}},
      "Buffers as they are used for: 128KiB to serialize into; 64KiB to compress; 4KiB, aligned to "
      "64, for vectors. What is given beside it goes before it");
  auto* const buffer_bytes = add_size(
      *command, "--buffer-bytes", "Size of each buffer, 1 to 1GiB",
      [options](std::uint64_t value) { options->buffer_bytes = value; }, "4KiB");
  add_size(
      *command, "--alignment", "Of each buffer: a power of two from 8 to 2 MiB",
      [options](std::uint64_t value) { options->alignment = value; }, "64");
  auto* const count = add_count(
      *command, "--count", "Buffers at first", [options](std::uint64_t value) { options->count = value; }, "64", 1,
      kMostBuffers);
  auto* const max_count = add_count(
      *command, "--max-count",
      "Buffers that it may grow to when none is free, for 12 bytes each at once; unless given, it does not grow",
      [options](std::uint64_t value) { options->max_count = value; }, "", 1, kMostBuffers);
  auto* const sizes = command->add_option_function<std::string>(
      "--sizes",
      [options](const std::string& text) {
        options->sizes = parse_size_range(text);
        if (!options->sizes) {
          throw CLI::ValidationError("--sizes", fmt::format("'{}' is not a range of sizes such as 16-1MiB", text));
        }
      },
      "Buffers of any size between two, as from a heap");
  sizes->type_name("MIN-MAX");
  auto* const room = add_size(
      *command, "--room", "With --sizes: bytes for them at first",
      [options](std::uint64_t value) { options->room = value; }, "16MiB");
  auto* const max_room = add_size(
      *command, "--max-room", "With --sizes: bytes that it may grow to when there is no room",
      [options](std::uint64_t value) { options->max_room = value; }, "");
  room->needs(sizes);
  max_room->needs(sizes);
  for (CLI::Option* const other : {buffer_bytes, count, max_count, preset}) sizes->excludes(other);
  add_choice<Grow>(*command, "--grow", options->grow, {{"anyone", Grow::anyone}, {"nobody", Grow::nobody}},
                   "Who lets it grow when none is free, and is charged for the memory: anyone who needs a buffer, or "
                   "nobody but 'sapbuf pool grow' and Pool::grow_to()",
                   "anyone");
  command->add_flag("--if-absent", options->if_absent,
                    "If it exists, leave it as it is, say what differs, and succeed if it can be used");
  command->callback([options, &chosen] { chosen = [options] { return create(*options); }; });
}

}  // namespace sapbuf::tools
