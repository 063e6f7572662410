// A round's producers and readers: who runs, who is stopped, who was killed and when.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "soak/actors.hpp"
#include "soak/dice.hpp"
#include "soak/process.hpp"
#include "soak/round.hpp"

namespace sapbuf::soak {

// An incarnation that was killed.
struct Kill {
  Role role = Role::none;
  std::uint32_t id = 0;
  pid_t pid = 0;
  std::uint64_t at_ns = 0;
  std::uint64_t wall_ns = 0;
  Phase phase = Phase::absent;  // in which it died
};

class Crew {
 public:
  Crew(const Scene& scene, Dice& dice, RoundResult& result) : scene_(scene), dice_(dice), result_(result) {}

  // The steady ones are neither killed nor sent away, but stopped like all others. False: the board is full.
  bool start(Role role, bool steady, bool from_the_beginning = false);
  bool all_attached() const;

  void kill_one(Role role);
  void kill_newborn();  // starts a producer, and kills it before or while it attaches
  void send_one_away();
  void stop_one();
  void continue_due();
  void continue_all();
  void freeze() const;  // everybody, for a look at what went wrong

  // Notices who ended, and plans who comes instead.
  void reap();
  void fill_vacancies();
  // Waits until nobody of that role is left; those that still run are told as violations.
  bool await_end(Role role);

  const std::vector<Kill>& kills() const noexcept { return kills_; }
  std::uint32_t incarnations(Role role) const noexcept { return next_id(role) - 1; }
  Diary& diary(Role role, std::uint32_t id) const;

 private:
  struct Member {
    Role role;
    std::vector<std::uint32_t> ids;  // one after the other, in the same process
    Process process;
    pid_t pid;
    bool steady;
    bool beyond_plan = false;  // nobody comes in its place
    bool retiring = false;
    std::uint64_t killed_ns = 0;
    std::uint64_t killed_wall_ns = 0;
    std::uint64_t stopped_ns = 0;
    std::uint64_t continue_ns = 0;
  };
  struct Vacancy {
    Role role;
    std::uint64_t due_ns;
  };

  std::uint32_t next_id(Role role) const noexcept { return role == Role::writer ? next_producer_ : next_reader_; }
  std::uint32_t take_id(Role role);  // 0: none left
  Member* somebody(bool steady_too, Role role);
  void kill(Member& member);
  void resume(Member& member);
  void note_stop(Member& member);
  void judge_end(const Member& member, int status);
  void note_end(Member& member, int status);

  const Scene& scene_;
  Dice& dice_;
  RoundResult& result_;
  std::vector<Member> members_;
  std::vector<Vacancy> vacancies_;
  std::vector<Kill> kills_;
  std::uint32_t next_producer_ = 1;
  std::uint32_t next_reader_ = 1;
};

}  // namespace sapbuf::soak
