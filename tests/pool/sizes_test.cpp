// Pools with size classes: what fits, how chunks change class, what others have at hand, waiting, figures, and deaths.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstring>
#include <memory>
#include <random>
#include <thread>

#include <sapbuf/detail/kill_point.hpp>
#include <sapbuf/sapbuf.hpp>

#include "pool/chunks.hpp"
#include "pool_fixture.hpp"
#include "segment/registry.hpp"
#include "support/pool_invariants.hpp"
#include "support/stream.hpp"

namespace sapbuf::test {
namespace {

namespace data = boost::unit_test::data;
using namespace std::chrono_literals;
using layout::ChunkState;
using layout::ChunkWord;

constexpr std::uint64_t kPiece = 16;
constexpr std::uint64_t kLargest = 8192;
constexpr std::uint64_t kPieces = 2048;  // 32 KiB: four of the largest

PoolOptions sized(std::uint64_t count = kPieces, std::uint64_t max_count = 0) {
  return {.min_bytes = kPiece, .max_bytes = kLargest, .count = count, .max_count = max_count, .alignment = kPiece};
}

std::vector<Buffer> take_all_of(PoolUser& user, std::uint64_t bytes) {
  std::vector<Buffer> all;
  while (Buffer buffer = user.acquire(bytes)) all.push_back(std::move(buffer));
  return all;
}

// All of the pool's memory can be had, in pieces as large as they come.
bool is_all_to_be_had(const Pool& pool) {
  PoolUser user{pool};
  return take_all_of(user, kLargest).size() == pool.count() * kPiece / kLargest;
}

PoolSnapshot snapshot_of(const PoolFixture& fixture) { return *inspect(fixture.segment).facilities[1].pool; }

BOOST_AUTO_TEST_SUITE(pool_sizes)

BOOST_AUTO_TEST_CASE(what_cannot_work_is_refused) {
  const PoolFixture fixture;
  const auto is_refused = [&](const PoolOptions& options) {
    try {
      Pool::create(fixture.segment, "p", options);
    } catch (const Error& error) {
      return error.errc() == Errc::invalid_argument;
    }
    return false;
  };
  BOOST_TEST(is_refused({.min_bytes = 0, .max_bytes = 64, .count = 64}));
  BOOST_TEST(is_refused({.min_bytes = 65, .max_bytes = 64, .count = 64}));
  BOOST_TEST(is_refused({.min_bytes = 16, .max_bytes = (1ull << 30) + 1, .count = 64}));
  BOOST_TEST(is_refused({.min_bytes = 64, .max_bytes = 64 * 65, .count = 64}));  // one of the largest does not fit
  BOOST_TEST(!is_refused({.min_bytes = 64, .max_bytes = 64 * 64, .count = 64}));
}

BOOST_AUTO_TEST_CASE(options_are_kept_and_compared) {
  const PoolFixture fixture{sized(2000)};
  const Pool again = Pool::open(fixture.segment, "frames");
  BOOST_TEST(again.options().min_bytes == kPiece);
  BOOST_TEST(again.options().max_bytes == kLargest);
  BOOST_TEST(again.count() == 2048U);  // whole chunks
  BOOST_TEST(again.differences(sized(2000)).empty());
  BOOST_TEST(again.differences(sized(3000)).size() == 2U);
  BOOST_TEST(again.differences({.count = 2048, .alignment = kPiece}).size() == 2U);
}

BOOST_AUTO_TEST_CASE(every_size_is_served_by_little_more) {
  const PoolFixture fixture{sized()};
  PoolUser user{fixture.pool};
  for (std::uint64_t bytes = 0; bytes <= kLargest; bytes += bytes < 600 ? 1 : 97) {
    const Buffer buffer = user.acquire(bytes);
    BOOST_TEST_REQUIRE(static_cast<bool>(buffer));
    const std::uint64_t pieces = (std::max<std::uint64_t>(bytes, 1) + kPiece - 1) / kPiece;
    BOOST_TEST_REQUIRE(buffer.bytes().size() >= bytes);
    BOOST_TEST_REQUIRE(buffer.bytes().size() <= (pieces <= 8 ? pieces * kPiece : bytes + bytes / 8 + kPiece));
    BOOST_TEST_REQUIRE(reinterpret_cast<std::uintptr_t>(buffer.bytes().data()) % kPiece == 0U);
  }
  BOOST_TEST((user.acquire(kLargest + 1).status() == Status::too_large));
  BOOST_TEST(user.acquire().bytes().size() == kPiece);
}

BOOST_AUTO_TEST_CASE(a_pool_of_one_size_serves_what_fits) {
  const PoolFixture fixture;
  PoolUser user{fixture.pool};
  BOOST_TEST(user.acquire(10).bytes().size() == 64U);
  BOOST_TEST(user.acquire_for(64, 1ms).bytes().size() == 64U);
  BOOST_TEST((user.acquire(65).status() == Status::too_large));
  BOOST_TEST((user.acquire_for(65, 1ms).status() == Status::too_large));
}

// As its class says, and no byte is two's: also where buffers of a class go over chunks.
BOOST_DATA_TEST_CASE(no_byte_is_in_two_buffers, data::make({16, 100, 144, 176, 1000, 1152, 3000}), size) {
  const PoolFixture fixture{sized()};
  PoolUser user{fixture.pool};
  const auto bytes = static_cast<std::uint64_t>(size);
  std::vector<Buffer> all = take_all_of(user, bytes);
  for (std::size_t i = 0; i < all.size(); ++i) {
    std::memset(all[i].bytes().data(), static_cast<int>(i % 251), all[i].bytes().size());
  }
  std::uint64_t used = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    used += all[i].bytes().size();
    for (const std::byte each : all[i].bytes()) BOOST_TEST_REQUIRE((each == std::byte(i % 251)));
  }
  // A sixteenth may be left over, and the chunks at the end that are too few for a block.
  BOOST_TEST(used >= kPieces * kPiece * 15 / 16 - kLargest);
  BOOST_TEST(broken_pool_invariant(fixture.pool) == "");
  all.clear();
  BOOST_TEST(is_all_to_be_had(fixture.pool));
  BOOST_TEST(broken_pool_invariant(fixture.pool) == "");
}

BOOST_AUTO_TEST_CASE(chunks_change_class_when_their_buffers_are_free) {
  const PoolFixture fixture{sized()};
  PoolUser user{fixture.pool};
  for (const std::uint64_t bytes : {16U, 176U, 8192U, 48U, 1152U}) {
    std::vector<Buffer> all = take_all_of(user, bytes);
    BOOST_TEST(!all.empty());
    BOOST_TEST((user.acquire(kLargest).status() == Status::exhausted));
    // One that stays keeps its block, and no more.
    all.erase(all.begin() + 1, all.end());
    BOOST_TEST(take_all_of(user, 1024).size() >= (kPieces * kPiece - kLargest - 1024) / 1024);
  }
  BOOST_TEST(is_all_to_be_had(fixture.pool));
}

// The reference names the buffer by its first piece: what stands there later is another one.
BOOST_AUTO_TEST_CASE(a_reference_is_stale_once_its_chunk_has_another_class) {
  const PoolFixture fixture{sized()};
  PoolUser user{fixture.pool};
  PoolUser other{fixture.pool};
  BufferReference reference;
  {
    Buffer shared = user.acquire(100);
    reference = shared.share();
    const Buffer adopted = other.adopt(reference);
    BOOST_TEST(adopted.bytes().size() == 112U);
    BOOST_TEST(fixture.pool.view(reference).size() == 112U);
    BOOST_TEST(adopted.bytes().data() == shared.bytes().data());
    BOOST_TEST((user.acquire(kLargest).bytes().size() == kLargest));
  }
  const std::vector<Buffer> all = take_all_of(user, kLargest);
  BOOST_TEST(all.size() == 4U);
  BOOST_TEST((other.adopt(reference).status() == Status::stale));
  BOOST_TEST(fixture.pool.view(reference).empty());
}

// The words of pieces that are no buffers say free.
BOOST_AUTO_TEST_CASE(nobody_takes_of_a_block_what_is_of_another_class) {
  const PoolFixture fixture{sized()};
  detail::PoolCore& core = *fixture.pool.core();
  PoolUser user{fixture.pool};
  const Buffer one = user.acquire(176);
  const auto first = static_cast<std::uint32_t>((one.bytes().data() - core.buffers()) / std::ptrdiff_t{kPiece});
  const std::uint32_t head = detail::head_of(core, detail::chunk_of(first));
  const std::uint32_t own_class = ChunkWord{core.chunk(head).load()}.size_class();
  BOOST_TEST((ChunkWord{core.chunk(head + 1).load()}.state() == ChunkState::tail));
  PoolUser other{fixture.pool};
  BOOST_TEST(!detail::take_buffer(core, first + 1, other.slot()));
  BOOST_TEST(!detail::take_of_block(core, head, own_class + 1, first + 1, other.slot()));
  BOOST_TEST(!detail::take_of_block(core, head + 1, own_class, first + 1, other.slot()));
  BOOST_TEST(broken_pool_invariant(fixture.pool) == "");
}

BOOST_AUTO_TEST_CASE(runs_are_of_pieces) {
  const PoolFixture fixture{sized()};
  PoolUser user{fixture.pool};
  const Buffer small = user.acquire(16);
  const Buffer block = user.acquire(176);
  Run run = user.acquire_run(100);
  BOOST_TEST_REQUIRE(static_cast<bool>(run));
  BOOST_TEST(run.parts()[0].size() == kPiece);
  BOOST_TEST(run.iovecs().size() == 1U);
  BOOST_TEST(broken_pool_invariant(fixture.pool) == "");
}

// Of several users at once, each of which keeps what it writes.
BOOST_AUTO_TEST_CASE(what_is_acquired_at_random_is_nobody_elses) {
  std::mt19937 random{20261};
  for (int round = 0; round < 20; ++round) {
    const PoolFixture fixture{sized(1024, 4096)};
    std::vector<PoolUser> users;
    for (int i = 0; i < 3; ++i) users.emplace_back(fixture.pool);
    std::vector<std::pair<Buffer, std::uint8_t>> all;
    const auto check = [&](const std::pair<Buffer, std::uint8_t>& each) {
      const auto bytes = each.first.bytes();
      return std::all_of(bytes.begin(), bytes.end(), [&](std::byte at) { return at == std::byte{each.second}; });
    };
    for (int step = 0; step < 1500; ++step) {
      if (random() % 100 < 55) {
        const std::uint64_t most = std::uint64_t{16} << random() % 10;
        Buffer buffer = users[random() % 3].acquire(random() % most + 1);
        if (!buffer) {
          all.erase(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(all.size() / 2));
          continue;
        }
        const auto mark = static_cast<std::uint8_t>(random());
        std::memset(buffer.bytes().data(), mark, buffer.bytes().size());
        all.emplace_back(std::move(buffer), mark);
      } else if (!all.empty()) {
        const std::size_t which = random() % all.size();
        BOOST_TEST_REQUIRE(check(all[which]));
        std::swap(all[which], all.back());
        all.pop_back();
      }
    }
    BOOST_TEST(std::all_of(all.begin(), all.end(), check));
    BOOST_TEST_REQUIRE(broken_pool_invariant(fixture.pool) == "");
    all.clear();
    BOOST_TEST(is_all_to_be_had(fixture.pool));
  }
}

// --- What others have at hand --------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(what_a_stopped_user_has_at_hand_is_to_be_had_in_any_size) {
  const PoolFixture fixture{sized()};
  Child idle{[&](Link& link) {
    PoolUser own{fixture.open_again()};
    for (const std::uint64_t bytes : {16U, 48U, 176U, 1152U}) own.acquire(bytes).release();
    link.say(1);
    link.hear();
    for (const std::uint64_t bytes : {16U, 48U, 176U, 1152U}) {
      if (own.acquire(bytes).status() != Status::exhausted) throw std::runtime_error("it got one");
    }
  }};
  BOOST_TEST(idle.hear() == 1U);
  idle.stop();
  BOOST_TEST(snapshot_of(fixture).cached != 0U);
  PoolUser user{fixture.pool};
  const std::vector<Buffer> all = take_all_of(user, kLargest);
  BOOST_TEST(all.size() == 4U);
  idle.resume();
  idle.say(1);
  BOOST_TEST(idle.wait() == 0);
}

