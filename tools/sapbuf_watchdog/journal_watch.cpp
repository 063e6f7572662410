#include "sapbuf_watchdog/journal_watch.hpp"

#include <algorithm>

namespace sapbuf::tools {

void JournalWatch::recovered_here(const RecoveryReport& report) {
  for (const DeadParticipant& dead : report.dead) own_.emplace_back(dead.slot, dead.pid);
}

void JournalWatch::tell_news(const std::string& name, const Snapshot& snapshot) {
  const bool first_look = !newest_seen_;
  std::uint64_t newest = newest_seen_.value_or(0);
  bool all_finished = true;
  for (const JournalRecord& record : snapshot.journal) {
    all_finished = record.finished_ns != 0;
    if (!all_finished) break;  // comes again when it is finished
    if (record.number <= newest) continue;
    newest = record.number;
    if (!take_own(record) && !first_look) log_foreign_recovery(name, record);
  }
  newest_seen_ = newest;
  // The journal keeps the last records only: what was not found by now will not come.
  if (all_finished) own_.clear();
}

bool JournalWatch::take_own(const JournalRecord& record) {
  const auto found = std::find(own_.begin(), own_.end(), Who{record.slot, record.pid});
  if (found == own_.end()) return false;
  own_.erase(found);
  return true;
}

}  // namespace sapbuf::tools
