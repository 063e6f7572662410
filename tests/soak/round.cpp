#include "soak/round.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <stdexcept>

#include "common/json.hpp"
#include "soak/clock.hpp"
#include "soak/crew.hpp"
#include "soak/map_crew.hpp"
#include "soak/pool_crew.hpp"
#include "soak/queue_crew.hpp"
#include "soak/verdict.hpp"
#include "support/invariants.hpp"

namespace sapbuf::soak {
namespace {

constexpr std::uint64_t kJournalEveryNs = 20 * kMillisecond;
// Those of all crews, some 55, and those of the dead that wait for a recovery.
constexpr std::uint32_t kParticipants = 128;

Scene scene_of(const Plan& plan, Board& board) {
  const std::string stream = fmt::format("soak.{}.{}", ::getpid(), plan.number);
  SegmentOptions options = plan.options;
  options.participants = kParticipants;
  const Segment segment = Segment::create(stream, options);
  return {.stream = stream,
          .board = board,
          .messages = Messages{plan.seed, segment.max_message_bytes() * plan.largest_percent / 100},
          .seed = plan.seed,
          .lossless = plan.options.on_full != OnFull::overwrite};
}

std::string file_of(const std::string& stream) { return "/dev/shm/sapbuf." + stream; }

// No process has a lock on any byte of the segment.
bool is_unlocked(const std::string& stream) {
  const int fd = ::open(file_of(stream).c_str(), O_RDWR | O_CLOEXEC);
  struct flock all {};
  all.l_type = F_WRLCK;
  const bool asked = ::fcntl(fd, F_OFD_GETLK, &all) == 0;
  ::close(fd);
  return asked && all.l_type == F_UNLCK;
}

// Runs the watchdog in some of the round, and kills it now and then.
class WatchdogKeeper {
 public:
  WatchdogKeeper(std::string program, std::string stream) : program_(std::move(program)), stream_(std::move(stream)) {}

  void start() {
    watchdog_.emplace(program_, stream_);
    ready_ = false;
  }
  bool runs() const { return watchdog_.has_value(); }
  bool is_ready() const { return ready_; }
  void look() {
    if (!watchdog_ || ready_ || !watchdog_->is_watching()) return;
    ready_ = true;
    up_.push_back({.from_ns = now_ns()});
  }
  void kill() {
    note_down();
    watchdog_.reset();
  }
  // False if it does not end as it should.
  bool stop() {
    if (!watchdog_) return true;
    note_down();
    watchdog_->process().send(SIGTERM);
    const bool well = watchdog_->process().reap_within(kPatience) == 0;
    watchdog_.reset();
    return well;
  }
  // It ended though nobody asked it to.
  bool has_failed() { return watchdog_ && watchdog_->process().reap().has_value(); }
  const Intervals& up() const { return up_; }

 private:
  void note_down() {
    if (ready_) up_.back().to_ns = now_ns();
    ready_ = false;
  }

  std::string program_;
  std::string stream_;
  std::optional<Watchdog> watchdog_;
  bool ready_ = false;
  Intervals up_;
};

class Round {
 public:
  Round(const Plan& plan, const RoundOptions& options)
      : plan_(plan),
        options_(options),
        dice_(plan.seed),
        scene_(scene_of(plan, *board_)),
        crew_(scene_, dice_, result_),
        pool_crew_(scene_.stream, plan_, result_),
        map_crew_(scene_.stream, plan_, result_),
        queue_crew_(scene_.stream, plan_, result_),
        keeper_(options.watchdog_program, scene_.stream) {}
  Round(const Round&) = delete;
  Round& operator=(const Round&) = delete;
  ~Round() { Segment::remove(scene_.stream); }

  RoundResult run() {
    try {
      if (begin() && go_on() && settle_all()) conclude();
    } catch (const std::exception& error) {
      complain(error.what());
    }
    if (!well() && !options_.keep.empty()) keep_evidence();
    return std::move(result_);
  }