BOOST_AUTO_TEST_CASE(who_is_stopped_while_it_refills_a_class_keeps_one_from_others) {
  const PoolFixture fixture{sized()};
  std::size_t there = 0;
  {
    PoolUser user{fixture.pool};
    there = take_all_of(user, 100).size();
  }
  Child refilling{[&](Link&) {
    PoolUser own{fixture.open_again()};
    kill_point::arm(KillPoint::pool_found, stop_self, 3);
    own.acquire(100).release();
  }};
  BOOST_TEST_REQUIRE(refilling.wait_until_stopped());
  {
    PoolUser user{fixture.pool};
    BOOST_TEST(take_all_of(user, 100).size() == there - 1);
  }
  refilling.resume();
  BOOST_TEST(refilling.wait() == 0);
}

// Who takes what is at hand has seen it, and is stopped; the owner, who had looked before that, goes on.
BOOST_AUTO_TEST_CASE(what_was_seen_at_hand_is_not_taken_from_one_who_uses_it) {
  const PoolFixture fixture{sized()};
  const auto fill = [](const Buffer& buffer, int value) {
    std::memset(buffer.bytes().data(), value, buffer.bytes().size());
  };
  Child owner{[&](Link& link) {
    PoolUser own{fixture.open_again()};
    own.acquire(100).release();
    kill_point::arm(KillPoint::pool_popping, stop_self);
    const Buffer mine = own.acquire(100);
    fill(mine, 2);
    link.say(1);
    link.hear();
    const auto bytes = mine.bytes();
    if (std::count(bytes.begin(), bytes.end(), std::byte{2}) != 112) throw std::runtime_error("somebody else has it");
  }};
  BOOST_TEST(owner.wait_until_stopped());
  Child taker{[&](Link& link) {
    PoolUser own{fixture.open_again()};
    kill_point::arm(KillPoint::idle_seen, stop_self);
    const std::vector<Buffer> all = take_all_of(own, 100);
    for (const Buffer& buffer : all) fill(buffer, 1);
    link.say(1);
    link.hear();
  }};
  BOOST_TEST(taker.wait_until_stopped());
  owner.resume();
  BOOST_TEST(owner.hear() == 1U);
  taker.resume();
  BOOST_TEST(taker.hear() == 1U);
  owner.say(1);
  BOOST_TEST(owner.wait() == 0);
  taker.say(1);
  BOOST_TEST(taker.wait() == 0);
}

