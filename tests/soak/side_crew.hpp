// Processes of a round beside its producers and readers, of several kinds: each is sent in again when it has been
// killed, and stopped like all others.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "soak/board.hpp"
#include "soak/dice.hpp"
#include "soak/process.hpp"
#include "soak/round.hpp"

namespace sapbuf::soak {

class SideCrew {
 public:
  struct Kind {
    std::string name;  // for people
    std::size_t count;
    // The whole life of one of them, until it is told to come to an end; throws when something is wrong.
    std::function<void(std::uint32_t who, Dice dice)> live;
  };

  // What is wrong in a process is told in `diary`, which outlives it. `kills` counts in the result. Crews with other
  // `chances` have other dice.
  SideCrew(const Plan& plan, std::uint64_t chances, RoundResult& result, std::uint64_t RoundResult::*kills,
           Diary& diary, std::vector<Kind> kinds);
  SideCrew(const SideCrew&) = delete;
  SideCrew& operator=(const SideCrew&) = delete;

  void start();
  // Kills one, or stops it for a while.
  void event();
  // Notices who ended, sends others in their place, and lets those who were stopped go on.
  void look();
  // Lets all who are stopped go on: they may keep others from what those need to come to their end.
  void continue_all();
  // Waits until nobody is left, all having been told to come to an end; those that still run are told as violations.
  void await_end();

 private:
  struct Member {
    std::size_t kind = 0;
    Process process;
    bool killed = false;
    std::uint64_t stopped_ns = 0;  // 0: it is not stopped
    std::uint64_t continue_ns = 0;
  };

  void send_in(std::size_t kind);
  void continue_due(std::uint64_t now);
  void note_stop(Member& member);
  void reap(bool replace);
  void judge_end(const Member& member, int status);

  const Plan& plan_;
  const std::uint64_t seed_;
  RoundResult& result_;
  std::uint64_t RoundResult::*const kills_;
  Diary& diary_;
  const std::vector<Kind> kinds_;
  Dice dice_;
  std::uint32_t next_who_ = 1;
  std::vector<Member> members_;
  bool trouble_told_ = false;
};

}  // namespace sapbuf::soak
