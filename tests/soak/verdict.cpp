#include "soak/verdict.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace sapbuf::soak {
namespace {

struct Range {
  std::uint64_t least = 0;
  std::uint64_t most = 0;
  bool has(std::uint64_t value) const noexcept { return least <= value && value <= most; }
};

// A killed producer had committed what it noted; the message that it was about to commit may or may not count.
Range committed_by(const ProducerDiary& diary) {
  const std::uint64_t surely = diary.committed.load();
  return {surely, std::max(surely, diary.begun.load())};
}

// What journals say of those that were killed: the kernel may still be at their memory when somebody finds that they
// run no code any more.
bool is_proof_of_death(std::string_view proof) { return proof == "ofd-lock-free" || proof == "process-ended"; }

class Judge {
 public:
  Judge(const Evidence& evidence, RoundResult& result) : e_(evidence), result_(result) {}

  void run() {
    sum_up();
    for (std::uint32_t id = 1; id <= e_.crew.incarnations(Role::reader); ++id) judge_reader(id);
    if (lossless()) compare_lossless_readers();
    judge_writers_ledger();
    judge_readers_ledger();
    judge_journal();
  }

 private:
  bool lossless() const { return e_.plan.options.on_full != OnFull::overwrite; }
  std::uint32_t producers() const { return e_.crew.incarnations(Role::writer); }
  const ReaderDiary& reader(std::uint32_t id) const { return e_.board.readers[id]; }
  const ProducerDiary& producer(std::uint32_t id) const { return e_.board.producers[id]; }

  template <typename... Arguments>
  void expect(bool holds, fmt::format_string<Arguments...> text, Arguments&&... arguments) {
    if (!holds) result_.violations.push_back(fmt::format(text, std::forward<Arguments>(arguments)...));
  }

  std::uint64_t sum(Shared<std::uint64_t> ProducerDiary::*counter) const {
    std::uint64_t total = 0;
    for (std::uint32_t id = 1; id <= producers(); ++id) total += (producer(id).*counter).load();
    return total;
  }

  std::uint64_t killed(Role role) const {
    const auto& kills = e_.crew.kills();
    return static_cast<std::uint64_t>(
        std::count_if(kills.begin(), kills.end(), [&](const Kill& kill) { return kill.role == role; }));
  }

  void sum_up() {
    result_.written += e_.ledger.committed;
    result_.bytes += e_.ledger.committed_bytes;
    result_.dropped += e_.ledger.dropped;
    result_.aborted += e_.ledger.aborted;
    result_.abandoned += e_.ledger.abandoned;
    (lossless() ? result_.lost : result_.overwritten) += e_.ledger.lost;
    for (std::uint32_t id = 1; id <= e_.crew.incarnations(Role::reader); ++id) {
      result_.delivered += reader(id).received.load();
    }
  }

  void judge_reader(std::uint32_t id) {
    const ReaderDiary& diary = reader(id);
    for (std::uint32_t p = 1; p <= producers(); ++p) judge_sight(id, p);
    if (diary.phase.load() != Phase::left) return;
    const std::uint64_t received = diary.received.load();
    expect(diary.delivered == received, "{} got {} messages, and says that {} were delivered", reader_name(id),
           received, diary.delivered);
    expect(!lossless() || diary.lost == 0, "{} lost {} messages", reader_name(id), diary.lost);
    if (diary.from_the_beginning && diary.drained) {
      expect(received + diary.lost == e_.ledger.committed, "{} got {} and lost {} of {} committed messages",
             reader_name(id), received, diary.lost, e_.ledger.committed);
    } else {
      expect(received + diary.lost <= e_.ledger.committed, "{} got {} and lost {}, but only {} were committed",
             reader_name(id), received, diary.lost, e_.ledger.committed);
    }
  }

  void judge_sight(std::uint32_t id, std::uint32_t p) {
    const ReaderDiary& diary = reader(id);
    const Sight& sight = diary.sight[p];
    const Range committed = committed_by(producer(p));
    expect(sight.through() <= committed.most, "{} has message {} of {}, who began only {}", reader_name(id),
           sight.through(), producer_name(p), committed.most);
    // In total order, a reader of the newest also gets what stands behind a frame that is open when it attaches.
    const bool begins_behind = diary.newest && e_.plan.options.order == Order::per_writer && sight.known;
    expect(!begins_behind || sight.base >= sight.before, "{} attached for the newest, and got {} of {} of before {}",
           reader_name(id), sight.base + 1, producer_name(p), sight.before);
    if (!lossless() || diary.phase.load() != Phase::left || !diary.drained) return;
    // Before the first numbered message of a latecomer, its count says how far it is at the least.
    const bool knows_numbers = sight.known || diary.from_the_beginning;
    const std::uint64_t reaches = knows_numbers ? sight.through() : sight.after + sight.unnumbered;
    expect(reaches >= committed.least, "{} has {} only through {}, but {} were committed", reader_name(id),
           producer_name(p), reaches, committed.least);
  }