// It was taken from there, its chunk was joined, and it came back as part of another size.
BOOST_AUTO_TEST_CASE(what_a_magazine_names_of_old_is_not_given_back_under_its_user) {
  const PoolFixture fixture{sized()};
  PoolUser user{fixture.pool};
  std::vector<Buffer> all = take_all_of(user, 16);
  all.pop_back();  // at hand, in a chunk of its own class
  {
    PoolUser other{fixture.pool};
    const Buffer taken = other.acquire(16);
    BOOST_TEST(static_cast<bool>(taken));
  }
  all.clear();
  const std::vector<Buffer> large = take_all_of(user, kLargest);
  BOOST_TEST(large.size() == 4U);
  BOOST_TEST((user.acquire(16).status() == Status::exhausted));
  BOOST_TEST(broken_pool_invariant(fixture.pool) == "");
}

BOOST_AUTO_TEST_CASE(what_streams_keep_for_want_of_need_is_given_up) {
  const PoolFixture fixture{sized()};
  PoolUser user{fixture.pool};
  Writer writer{fixture.segment};
  Reader reader{fixture.segment};
  for (int i = 0; i < 4; ++i) {
    auto slot = writer.reserve(8, 1);
    Buffer buffer = user.acquire(kLargest);
    BOOST_TEST_REQUIRE((slot.attach(std::move(buffer)) == Status::ok));
    slot.commit();
  }
  BOOST_TEST((user.acquire(kLargest).status() == Status::exhausted));
  std::size_t seen = 0;
  for (int i = 0; i < 8; ++i) {
    for (const Frame& frame : reader.pin()) {
      for (const BufferReference& reference : frame.attachments()) {
        seen += fixture.pool.view(reference).size();
      }
    }
  }
  BOOST_TEST(seen == 4 * kLargest);
  BOOST_TEST(static_cast<bool>(user.acquire_for(kLargest, kPatience)));
}

