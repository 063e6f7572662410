// What the watchdog found in one segment, and how it tells of it.
#pragma once

#include <string>
#include <vector>

#include "common/json.hpp"

namespace sapbuf::tools {

struct HungParticipant {
  ParticipantSnapshot participant;
  std::string action;  // "report", "killed", or why it was not killed
  bool killed = false;
  bool spared = false;  // what the slot said does not hold
};

struct Findings {
  std::string name;
  std::vector<DeadParticipant> dead;
  std::vector<HungParticipant> hung;
  std::uint64_t released = 0;
  bool pending = false;          // something is left for the next call of recover()
  bool not_ended = false;        // somebody was killed, and has not come to his end
  std::string why_pending;       // for people
  std::uint32_t left_alone = 0;  // dead participants that this version cannot do anything about

  bool nothing() const noexcept { return dead.empty() && hung.empty() && released == 0; }
  void add(RecoveryReport report);
};

Json to_json(const Findings& findings);

// "reader archiver (pid 34, slot 3)"
std::string who(const DeadParticipant& dead);
std::string who(const ParticipantSnapshot& participant);
std::string who(const JournalRecord& record);

// For people, who recovery waits for.
std::string why_pending(const Segment& segment);

// One line for each dead participant: what was taken back, or would be.
void log_recovery(const std::string& segment, const RecoveryReport& report, bool dry_run);
void log_left_alone(const std::string& segment, std::uint32_t count);
// A recovery that another process ran; `title` is the stream's.
void log_foreign_recovery(const std::string& title, const JournalRecord& record);
void log_hung(const std::string& segment, const HungParticipant& hung);

}  // namespace sapbuf::tools
