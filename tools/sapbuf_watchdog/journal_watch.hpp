// Recoveries that others ran: participants take things back from one another, often before the watchdog comes to it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sapbuf_watchdog/findings.hpp"

namespace sapbuf::tools {

class JournalWatch {
 public:
  // What this process recovered, and has told of.
  void recovered_here(const RecoveryReport& report);
  // Logs what is new in the journal and was not recovered here. What the journal holds at the first call is history.
  void tell_news(const std::string& name, const Snapshot& snapshot);
  void clear() noexcept { *this = {}; }

 private:
  using Who = std::pair<std::uint32_t, std::int32_t>;  // slot, pid

  bool take_own(const JournalRecord& record);

  std::vector<Who> own_;  // not seen in the journal yet
  std::optional<std::uint64_t> newest_seen_;
};

}  // namespace sapbuf::tools