// --- Waiting -------------------------------------------------------------------------------------------------------

// In another process, until it says how many bytes it got.
Child make_waiter(const PoolFixture& fixture, std::uint64_t bytes) {
  return Child{[&fixture, bytes](Link& link) {
    PoolUser own{fixture.open_again()};
    const Buffer buffer = own.acquire_for(bytes, kPatience);
    link.say(buffer.bytes().size());
    link.hear();
  }};
}

bool are_waiting(const PoolFixture& fixture, std::uint64_t users) {
  return eventually([&] { return snapshot_of(fixture).waiting == users; });
}

// Who waits is passed by when nothing was heard of him for long, be it that this machine gave him no time.
void beat_for_those_who_wait(const PoolFixture& fixture) {
  detail::PoolCore& core = *fixture.pool.core();
  for (std::uint32_t slot = 0; slot < fixture.segment.options().participants; ++slot) {
    if (core.slot(slot).request.load() != 0) detail::registry::beat(core.segment().participant(slot));
  }
}

BOOST_AUTO_TEST_CASE(who_waits_gets_what_was_released) {
  const PoolFixture fixture{sized()};
  PoolUser user{fixture.pool};
  std::vector<Buffer> all = take_all_of(user, 16);
  BOOST_TEST((user.acquire_for(16, 1ms).status() == Status::timeout));
  Child waiter = make_waiter(fixture, 16);
  BOOST_TEST(are_waiting(fixture, 1));
  all.pop_back();
  BOOST_TEST(waiter.hear() == 16U);
  BOOST_TEST((user.acquire(16).status() == Status::exhausted));
  waiter.say(1);
  BOOST_TEST(waiter.wait() == 0);
  BOOST_TEST(fixture.pool.core()->control().waiting.load() == 0U);
  BOOST_TEST(static_cast<bool>(user.acquire(16)));
}

