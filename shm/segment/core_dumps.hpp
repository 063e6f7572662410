// Whether slabs go into core files: see <sapbuf/segment.hpp>.
#pragma once

namespace sapbuf::detail {

bool slabs_in_core_dumps() noexcept;

}  // namespace sapbuf::detail
