// sapbuf pool trim: gives unused memory of a pool back to the system.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <memory>

#include "common/exit_code.hpp"
#include "common/human.hpp"
#include "sapbuf/facility_name.hpp"
#include "sapbuf/pool_commands.hpp"

namespace sapbuf::tools {

namespace {

int trim(const FacilityName& name) {
  const Pool pool = Pool::open(Segment::open(name.segment), name.name);
  spdlog::info("gave {} of {} back", human_bytes(pool.trim()), name.text());
  return kDone;
}

}  // namespace

void add_pool_trim(CLI::App& pool, Action& chosen) {
  auto name = std::make_shared<std::string>();
  CLI::App* command = pool.add_subcommand(
      "trim", "Give the memory of buffers that nobody uses back to the system, 64 at a time, also beside users");
  command->add_option("SEGMENT/POOL", *name, "The segment, and the pool's name in it")->required();
  command->footer(
      "It is allocated anew before anybody gets it; where there is no room then, the pool is exhausted. A pool whose "
      "buffers, or smallest size, have less than 64 bytes gives nothing back: 64 of them are less than a page.");
  command->callback([name, &chosen] { chosen = [name] { return trim(parse_pool_name(*name)); }; });
}

}  // namespace sapbuf::tools