// What is freed for it, chunk by chunk, is not taken by those who come later and want less.
BOOST_AUTO_TEST_CASE(one_who_waits_for_a_large_one_is_not_starved_by_small_ones) {
  const PoolFixture fixture{sized()};
  PoolUser user{fixture.pool};
  std::vector<Buffer> all = take_all_of(user, 1024);
  BOOST_TEST_REQUIRE(all.size() == 32U);
  Child waiter = make_waiter(fixture, kLargest);
  BOOST_TEST(are_waiting(fixture, 1));
  // One goes, and somebody wants it again, or something else of its room.
  for (std::size_t freed = 0; freed < 8; ++freed) {
    beat_for_those_who_wait(fixture);
    all[freed].release();
    BOOST_TEST((user.acquire(16).status() == Status::exhausted));
  }
  BOOST_TEST(waiter.hear() == kLargest);
  waiter.say(1);
  BOOST_TEST(waiter.wait() == 0);
}

BOOST_AUTO_TEST_CASE(those_who_wait_for_one_class_are_served_in_order) {
  const PoolFixture fixture{sized()};
  PoolUser user{fixture.pool};
  std::vector<Buffer> all = take_all_of(user, 1024);
  std::vector<std::unique_ptr<Child>> waiters;
  for (std::uint64_t i = 0; i < 3; ++i) {
    waiters.push_back(std::make_unique<Child>([&fixture](Link& link) {
      PoolUser own{fixture.open_again()};
      const Buffer buffer = own.acquire_for(1024, kPatience);
      link.say(buffer.bytes().size());
      link.hear();
    }));
    BOOST_TEST(are_waiting(fixture, i + 1));
  }
  for (std::uint64_t i = 0; i < 3; ++i) {
    beat_for_those_who_wait(fixture);
    all.pop_back();
    BOOST_TEST(waiters[i]->hear() == 1024U);
    BOOST_TEST(are_waiting(fixture, 2 - i));
  }
  for (const auto& waiter : waiters) waiter->say(1);
  for (const auto& waiter : waiters) BOOST_TEST(waiter->wait() == 0);
}

