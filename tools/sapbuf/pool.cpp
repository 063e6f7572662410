// sapbuf pool create: a pool in a segment that is there.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "common/command_line.hpp"
#include "common/exit_code.hpp"
#include "common/human.hpp"
#include "common/stream_name.hpp"
#include "sapbuf/commands.hpp"
#include "sapbuf/tell_found.hpp"

namespace sapbuf::tools {
namespace {

struct PoolCreateOptions {
  std::string name;
  PoolOptions pool;
  bool if_absent = false;
};

void tell_created(const std::string& title, const Pool& pool) {
  const PoolOptions made = pool.options();
  const std::string more =
      made.max_count == made.count ? "" : fmt::format(", growing up to {}", human_count(made.max_count));
  spdlog::info("created {}: {} of {}{}, {} in all", title, counted(made.count, "buffer"),
               human_bytes(made.buffer_bytes), more, human_bytes(pool.bytes()));
}

int create(const PoolCreateOptions& options) {
  const StreamName name = parse_stream_name(options.name);
  if (name.whole_segment) {
    throw Failure(kUsage, fmt::format("'{}' names no pool: SEGMENT/POOL is wanted", options.name));
  }
  const Segment segment = Segment::open(name.segment);
  if (!options.if_absent) {
    tell_created(name.text(), Pool::create(segment, name.stream, options.pool));
    return kDone;
  }
  const Pool pool = Pool::open_or_create(segment, name.stream, options.pool);
  pool.created() ? tell_created(name.text(), pool) : tell_found(name.text(), pool.differences(options.pool));
  return kDone;
}

}  // namespace

void add_pool(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<PoolCreateOptions>();
  CLI::App* pool =
      app.add_subcommand("pool", "Pools of buffers; 'sapbuf status' and 'sapbuf rm' take their names, too");
  pool->require_subcommand(1);
  CLI::App* command = pool->add_subcommand("create", "Make a pool in a segment that is there");
  command->add_option("SEGMENT/POOL", options->name, "The segment, and the pool's name in it")->required();
  add_size(
      *command, "--buffer-bytes", "Size of each buffer, 1 to 1GiB",
      [options](std::uint64_t value) { options->pool.buffer_bytes = value; }, "4KiB");
  add_count(
      *command, "--count", "Buffers at first", [options](std::uint64_t value) { options->pool.count = value; }, "64", 0,
      UINT64_MAX);
  add_count(
      *command, "--max-count",
      "Buffers that it may grow to when none is free, for 8 bytes each at once; unless given, it does not grow",
      [options](std::uint64_t value) { options->pool.max_count = value; }, "", 0, UINT64_MAX);
  add_size(
      *command, "--alignment", "Of each buffer: a power of two from 8 to 4096",
      [options](std::uint64_t value) { options->pool.alignment = value; }, "64");
  command->add_flag("--if-absent", options->if_absent,
                    "If it exists, leave it as it is, say what differs, and succeed if it can be used");
  command->callback([options, &chosen] { chosen = [options] { return create(*options); }; });
}

}  // namespace sapbuf::tools
