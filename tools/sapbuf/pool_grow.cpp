// sapbuf pool grow: lets a pool grow ahead of need.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <memory>

#include "common/command_line.hpp"
#include "common/exit_code.hpp"
#include "common/human.hpp"
#include "sapbuf/facility_name.hpp"
#include "sapbuf/pool_commands.hpp"
#include "sapbuf/pool_text.hpp"

namespace sapbuf::tools {

namespace {

int grow(const FacilityName& name, std::uint64_t count) {
  const Pool pool = Pool::open(Segment::open(name.segment), name.name);
  pool.grow_to(count);
  spdlog::info("{} has {} now, {} in all", name.text(), room_for(pool.options(), pool.count()),
               human_bytes(pool.bytes()));
  return kDone;
}

}  // namespace

void add_pool_grow(CLI::App& pool, Action& chosen) {
  auto name = std::make_shared<std::string>();
  auto count = std::make_shared<std::uint64_t>(0);
  CLI::App* command = pool.add_subcommand("grow", "Let a pool grow now, up to its --max-count, also beside users");
  command->add_option("SEGMENT/POOL", *name, "The segment, and the pool's name in it")->required();
  add_count(*command, "COUNT", "Buffers that there are to be; of a pool for all sizes, of the smallest one",
            [count](std::uint64_t value) { *count = value; })
      ->required();
  command->callback(
      [name, count, &chosen] { chosen = [name, count] { return grow(parse_pool_name(*name), *count); }; });
}

}  // namespace sapbuf::tools
