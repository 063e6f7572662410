// What programs do with pools.
#include <csignal>
#include <stdexcept>

#include "faults/operations.hpp"
#include "support/pool_invariants.hpp"
#include "support/readable.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kCount = 8;
constexpr std::uint64_t kChunk = 64;  // buffers whose memory comes and goes together

PoolOptions small() { return {.buffer_bytes = 4096, .count = kCount}; }
PoolOptions growing() { return {.buffer_bytes = 4096, .count = kCount, .max_count = 4 * kCount}; }
PoolOptions two_chunks() { return {.buffer_bytes = 4096, .count = 2 * kChunk}; }
PoolOptions of_sizes() { return PoolOptions::for_sizes(64, 4096, 65'536, 131'072); }

auto with_pool(const PoolOptions& options) {
  return [options](World& world) {
    world.segment = Segment::create(world.name, world.options);
    world.things.pool = Pool::create(*world.segment, "frames", options);
  };
}

auto with_user(const PoolOptions& options) {
  return [options](World& world) {
    with_pool(options)(world);
    world.things.user.emplace(*world.things.pool);
  };
}

auto with_two_users(const PoolOptions& options) {
  return [options](World& world) {
    with_user(options)(world);
    world.things.other.emplace(*world.things.pool);
  };
}

void keep(World& world, Buffer&& buffer, std::initializer_list<Status> instead = {}) {
  world.tell(buffer.status(), Status::ok, instead);
  if (!buffer) return;
  std::memset(buffer.bytes().data(), 1, buffer.bytes().size());
  world.things.buffers.at(world.things.taken++) = std::move(buffer);
}

void let_go(World& world) {
  for (; world.things.taken != 0; --world.things.taken) world.things.buffers[world.things.taken - 1].release();
  world.things.run.release();
}

void take_all(World& world, PoolUser& user) {
  while (world.things.taken < kCount) keep(world, user.acquire());
}

// --- What there is none of at first ---------------------------------------------------------------------------------

void take_until_it_grows(World& world) {
  const Pool& pool = *world.things.pool;
  const std::uint64_t before = pool.count();
  while (pool.count() == before && world.status == Status::ok) {
    keep(world, world.things.user->acquire(), {Status::exhausted});
  }
}

void let_other_have_all(World& world) {
  with_two_users(small())(world);
  for (std::size_t i = 0; i < kCount; ++i) world.things.others[i] = world.things.other->acquire();
}

// All of them are in its magazine, or in the pool.
void let_other_put_all_at_hand(World& world) {
  let_other_have_all(world);
  for (Buffer& buffer : world.things.others) buffer.release();
}

void other_takes_and_puts_back(World& world) {
  let_go(world);
  for (std::size_t i = 0; i < kCount; ++i) world.things.others[i] = world.things.other->acquire();
  for (Buffer& buffer : world.things.others) buffer.release();
}

// Nobody keeps them, and no word says so: a scan finds out.
void leave_all_shared(World& world) {
  let_go(world);
  for (std::size_t i = 0; i < kCount; ++i) {
    Buffer left = world.things.other->acquire();
    if (left.share() == BufferReference{}) throw std::runtime_error("not shared");
    world.things.others[i] = std::move(left);
  }
  for (Buffer& buffer : world.things.others) buffer.release();
}

void share_one(World& world) {
  with_two_users(small())(world);
  world.things.others[0] = world.things.other->acquire();
  world.things.reference = world.things.others[0].share();
}

void die_with_all(World& world) {
  with_user(small())(world);
  die(world, [](const Segment& own) {
    PoolUser user{Pool::open(own, "frames")};
    std::vector<Buffer> all;
    while (all.size() < kCount) all.push_back(user.acquire());
    static_cast<void>(all.front().share());
    kill_self();
  });
}

// --- All ------------------------------------------------------------------------------------------------------------