  // They agree on the message of a killed producer of which its diary does not know whether it counts.
  void compare_lossless_readers() {
    const ReaderDiary& first = reader(1);
    expect(first.received_bytes.load() == e_.ledger.committed_bytes, "reader-1 got {} bytes of {} committed",
           first.received_bytes.load(), e_.ledger.committed_bytes);
    for (std::uint32_t id = 1; id <= e_.crew.incarnations(Role::reader); ++id) {
      for (std::uint32_t p = 1; p <= producers(); ++p) compare_sights(first.sight[p], id, p);
    }
  }

  void compare_sights(const Sight& whole, std::uint32_t id, std::uint32_t p) {
    const Sight& sight = reader(id).sight[p];
    expect(sight.through() <= whole.through(), "{} has {} through {}, reader-1 only through {}", reader_name(id),
           producer_name(p), sight.through(), whole.through());
    if (!reader(id).drained || !sight.known) return;
    expect(sight.through() == whole.through(), "{} has {} through {}, reader-1 through {}", reader_name(id),
           producer_name(p), sight.through(), whole.through());
  }

  void judge_writers_ledger() {
    Range committed;
    for (std::uint32_t id = 1; id <= producers(); ++id) {
      const Range of_one = committed_by(producer(id));
      committed.least += of_one.least;
      committed.most += of_one.most;
    }
    const std::uint64_t killed_producers = killed(Role::writer);
    const auto counted = [&](const char* what, std::uint64_t value, Range range) {
      expect(range.has(value), "ledger: {} {}, but it must be {} to {}", value, what, range.least, range.most);
    };
    counted("committed", e_.ledger.committed, committed);
    const std::uint64_t dropped = sum(&ProducerDiary::dropped);
    counted("dropped", e_.ledger.dropped, {dropped, dropped + killed_producers});
    const std::uint64_t aborted = sum(&ProducerDiary::aborted);
    counted("aborted", e_.ledger.aborted, {aborted, aborted + killed_producers});
    counted("abandoned", e_.ledger.abandoned, {0, killed_producers});
    const std::uint64_t attempts = sum(&ProducerDiary::attempts);
    counted("attempts", e_.ledger.committed + e_.ledger.dropped + e_.ledger.aborted + e_.ledger.abandoned,
            {attempts - std::min(attempts, killed_producers * kBatch), attempts});
  }

  void judge_readers_ledger() {
    Range delivered;
    Range participants;
    std::uint64_t lost = 0;
    for (std::uint32_t id = 1; id <= e_.crew.incarnations(Role::reader); ++id) {
      const ReaderDiary& diary = reader(id);
      if (diary.phase.load() == Phase::left) {
        delivered.least += diary.delivered;
        delivered.most += diary.delivered;
        lost += diary.lost;
      } else {
        delivered.most += diary.received.load() + 1;
      }
      count(diary, participants);
    }
    for (std::uint32_t id = 1; id <= producers(); ++id) count(producer(id), participants);
    expect(delivered.has(e_.ledger.delivered), "ledger: {} delivered, but it must be {} to {}", e_.ledger.delivered,
           delivered.least, delivered.most);
    expect(e_.ledger.lost >= lost && (!lossless() || e_.ledger.lost == 0), "ledger: {} lost, readers say {}",
           e_.ledger.lost, lost);
    expect(participants.has(e_.departed_participants), "ledger: {} departed, but it must be {} to {}",
           e_.departed_participants, participants.least, participants.most);
  }

  static void count(const Diary& diary, Range& participants) {
    const Phase phase = diary.phase.load();
    if (phase == Phase::absent) return;
    ++participants.most;
    if (phase != Phase::starting) ++participants.least;
  }

  void judge_journal() {
    std::map<std::string, std::vector<const JournalRecord*>> by_name;
    std::uint64_t before = 0;
    for (const auto& [number, record] : e_.journal) {
      expect(number == before + 1, "journal: entry {} follows on {}", number, before);
      before = number;
      by_name[record.name].push_back(&record);
    }
    for (const Kill& kill : e_.crew.kills()) {
      const std::string name = kill.role == Role::writer ? producer_name(kill.id) : reader_name(kill.id);
      const auto found = by_name.find(name);
      const std::size_t entries = found == by_name.end() ? 0 : found->second.size();
      expect(entries <= 1 && (entries == 1 || kill.phase != Phase::attached), "journal: {} entries for {}", entries,
             name);
      if (entries == 1) judge_entry(*found->second.front(), kill);
      by_name.erase(name);
    }
    for (const auto& [name, records] : by_name)
      expect(false, "journal: {} was declared dead, but nobody killed it", name);
  }

  void judge_entry(const JournalRecord& record, const Kill& kill) {
    expect(record.role == kill.role && record.pid == kill.pid && is_proof_of_death(record.proof),
           "journal: the entry for {} names role {}, pid {}, proof {}", record.name, to_string(record.role), record.pid,
           record.proof);
    expect(record.noticed_ns >= kill.wall_ns, "journal: {} was declared dead {} ns before it was killed", record.name,
           kill.wall_ns - std::min(kill.wall_ns, record.noticed_ns));
    expect(record.finished_ns != 0, "journal: the repair of {} was never finished", record.name);
  }

  const Evidence& e_;
  RoundResult& result_;
};

}  // namespace

void judge(const Evidence& evidence, RoundResult& result) { Judge{evidence, result}.run(); }

}  // namespace sapbuf::soak