 private:
  bool well() const { return result_.violations.empty(); }
  void complain(std::string text) { result_.violations.push_back(std::move(text)); }
  bool interrupted() const { return options_.interrupted->load(); }

  template <typename Condition>
  bool wait_until(const char* what, Condition condition) {
    for (const std::uint64_t until = now_ns() + kPatience; now_ns() < until; ::usleep(500)) {
      crew_.reap();
      if (!well()) return false;
      if (condition()) return true;
    }
    complain(fmt::format("waited in vain: {}", what));
    return false;
  }

  // Two readers see everything from the first message on; one of them may be killed.
  bool begin() {
    idler_ = Process{[this] { idle(scene_); }};
    crew_.start(Role::reader, true, true);
    for (std::uint32_t i = 1; i < plan_.readers; ++i) crew_.start(Role::reader, false, i == 1);
    if (!wait_until("the readers to attach", [&] { return crew_.all_attached(); })) return false;
    if (plan_.watchdog) keeper_.start();
    for (std::uint32_t i = 0; i < plan_.producers; ++i) crew_.start(Role::writer, i == 0);
    if (!wait_until("the producers to attach", [&] { return crew_.all_attached(); })) return false;
    pool_crew_.crew().start();
    map_crew_.crew().start();
    queue_crew_.crew().start();
    return watchdog_is_up();
  }

  // Before that, it does not yet end as it should when it is asked to.
  bool watchdog_is_up() {
    return wait_until("the watchdog to begin", [&] {
      keeper_.look();
      return !keeper_.runs() || keeper_.is_ready();
    });
  }

  bool go_on() {
    active_.from_ns = now_ns();
    const std::uint64_t until = active_.from_ns + plan_.length_ns;
    std::uint64_t next_event = active_.from_ns;
    std::uint64_t next_journal = active_.from_ns;
    for (std::uint64_t now = now_ns(); now < until && !interrupted() && well(); now = now_ns()) {
      crew_.reap();
      crew_.fill_vacancies();
      crew_.continue_due();
      pool_crew_.crew().look();
      map_crew_.crew().look();
      queue_crew_.crew().look();
      look_after_watchdog(now);
      if (now >= next_event) {
        event();
        if (dice_.one_in(2)) pool_crew_.crew().event();
        if (dice_.one_in(2)) map_crew_.crew().event();
        if (dice_.one_in(2)) queue_crew_.crew().event();
        next_event = now + dice_.below(2 * plan_.event_every_ns);
      }
      if (now >= next_journal) {
        collect_journal();
        next_journal = now + kJournalEveryNs;
      }
      ::usleep(500);
    }
    result_.cut_short = interrupted();
    active_.to_ns = now_ns();
    crew_.continue_all();
    pool_crew_.crew().continue_all();
    map_crew_.crew().continue_all();
    queue_crew_.crew().continue_all();
    return well();
  }

  void event() {
    const std::uint64_t what = dice_.below(20);
    if (what < 7) {
      crew_.kill_one(Role::writer);
    } else if (what < 11) {
      crew_.kill_one(Role::reader);
    } else if (what < 12) {
      crew_.kill_one(Role::reader);
      crew_.kill_one(Role::writer);
    } else if (what < 14) {
      crew_.send_one_away();
    } else if (what < 15) {
      crew_.kill_newborn();
    } else if (what < 16) {
      kill_watchdog();
    } else if (plan_.stops) {
      crew_.stop_one();
    }
  }

  void kill_watchdog() {
    if (!keeper_.is_ready()) return;
    keeper_.kill();
    ++result_.watchdog_kills;
    watchdog_due_ns_ = now_ns() + dice_.between(0, 200) * kMillisecond;
  }

  void look_after_watchdog(std::uint64_t now) {
    if (!plan_.watchdog) return;
    if (!keeper_.runs() && now >= watchdog_due_ns_) keeper_.start();
    if (keeper_.has_failed()) complain("the watchdog ended by itself");
    keeper_.look();
  }

