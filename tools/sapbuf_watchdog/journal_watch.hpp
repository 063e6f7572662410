// Recoveries that others ran: participants take things back from one another, often before the watchdog comes to it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "sapbuf_watchdog/findings.hpp"

namespace sapbuf::tools {

// The journals of all facilities of a segment.
class JournalWatch {
 public:
  // What this process recovered, and has told of.
  void recovered_here(const RecoveryReport& report);
  // Logs what is new in the journals and was not recovered here. What they hold at the first call is history.
  void tell_news(const std::string& name, const Snapshot& snapshot);
  void clear() noexcept { *this = {}; }

 private:
  // One of that name that was made later has a journal of its own.
  struct Journal {
    std::uint64_t created_ns = 0;
    std::uint64_t newest_seen = 0;
  };
  struct Own {
    std::string facility;
    std::uint32_t slot = 0;
    std::int32_t pid = 0;
  };

  void tell_news_of(const std::string& title, const FacilitySnapshot& facility, Journal& journal, bool is_history);
  bool take_own(const std::string& facility, const JournalRecord& record);
  void forget_removed(const Snapshot& snapshot);

  std::vector<Own> own_;                     // not seen in a journal yet
  std::map<std::string, Journal> journals_;  // by facility
  bool has_looked_ = false;
};

}  // namespace sapbuf::tools
