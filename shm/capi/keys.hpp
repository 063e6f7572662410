// Keys of maps, as C programs have them.
#pragma once

#include <sapbuf.h>
#include <sapbuf/map.hpp>

namespace sapbuf::capi {

inline MapKey key_of(const sapbuf_key& key) noexcept {
  if (key.data == nullptr) return MapKey{key.number};
  return MapKey{std::string_view{static_cast<const char*>(key.data), key.size}};
}

}  // namespace sapbuf::capi
