#include "sapbuf_watchdog/journal_watch.hpp"

#include <algorithm>
#include <utility>

#include "common/stream_name.hpp"

namespace sapbuf::tools {

void JournalWatch::recovered_here(const RecoveryReport& report) {
  for (const DeadParticipant& dead : report.dead) own_.push_back({dead.facility, dead.slot, dead.pid});
}

void JournalWatch::tell_news(const std::string& name, const Snapshot& snapshot) {
  const bool is_history = !std::exchange(has_looked_, true);
  for (const FacilitySnapshot& facility : snapshot.facilities) {
    Journal& journal = journals_[facility.info.name];
    if (journal.created_ns != facility.info.created_ns) journal = {.created_ns = facility.info.created_ns};
    tell_news_of(title_of(name, facility.info.name), facility, journal, is_history);
  }
  forget_removed(snapshot);
}

void JournalWatch::tell_news_of(const std::string& title, const FacilitySnapshot& facility, Journal& journal,
                                bool is_history) {
  bool all_finished = true;
  for (const JournalRecord& record : facility.journal) {
    all_finished = record.finished_ns != 0;
    if (!all_finished) break;  // comes again when it is finished
    if (record.number <= journal.newest_seen) continue;
    journal.newest_seen = record.number;
    if (!take_own(facility.info.name, record) && !is_history) log_foreign_recovery(title, record);
  }
  // The journal keeps the last records only: what was not found by now will not come.
  if (all_finished) std::erase_if(own_, [&](const Own& own) { return own.facility == facility.info.name; });
}

bool JournalWatch::take_own(const std::string& facility, const JournalRecord& record) {
  const auto found = std::find_if(own_.begin(), own_.end(), [&](const Own& own) {
    return own.facility == facility && own.slot == record.slot && own.pid == record.pid;
  });
  if (found == own_.end()) return false;
  own_.erase(found);
  return true;
}

void JournalWatch::forget_removed(const Snapshot& snapshot) {
  const auto is_removed = [&](const std::string& name) {
    return std::none_of(snapshot.facilities.begin(), snapshot.facilities.end(),
                        [&](const FacilitySnapshot& facility) { return facility.info.name == name; });
  };
  std::erase_if(journals_, [&](const auto& entry) { return is_removed(entry.first); });
  std::erase_if(own_, [&](const Own& own) { return is_removed(own.facility); });
}

}  // namespace sapbuf::tools
