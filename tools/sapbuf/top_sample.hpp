// What `sapbuf top` shows: how much each facility and each participant did since the look before, and what it has.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <sapbuf/inspect.hpp>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "sapbuf/metrics_memory.hpp"

namespace sapbuf::tools {

// A facility, or one participant of it. What is nothing has no meaning there, or is not known yet.
struct TopFigures {
  std::string name;                 // printable
  std::string kind;                 // of facility, or role
  std::optional<double> rate;       // messages, buffers, changes, blocks or values a second
  std::optional<double> byte_rate;  // payload bytes a second
  std::optional<double> used;       // part of the room, 0 to 1
  std::uint64_t held_bytes = 0;     // that others may need
  std::optional<Lag> lag;           // of the slowest reader
  std::string who;                  // "2 w 3 r", or "pid 1234"
};

struct TopFacility {
  TopFigures figures;
  std::vector<TopFigures> participants;
};

struct TopSample {
  std::vector<TopFacility> facilities;
  std::vector<std::string> unreadable;  // lines that say why
  std::vector<std::string> changes;     // lines that say which segments came and went since the look before
};

// One thread uses it.
class TopSampler {
 public:
  // Of these segments, or of all that there are at the time.
  explicit TopSampler(std::vector<std::string> wanted) : wanted_(std::move(wanted)) {}

  TopSample look();

 private:
  using Clock = std::chrono::steady_clock;

  struct Counters {
    std::uint64_t operations = 0;
    std::uint64_t bytes = 0;
  };
  // Segment's name, when it was made; facility's name, when it was made; slot and incarnation of a participant, or 0.
  using Who = std::tuple<std::string, std::uint64_t, std::string, std::uint64_t, std::uint32_t, std::uint64_t>;

  void add_segment(const Snapshot& snapshot, TopSample& sample);
  TopFacility facility_of(const Snapshot& snapshot, const FacilitySnapshot& facility);
  static TopFigures away_reader(const DurableReaderInfo& reader);
  TopFigures participant_of(const Snapshot& snapshot, const FacilitySnapshot& facility,
                            const ParticipantSnapshot& participant);
  Counters lasting(const Snapshot& snapshot, const FacilitySnapshot& facility);
  void set_rates(const Who& who, std::uint64_t since_ns, const Counters& counters, bool has_bytes, TopFigures& figures);
  void tell_changes(const std::map<std::string, std::uint64_t>& there, TopSample& sample);

  const std::vector<std::string> wanted_;
  MetricsMemory memory_;
  std::map<Who, Counters> before_;  // at the last look
  std::map<Who, Counters> now_;
  std::map<std::string, std::uint64_t> segments_before_;  // and when each was made
  bool has_looked_ = false;
  Clock::time_point looked_at_{};
  std::uint64_t looked_at_ns_ = 0;  // wall clock, as the times of creation
  double seconds_ = 0;              // between the last two looks
};

}  // namespace sapbuf::tools
