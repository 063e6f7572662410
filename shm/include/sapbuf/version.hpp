#pragma once

namespace sapbuf {

inline constexpr const char* kVersion = "0.1.0";

}  // namespace sapbuf
