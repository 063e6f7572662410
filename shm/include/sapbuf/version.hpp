#pragma once

#include <sapbuf/abi.hpp>

SAPBUF_BEGIN

inline constexpr const char* kVersion = "0.1.0";

SAPBUF_END
