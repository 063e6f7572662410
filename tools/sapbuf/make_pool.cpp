#include "sapbuf/make_pool.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "common/human.hpp"
#include "sapbuf/facility_name.hpp"
#include "sapbuf/pool_text.hpp"
#include "sapbuf/tell_found.hpp"

namespace sapbuf::tools {

namespace {

void tell_created(const std::string& title, const Pool& pool) {
  const PoolOptions made = pool.options();
  const std::string more =
      made.max_count == made.count ? "" : fmt::format(", growing up to {}", room_text(made, made.max_count));
  spdlog::info("created {}: {}{}, {} in all", title, room_for(made, made.count), more, human_bytes(pool.bytes()));
}

}  // namespace

void make_pool(const Segment& segment, const std::string& name, const PoolOptions& options, bool if_absent) {
  const std::string title = FacilityName{segment.name(), name}.text();
  const Pool pool = if_absent ? Pool::open_or_create(segment, name, options) : Pool::create(segment, name, options);
  pool.created() ? tell_created(title, pool) : tell_found(title, pool.differences(options));
}

}  // namespace sapbuf::tools