// Whoever comes now can have all of it: nothing leaked.
std::string judge_pool(const Segment& segment) {
  const Pool pool = Pool::open_or_create(segment, "frames", small());
  if (std::string broken = broken_pool_invariant(pool); !broken.empty()) return broken;
  const PoolOptions options = pool.options();
  const std::uint64_t most = std::max(options.count, options.max_count);
  PoolUser user{pool};
  std::vector<Buffer> all;
  while (Buffer buffer = options.max_bytes == 0 ? user.acquire() : user.acquire(options.min_bytes)) {
    all.push_back(std::move(buffer));
  }
  if (all.size() == most) return {};
  return std::to_string(most - all.size()) + " of " + std::to_string(most) + " buffers are lost";
}

void add_makings(std::vector<Operation>& all) {
  all.push_back({.name = "make_a_pool",
                 .before = [](World& world) { world.segment = Segment::create(world.name, world.options); },
                 .act = [](World& world) { Pool::create(*world.segment, "frames", small()); },
                 .undo = [](World& world) { Pool::remove(*world.segment, "frames"); }});
  all.push_back({.name = "open_a_pool", .before = with_pool(small()), .act = [](World& world) {
                   static_cast<void>(Pool::open(Segment::open(world.name), "frames"));
                 }});
  all.push_back(
      {.name = "remove_a_pool",
       .before = with_pool(small()),
       .act =
           [](World& world) {
             if (!Pool::remove(*world.segment, "frames")) throw Error(Errc::not_found, "there is no pool");
           },
       .undo = [](World& world) { static_cast<void>(Pool::open_or_create(*world.segment, "frames", small())); }});
  all.push_back({.name = "let_a_pool_grow",
                 .before = with_pool({.buffer_bytes = 4096, .count = kCount, .max_count = 64}),
                 .act = [](World& world) { world.things.pool->grow_to(world.things.pool->count() + 2); },
                 .undo = [](World& world) {  // a mapping without room to grow stays so
                   world.things.pool.reset();
                   world.segment.reset();
                   world.segment = Segment::open(world.name);
                   world.things.pool = Pool::open(*world.segment, "frames");
                 }});
  all.push_back({.name = "trim_a_pool",
                 .before = with_user(two_chunks()),
                 .act = [](World& world) { static_cast<void>(world.things.pool->trim()); },
                 .undo =
                     [](World& world) {
                       keep(world, world.things.user->acquire());
                       let_go(world);
                     }});
}

void add_uses(std::vector<Operation>& all) {
  all.push_back(
      {.name = "attach_a_pool_user_that_takes_one_and_leaves", .before = with_pool(small()), .act = [](World& world) {
         PoolUser user{*world.things.pool};
         world.tell(user.acquire().status(), Status::ok);
       }});
  all.push_back({.name = "detach_a_pool_user_that_has_some",
                 .before = with_user(small()),
                 .act =
                     [](World& world) {
                       keep(world, world.things.user->acquire());
                       world.things.user.reset();
                       let_go(world);
                     },
                 .undo = [](World& world) { world.things.user.emplace(*world.things.pool); }});
  all.push_back({.name = "take_all_that_is_free",
                 .before = with_user(small()),
                 .act = [](World& world) { take_all(world, *world.things.user); },
                 .undo = let_go});
  all.push_back(
      {.name = "take_more_than_there_is", .before = with_user(growing()), .act = take_until_it_grows, .undo = let_go});
  all.push_back({.name = "take_some_of_each_size",
                 .before = with_user(of_sizes()),
                 .act =
                     [](World& world) {
                       for (std::uint64_t bytes = 64; bytes <= 4096; bytes *= 2) {
                         keep(world, world.things.user->acquire(bytes));
                       }
                     },
                 .undo = let_go});
  all.push_back({.name = "take_what_was_given_back_to_the_system",
                 .before =
                     [](World& world) {
                       with_user(two_chunks())(world);
                       world.things.pool->trim();
                     },
                 .act = [](World& world) { keep(world, world.things.user->acquire(), {Status::exhausted}); },
                 .undo =
                     [](World& world) {
                       let_go(world);
                       world.things.pool->trim();
                     }});
  all.push_back({.name = "take_a_run",
                 .before = with_user(growing()),
                 .act =
                     [](World& world) {
                       world.things.run = world.things.user->acquire_run(kCount);
                       world.tell(world.things.run.status(), Status::ok);
                     },
                 .undo = let_go});
  all.push_back({.name = "take_a_run_that_the_pool_grows_for",
                 .before = with_user({.buffer_bytes = 4096, .count = kCount, .max_count = kCount + 2}),
                 .act =
                     [](World& world) {
                       world.things.run = world.things.user->acquire_run(kCount + 2);
                       world.tell(world.things.run.status(), Status::ok, {Status::exhausted});
                     },
                 .undo = let_go});
}

