// Instrument reference data in a map: forty readers look at it all the time, and the process that keeps it up to date is killed
// in the middle of an update, and replaced.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <iostream>
#include <string>
#include <vector>

#include <sapbuf/sapbuf.hpp>

namespace {

constexpr int kReaders = 40;
constexpr std::array kSymbols{"AAPL", "MSFT", "NVDA", "SAP"};
constexpr std::uint64_t kLastRevision = 20'000;

struct Instrument {
  std::uint64_t revision;
  double tick_size;
  double lot_size;
  std::uint64_t revision_again;  // as the one above, or somebody saw half of it
};

Instrument read_as(std::span<const std::byte> bytes) {
  Instrument instrument{};
  if (bytes.size() == sizeof instrument) std::memcpy(&instrument, bytes.data(), sizeof instrument);
  return instrument;
}

// Looks each instrument up once, and then reads them where they stand until all have their last revision. 0: all was right.
int read_all(const std::string& name) {
  const auto instruments = sapbuf::Map::open(sapbuf::Segment::open(name), "instruments");
  const sapbuf::MapReader reader{instruments, {.name = "strategy"}};
  std::vector<sapbuf::MapEntry> entries;
  for (const char* symbol : kSymbols) entries.push_back(reader.entry(symbol));
  std::array<std::uint64_t, kSymbols.size()> seen{};
  for (;;) {
    bool all_there = true;
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const sapbuf::MapValue value = entries[i].read();  // in place; it stays as it is until `value` goes
      if (!value) return 1;
      const Instrument instrument = read_as(value.bytes());
      if (instrument.revision != instrument.revision_again || instrument.revision < seen[i]) return 1;
      seen[i] = instrument.revision;
      all_there = all_there && seen[i] >= kLastRevision;
    }
    if (all_there) return 0;
    reader.wait_changed(reader.version(), std::chrono::milliseconds{1});
  }
}

// Goes on where the one before was. In the middle of the update to `dies_at` it is killed.
int keep_up_to_date(const std::string& name, std::uint64_t dies_at) {
  const auto instruments = sapbuf::Map::open(sapbuf::Segment::open(name), "instruments");
  sapbuf::MapWriter editor{instruments, {.name = "reference"}};
  for (bool is_last = false; !is_last;) {
    for (const char* symbol : kSymbols) {
      const auto status = editor.update(symbol, [&](std::span<const std::byte> old, sapbuf::MapDraft& fresh) {
        Instrument next = read_as(old);
        ++next.revision;
        next.tick_size = 0.01;
        next.lot_size = static_cast<double>(next.revision % 100);
        std::memcpy(fresh.bytes().data(), &next, sizeof next / 2);
        if (next.revision == dies_at) ::kill(::getpid(), SIGKILL);
        next.revision_again = next.revision;
        std::memcpy(fresh.bytes().data(), &next, sizeof next);
        is_last = next.revision >= kLastRevision;
      });
      if (status != sapbuf::Status::ok) return 1;
    }
  }
  return 0;
}

template <typename Work>
pid_t start(Work work) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(work());
  return child;
}

int end_of(pid_t child) {
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string name = argc > 1 ? argv[1] : "market";
  const auto segment = sapbuf::Segment::create(name, {.main_stream = false});
  const auto instruments =
      sapbuf::Map::create(segment, "instruments", {.keys = 16, .value_bytes = sizeof(Instrument), .key_bytes = 24});
  {
    sapbuf::MapWriter editor{instruments, {.name = "reference"}};
    const Instrument first{};
    for (const char* symbol : kSymbols) {
      if (editor.put(symbol, std::as_bytes(std::span{&first, 1})) != sapbuf::Status::ok) return 1;
    }
  }
  std::vector<pid_t> readers;
  for (int i = 0; i < kReaders; ++i) readers.push_back(start([&] { return read_all(name); }));
  const bool was_killed = end_of(start([&] { return keep_up_to_date(name, kLastRevision / 2); })) == -SIGKILL;
  const bool was_replaced = end_of(start([&] { return keep_up_to_date(name, 0); })) == 0;
  int right = 0;
  for (const pid_t reader : readers) right += end_of(reader) == 0 ? 1 : 0;
  std::cout << right << " of " << kReaders << " readers saw every instrument whole, and in order\n";
  sapbuf::Segment::remove(name);
  return was_killed && was_replaced && right == kReaders ? 0 : 1;
}
