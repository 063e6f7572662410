// What queues promise while nobody dies.
#include <algorithm>
#include <atomic>
#include <numeric>

#include <boost/test/unit_test.hpp>

#include "platform/clock.hpp"
#include "queue/queue_core.hpp"
#include "queue_fixture.hpp"
#include "support/address_space.hpp"
#include "support/skip.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;
using Numbers = std::vector<std::uint64_t>;

Numbers numbers(std::uint64_t first, std::uint64_t count) {
  Numbers all(count);
  std::iota(all.begin(), all.end(), first);
  return all;
}

BOOST_AUTO_TEST_SUITE(queue)

BOOST_AUTO_TEST_CASE(blocks_are_taken_in_the_order_in_which_they_were_released) {
  const QueueFixture fixture;
  push_numbers(fixture.queue, 1, 8);
  BOOST_TEST(drain(fixture.queue) == numbers(1, 8));
  BOOST_TEST(drain(fixture.queue).empty());
}

BOOST_AUTO_TEST_CASE(many_laps_go_through_a_small_ring) {
  const QueueFixture fixture{{.slots = 2, .block_bytes = 64, .blocks = 4}};
  Producer producer{fixture.queue};
  Consumer consumer{fixture.queue};
  for (std::uint64_t number = 0; number < 1000; ++number) {
    BOOST_TEST_REQUIRE((push_number(producer, number) == Status::ok));
    TakenBlock block = consumer.take();
    BOOST_TEST_REQUIRE(static_cast<bool>(block));
    BOOST_TEST_REQUIRE(number_in(block.bytes()) == number);
    BOOST_TEST_REQUIRE(block.done());
  }
}

BOOST_AUTO_TEST_CASE(a_part_of_what_was_reserved_is_released_and_the_rest_stays) {
  const QueueFixture fixture;
  Producer producer{fixture.queue};
  ReservedBlocks blocks = producer.reserve(6);
  BOOST_TEST_REQUIRE(blocks.size() == 6U);
  for (std::size_t i = 0; i < blocks.size(); ++i) fill_with(blocks[i].bytes(), i);
  BOOST_TEST(blocks.release(4) == 4U);
  BOOST_TEST(blocks.size() == 2U);
  BOOST_TEST(number_in(blocks[0].bytes()) == 4U);
  BOOST_TEST(drain(fixture.queue) == numbers(0, 4));
  BOOST_TEST(blocks.release() == 2U);
  BOOST_TEST(blocks.empty());
  BOOST_TEST(drain(fixture.queue) == numbers(4, 2));
}

BOOST_AUTO_TEST_CASE(what_is_reserved_stalls_nobody) {
  const QueueFixture fixture;
  Producer slow{fixture.queue};
  ReservedBlocks kept = slow.reserve(4);
  push_numbers(fixture.queue, 1, 8);
  BOOST_TEST(drain(fixture.queue) == numbers(1, 8));
  fill_with(kept[0].bytes(), 99);
  BOOST_TEST(kept.release(1) == 1U);
  BOOST_TEST(drain(fixture.queue) == numbers(99, 1));
}

BOOST_AUTO_TEST_CASE(what_a_consumer_keeps_stalls_nobody) {
  const QueueFixture fixture;
  push_numbers(fixture.queue, 0, 2);
  Consumer slow{fixture.queue};
  TakenBlock kept = slow.take();
  for (std::uint64_t lap = 0; lap < 10; ++lap) {
    push_numbers(fixture.queue, 2 + lap * 4, 4);
    BOOST_TEST(drain(fixture.queue) == (lap == 0 ? numbers(1, 5) : numbers(2 + lap * 4, 4)));
  }
  BOOST_TEST(is_whole(kept.bytes()));
  BOOST_TEST(number_in(kept.bytes()) == 0U);
  BOOST_TEST(kept.done());
}

// Wherever in the ring it was when it stopped to look, and however much went through it since then.
BOOST_AUTO_TEST_CASE(a_consumer_that_is_laps_behind_finds_what_is_there) {
  for (const std::uint64_t keys : {0U, 4U}) {
    const QueueFixture fixture{{.slots = 8, .keys = keys, .block_bytes = 64, .blocks = 16}};
    for (std::uint64_t others = 0; others < 24; ++others) {
      Consumer late{fixture.queue};
      for (std::uint64_t number = 0; number < others; ++number) {
        push_numbers(fixture.queue, number, 1);
        BOOST_TEST_REQUIRE(drain(fixture.queue) == numbers(number, 1));
      }
      push_numbers(fixture.queue, 100, 1);
      TakenBlock block = late.take();
      BOOST_TEST(number_in(block.bytes()) == 100U, others << " went to others before, keys " << keys);
      if (!block) block = late.take();
      BOOST_TEST_REQUIRE(block.done());
    }
  }
}

