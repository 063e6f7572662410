#include "common/held_text.hpp"

#include "common/facility_view.hpp"
#include "common/human.hpp"

namespace sapbuf::tools {
namespace {

struct Held {
  std::uint64_t blocks = 0;
  std::uint64_t letters = 0;
  std::uint64_t keys = 0;

  void add(const FacilitySnapshot& facility) {
    if (facility.queue) blocks += waiting_blocks(*facility.queue);
    if (facility.queue) letters += dead_letters(*facility.queue);
    if (facility.map) keys += facility.map->keys;
  }
  std::string text() const {
    std::string text;
    const auto add_count = [&](std::uint64_t count, std::string_view what) {
      if (count != 0) text += (text.empty() ? "" : ", ") + counted(count, what);
    };
    add_count(blocks, "block");
    add_count(letters, "dead letter");
    add_count(keys, "key");
    return text;
  }
};

}  // namespace

std::string held_text(const FacilitySnapshot& facility) {
  Held held;
  held.add(facility);
  return held.text();
}

std::string held_text(const Snapshot& snapshot) {
  Held held;
  for (const FacilitySnapshot& facility : snapshot.facilities) held.add(facility);
  return held.text();
}

}  // namespace sapbuf::tools
