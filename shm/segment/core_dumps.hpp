// Whether slabs go into core files: see <sapbuf/segment.hpp>.
#pragma once

#include <sapbuf/abi.hpp>

namespace SAPBUF_DETAIL {

bool slabs_in_core_dumps() noexcept;

}  // namespace SAPBUF_DETAIL