void add_dealings_with_others(std::vector<Operation>& all) {
  all.push_back({.name = "take_what_others_have_at_hand",
                 .before = let_other_put_all_at_hand,
                 .act =
                     [](World& world) {
                       while (world.things.taken < kCount && world.status == Status::ok) {
                         keep(world, world.things.user->acquire(), {Status::exhausted});
                       }
                     },
                 .undo = other_takes_and_puts_back});
  all.push_back({.name = "take_what_nobody_holds_any_more",
                 .before =
                     [](World& world) {
                       with_two_users(small())(world);
                       leave_all_shared(world);
                     },
                 .act = [](World& world) { keep(world, world.things.user->acquire(), {Status::exhausted}); },
                 .undo =
                     [](World& world) {
                       let_go(world);
                       world.things.other->close();
                       world.things.other.emplace(*world.things.pool);
                     }});
  all.push_back({.name = "wait_for_a_buffer", .before = let_other_have_all, .act = [](World& world) {
                   world.tell(world.things.user->acquire_for(2ms).status(), Status::timeout);
                 }});
  all.push_back({.name = "wait_for_a_buffer_by_descriptor",
                 .before = let_other_have_all,
                 .act =
                     [](World& world) {
                       const int descriptor = world.things.user->event_fd();
                       world.tell(world.things.user->acquire().status(), Status::exhausted, {Status::ok});
                       world.things.others[0].release();
                       if (!becomes_readable(descriptor)) throw std::runtime_error("the descriptor is never readable");
                     },
                 .undo =
                     [](World& world) {
                       world.things.user.reset();
                       world.things.user.emplace(*world.things.pool);
                       if (!world.things.others[0]) world.things.others[0] = world.things.other->acquire();
                     }});
  all.push_back({.name = "share_and_adopt",
                 .before = with_two_users(small()),
                 .act =
                     [](World& world) {
                       world.things.others[0] = world.things.other->acquire();
                       const Buffer adopted = world.things.user->adopt(world.things.others[0].share());
                       world.tell(adopted.status(), Status::ok);
                     },
                 .undo = [](World& world) { world.things.others[0].release(); }});
  all.push_back({.name = "view_a_buffer", .before = share_one, .act = [](World& world) {
                   const Segment segment = Segment::open(world.name);
                   if (Pool::open(segment, "frames").view(world.things.reference).size() != 4096) {
                     throw std::runtime_error("it is not to be seen");
                   }
                 }});
  all.push_back({.name = "recover_a_dead_pool_user", .before = die_with_all, .act = [](World& world) {
                   recover(*world.segment);
                 }});
  all.push_back({.name = "take_what_a_dead_pool_user_had",
                 .before = die_with_all,
                 .act = [](World& world) { keep(world, world.things.user->acquire(), {Status::exhausted}); },
                 .undo = let_go});
  all.push_back({.name = "look_into_a_pool", .before = share_one, .act = [](World& world) {
                   static_cast<void>(inspect(world.name));
                   static_cast<void>(find_dead(*world.segment));
                 }});
}

}  // namespace

std::vector<Operation> pool_operations() {
  std::vector<Operation> all;
  add_makings(all);
  add_uses(all);
  add_dealings_with_others(all);
  for (Operation& operation : all) {
    operation.options = small_segment();
    operation.judge = judge_pool;
  }
  return all;
}

}  // namespace sapbuf::test
