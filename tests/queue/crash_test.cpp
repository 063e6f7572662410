// Producers and consumers are killed, at every step: what was released is done with once by somebody, what was not is
// free again, and what a dead consumer had goes to another one.
#include <algorithm>
#include <map>

#include <sys/mman.h>

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "queue/queue_core.hpp"
#include "queue_fixture.hpp"

namespace sapbuf::test {
namespace {

namespace data = boost::unit_test::data;
using namespace std::chrono_literals;
using Numbers = std::vector<std::uint64_t>;

// What a victim is about to do with a message, and what it did; in memory that outlives it.
enum class Noted : std::uint8_t { nothing, releasing, released, finishing, finished };
class Notebook {
 public:
  static constexpr std::size_t kMessages = 64;
  Notebook()
      : notes_(static_cast<std::atomic<Noted>*>(
            mmap(nullptr, kMessages, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {}
  Notebook(const Notebook&) = delete;
  ~Notebook() { munmap(notes_, kMessages); }
  std::atomic<Noted>& operator[](std::size_t message) const { return notes_[message]; }

 private:
  std::atomic<Noted>* notes_;
};

QueueOptions small_queue() {
  return {.slots = 4, .max_deliveries = 3, .dead_letters = "failed", .block_bytes = 64, .blocks = 24};
}
struct World : QueueFixture {
  World()
      : QueueFixture(small_queue()), answers(Queue::create(segment, "answers", {.pool = "jobs.blocks", .slots = 2})) {}
  Queue failed() const { return Queue::open(segment, "failed"); }

  Queue answers;
  Notebook notes;
};

void push_noted(Producer& producer, const Notebook& notes, std::uint64_t first, std::size_t count) {
  ReservedBlocks blocks = producer.reserve_for(count, 10s);
  if (blocks.size() != count) throw std::runtime_error("not reserved");
  for (std::size_t i = 0; i < count; ++i) {
    fill_with(blocks[i].bytes(), first + i);
    notes[first + i] = Noted::releasing;
  }
  if (blocks.release() != count) throw std::runtime_error("not released");
  for (std::size_t i = 0; i < count; ++i) notes[first + i] = Noted::released;
}

void finish_noted(TakenBlock& block, const Notebook& notes) {
  const std::uint64_t number = number_in(block.bytes());
  notes[number] = Noted::finishing;
  block.done();
  notes[number] = Noted::finished;
}

// Releases, finishes, puts back, passes on and buries, from the beginning of what the caller arms.
void live(const Queue& jobs, const Notebook& notes, const std::function<void()>& arm) {
  const Queue answers = Queue::open(jobs.segment(), "answers");
  Producer producer{jobs, {.name = "victim"}};
  Producer answering{answers, {.name = "victim"}};
  Consumer consumer{jobs, {.name = "victim"}};
  arm();
  for (std::uint64_t lap = 0; lap < 3; ++lap) {
    push_noted(producer, notes, 10 + lap * 3, 3);
    TakenBlocks taken = consumer.take(3);
    if (taken.size() != 3) throw std::runtime_error("not taken");
    finish_noted(taken[0], notes);
    static_cast<void>(taken[1].pass_to(answering));  // the third one finds no room there
    taken[2].put_back();
    if (lap == 2) taken = {};
    TakenBlock again = consumer.take();
    finish_noted(again, notes);
  }
  push_noted(producer, notes, 30, 1);
  for (int delivery = 0; delivery < 3; ++delivery) consumer.take().put_back();
  push_noted(producer, notes, 31, 1);
  consumer.take().put_back_after(1h);
}

// All that is left anywhere, whenever it is due.
std::map<std::uint64_t, int> drain_all(const World& world) {
  std::map<std::uint64_t, int> left;
  for (std::uint32_t block = 0; block < world.queue.core()->geometry().blocks; ++block) {
    world.queue.core()->due(block, 0).store(0);
  }
  world.queue.core()->group(0).look_at.store(layout::LookAt::make(1).word);
  for (const Queue& queue : {world.queue, world.answers, world.failed()}) {
    for (const std::uint64_t number : drain(queue)) ++left[number];
  }
  return left;
}

// What came in has left, or is there: the death of one who passed a block on while the ring was full may count it
// twice.
std::string imbalance(const Segment& segment) {
  for (const FacilitySnapshot& facility : inspect(segment).facilities) {
    if (!facility.queue) continue;
    const QueueGroupSnapshot& group = facility.queue->groups[0];
    const std::uint64_t accounted = facility.queue->ended + group.queued + group.returned + group.held + group.dead;
    const std::uint64_t pushed = facility.queue->pushed;
    if (pushed != accounted && !(facility.info.name != "jobs" && pushed == accounted + 1)) {
      return facility.info.name + ": " + std::to_string(pushed) + " came, " + std::to_string(accounted) +
             " are accounted for";
    }
  }
  return {};
}

void check_all(const World& world) {
  BOOST_TEST(imbalance(world.segment) == "");
  const std::map<std::uint64_t, int> left = drain_all(world);
  for (const auto& [number, times] : left) BOOST_TEST(times == 1, "message " << number << " is there twice");
  for (std::size_t number = 0; number < Notebook::kMessages; ++number) {
    const bool is_left = left.count(number) != 0;
    switch (world.notes[number]) {
      case Noted::nothing:
      case Noted::finished:
        BOOST_TEST(!is_left, "message " << number << " should not be there");
        break;
      case Noted::released:
        BOOST_TEST(is_left, "message " << number << " is lost");
        break;
      case Noted::releasing:
      case Noted::finishing:
        break;
    }
  }
  BOOST_TEST(count_free_blocks(world.pool()) == world.pool().options().max_count);
  BOOST_TEST(inspect(world.segment).participants.empty());
}

BOOST_AUTO_TEST_SUITE(queue_crash)

// At every passage through every point.
BOOST_AUTO_TEST_CASE(a_participant_may_be_killed_anywhere) {
  for (unsigned nth = 1;; ++nth) {
    const World world;
    const bool died = is_killed_at(
        nth, world, [&](const Queue& own, const std::function<void()>& arm) { live(own, world.notes, arm); });
    BOOST_TEST_CONTEXT("kill point passage " << nth) {
      recover(world.segment);
      check_all(world);
    }
    if (!died) {
      BOOST_TEST(nth > 150U);
      return;
    }
  }
}

// What recovers a queue's dead is killed at each of its own steps.
BOOST_DATA_TEST_CASE(a_recoverer_may_be_killed_anywhere,
                     data::make({KillPoint::queue_said, KillPoint::queue_taken, KillPoint::queue_leaving,
                                 KillPoint::queue_left, KillPoint::queue_pass_said, KillPoint::queue_renewed,
                                 KillPoint::queue_passed, KillPoint::queue_bit_set}),
                     point) {
  for (unsigned nth = 1;; ++nth) {
    const World world;
    const unsigned passage =
        point == KillPoint::queue_leaving ? 1 : 2;  // the second one is of a block that is passed on
    Child victim{
        [&](Link&) { live(world.open_again(), world.notes, [&] { kill_point::arm(point, kill_self, passage); }); }};
    BOOST_TEST(victim.wait() == -SIGKILL);
    const bool died = is_killed_at(nth, world, [](const Queue& queue, const std::function<void()>& arm) {
      arm();
      recover(queue.segment());
    });
    BOOST_TEST_CONTEXT("kill point passage " << nth) {
      recover(world.segment);
      check_all(world);
    }
    if (!died) {
      BOOST_TEST(nth > 3U);
      break;
    }
  }
}

// Nobody calls recover(), and there is no watchdog.
BOOST_AUTO_TEST_CASE(who_waits_gets_what_a_dead_consumer_had) {
  const QueueFixture fixture;
  push_numbers(fixture.queue, 0, 4);
  Consumer survivor{fixture.queue};
  TakenBlock own = survivor.take();
  Child victim{[&](Link& link) {
    Consumer consumer{fixture.open_again(), {.name = "victim"}};
    TakenBlocks held = consumer.take(8);
    link.say(held.size());
    link.hear();
  }};
  BOOST_TEST_REQUIRE(victim.hear() == 3U);
  push_numbers(fixture.queue, 10, 1);
  // Never from a live one.
  BOOST_TEST(recover(fixture.segment).dead.empty());
  TakenBlock newer = survivor.take();
  BOOST_TEST(number_in(newer.bytes()) == 10U);
  BOOST_TEST(!survivor.wait_for(30ms));
  victim.kill();
  BOOST_TEST(survivor.wait_for(10s));
  TakenBlocks again = survivor.take(8);
  BOOST_TEST_REQUIRE(again.size() == 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    BOOST_TEST(number_in(again[i].bytes()) == i + 1);
    BOOST_TEST(again[i].deliveries() == 2U);
    again[i].done();
  }
  own.done();
  newer.done();
  BOOST_TEST(drain(fixture.queue).empty());
}

BOOST_AUTO_TEST_CASE(a_stopped_consumer_keeps_what_it_has_and_stops_nobody) {
  const QueueFixture fixture;
  push_numbers(fixture.queue, 0, 2);
  Child victim{[&](Link& link) {
    Consumer consumer{fixture.open_again()};
    kill_point::arm(KillPoint::queue_taken, stop_self);
    TakenBlock held = consumer.take();
    const bool is_own = held.done();
    link.say(is_own ? 1 : 0);
  }};
  BOOST_TEST(victim.wait_until_stopped());
  for (std::uint64_t lap = 0; lap < 5; ++lap) {
    push_numbers(fixture.queue, 10 + lap * 4, 4);
    BOOST_TEST(drain(fixture.queue).size() == (lap == 0 ? 5U : 4U));
  }
  BOOST_TEST(recover(fixture.segment).dead.empty());
  victim.resume();
  BOOST_TEST(victim.hear() == 1U);
  BOOST_TEST(victim.wait() == 0);
  BOOST_TEST(drain(fixture.queue).empty());
}

// What is put back for later, and is not due when it is looked at, is found by others when it is.
BOOST_AUTO_TEST_CASE(who_stops_in_a_look_for_what_was_put_back_hides_nothing) {
  const QueueFixture fixture;
  push_numbers(fixture.queue, 7, 1);
  Consumer consumer{fixture.queue};
  consumer.take().put_back();  // from here on it is worth while to look
  TakenBlock later = consumer.take();
  Child victim{[&](Link& link) {
    Consumer own{fixture.open_again()};
    kill_point::arm(KillPoint::queue_looked_away, stop_self);
    link.say(1);
    link.hear();
    if (own.take()) _exit(1);
  }};
  BOOST_TEST(victim.hear() == 1U);
  BOOST_TEST(later.put_back_after(2s));
  victim.say(1);
  BOOST_TEST(victim.wait_until_stopped());
  TakenBlocks taken = consumer.take_for(1, kPatience);
  BOOST_TEST_REQUIRE(taken.size() == 1U);
  BOOST_TEST(number_in(taken[0].bytes()) == 7U);
  victim.resume();
  BOOST_TEST(victim.wait() == 0);
}

// Of those in the middle of a release, others pass the one that is stopped.
BOOST_DATA_TEST_CASE(a_stopped_producer_stops_nobody,
                     data::make({KillPoint::queue_described, KillPoint::queue_said, KillPoint::queue_released}),
                     point) {
  const QueueFixture fixture;
  Child victim{[&](Link&) {
    const Queue own = fixture.open_again();
    Producer producer{own};
    kill_point::arm(point, stop_self);
    if (push_number(producer, 1) != Status::ok) _exit(1);
  }};
  BOOST_TEST(victim.wait_until_stopped());
  std::size_t seen = 0;
  for (std::uint64_t lap = 0; lap < 5; ++lap) {
    push_numbers(fixture.queue, 10 + lap * 4, 4);
    seen += drain(fixture.queue).size();
  }
  BOOST_TEST(seen == (point == KillPoint::queue_released ? 21U : 20U));
  victim.resume();
  BOOST_TEST(victim.wait() == 0);
  BOOST_TEST(drain(fixture.queue).size() == (point == KillPoint::queue_released ? 0U : 1U));
}

// Both slots that the consumer comes to lead to blocks which were taken, and are being released anew: the second one
// was not yet.
BOOST_AUTO_TEST_CASE(a_block_is_not_taken_before_it_was_released_by_a_slot_that_led_to_it_before) {
  const QueueFixture fixture{{.slots = 4, .block_bytes = 64, .blocks = 1}};
  Consumer late{fixture.queue};
  push_numbers(fixture.queue, 1, 2);
  BOOST_TEST(drain(fixture.queue).size() == 2U);
  Child victim{[&](Link&) {
    Producer producer{fixture.open_again()};
    ReservedBlocks blocks = producer.reserve_for(2, 10s);
    while (blocks.size() < 2) blocks = producer.reserve_for(2, 10s);
    for (std::size_t i = 0; i < 2; ++i) fill_with(blocks[i].bytes(), 10 + i);
    kill_point::arm(KillPoint::queue_said, stop_self, 2);
    if (blocks.release() != 2) _exit(1);
  }};
  BOOST_TEST(victim.wait_until_stopped());
  TakenBlocks taken = late.take(4);
  BOOST_TEST_REQUIRE(taken.size() == 1U);
  BOOST_TEST(number_in(taken[0].bytes()) == 10U);
  taken[0].done();
  victim.resume();
  BOOST_TEST(victim.wait() == 0);
  BOOST_TEST(number_in(late.take().bytes()) == 11U);
}

// Somebody fills the ring's last slot when the producer has said that its block is queued there; `act` is done when it has the
// buffer back, and the queue has not let go of it.
void release_too_late(const Queue& queue, Producer& late, const std::function<void()>& act) {
  ReservedBlocks block = late.reserve(1);
  kill_point::arm(KillPoint::queue_said, [&] {
    push_numbers(queue, 1, 1);
    kill_point::arm(KillPoint::queue_taken_back, act);
  });
  if (block.release() != 0 || block.size() != 1) throw std::runtime_error("there was room");
  fill_with(block[0].bytes(), 2);
}
QueueOptions one_slot() { return {.slots = 1, .block_bytes = 64, .blocks = 4}; }

BOOST_AUTO_TEST_CASE(a_block_that_finds_no_place_is_its_producers_and_nobody_elses) {
  const QueueFixture fixture{one_slot()};
  PoolUser other{fixture.pool()};
  std::vector<Buffer> all;
  Producer late{fixture.queue, {.timeout = 0ms}};
  release_too_late(fixture.queue, late, [&] {
    while (Buffer buffer = other.acquire()) all.push_back(std::move(buffer));
    for (const Buffer& buffer : all) fill_with(buffer.bytes(), 3);
  });
  BOOST_TEST(all.size() == fixture.pool().options().max_count - 2);
  for (const Buffer& buffer : all) BOOST_TEST(number_in(buffer.bytes()) == 3U);
  BOOST_TEST(drain(fixture.queue) == Numbers{1});
}

// It is the last one of a producer that was closed: nothing of that one is left when the ring turns out to be full.
BOOST_AUTO_TEST_CASE(a_block_that_was_moved_here_and_finds_no_place_stays_here) {
  const QueueFixture fixture{one_slot()};
  Producer late{fixture.queue, {.timeout = 0ms}};
  ReservedBlocks here = late.reserve(1);
  {
    Producer closed{fixture.queue};
    ReservedBlocks there = closed.reserve(1);
    here[0] = std::move(there[0]);
  }
  kill_point::arm(KillPoint::queue_said, [&] { push_numbers(fixture.queue, 1, 1); });
  BOOST_TEST(here.release() == 0U);
  BOOST_TEST_REQUIRE(here.size() == 1U);
  fill_with(here[0].bytes(), 2);
  BOOST_TEST(drain(fixture.queue) == Numbers{1});
  BOOST_TEST(here.release() == 1U);
  BOOST_TEST(drain(fixture.queue) == Numbers{2});
}

BOOST_AUTO_TEST_CASE(who_dies_of_taking_a_block_back_leaves_nothing) {
  const QueueFixture fixture{one_slot()};
  Child victim{[&](Link&) {
    const Queue own = fixture.open_again();
    Producer late{own, {.timeout = 0ms}};
    release_too_late(own, late, kill_self);
  }};
  BOOST_TEST(victim.wait() == -SIGKILL);
  recover(fixture.segment);
  BOOST_TEST(drain(fixture.queue) == Numbers{1});
  BOOST_TEST(count_free_blocks(fixture.pool()) == fixture.pool().options().max_count);
}

// It was shown to the first group of two, which is done with it when recovery comes; and there is room by then.
BOOST_AUTO_TEST_CASE(each_group_gets_once_what_somebody_died_of_passing_on) {
  const QueueFixture fixture;
  const Queue both = Queue::create(fixture.segment, "both", {.pool = "jobs.blocks", .slots = 1, .groups = 2});
  push_numbers(both, 1, 1);
  push_numbers(fixture.queue, 7, 1);
  Consumer first{both}, second{both, {.group = 1}};
  Child victim{[&](Link&) {
    Consumer consumer{fixture.open_again()};
    Producer producer{fixture.open_again("both")};
    TakenBlock block = consumer.take();
    kill_point::arm(KillPoint::queue_giving_back, kill_self, 2);
    static_cast<void>(block.pass_to(producer));
  }};
  BOOST_TEST(victim.wait() == -SIGKILL);
  for (const std::uint64_t number : {7U, 1U}) {
    TakenBlock block = first.take();
    BOOST_TEST(number_in(block.bytes()) == number);
    block.done();
  }
  second.take().done();
  recover(fixture.segment);
  BOOST_TEST(!first.take());
  BOOST_TEST(number_in(second.take().bytes()) == 7U);
}

// What a dead consumer's slot says of the block that it was passing on leads nowhere else, whatever that is.
BOOST_AUTO_TEST_CASE(words_of_one_who_died_of_passing_on_may_say_anything) {
  const std::uint64_t all = ~std::uint64_t{0};
  for (const auto& [passing, to] : std::map<std::uint64_t, std::uint64_t>{
           {all, 0}, {32, 0}, {std::uint64_t{1} << 31, 0}, {0, all}, {1, std::uint64_t{1} << 63}, {31, 1}, {30, 63}}) {
    const QueueFixture fixture;
    const Queue answers = Queue::create(fixture.segment, "answers", {.pool = "jobs.blocks", .slots = 2});
    push_numbers(fixture.queue, 7, 1);
    Child victim{[&](Link& link) {
      Consumer consumer{fixture.open_again()};
      Producer producer{fixture.open_again("answers")};
      TakenBlock block = consumer.take();
      link.say(consumer.slot());
      kill_point::arm(KillPoint::queue_pass_said, kill_self);
      static_cast<void>(block.pass_to(producer));
    }};
    layout::QueueSlot& slot = fixture.queue.core()->slot(static_cast<std::uint32_t>(victim.hear()));
    BOOST_TEST(victim.wait() == -SIGKILL);
    slot.passing.store(passing);
    if (to != 0) slot.passing_to.store(to);
    recover(fixture.segment);
    BOOST_TEST(drain(fixture.queue) == Numbers{7});
    BOOST_TEST(drain(answers).empty());
  }
}

BOOST_AUTO_TEST_CASE(a_block_whose_entry_says_another_buffer_is_not_passed_on) {
  const QueueFixture fixture;
  const Queue answers = Queue::create(fixture.segment, "answers", {.pool = "jobs.blocks", .slots = 2});
  push_numbers(fixture.queue, 7, 1);
  Consumer consumer{fixture.queue};
  Producer producer{answers};
  TakenBlock block = consumer.take();
  const detail::QueueCore& core = *fixture.queue.core();
  std::uint32_t index = 0;
  while (core.is_none(index)) ++index;
  layout::Word& root = core.entry(index).root;
  const layout::Root own{root.load()};
  for (const layout::Root wrong : {layout::Root{}, layout::Root::make(index + 1, own.incarnation()),
                                   layout::Root::make(index, own.incarnation() + 1), layout::Root{~std::uint64_t{0}}}) {
    root.store(wrong.word);
    BOOST_TEST((block.pass_to(producer) == Status::corrupt));
    BOOST_TEST(drain(answers).empty());
  }
  root.store(own.word);
  BOOST_TEST((block.pass_to(producer) == Status::ok));
  BOOST_TEST(drain(answers) == Numbers{7});
}

BOOST_AUTO_TEST_CASE(a_block_that_kills_whoever_takes_it_is_a_dead_letter_with_their_names) {
  const World world;
  push_numbers(world.queue, 7, 1);
  for (int death = 0; death < 3; ++death) {
    Child victim{[&](Link&) {
      Consumer consumer{world.open_again(), {.name = "victim-" + std::to_string(death)}};
      TakenBlock poison = consumer.take();
      if (!poison || poison.deliveries() != static_cast<std::uint32_t>(death) + 1) _exit(1);
      kill_self();
    }};
    BOOST_TEST(victim.wait() == -SIGKILL);
    BOOST_TEST(recover(world.segment).dead.size() == 1U);
  }
  BOOST_TEST(drain(world.queue).empty());
  const Queue failed = world.failed();
  const std::vector<QueueBlock> listed = list_blocks(failed);
  BOOST_TEST_REQUIRE(listed.size() == 1U);
  BOOST_TEST_REQUIRE(listed[0].notes.size() == 3U);
  for (std::size_t death = 0; death < 3; ++death) {
    BOOST_TEST(listed[0].notes[death].name == "victim-" + std::to_string(death));
    BOOST_TEST(listed[0].notes[death].died);
  }
  Consumer reader{failed};
  TakenBlock letter = reader.take();
  BOOST_TEST(number_in(letter.bytes()) == 7U);
  letter.done();
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
