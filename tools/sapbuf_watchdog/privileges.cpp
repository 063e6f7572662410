#include "sapbuf_watchdog/privileges.hpp"

#include <linux/capability.h>
#include <spdlog/spdlog.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace sapbuf::tools {

void keep_needed_capabilities(bool kills) {
  unsigned needed = 1u << CAP_DAC_OVERRIDE;
  constexpr unsigned kSeesAll = 1u << CAP_SYS_PTRACE;
  if (kills) needed |= 1u << CAP_KILL | kSeesAll;
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> held{};  // 32 capabilities each
  if (::syscall(SYS_capget, &header, held.data()) != 0) return;
  if (kills && (held[0].permitted & kSeesAll) == 0) return;
  held[0].permitted &= needed;
  held[0].effective &= needed;
  held[0].inheritable = 0;
  held[1] = {};
  if (::syscall(SYS_capset, &header, held.data()) != 0) {
    spdlog::warn("cannot give up the capabilities that are not needed: {}", std::strerror(errno));
  }
}

}  // namespace sapbuf::tools