BOOST_AUTO_TEST_CASE(a_full_queue_has_no_room_until_something_is_taken) {
  const QueueFixture fixture;
  push_numbers(fixture.queue, 0, 8);
  Producer producer{fixture.queue, {.timeout = 0ms}};
  BOOST_TEST((producer.reserve(1).status() == Status::full));
  BOOST_TEST((producer.reserve_for(1, 5ms).status() == Status::timeout));
  Consumer consumer{fixture.queue};
  const TakenBlock held = consumer.take();
  BOOST_TEST(producer.reserve(8).size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_producer_that_finds_the_ring_full_when_it_releases_keeps_its_block) {
  const QueueFixture fixture;
  Producer early{fixture.queue, {.timeout = 0ms}};
  ReservedBlocks blocks = early.reserve(2);
  fill_with(blocks[0].bytes(), 7);
  push_numbers(fixture.queue, 0, 8);
  BOOST_TEST(blocks.release() == 0U);
  BOOST_TEST((blocks.status() == Status::timeout));
  BOOST_TEST(blocks.size() == 2U);
  BOOST_TEST(drain(fixture.queue) == numbers(0, 8));
  BOOST_TEST(blocks.release(1) == 1U);
  BOOST_TEST(drain(fixture.queue) == numbers(7, 1));
}

BOOST_AUTO_TEST_CASE(a_queue_that_drops_says_how_much_it_took) {
  const QueueFixture fixture{{.slots = 4, .on_full = OnFull::drop, .block_bytes = 64, .blocks = 16}};
  Producer early{fixture.queue};
  ReservedBlocks blocks = early.reserve(3);
  for (std::size_t i = 0; i < 3; ++i) fill_with(blocks[i].bytes(), 10 + i);
  push_numbers(fixture.queue, 0, 2);
  BOOST_TEST(blocks.release() == 2U);
  BOOST_TEST((blocks.status() == Status::full));
  BOOST_TEST(blocks.empty());
  BOOST_TEST(drain(fixture.queue) == (Numbers{0, 1, 10, 11}));
}

// Behind its first look at each slot.
BOOST_AUTO_TEST_CASE(a_producer_that_others_are_ahead_of_once_more_is_not_told_that_the_queue_is_full) {
  const QueueFixture fixture{{.slots = 8, .on_full = OnFull::drop, .block_bytes = 64, .blocks = 16}};
  Producer late{fixture.queue};
  BOOST_TEST((push_number(late, 0) == Status::ok));
  BOOST_TEST(drain(fixture.queue) == numbers(0, 1));
  push_numbers(fixture.queue, 1, 8);
  BOOST_TEST(drain(fixture.queue) == numbers(1, 8));
  kill_point::arm(KillPoint::queue_lapped, [&] { push_numbers(fixture.queue, 9, 1); });
  BOOST_TEST((push_number(late, 10) == Status::ok));
  BOOST_TEST(drain(fixture.queue) == numbers(9, 2));
}

BOOST_AUTO_TEST_CASE(what_is_dropped_goes_back_to_the_pool_at_once) {
  const QueueFixture fixture{{.slots = 4, .on_full = OnFull::drop, .block_bytes = 64, .blocks = 16}};
  Producer early{fixture.queue};
  ReservedBlocks blocks = early.reserve(4);
  push_numbers(fixture.queue, 0, 4);
  BOOST_TEST(blocks.release(2) == 0U);
  BOOST_TEST(blocks.size() == 2U);
  BOOST_TEST(count_free_blocks(fixture.pool()) == 32U - 4 - 2);
}

BOOST_AUTO_TEST_CASE(blocks_that_were_moved_are_there_once) {
  const QueueFixture fixture;
  Producer producer{fixture.queue};
  ReservedBlocks blocks = producer.reserve(4);
  BOOST_TEST(blocks.release(2) == 2U);
  ReservedBlocks moved = std::move(blocks);
  BOOST_TEST(blocks.empty());
  BOOST_TEST(moved.size() == 2U);
  blocks = std::move(moved);
  BOOST_TEST(moved.empty());
  BOOST_TEST(blocks.release() == 2U);
}

// Nor of another segment.
BOOST_AUTO_TEST_CASE(a_reserved_block_of_another_pool_is_not_released) {
  const QueueFixture fixture;
  const QueueFixture elsewhere;
  const Queue other = Queue::create(fixture.segment, "other", {.slots = 8, .block_bytes = 64});
  for (const Queue& from : {other, elsewhere.queue}) {
    Producer here{fixture.queue}, there{from};
    ReservedBlocks blocks = here.reserve(3);
    ReservedBlocks foreign = there.reserve(1);
    for (ReservedBlock& block : blocks) fill_with(block.bytes(), 7);
    blocks[1] = std::move(foreign[0]);
    BOOST_TEST(blocks.release() == 1U);
    BOOST_TEST((blocks.status() == (from.name() == "other" ? Status::stale : Status::other_segment)));
    BOOST_TEST(blocks.size() == 2U);
    BOOST_TEST(drain(fixture.queue) == numbers(7, 1));
  }
  BOOST_TEST(count_free_blocks(fixture.pool()) == 32U);
  BOOST_TEST(count_free_blocks(elsewhere.pool()) == 32U);
}

BOOST_AUTO_TEST_CASE(length_and_type_go_with_a_block) {
  const QueueFixture fixture;
  Producer producer{fixture.queue};
  const std::string text = "a job";
  BOOST_TEST((producer.push(std::as_bytes(std::span{text}), 77) == Status::ok));
  BOOST_TEST((producer.push(std::vector<std::byte>(65)) == Status::too_large));
  Consumer consumer{fixture.queue};
  TakenBlock block = consumer.take();
  BOOST_TEST(std::string(reinterpret_cast<const char*>(block.bytes().data()), block.bytes().size()) == text);
  BOOST_TEST(block.type() == 77U);
  BOOST_TEST(block.deliveries() == 1U);
  BOOST_TEST(block.room().size() == 64U);
  BOOST_TEST(block.done());
  BOOST_TEST(!block.done());
}

BOOST_AUTO_TEST_CASE(what_is_put_back_comes_before_anything_newer) {
  const QueueFixture fixture;
  push_numbers(fixture.queue, 0, 6);
  Consumer consumer{fixture.queue};
  TakenBlocks taken = consumer.take(4);
  BOOST_TEST_REQUIRE(taken.size() == 4U);
  BOOST_TEST(taken[2].put_back());
  BOOST_TEST(taken[0].done());
  { const TakenBlock by_its_destructor = std::move(taken[1]); }
  Consumer other{fixture.queue};
  TakenBlocks again = other.take(8);
  BOOST_TEST_REQUIRE(again.size() == 4U);
  for (std::size_t i = 0; i < 4; ++i) {
    BOOST_TEST(number_in(again[i].bytes()) == (Numbers{1, 2, 4, 5})[i]);
    BOOST_TEST(again[i].deliveries() == (i < 2 ? 2U : 1U));
    again[i].done();
  }
  BOOST_TEST(taken[3].done());
  BOOST_TEST(drain(fixture.queue).empty());
}

BOOST_AUTO_TEST_CASE(what_is_put_back_with_a_delay_comes_when_that_is_over) {
  const QueueFixture fixture;
  push_numbers(fixture.queue, 0, 2);
  Consumer consumer{fixture.queue};
  TakenBlock first = consumer.take();
  const auto began = std::chrono::steady_clock::now();
  BOOST_TEST(first.put_back_after(2s));
  BOOST_TEST(drain(fixture.queue) == numbers(1, 1));
  TakenBlocks late = consumer.take_for(1, kPatience);
  BOOST_TEST_REQUIRE(late.size() == 1U);
  BOOST_TEST(number_in(late[0].bytes()) == 0U);
  // The clock is coarse.
  BOOST_TEST((std::chrono::steady_clock::now() - began > 1980ms));
  late[0].done();
}

BOOST_AUTO_TEST_CASE(what_is_not_due_stays_behind_what_is) {
  const QueueFixture fixture;
  push_numbers(fixture.queue, 0, 3);
  Consumer consumer{fixture.queue};
  TakenBlocks taken = consumer.take(2);
  BOOST_TEST(taken[0].put_back_after(1h));
  BOOST_TEST(taken[1].put_back());
  BOOST_TEST(drain(fixture.queue) == numbers(1, 2));
  const std::vector<QueueBlock> left = list_blocks(fixture.queue);
  BOOST_TEST_REQUIRE(left.size() == 1U);
  BOOST_TEST(left[0].state == "returned");
  BOOST_TEST(left[0].due_in_ms > 3'500'000U);
}

// Who needs buffers takes all that nobody keeps.
BOOST_AUTO_TEST_CASE(a_queue_keeps_its_blocks_wherever_they_are) {
  const QueueFixture fixture;
  const Queue onward = Queue::create(fixture.segment, "onward", {.pool = "jobs.blocks", .slots = 1});
  push_numbers(fixture.queue, 0, 6);
  Consumer consumer{fixture.queue};
  Producer to{onward};
  BOOST_TEST((consumer.take().pass_to(to) == Status::ok));
  BOOST_TEST((consumer.take().pass_to(to) == Status::ok));
  BOOST_TEST(consumer.take().put_back());
  TakenBlocks held = consumer.take(2);
  BOOST_TEST_REQUIRE(held.size() == 2U);
  to.close();
  BOOST_TEST(count_free_blocks(fixture.pool()) == 32U - 6U);
  for (TakenBlock& block : held) {
    BOOST_TEST(is_whole(block.bytes()));
    BOOST_TEST(block.done());
  }
  BOOST_TEST(drain(fixture.queue) == numbers(4, 2));
  Numbers passed = drain(onward);
  std::sort(passed.begin(), passed.end());
  BOOST_TEST(passed == numbers(0, 2));
  consumer.close();
  BOOST_TEST(count_free_blocks(fixture.pool()) == 32U);
}

// As if others had handed over so many: the ring is empty, and says the positions of a lap before.
void move_on(const Queue& queue, std::uint64_t positions) {
  detail::QueueCore& core = *queue.core();
  const std::uint64_t slots = core.geometry().slots;
  const std::uint64_t tail = layout::position_after(core.end(), positions / slots * slots);
  for (std::uint64_t slot = 0; slot < slots; ++slot) {
    const std::uint64_t position = layout::position_after(tail, slot);
    core.ring(position).store(layout::RingWord::make(core.lap_before(position), 0).word);
  }
  core.control().tail.store(tail);
  core.group(0).head.store(tail);
}

// Half of all positions, and a lap: by then a distance says that what is ahead is behind.
BOOST_AUTO_TEST_CASE(who_made_no_call_while_positions_came_half_round_goes_on) {
  const QueueFixture fixture;
  Producer producer{fixture.queue, {.timeout = 0ms}};
  Consumer consumer{fixture.queue};
  move_on(fixture.queue, layout::kPositions / 2 + 64);
  push_numbers(fixture.queue, 1, 3);
  BOOST_TEST((push_number(producer, 4) == Status::ok));
  for (std::uint64_t number = 1; number <= 4; ++number) {
    TakenBlock block = consumer.take();
    BOOST_TEST_REQUIRE(static_cast<bool>(block));
    BOOST_TEST(number_in(block.bytes()) == number);
    block.done();
  }
}

// What it knows to have been taken is of half a round ago: it does not fill the place of a block that waits.
BOOST_AUTO_TEST_CASE(who_made_no_call_for_half_a_round_overwrites_nothing) {
  const QueueFixture fixture;
  Producer producer{fixture.queue, {.timeout = 0ms}};
  move_on(fixture.queue, layout::kPositions / 2 + 64);
  push_numbers(fixture.queue, 1, 8);
  BOOST_TEST((push_number(producer, 9) != Status::ok));
  BOOST_TEST(drain(fixture.queue) == numbers(1, 8));
}

// As somebody leaves it who was stopped for so long before he wrote down where the ring ends.
BOOST_AUTO_TEST_CASE(the_rings_end_is_found_from_half_a_round_behind) {
  const QueueFixture fixture;
  detail::QueueCore& core = *fixture.queue.core();
  const std::uint64_t behind = core.end();
  move_on(fixture.queue, layout::kPositions / 2 + 64);
  const std::uint64_t end = core.end();
  core.control().tail.store(behind);
  BOOST_TEST(core.end() == end);
}

BOOST_AUTO_TEST_CASE(each_group_gets_everything) {
  const QueueFixture fixture{{.slots = 8, .groups = 3, .block_bytes = 64, .blocks = 16}};
  for (std::uint64_t lap = 0; lap < 5; ++lap) {
    push_numbers(fixture.queue, lap * 8, 8);
    Producer producer{fixture.queue};
    for (std::uint32_t group = 0; group < 3; ++group) {
      BOOST_TEST((producer.reserve(1).status() == Status::full));
      BOOST_TEST(drain(fixture.queue, group) == numbers(lap * 8, 8));
    }
  }
  BOOST_TEST(count_free_blocks(fixture.pool()) == 32U);
  BOOST_CHECK_THROW((Consumer{fixture.queue, {.group = 3}}), Error);
}

BOOST_AUTO_TEST_CASE(after_so_many_deliveries_a_block_is_a_dead_letter) {
  const QueueFixture fixture{
      {.slots = 8, .max_deliveries = 2, .dead_letters = "failed", .block_bytes = 64, .blocks = 16}};
  push_numbers(fixture.queue, 5, 2);
  Consumer consumer{fixture.queue, {.name = "clumsy"}};
  for (int delivery = 0; delivery < 2; ++delivery) {
    TakenBlock block = consumer.take();
    BOOST_TEST_REQUIRE(number_in(block.bytes()) == 5U);
    BOOST_TEST(block.put_back());
  }
  BOOST_TEST(drain(fixture.queue) == numbers(6, 1));
  const Queue letters = Queue::open(fixture.segment, "failed");
  const std::vector<QueueBlock> listed = list_blocks(letters, 8);
  BOOST_TEST_REQUIRE(listed.size() == 1U);
  BOOST_TEST(number_in(listed[0].content) == 5U);
  BOOST_TEST_REQUIRE(listed[0].notes.size() == 2U);
  for (const DeliveryRecord& note : listed[0].notes) {
    BOOST_TEST(note.name == "clumsy");
    BOOST_TEST(note.pid == ::getpid());
    BOOST_TEST(!note.died);
  }
  BOOST_TEST(drain(letters) == numbers(5, 1));
  BOOST_TEST(count_free_blocks(fixture.pool()) == 32U);
}

BOOST_AUTO_TEST_CASE(what_is_tried_again_counts_as_before_it_was_taken) {
  const QueueFixture fixture{{.slots = 8, .max_deliveries = 2, .block_bytes = 64, .blocks = 16}};
  push_numbers(fixture.queue, 5, 1);
  Consumer consumer{fixture.queue, {.name = "clumsy"}};
  const auto take_for_the = [&](std::uint32_t deliveries) {
    TakenBlock block = consumer.take();
    BOOST_TEST(block.deliveries() == deliveries);
    return block;
  };
  BOOST_TEST(take_for_the(1).retry());
  BOOST_TEST(take_for_the(1).put_back());
  BOOST_TEST(take_for_the(2).retry());
  BOOST_TEST(take_for_the(2).put_back());
  const std::vector<QueueBlock> letters = list_blocks(fixture.queue);
  BOOST_TEST_REQUIRE(letters.size() == 1U);
  BOOST_TEST(letters[0].state == "dead");
  BOOST_TEST(letters[0].notes.size() == 2U);
  // As if it had never been delivered: otherwise it would be one again at once.
  BOOST_TEST(consumer.take_dead(1)[0].retry());
  BOOST_TEST(take_for_the(1).put_back());
  BOOST_TEST(take_for_the(2).done());
}

BOOST_AUTO_TEST_CASE(the_queue_of_dead_letters_is_removed_behind_those_that_name_it) {
  const QueueFixture fixture{
      {.slots = 8, .max_deliveries = 1, .dead_letters = "failed", .block_bytes = 64, .blocks = 16}};
  const auto bury = [&](std::uint64_t number) {
    push_numbers(fixture.queue, number, 1);
    Consumer{fixture.queue}.take().put_back();
  };
  bury(5);
  BOOST_TEST(drain(Queue::open(fixture.segment, "failed")) == numbers(5, 1));
  const auto is_needed = [](const Error& error) {
    return error.errc() == Errc::busy && std::string(error.what()).find("'jobs'") != std::string::npos;
  };
  BOOST_CHECK_EXCEPTION(Queue::remove(fixture.segment, "failed"), Error, is_needed);
  bury(6);
  BOOST_TEST(drain(Queue::open(fixture.segment, "failed")) == numbers(6, 1));
  BOOST_TEST(Queue::remove(fixture.segment, "jobs"));
  BOOST_TEST(Queue::remove(fixture.segment, "failed"));
}

BOOST_AUTO_TEST_CASE(without_a_queue_for_them_dead_letters_stay) {
  const QueueFixture fixture{{.slots = 8, .max_deliveries = 1, .block_bytes = 64, .blocks = 16}};
  push_numbers(fixture.queue, 0, 1);
  Consumer consumer{fixture.queue};
  BOOST_TEST(consumer.take().put_back());
  BOOST_TEST(!consumer.take());
  consumer.close();
  BOOST_TEST(count_free_blocks(fixture.pool()) == 31U);
}

// Positions that are before and behind each other: for a sort by distance the first one is smaller than all, and all
// are smaller than it.
BOOST_AUTO_TEST_CASE(dead_letters_whose_positions_contradict_themselves_are_listed_all_the_same) {
  constexpr std::uint32_t kLetters = 32;
  const QueueFixture fixture{{.slots = 8, .block_bytes = 64, .blocks = 48}};
  detail::QueueCore& core = *fixture.queue.core();
  for (std::uint32_t block = 0; block < kLetters; ++block) {
    const std::uint64_t position = block == 16 ? 0 : block == 31 ? layout::kPositions / 2 : layout::kPositions - 1;
    core.state(block, 0).store(layout::BlockWord::make(position, 1, 0, layout::BlockState::dead).word);
  }
  const auto come_last = Numbers{layout::kPositions - 1, 0, layout::kPositions / 2};
  const std::vector<QueueBlock> listed = list_blocks(fixture.queue);
  BOOST_TEST_REQUIRE(listed.size() == kLetters);
  Consumer consumer{fixture.queue};
  TakenBlocks letters = consumer.take_dead(kLetters);
  BOOST_TEST_REQUIRE(letters.size() == kLetters);
  for (std::size_t at = 0; at < 3; ++at) {
    BOOST_TEST(listed[kLetters - 3 + at].position == come_last[at]);
    BOOST_TEST(letters[kLetters - 3 + at].position() == come_last[at]);
  }
  for (TakenBlock& letter : letters) BOOST_TEST(letter.deliveries() == 2U);
}

BOOST_AUTO_TEST_CASE(a_block_goes_to_another_queue_and_back_with_the_answer_in_it) {
  const QueueFixture fixture;
  const Queue answers = Queue::create(fixture.segment, "answers", {.pool = "jobs.blocks", .slots = 8});
  Producer asks{fixture.queue};
  Producer answer_to{answers};
  Consumer server{fixture.queue};
  Consumer client{answers};
  for (std::uint64_t number = 0; number < 100; ++number) {
    BOOST_TEST_REQUIRE((push_number(asks, number) == Status::ok));
    TakenBlock question = server.take();
    BOOST_TEST_REQUIRE(static_cast<bool>(question));
    const std::byte* const there = question.bytes().data();
    fill_with(question.room(), number * 2);
    BOOST_TEST_REQUIRE((question.pass_to(answer_to, 16, 3) == Status::ok));
    BOOST_TEST(!question);
    TakenBlock answer = client.take();
    BOOST_TEST_REQUIRE(static_cast<bool>(answer));
    BOOST_TEST(number_in(answer.bytes()) == number * 2);
    BOOST_TEST(answer.bytes().data() == there);
    BOOST_TEST(answer.bytes().size() == 16U);
    BOOST_TEST(answer.type() == 3U);
    BOOST_TEST(answer.done());
  }
  BOOST_TEST(drain(fixture.queue).empty());
  asks.close();
  server.close();
  client.close();
  answer_to.close();
  BOOST_TEST(count_free_blocks(fixture.pool()) == 32U);
}

BOOST_AUTO_TEST_CASE(a_block_is_passed_on_although_the_other_queue_is_full) {
  const QueueFixture fixture;
  const Queue small = Queue::create(fixture.segment, "small", {.pool = "jobs.blocks", .slots = 1});
  Producer to_small{small};
  BOOST_TEST((push_number(to_small, 1) == Status::ok));
  push_numbers(fixture.queue, 2, 1);
  Consumer consumer{fixture.queue};
  BOOST_TEST((consumer.take().pass_to(to_small) == Status::ok));
  Numbers both = drain(small);
  std::sort(both.begin(), both.end());
  BOOST_TEST(both == numbers(1, 2));
}

BOOST_AUTO_TEST_CASE(what_cannot_be_passed_on_stays_with_its_consumer) {
  const QueueFixture fixture{{.slots = 8, .groups = 2, .block_bytes = 64, .blocks = 16}};
  const Queue other_pool = Queue::create(fixture.segment, "other", {.slots = 1, .block_bytes = 64});
  const Queue same_pool = Queue::create(fixture.segment, "same", {.pool = "jobs.blocks", .slots = 1});
  push_numbers(fixture.queue, 0, 1);
  Consumer consumer{fixture.queue};
  TakenBlock block = consumer.take();
  Producer elsewhere{other_pool};
  Producer here{same_pool};
  BOOST_TEST((block.pass_to(elsewhere) == Status::stale));
  BOOST_TEST((block.pass_to(here) == Status::not_alone));
  BOOST_TEST(block.done());
}

BOOST_AUTO_TEST_CASE(one_may_ask_for_more_blocks_than_there_can_be) {
  const QueueFixture fixture;
  push_numbers(fixture.queue, 0, 3);
  Consumer consumer{fixture.queue};
  const TakenBlocks all = consumer.take(~std::size_t{0});
  BOOST_TEST(all.size() == 3U);
  BOOST_TEST((consumer.take(~std::size_t{0}).status() == Status::not_found));
}

BOOST_AUTO_TEST_CASE(an_answer_is_written_into_a_block_that_is_passed_on_and_into_no_other) {
  const QueueFixture fixture;
  const Queue answers = Queue::create(fixture.segment, "answers", {.pool = "jobs.blocks", .slots = 8});
  const Queue other_pool = Queue::create(fixture.segment, "other", {.slots = 8, .block_bytes = 64});
  push_numbers(fixture.queue, 7, 1);
  Consumer consumer{fixture.queue};
  TakenBlock block = consumer.take();
  Producer elsewhere{other_pool};
  Producer here{answers};
  const std::vector<std::byte> answer(65);
  const std::span<const std::byte> fits = std::span{answer}.first(64);
  BOOST_TEST((block.pass_to(elsewhere, fits, 1) == Status::stale));
  BOOST_TEST((block.pass_to(here, answer, 1) == Status::too_large));
  BOOST_TEST(number_in(block.bytes()) == 7U);
  const std::span<const std::byte> half_of_its_own = block.bytes().subspan(32);
  BOOST_TEST((block.pass_to(here, half_of_its_own, 1) == Status::ok));
  Consumer client{answers};
  TakenBlock got = client.take();
  BOOST_TEST(got.bytes().size() == 32U);
  BOOST_TEST((is_whole(got.bytes()) && number_in(got.bytes()) == 7U && got.type() == 1U));
  BOOST_TEST(got.done());
}

BOOST_AUTO_TEST_CASE(blocks_outlive_their_consumer_and_their_producer) {
  const QueueFixture fixture;
  ReservedBlocks reserved;
  {
    Producer producer{fixture.queue};
    reserved = producer.reserve(2);
  }
  fill_with(reserved[0].bytes(), 1);
  BOOST_TEST(reserved.release() == 0U);
  BOOST_TEST((reserved.status() == Status::closed));
  reserved = {};
  push_numbers(fixture.queue, 0, 2);
  TakenBlocks taken;
  {
    Consumer consumer{fixture.queue};
    taken = consumer.take(2);
  }
  BOOST_TEST(is_whole(taken[0].bytes()));
  BOOST_TEST(taken[0].done());
  BOOST_TEST(inspect(fixture.segment).participants.size() == 1U);
  taken = {};
  BOOST_TEST(inspect(fixture.segment).participants.empty());
  BOOST_TEST(drain(fixture.queue) == numbers(1, 1));
  BOOST_TEST(count_free_blocks(fixture.pool()) == 32U);
}

BOOST_AUTO_TEST_CASE(buffers_of_what_is_done_with_are_free_though_the_consumer_does_nothing_more) {
  const QueueFixture fixture{{.slots = 4, .block_bytes = 64, .blocks = 4}};
  Consumer consumer{fixture.queue};
  for (std::uint64_t lap = 0; lap < 8; ++lap) {
    push_numbers(fixture.queue, lap, 1);
    consumer.take().done();
  }
  BOOST_TEST(count_free_blocks(fixture.pool()) == 8U);
}

// It never waits, so nothing else says that it is at work.
BOOST_AUTO_TEST_CASE(a_consumer_that_always_finds_something_has_a_heartbeat) {
  const QueueFixture fixture;
  Consumer one{fixture.queue};
  Consumer some{fixture.queue};
  push_numbers(fixture.queue, 1, 2);
  const auto heartbeats = [&] {
    std::vector<std::uint64_t> all;
    for (std::uint32_t slot = 0; slot < 2; ++slot) {
      all.push_back(fixture.segment.core()->participant(slot).heartbeat_ns.load());
    }
    return all;
  };
  const std::vector<std::uint64_t> before = heartbeats();
  BOOST_TEST(eventually([&] { return platform::coarse_monotonic_ns() > std::ranges::max(before); }));
  const TakenBlock block = one.take();
  const TakenBlocks blocks = some.take_for(1, 1s);
  const std::vector<std::uint64_t> now = heartbeats();
  BOOST_TEST(now[0] > before[0]);
  BOOST_TEST(now[1] > before[1]);
}

BOOST_AUTO_TEST_CASE(a_consumer_sleeps_until_something_is_released) {
  const QueueFixture fixture;
  Consumer consumer{fixture.queue};
  BOOST_TEST(!consumer.wait_for(1ms));
  Child late{[&](Link&) {
    const Queue own = fixture.open_again();
    const layout::Event& filled = own.core()->group(0).filled;
    Producer producer{own};
    if (!eventually([&] { return filled.is_awaited(); })) _exit(1);
    const std::uint32_t before = filled.wakes();
    if (push_number(producer, 3) != Status::ok) _exit(2);
    if (filled.wakes() == before) _exit(3);  // it would have slept on
  }};
  BOOST_TEST(consumer.wait_for(10s));
  BOOST_TEST(number_in(consumer.take().bytes()) == 3U);
  BOOST_TEST(late.wait() == 0);
  const TakenBlocks nothing = Consumer{fixture.queue}.take_for(1, 1ms);
  BOOST_TEST((nothing.status() == Status::ok));  // the destructor put it back
}

BOOST_AUTO_TEST_CASE(a_consumer_waits_for_one_block) {
  const QueueFixture fixture;
  Consumer consumer{fixture.queue};
  BOOST_TEST(!consumer.take_for(1ms));
  Child late{[&](Link&) {
    const Queue own = fixture.open_again();
    Producer producer{own};
    if (!eventually([&] { return own.core()->group(0).filled.is_awaited(); })) _exit(1);
    if (push_number(producer, 3) != Status::ok || push_number(producer, 4) != Status::ok) _exit(2);
  }};
  TakenBlock third = consumer.take_for(kPatience);
  BOOST_TEST_REQUIRE(!!third);
  BOOST_TEST(number_in(third.bytes()) == 3U);
  BOOST_TEST(late.wait() == 0);
  BOOST_TEST(number_in(consumer.take_for(0s).bytes()) == 4U);  // one only; that one is put back at once
  BOOST_TEST(third.done());
  BOOST_TEST(consumer.take_for(std::chrono::hours{1}).done());
  consumer.close();
  BOOST_TEST(!consumer.take_for(kForever));
}

// While there is something, so that there is nothing to wait for, either.
BOOST_AUTO_TEST_CASE(nobody_waits_for_no_block, *boost::unit_test::timeout(60)) {
  const QueueFixture fixture;
  Producer producer{fixture.queue};
  BOOST_TEST((push_number(producer, 1) == Status::ok));
  Consumer consumer{fixture.queue};
  const TakenBlocks none = consumer.take_for(0, kForever);
  BOOST_TEST(none.empty());
  BOOST_TEST((none.status() == Status::not_found));
  const ReservedBlocks none_reserved = producer.reserve_for(0, kForever);
  BOOST_TEST(none_reserved.empty());
  BOOST_TEST((none_reserved.status() == Status::ok));
  push_numbers(fixture.queue, 2, 7);
  BOOST_TEST((producer.reserve_for(0, kForever).status() == Status::full));
}

// As damaged words may say, or those of a process that can address more of the pool.
BOOST_AUTO_TEST_CASE(a_block_that_is_out_of_reach_keeps_nobody_awake, *boost::unit_test::timeout(60)) {
  const QueueFixture fixture{{.slots = 8, .block_bytes = 64, .blocks = 4}};  // the pool may grow to twice as many
  detail::QueueCore& words = *fixture.queue.core();
  constexpr std::uint32_t kBeyond = 6;
  words.state(kBeyond, 0).store(layout::BlockWord::make(0, 1, 0, layout::BlockState::returned).word);
  words.bits(0, 0).store(std::uint64_t{1} << kBeyond);
  words.group(0).look_at.store(1);
  Consumer consumer{fixture.queue};
  BOOST_TEST(!consumer.wait_for(1ms));
  BOOST_TEST((consumer.take_for(1, 1ms).status() == Status::timeout));
  push_numbers(fixture.queue, 0, 1);
  BOOST_TEST(consumer.take_for(2, 1s).size() == 1);
}

BOOST_AUTO_TEST_CASE(a_producer_sleeps_until_there_is_room) {
  const QueueFixture fixture;
  push_numbers(fixture.queue, 0, 8);
  Child late{[&](Link&) {
    const Queue own = fixture.open_again();
    const layout::Event& room = own.core()->control().room;
    Consumer consumer{own};
    if (!eventually([&] { return room.is_awaited(); })) _exit(1);
    const std::uint32_t before = room.wakes();
    consumer.take().done();
    if (room.wakes() == before) _exit(3);
  }};
  Producer producer{fixture.queue};
  ReservedBlocks blocks = producer.reserve_for(4, 10s);
  BOOST_TEST(blocks.size() >= 1U);
  BOOST_TEST(late.wait() == 0);
}

BOOST_AUTO_TEST_CASE(a_flag_ends_a_wait) {
  const QueueFixture fixture;
  std::atomic<bool> stop{true};
  Consumer consumer{fixture.queue, {.stop = &stop}};
  BOOST_TEST((consumer.take_for(1, 10s).status() == Status::stopped));
  push_numbers(fixture.queue, 0, 8);
  Producer producer{fixture.queue, {.stop = &stop}};
  BOOST_TEST((producer.reserve_for(1, 10s).status() == Status::stopped));
}

BOOST_AUTO_TEST_CASE(two_who_agree_on_the_options_find_the_same_queue) {
  const QueueFixture fixture;
  const QueueOptions asked{.slots = 7, .block_bytes = 64, .blocks = 16};
  BOOST_TEST(fixture.queue.differences(asked).empty());
  BOOST_TEST(fixture.queue.options().slots == 8U);
  BOOST_TEST(!Queue::open_or_create(fixture.segment, "jobs", asked).created());
  BOOST_TEST(fixture.queue.differences({.slots = 16, .groups = 2, .block_bytes = 64, .blocks = 16}).size() == 2U);
  BOOST_CHECK_THROW(Queue::create(fixture.segment, "jobs"), Error);
  BOOST_CHECK_THROW(Queue::create(fixture.segment, "x", {.on_full = OnFull::overwrite}), Error);
  BOOST_CHECK_THROW(Queue::create(fixture.segment, "x", {.dead_letters = "y"}), Error);
  BOOST_CHECK_THROW(Queue::create(fixture.segment, "x", {.pool = "none"}), Error);
}

BOOST_AUTO_TEST_CASE(a_queue_goes_with_its_pool_and_not_while_it_is_used) {
  const QueueFixture fixture;
  {
    const Consumer consumer{fixture.queue};
    BOOST_CHECK_THROW(Queue::remove(fixture.segment, "jobs"), Error);
  }
  BOOST_CHECK_THROW(Pool::remove(fixture.segment, "jobs.blocks"), Error);
  BOOST_TEST(Queue::remove(fixture.segment, "jobs"));
  BOOST_TEST(!fixture.queue.is_current());
  BOOST_TEST(!Pool::remove(fixture.segment, "jobs.blocks"));
  BOOST_CHECK_THROW(Consumer{fixture.queue}, Error);
}

BOOST_AUTO_TEST_CASE(full_fences_do_as_well) {
  const QueueFixture fixture{{.slots = 8, .block_bytes = 64, .blocks = 16}, Fences::full};
  push_numbers(fixture.queue, 0, 8);
  BOOST_TEST(drain(fixture.queue) == numbers(0, 8));
}

const QueueSnapshot& find_queue(const Snapshot& snapshot, std::string_view name = "jobs") {
  return *std::ranges::find(snapshot.facilities, name, [](const auto& one) { return one.info.name; })->queue;
}

BOOST_AUTO_TEST_CASE(the_ledger_balances) {
  const QueueFixture fixture{{.slots = 8, .max_deliveries = 2, .block_bytes = 64, .blocks = 16}};
  const Queue onward = Queue::create(fixture.segment, "onward", {.pool = "jobs.blocks", .slots = 1});
  push_numbers(fixture.queue, 0, 8);
  Consumer consumer{fixture.queue, {.name = "worker"}};
  Producer to{onward};
  TakenBlocks taken = consumer.take(7);
  taken[0].done();
  BOOST_TEST((taken[1].pass_to(to) == Status::ok));
  BOOST_TEST((taken[2].pass_to(to) == Status::ok));  // beside the ring
  taken[3].put_back();
  consumer.take().put_back();  // for the second time
  taken[4].put_back();
  const Snapshot snapshot = inspect(fixture.segment);
  const QueueSnapshot& jobs = find_queue(snapshot);
  BOOST_TEST(jobs.pushed == 8U);
  BOOST_TEST(jobs.ended == 3U);
  BOOST_TEST_REQUIRE(jobs.groups.size() == 1U);
  BOOST_TEST(jobs.groups[0].queued == 1U);
  BOOST_TEST(jobs.groups[0].held == 2U);
  BOOST_TEST(jobs.groups[0].returned == 1U);
  BOOST_TEST(jobs.groups[0].dead == 1U);
  BOOST_TEST(jobs.departed.pushed == 8U);
  BOOST_TEST(jobs.present.taken == 8U);
  BOOST_TEST(jobs.present.redelivered == 1U);
  BOOST_TEST(jobs.present.passed == 2U);
  BOOST_TEST(jobs.present.put_back == 3U);
  BOOST_TEST(jobs.present.dead_letters == 1U);
  BOOST_TEST(find_queue(snapshot, "onward").pushed == 2U);
  const std::vector<QueueBlock> listed = list_blocks(fixture.queue);
  BOOST_TEST_REQUIRE(listed.size() == 5U);
  BOOST_TEST(listed[0].state == "dead");
  BOOST_TEST(listed[2].state == "held");
  BOOST_TEST(listed[2].holder == "worker");
}

BOOST_AUTO_TEST_CASE(what_a_queue_drops_is_counted_wherever_it_finds_no_room) {
  const QueueFixture fixture{{.slots = 4, .on_full = OnFull::drop, .block_bytes = 64, .blocks = 16}};
  const auto count_dropped = [&] { return find_queue(inspect(fixture.segment)).present.dropped; };
  Producer producer{fixture.queue};
  ReservedBlocks blocks = producer.reserve(2);
  push_numbers(fixture.queue, 0, 4);
  BOOST_TEST(blocks.release() == 0U);
  BOOST_TEST(count_dropped() == 2U);
  BOOST_TEST((push_number(producer, 4) == Status::full));
  BOOST_TEST((producer.push({}) == Status::full));
  BOOST_TEST(count_dropped() == 4U);
  // Who asks for none, or waits, drops none.
  BOOST_TEST(producer.reserve(0).empty());
  BOOST_TEST((producer.reserve_for(1, 1ms).status() == Status::timeout));
  BOOST_TEST(count_dropped() == 4U);
  drain(fixture.queue);
  PoolUser user{fixture.pool()};
  std::vector<Buffer> all;
  while (Buffer buffer = user.acquire()) all.push_back(std::move(buffer));
  BOOST_TEST((push_number(producer, 5) == Status::exhausted));
  BOOST_TEST(count_dropped() == 5U);
}

BOOST_AUTO_TEST_CASE(who_waits_for_room_drops_nothing) {
  const QueueFixture fixture;
  push_numbers(fixture.queue, 0, 8);
  Producer producer{fixture.queue};
  BOOST_TEST((push_number(producer, 8) == Status::full));
  BOOST_TEST(find_queue(inspect(fixture.segment)).present.dropped == 0U);
}

BOOST_AUTO_TEST_CASE(a_child_made_by_fork_has_no_part_in_it) {
  const QueueFixture fixture;
  push_numbers(fixture.queue, 0, 2);
  Producer producer{fixture.queue};
  Consumer consumer{fixture.queue};
  TakenBlock held = consumer.take();
  Child child{[&](Link&) {
    if (producer.reserve(1).status() != Status::forked || consumer.take(1).status() != Status::forked) _exit(1);
    if (held.done()) _exit(2);
    _exit(0);
  }};
  BOOST_TEST(child.wait() == 0);
  BOOST_TEST(held.done());
  BOOST_TEST(drain(fixture.queue) == numbers(1, 1));
}

// Whether the pool has buffers makes no difference then: there would be no room for one among the blocks.
BOOST_AUTO_TEST_CASE(a_reservation_that_the_process_has_no_memory_for_is_none) {
  if (kUnderSanitizer) return skip("a sanitizer takes all address space");
  const QueueFixture fixture{{.slots = 1u << 21, .block_bytes = 64, .blocks = 64}};
  Child poor{[&](Link& link) {
    Producer producer{fixture.open_again()};
    limit_address_space(8 << 20);
    const ReservedBlocks none = producer.reserve_for(1u << 21, std::chrono::seconds{1});
    link.say(none.empty() && none.status() == Status::exhausted ? 1 : 0);
    ReservedBlocks one = producer.reserve_for(1, std::chrono::seconds{1});
    link.say(one.release());
  }};
  BOOST_TEST(poor.hear() == 1U);
  BOOST_TEST(poor.hear() == 1U);
  BOOST_TEST(poor.wait() == 0);
}

// Each of them makes the pool first, or finds that of another one.
BOOST_AUTO_TEST_CASE(several_may_make_the_same_queue_at_once) {
  const QueueFixture fixture;
  for (int round = 0; round < 20; ++round) {
    const std::string name = "at-once-" + std::to_string(round);
    std::vector<std::unique_ptr<Child>> makers;
    for (int i = 0; i < 4; ++i) {
      makers.push_back(std::make_unique<Child>([&](Link& link) {
        const Segment segment = Segment::open(fixture.name);
        link.say(1);
        link.hear();
        Producer producer{Queue::open_or_create(segment, name, {.slots = 8, .block_bytes = 64, .blocks = 16})};
        if (push_number(producer, 1) != Status::ok) throw std::runtime_error("not pushed");
      }));
      BOOST_TEST_REQUIRE(makers.back()->hear() == 1U);
    }
    for (const auto& maker : makers) maker->say(1);
    for (const auto& maker : makers) BOOST_TEST(maker->wait() == 0);
    BOOST_TEST(drain(Queue::open(fixture.segment, name)).size() == makers.size());
    BOOST_TEST(Queue::remove(fixture.segment, name));
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
