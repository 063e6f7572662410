// Who holds a lock: for people, where a lock is in the way.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <sapbuf/lock_holders.hpp>
#include "platform/kept_descriptor.hpp"

namespace sapbuf::platform {

// Looks through the descriptors of all processes, which takes milliseconds; those of other users it sees as far as
// /proc lets it (root: all). A description that only a mapping keeps has no descriptor, and is not found.
std::vector<LockHolder> holders_of(const FileIdentity& file, std::uint64_t offset);

// " (pid 12, program; pid 13, other, a lock for reading)"; empty if nobody is found. Never throws.
std::string named_holders_of(const FileIdentity& file, std::uint64_t offset) noexcept;

}  // namespace sapbuf::platform