BOOST_AUTO_TEST_CASE(one_who_waits_and_is_killed_stands_in_nobodys_way) {
  const PoolFixture fixture{sized()};
  PoolUser user{fixture.pool};
  std::vector<Buffer> all = take_all_of(user, 1024);
  Child waiter = make_waiter(fixture, kLargest);
  BOOST_TEST(are_waiting(fixture, 1));
  waiter.kill();
  all.resize(16);
  BOOST_TEST(static_cast<bool>(user.acquire_for(kLargest, kPatience)));
  BOOST_TEST(static_cast<bool>(user.acquire_for(16, kPatience)));
  BOOST_TEST(static_cast<bool>(user.acquire(16)));
  BOOST_TEST(fixture.pool.core()->control().waiting.load() == 0U);
}

// Nor does one who is stopped, whatever he waits for; and he has it when he goes on.
BOOST_DATA_TEST_CASE(one_who_waits_and_is_stopped_stands_in_nobodys_way, data::make({std::uint64_t{16}, kLargest}),
                     wanted) {
  const PoolFixture fixture{sized()};
  PoolUser user{fixture.pool};
  std::vector<Buffer> all = take_all_of(user, 16);
  Child waiter{[&](Link& link) {
    PoolUser own{fixture.open_again()};
    kill_point::arm(KillPoint::pool_waiting, stop_self);
    link.say(own.acquire_for(wanted, kPatience).bytes().size());
  }};
  BOOST_TEST(waiter.wait_until_stopped());
  all.clear();
  for (const std::uint64_t bytes : {std::uint64_t{16}, kLargest}) {
    BOOST_TEST(eventually([&] { return static_cast<bool>(user.acquire(bytes)); }));
  }
  BOOST_TEST(eventually([&] { return static_cast<bool>(user.acquire_run(2)); }));
  waiter.resume();
  BOOST_TEST(waiter.hear() >= wanted);
}

// --- Memory --------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(it_grows_for_a_large_one) {
  const PoolFixture fixture{sized(64, 2048)};
  PoolUser user{fixture.pool};
  const Buffer small = user.acquire(16);
  const Buffer large = user.acquire(kLargest);
  BOOST_TEST_REQUIRE(static_cast<bool>(large));
  std::memset(large.bytes().data(), 1, large.bytes().size());
  BOOST_TEST(fixture.pool.count() >= 64U + 512U);
  BOOST_TEST(fixture.pool.count() % 64 == 0U);
  BOOST_TEST(take_all_of(user, 1024).size() >= 22U);
  BOOST_TEST(fixture.pool.count() == 2048U);
}

// A quarter of it is less than a chunk; a step of 4 MiB may be, too.
BOOST_AUTO_TEST_CASE(it_grows_by_whole_chunks) {
  const PoolFixture little{PoolOptions::for_sizes(4096, 65536, 64 * 4096, 256 * 4096)};
  PoolUser user{little.pool};
  BOOST_TEST(take_all_of(user, 65536).size() == 16U);
  const PoolFixture ahead{PoolOptions::for_sizes(4096, 65536, 64 * 4096, 256 * 4096)};
  ahead.pool.grow_to(128);
  BOOST_TEST(ahead.pool.count() == 128U);
  const PoolFixture large{PoolOptions::for_sizes(100 << 10, 200 << 10, 64 * (100 << 10), 128 * (100 << 10))};
  large.pool.grow_to(128);
  BOOST_TEST(large.pool.count() == 128U);
}

BOOST_AUTO_TEST_CASE(memory_goes_back_and_comes_again_side_by_side) {
  const PoolFixture fixture{
      {.min_bytes = 64, .max_bytes = 64 << 10, .count = 16384}};  // 1 MiB: chunks of a page each, blocks of 16
  PoolUser user{fixture.pool};
  take_all_of(user, 64).clear();
  const Buffer kept = user.acquire(100);
  BOOST_TEST(fixture.pool.trim() >= (1U << 20) - 3 * 4096);
  BOOST_TEST(snapshot_of(fixture).unbacked >= 16384U - 3 * 64);
  BOOST_TEST(take_all_of(user, 64 << 10).size() == 15U);
  BOOST_TEST(broken_pool_invariant(fixture.pool) == "");
}

