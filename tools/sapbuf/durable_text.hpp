// Durable readers, for people.
#pragma once

#include <sapbuf/inspect.hpp>
#include <string>
#include <vector>

namespace sapbuf::tools {

// `participants`: of their stream.
std::string durable_table(const std::vector<DurableReaderInfo>& readers,
                          const std::vector<ParticipantSnapshot>& participants);
// "audit, archive"
std::string names_of(const std::vector<DurableReaderInfo>& readers);
// That is kept for the one of them for which most is.
std::uint64_t kept_bytes(const std::vector<DurableReaderInfo>& readers) noexcept;

}  // namespace sapbuf::tools