  // Often enough that the journal's ring does not lose any.
  Snapshot collect_journal() {
    Snapshot snapshot = inspect(scene_.stream);
    for (const JournalRecord& record : snapshot.journal) journal_[record.number] = record;
    return snapshot;
  }

  // Nobody is left but readers, and nothing of the dead.
  bool settle(const char* what) {
    return wait_until(what, [&] {
      const RecoveryReport report = recover(Segment::open(scene_.stream));
      ended_ = collect_journal();
      if (report.pending) return false;
      for (const ParticipantSnapshot& participant : ended_.participants) {
        if (participant.role != Role::reader || participant.state == Liveness::dead) return false;
      }
      return true;
    });
  }

  bool settle_all() {
    pool_crew_.await_end();
    map_crew_.await_end();
    queue_crew_.await_end();
    board_->finish.store(true);
    if (!crew_.await_end(Role::writer)) return false;
    collect_journal();
    settled_wall_ns_ = wall_ns();
    if (!settle("the dead to be settled")) return false;
    board_->drain.store(true);
    if (!crew_.await_end(Role::reader) || !settle("the readers to be settled")) return false;
    if (!watchdog_is_up()) return false;
    if (!keeper_.stop()) complain("the watchdog did not end well");
    if (idler_.reap_within(kPatience) != 0) complain("the process that naps did not end well");
    return well();
  }

  void conclude() {
    judge({.plan = plan_,
           .board = *board_,
           .crew = crew_,
           .journal = journal_,
           .ledger = ended_.departed,
           .departed_participants = ended_.departed_participants},
          result_);
    measure_deaths();
    measure_stalls();
    if (well()) judge_leftovers();
  }

  void judge_leftovers() {
    if (!ended_.participants.empty()) complain("a participant slot is left");
    if (!is_unlocked(scene_.stream)) complain("a lock is left");
    const std::string broken = test::broken_invariant(Segment::open(scene_.stream));
    if (!broken.empty()) complain(broken);
    pool_crew_.audit();
    map_crew_.audit();
    queue_crew_.audit();
    Process prober{[this] {
      try {
        probe(scene_);
      } catch (const std::exception& error) {
        board_->producers[0].complain(error.what());
        throw;
      }
    }};
    if (prober.reap_within(kPatience) != 0) {
      complain(fmt::format("the stream does not work any more: {}", board_->producers[0].trouble.data()));
    }
    if (!well()) return;
    Segment::remove(scene_.stream);
    if (std::filesystem::exists(file_of(scene_.stream))) complain("the segment's file is left");
  }

  void measure_deaths() {
    std::map<std::string, const JournalRecord*> records;
    for (const auto& [number, record] : journal_) records[record.name] = &record;
    for (const Kill& kill : crew_.kills()) {
      const auto found = records.find(kill.role == Role::writer ? producer_name(kill.id) : reader_name(kill.id));
      if (found != records.end()) measure_death(kill, *found->second);
    }
  }

  void measure_death(const Kill& kill, const JournalRecord& record) {
    const std::uint64_t over_ns = kill.at_ns + (record.finished_ns - kill.wall_ns);
    bool while_stopped = false;
    for (const Interval& stop : result_.stopped) while_stopped |= stop.overlaps(kill.at_ns, over_ns);
    result_.deaths.push_back({.round = plan_.number,
                              .role = kill.role,
                              .kill_ns = kill.wall_ns,
                              .noticed_ns = record.noticed_ns,
                              .finished_ns = record.finished_ns,
                              .watched = watched(keeper_.up(), kill.at_ns, over_ns),
                              .while_stopped = while_stopped,
                              .nobody_needed = record.noticed_ns >= settled_wall_ns_});
  }

  void measure_stalls() {
    measure_stall("idle", Role::none, false, board_->idle);
    for (std::uint32_t id = 1; id <= crew_.incarnations(Role::writer); ++id) {
      if (board_->producers[id].phase.load() != Phase::left) continue;
      measure_stall(producer_name(id), Role::writer, plan_.options.on_full == OnFull::block,
                    board_->producers[id].pace);
    }
    for (std::uint32_t id = 1; id <= crew_.incarnations(Role::reader); ++id) {
      if (board_->readers[id].phase.load() != Phase::left) continue;
      measure_stall(reader_name(id), Role::reader, true, board_->readers[id].pace);
    }
  }

