#include <sapbuf/map.hpp>

#include "capi/handles.hpp"
#include "capi/options.hpp"

using namespace sapbuf;
using capi::call;
using capi::call_or;
using capi::fail;
using capi::needed;

namespace {

MapOptions options_of(const sapbuf_map_options* given) {
  const sapbuf_map_options chosen = capi::chosen(given);
  const MapOptions usual;
  return {.keys = capi::or_default(chosen.keys, usual.keys),
          .max_keys = chosen.max_keys,
          .pool = capi::text_or_none(chosen.pool),
          .value_bytes = capi::or_default(chosen.value_bytes, usual.value_bytes),
          .key_bytes = capi::or_default(chosen.key_bytes, usual.key_bytes),
          .values = chosen.values};
}

}  // namespace

sapbuf_map_options sapbuf::capi::c_options_of(const MapOptions& options) {
  sapbuf_map_options result = sapbuf_map_options_init();
  result.keys = options.keys;
  result.max_keys = options.max_keys;
  result.pool = options.pool.empty() ? nullptr : options.pool.c_str();
  result.value_bytes = options.value_bytes;
  result.key_bytes = options.key_bytes;
  result.values = options.values;
  return result;
}

sapbuf_status sapbuf_map_create(sapbuf_segment* segment, const char* name, const sapbuf_map_options* options,
                                sapbuf_map** map) noexcept {
  return capi::give(map, [&] {
    const Segment& in = needed(segment, "segment").segment;
    return sapbuf_map{Map::create(in, &needed(name, "name"), options_of(options))};
  });
}

sapbuf_status sapbuf_map_open(sapbuf_segment* segment, const char* name, sapbuf_map** map) noexcept {
  return capi::give(map,
                    [&] { return sapbuf_map{Map::open(needed(segment, "segment").segment, &needed(name, "name"))}; });
}

sapbuf_status sapbuf_map_open_or_create(sapbuf_segment* segment, const char* name, const sapbuf_map_options* options,
                                        sapbuf_map** map) noexcept {
  return capi::give(map, [&] {
    const Segment& in = needed(segment, "segment").segment;
    return sapbuf_map{Map::open_or_create(in, &needed(name, "name"), options_of(options))};
  });
}

sapbuf_status sapbuf_map_remove(sapbuf_segment* segment, const char* name) noexcept {
  return call([&] {
    return Map::remove(needed(segment, "segment").segment, &needed(name, "name")) ? SAPBUF_OK : fail(SAPBUF_NOT_FOUND);
  });
}

void sapbuf_map_close(sapbuf_map* map) noexcept { delete map; }

const char* sapbuf_map_name(const sapbuf_map* map) noexcept {
  return call_or("", [&] { return needed(map, "map").map.name().c_str(); });
}

bool sapbuf_map_created(const sapbuf_map* map) noexcept {
  return call_or(false, [&] { return needed(map, "map").map.created(); });
}

bool sapbuf_map_is_current(const sapbuf_map* map) noexcept {
  return call_or(false, [&] { return needed(map, "map").map.is_current(); });
}

size_t sapbuf_map_bytes(const sapbuf_map* map) noexcept {
  return call_or(std::size_t{0}, [&] { return needed(map, "map").map.bytes(); });
}

sapbuf_status sapbuf_map_get_options(const sapbuf_map* map, sapbuf_map_options* options) noexcept {
  return call([&] {
    capi::hand_out(capi::c_options_of(needed(map, "map").options), needed(options, "options"));
    return SAPBUF_OK;
  });
}

sapbuf_status sapbuf_map_differences(const sapbuf_map* map, const sapbuf_map_options* asked, char* text, size_t size,
                                     size_t* length) noexcept {
  return call([&] {
    return capi::tell_differences(needed(map, "map").map.differences(options_of(asked)), text, size, length);
  });
}

uint64_t sapbuf_map_size(const sapbuf_map* map) noexcept {
  return call_or(std::uint64_t{0}, [&] { return needed(map, "map").map.size(); });
}

size_t sapbuf_map_max_value_bytes(const sapbuf_map* map) noexcept {
  return call_or(std::size_t{0}, [&] { return needed(map, "map").map.max_value_bytes(); });
}
