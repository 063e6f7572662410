// Many processes at once, of which somebody is killed all the time: what was released is done with, and nothing again
// after that.
#include <array>
#include <memory>
#include <random>

#include <sys/mman.h>

#include <boost/test/unit_test.hpp>

#include "queue_fixture.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMessages = 8'000'000;
constexpr int kKills = 200;

// What became of each message, in memory that outlives everybody.
struct Notes {
  enum : std::uint8_t { released = 1, finishing = 2, finished = 4, again = 8, torn = 16 };
  std::atomic<std::uint32_t> next;
  std::atomic<bool> is_over;
  std::array<std::atomic<std::uint8_t>, kMessages> of;
};
class SharedNotes {
 public:
  SharedNotes()
      : notes_(static_cast<Notes*>(
            mmap(nullptr, sizeof(Notes), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {}
  SharedNotes(const SharedNotes&) = delete;
  ~SharedNotes() { munmap(notes_, sizeof(Notes)); }
  Notes* operator->() const { return notes_; }

 private:
  Notes* notes_;
};

void produce(const QueueFixture& fixture, const SharedNotes& notes) {
  Producer producer{fixture.open_again(), {.timeout = 100ms}};
  while (!notes->is_over) {
    ReservedBlocks blocks = producer.reserve_for(3, 100ms);
    const std::uint32_t first = notes->next.fetch_add(3);
    if (first + 3 > kMessages) return;
    for (std::size_t i = 0; i < blocks.size(); ++i) fill_with(blocks[i].bytes(), first + i);
    const std::size_t released = blocks.release();
    for (std::size_t i = 0; i < released; ++i) notes->of[first + i].fetch_or(Notes::released);
  }
}

void consume(const QueueFixture& fixture, const SharedNotes& notes) {
  Consumer consumer{fixture.open_again()};
  std::minstd_rand random{static_cast<unsigned>(::getpid())};
  while (!notes->is_over) {
    TakenBlocks taken = consumer.take_for(4, 20ms);
    for (TakenBlock& block : taken) {
      auto& note = notes->of[number_in(block.bytes()) % kMessages];
      if (!is_whole(block.bytes())) note.fetch_or(Notes::torn);
      if ((note.load() & Notes::finished) != 0) note.fetch_or(Notes::again);
      if (random() % 8 == 0) {
        block.put_back();
        continue;
      }
      note.fetch_or(Notes::finishing);
      block.done();
      note.fetch_or(Notes::finished);
    }
  }
}

BOOST_AUTO_TEST_SUITE(queue_crowd)

BOOST_AUTO_TEST_CASE(somebody_is_killed_all_the_time) {
  const QueueFixture fixture{{.slots = 16, .block_bytes = 64, .blocks = 64}};
  const SharedNotes notes;
  std::array<std::unique_ptr<Child>, 5> crowd;
  const auto start = [&](std::size_t which) {
    crowd[which] =
        std::make_unique<Child>([&, which](Link&) { which < 2 ? produce(fixture, notes) : consume(fixture, notes); });
  };
  for (std::size_t which = 0; which < crowd.size(); ++which) start(which);
  std::minstd_rand random{static_cast<unsigned>(::getpid())};
  for (int kill = 0; kill < kKills; ++kill) {
    // Until the others have got on: at whatever place the victim is by then.
    const std::uint32_t before = notes->next.load();
    const auto more = static_cast<std::uint32_t>(20 + random() % 300);
    BOOST_TEST_REQUIRE(
        eventually([&] { return notes->next.load() >= std::min<std::uint32_t>(before + more, kMessages); }));
    const std::size_t victim = random() % crowd.size();
    crowd[victim]->kill();
    start(victim);
  }
  notes->is_over = true;
  for (auto& one : crowd) BOOST_TEST(one->wait() == 0);
  recover(fixture.segment);
  for (const std::uint64_t number : drain(fixture.queue)) {
    auto& note = notes->of[number % kMessages];
    if ((note.load() & Notes::finished) != 0) note.fetch_or(Notes::again);
    note.fetch_or(Notes::finishing);
  }
  std::uint64_t lost = 0, again = 0, torn = 0;
  for (const auto& note : notes->of) {
    const std::uint8_t seen = note.load();
    lost += (seen & (Notes::released | Notes::finishing)) == Notes::released ? 1 : 0;
    again += (seen & Notes::again) != 0 ? 1 : 0;
    torn += (seen & Notes::torn) != 0 ? 1 : 0;
  }
  BOOST_TEST(lost == 0U);
  BOOST_TEST(again == 0U);
  BOOST_TEST(torn == 0U);
  BOOST_TEST(count_free_blocks(fixture.pool()) == fixture.pool().options().max_count);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