// --- Figures -------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(figures_say_buffers_and_bytes_of_each_class) {
  const PoolFixture fixture{sized()};
  PoolUser user{fixture.pool, {.name = "sizes"}};
  const Buffer small = user.acquire(10);
  const Buffer middle = user.acquire(100);
  Buffer large = user.acquire(5000);
  const BufferReference reference = large.share();
  PoolUser other{fixture.pool};
  const Buffer adopted = other.adopt(reference);
  other.acquire(200).release();
  PoolSnapshot seen = snapshot_of(fixture);
  BOOST_TEST(seen.count == kPieces);
  BOOST_TEST(seen.in_use == 2U);
  BOOST_TEST(seen.in_use_bytes == 16U + 112U);
  BOOST_TEST(seen.shared == 1U);
  BOOST_TEST(seen.shared_bytes == 5120U);
  BOOST_TEST_REQUIRE(seen.classes.size() == 4U);
  BOOST_TEST(seen.classes[1].bytes == 112U);
  BOOST_TEST(seen.classes[1].buffers == 9U);
  BOOST_TEST(seen.classes[3].bytes == 5120U);
  BOOST_TEST(seen.classes[3].buffers == 1U);
  BOOST_TEST(seen.classes[3].free == 0U);
  BOOST_TEST_REQUIRE(seen.holders.size() == 2U);
  BOOST_TEST(seen.holders[0].buffers == 3U);
  BOOST_TEST(seen.holders[0].bytes == 16U + 112U + 5120U);
  BOOST_TEST(seen.holders[1].bytes == 5120U);
  BOOST_TEST(seen.present.acquired == 4U);
  BOOST_TEST(seen.present.adopted == 1U);
  BOOST_TEST(seen.present.acquired + seen.present.adopted == seen.present.released + seen.present.held);
  BOOST_TEST(seen.cached_bytes != 0U);
}

BOOST_AUTO_TEST_CASE(what_the_dead_had_is_told_in_bytes) {
  const PoolFixture fixture{sized()};
  Child victim{[&](Link& link) {
    PoolUser user{fixture.open_again()};
    const Buffer small = user.acquire(10);
    const Buffer large = user.acquire(5000);
    user.acquire(300).release();
    link.say(1);
    link.hear();
  }};
  BOOST_TEST(victim.hear() == 1U);
  victim.kill();
  const RecoveryReport report = recover(fixture.segment);
  BOOST_TEST_REQUIRE(report.dead.size() == 1U);
  BOOST_TEST(report.dead[0].held_bytes == 16U + 5120U);
  BOOST_TEST(report.dead[0].repairs == 2U);
  BOOST_TEST(report.dead[0].repaired_bytes == 16U + 5120U);
  const PoolSnapshot seen = snapshot_of(fixture);
  BOOST_TEST(seen.departed.acquired == 3U);
  BOOST_TEST(seen.departed.released == 1U);
  BOOST_TEST(seen.departed.reclaimed == 2U);
}

BOOST_AUTO_TEST_CASE(a_budget_counts_buffers) {
  const PoolFixture fixture{sized()};
  PoolUser user{fixture.pool, {.budget = 2}};
  const Buffer small = user.acquire(10);
  Buffer large = user.acquire(5000);
  BOOST_TEST((user.acquire(10).status() == Status::over_budget));
  large.release();
  BOOST_TEST(static_cast<bool>(user.acquire(100)));
}

