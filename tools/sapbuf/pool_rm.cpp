// sapbuf pool rm: takes a pool out of a segment.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <memory>

#include "common/exit_code.hpp"
#include "common/facility_view.hpp"
#include "common/human.hpp"
#include "sapbuf/in_use.hpp"
#include "sapbuf/pool_commands.hpp"
#include "sapbuf/pool_name.hpp"

namespace sapbuf::tools {

namespace {

[[noreturn]] void throw_not_there(const PoolName& name) {
  throw Failure(kNoSegment, fmt::format("segment '{}' has no pool '{}' ('sapbuf pool ls {}' shows what there is)",
                                        name.segment, printable_name(name.pool), shell_operand(name.segment)));
}

// Its kind alone counts: a pool that cannot be read is removed, too.
void refuse_unless_pool(const Snapshot& snapshot, const PoolName& name) {
  const FacilitySnapshot* const found = find_facility(snapshot, name.pool);
  if (found == nullptr) throw_not_there(name);
  if (found->info.kind == "pool") return;
  throw Failure(kNoSegment,
                fmt::format("{} is no pool, and stays (its kind: {})", name.text(), printable(found->info.kind)));
}

int rm(const PoolName& name) {
  const Segment segment = Segment::open(name.segment);
  const Snapshot snapshot = inspect(segment);
  refuse_unless_pool(snapshot, name);
  refuse_if_in_use(name.text(), participants_of(snapshot, name.pool), "stop them first");
  if (!Pool::remove(segment, name.pool)) throw_not_there(name);
  spdlog::info("removed {}", name.text());
  return kDone;
}

}  // namespace

void add_pool_rm(CLI::App& pool, Action& chosen) {
  auto name = std::make_shared<std::string>();
  CLI::App* command = pool.add_subcommand("rm", "Remove a pool that nobody uses");
  command->add_option("SEGMENT/POOL", *name, "The segment, and the pool's name in it")->required();
  command->callback([name, &chosen] { chosen = [name] { return rm(parse_pool_name(*name)); }; });
}

}  // namespace sapbuf::tools