  // The longest stretch without progress of one survivor, in the time in which producers were there.
  void measure_stall(const std::string& who, Role role, bool waits, const Pace& pace) {
    Interval longest{0, 0};
    for (std::uint32_t i = 0; i < pace.gaps(); ++i) {
      Pace::Gap gap = pace.gap(i);
      gap.from_ns = std::max(gap.from_ns, active_.from_ns);
      gap.to_ns = std::min(gap.to_ns, active_.to_ns);
      if (gap.from_ns >= gap.to_ns) continue;
      const Interval free = longest_free_stretch(gap, result_.stopped);
      if (free.to_ns - free.from_ns > longest.to_ns - longest.from_ns) longest = free;
    }
    result_.stalls.push_back({.round = plan_.number,
                              .who = who,
                              .role = role,
                              .waits = waits,
                              .length_ns = longest.to_ns - longest.from_ns,
                              .watched = watched(keeper_.up(), longest.from_ns, longest.to_ns)});
  }

  // What somebody needs who wants to know what went wrong: the segment as it stands, and what its processes say.
  void keep_evidence() {
    crew_.freeze();
    std::filesystem::create_directories(options_.keep);
    const std::string prefix = fmt::format("{}/round-{}", options_.keep, plan_.number);
    std::error_code ignored;
    const auto overwrite = std::filesystem::copy_options::overwrite_existing;
    std::filesystem::copy_file(file_of(scene_.stream), prefix + ".segment", overwrite, ignored);
    std::ofstream text(prefix + ".txt");
    write_diaries(text);
    try {
      std::ofstream(prefix + ".status.json")
          << tools::json_line(tools::status_json(inspect(scene_.stream), kMainStream));
    } catch (const Error& error) {
      text << "no status: " << error.what() << '\n';
    }
  }

  void write_diaries(std::ostream& text) const {
    text << describe(plan_) << '\n';
    for (const std::string& violation : result_.violations) text << "violation: " << violation << '\n';
    for (std::uint32_t id = 1; id <= crew_.incarnations(Role::writer); ++id) {
      const ProducerDiary& diary = board_->producers[id];
      text << fmt::format("{}: phase {}, begun {}, committed {}, dropped {}, aborted {}\n", producer_name(id),
                          static_cast<unsigned>(diary.phase.load()), diary.begun.load(), diary.committed.load(),
                          diary.dropped.load(), diary.aborted.load());
    }
    for (std::uint32_t id = 1; id <= crew_.incarnations(Role::reader); ++id) {
      const ReaderDiary& diary = board_->readers[id];
      text << fmt::format("{}: phase {}, received {}, delivered {}, lost {}{}\n", reader_name(id),
                          static_cast<unsigned>(diary.phase.load()), diary.received.load(), diary.delivered, diary.lost,
                          diary.from_the_beginning ? ", from the beginning" : "");
    }
    for (const Kill& kill : crew_.kills()) {
      text << fmt::format("killed: {}-{} pid {} in phase {}\n", to_string(kill.role), kill.id, kill.pid,
                          static_cast<unsigned>(kill.phase));
    }
  }

  const Plan& plan_;
  const RoundOptions& options_;
  RoundResult result_;
  SharedBoard board_;
  Dice dice_;
  Scene scene_;
  Crew crew_;
  PoolCrew pool_crew_;
  MapCrew map_crew_;
  QueueCrew queue_crew_;
  WatchdogKeeper keeper_;
  Process idler_;
  Journal journal_;
  Interval active_;
  Snapshot ended_;
  std::uint64_t settled_wall_ns_ = 0;
  std::uint64_t watchdog_due_ns_ = 0;
};

}  // namespace

RoundResult run_round(const Plan& plan, const RoundOptions& options) { return Round{plan, options}.run(); }

}  // namespace sapbuf::soak