// One that waits for that size, and may not let the pool grow, is served first: who may does not let it grow on and on for
// himself.
BOOST_AUTO_TEST_CASE(who_has_no_turn_lets_the_pool_grow_by_one_step) {
  PoolOptions options = sized(kPieces, 16 * kPieces);
  options.grow = Grow::creator;
  const PoolFixture fixture{options};
  PoolUser creator{fixture.pool};
  PoolUser waiting{Pool::open(fixture.segment, "frames")};
  const std::vector<Buffer> all = take_all_of(waiting, kLargest);
  BOOST_TEST_REQUIRE(all.size() == 4U);
  detail::PoolCore& core = *fixture.pool.core();
  layout::PoolSlot& slot = core.slot(waiting.slot());
  slot.wanted_class.store(core.class_for(kLargest));
  slot.request.store(layout::Request::waits(1).word);
  core.control().next_ticket.store(1);
  core.control().waiting.fetch_add(1);
  const std::function<void()> beat = [&] {
    detail::registry::beat(core.segment().participant(waiting.slot()));
    kill_point::arm(KillPoint::pool_grown, beat);
  };
  beat();
  BOOST_TEST((creator.acquire(kLargest).status() == Status::exhausted));
  kill_point::disarm();
  BOOST_TEST(fixture.pool.count() > kPieces);
  BOOST_TEST(fixture.pool.count() <= kPieces + kPieces / 4);
  slot.request.store(0);
}

// --- Deaths --------------------------------------------------------------------------------------------------------

// Everything that is done with blocks.
void live(const Pool& pool) {
  PoolUser user{pool};
  PoolUser other{pool};
  for (int round = 0; round < (kSlow ? 1 : 2); ++round) {
    std::vector<Buffer> all;
    for (const std::uint64_t bytes : {16U, 48U, 176U, 1152U, 3000U, 7000U}) {
      all.push_back(user.acquire(bytes));
      other.acquire(bytes).release();
    }
    Buffer adopted = other.adopt(all[2].share());
    std::thread{[&] { all[3].release(); }}.join();
    all.clear();
    all = take_all_of(user, kLargest);
    const std::vector<Buffer> rest = take_all_of(user, 1024);
    if (other.acquire_for(1024, 1us).status() != Status::timeout) throw std::runtime_error("there was one more");
    all.clear();
    const Run run = other.acquire_run(70);
    if (!run) throw std::runtime_error("no run");
  }
}

// At every passage through every point; and whoever recovers is killed at every point of his, too.
BOOST_AUTO_TEST_CASE(a_user_may_be_killed_anywhere) {
  for (unsigned nth = 1;; ++nth) {
    const PoolFixture fixture{sized()};
    const bool died = is_killed_at(nth, fixture, live);
    BOOST_TEST_CONTEXT("kill point passage " << nth) {
      is_killed_at(1 + nth % 40, fixture, recover_segment_of);
      recover(fixture.segment);
      BOOST_TEST(inspect(fixture.segment).participants.empty());
      BOOST_TEST_REQUIRE(broken_pool_invariant(fixture.pool) == "");
      const PoolSnapshot seen = snapshot_of(fixture);
      BOOST_TEST(seen.in_use == 0U);
      BOOST_TEST(seen.departed.acquired + seen.departed.adopted == seen.departed.released + seen.departed.reclaimed);
      BOOST_TEST_REQUIRE(is_all_to_be_had(fixture.pool));
    }
    if (!died) {
      BOOST_TEST(nth > 100U);
      return;
    }
  }
}

// One who is stopped with chunks in his hands keeps those, and nobody else from going on.
BOOST_DATA_TEST_CASE(one_who_is_stopped_keeps_one_block_at_the_most,
                     data::make({KillPoint::chunk_taken, KillPoint::chunk_tailed, KillPoint::chunk_joining,
                                 KillPoint::chunk_parting, KillPoint::chunk_freed}),
                     point) {
  const PoolFixture fixture{sized()};
  Child stopped{[&](Link&) {
    const Pool own = fixture.open_again();
    kill_point::arm(point, stop_self);
    live(own);
  }};
  BOOST_TEST(stopped.wait_until_stopped());
  {
    const std::uint64_t in_use = snapshot_of(fixture).in_use_bytes;
    PoolUser user{fixture.pool};
    BOOST_TEST(take_all_of(user, 16).size() * kPiece + in_use >= kPieces * kPiece - 2 * kLargest);
    BOOST_TEST(broken_pool_invariant(fixture.pool, Motion::stopped) == "");
  }
  stopped.kill();
  recover(fixture.segment);
  BOOST_TEST(is_all_to_be_had(fixture.pool));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace sapbuf::test
