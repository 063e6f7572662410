#include "sapbuf/rm_facility.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "common/exit_code.hpp"
#include "common/facility_view.hpp"
#include "common/held_text.hpp"
#include "common/human.hpp"
#include "sapbuf/in_use.hpp"

namespace sapbuf::tools {

namespace {

[[noreturn]] void throw_not_there(const FacilityName& name, std::string_view kind) {
  throw Failure(kNoSegment, fmt::format("segment '{0}' has no {1} '{2}' ('sapbuf {1} ls {3}' shows what there is)",
                                        name.segment, kind, printable_name(name.name), shell_operand(name.segment)));
}

}  // namespace

void rm_facility(const FacilityName& name, std::string_view kind, bool (*remove)(const Segment&, std::string_view),
                 bool force) {
  const Segment segment = Segment::open(name.segment);
  const Snapshot snapshot = inspect(segment, {.lag = false});
  const FacilitySnapshot* const found = find_facility(snapshot, name.name);
  if (found == nullptr) throw_not_there(name, kind);
  if (found->info.kind != kind) {
    throw Failure(kNoSegment,
                  fmt::format("{} is no {}, and stays (its kind: {})", name.text(), kind, printable(found->info.kind)));
  }
  refuse_if_in_use(name.text(), participants_of(snapshot, name.name), "stop them first");
  if (!force) refuse_if_holds_blocks(name.text(), *found);
  const std::string held = held_text(*found);
  if (!remove(segment, name.name)) throw_not_there(name, kind);
  spdlog::info("removed {}{}", name.text(), held.empty() ? "" : ", with " + held);
}

}  // namespace sapbuf::tools
