// Durable readers, for people.
#pragma once

#include <sapbuf/stream.hpp>
#include <string>
#include <vector>

namespace sapbuf::tools {

std::string durable_table(const std::vector<DurableReaderInfo>& readers);
// "audit, archive"
std::string names_of(const std::vector<DurableReaderInfo>& readers);
// That is kept for the one of them for which most is.
std::uint64_t kept_bytes(const std::vector<DurableReaderInfo>& readers) noexcept;

}  // namespace sapbuf::tools
