// What programs do with maps, queues and cells.
#include <csignal>
#include <cstring>
#include <stdexcept>

#include "faults/operations.hpp"
#include "support/map_invariants.hpp"
#include "support/pool_invariants.hpp"
#include "support/readable.hpp"

namespace sapbuf::test {
namespace {

using namespace std::chrono_literals;

void make_segment(World& world) { world.segment = Segment::create(world.name, world.options); }

std::vector<Operation> judged_by(std::string (*judge)(const Segment&), std::vector<Operation> all) {
  for (Operation& operation : all) {
    operation.options = small_segment();
    operation.judge = judge;
  }
  return all;
}

// --- Maps -----------------------------------------------------------------------------------------------------------

MapOptions small_map() { return {.keys = 8, .max_keys = 64, .value_bytes = 64, .key_bytes = 24}; }

void with_map(World& world) {
  make_segment(world);
  world.things.map = Map::create(*world.segment, "config", small_map());
}

void with_map_users(World& world) {
  with_map(world);
  world.things.map_writer.emplace(*world.things.map, MapWriterOptions{.timeout = 25ms});
  world.things.map_reader.emplace(*world.things.map);
  world.tell(world.things.map_writer->put("key", "value"), Status::ok);
}

void put_and_read(World& world) {
  world.tell(world.things.map_writer->put("key", "value"), Status::ok);
  const MapValue value = world.things.map_reader->read("key");
  world.tell(value.status(), Status::ok);
  if (value && value.text() != "value") throw std::runtime_error("it reads what nobody wrote");
}

// More than it has room for at first.
void put_new_keys(World& world) {
  for (int i = 0; i < 4 && world.status == Status::ok; ++i) {
    world.tell(world.things.map_writer->put(world.things.next_key++, "value"), Status::ok, {Status::full});
  }
}

void erase_new_keys(World& world) {
  while (world.things.next_key != 0) {
    if (world.things.map_writer->erase(--world.things.next_key) == Status::timeout) {
      throw std::runtime_error("a key is not to be had");
    }
  }
}

void commit_two(World& world) {
  Transaction both{*world.things.map_writer};
  world.tell(both.put("key", "value"), Status::ok, {Status::exhausted});
  world.tell(both.put("other", "value"), Status::ok, {Status::exhausted});
  world.tell(both.commit(), Status::ok, {Status::exhausted});
}

void die_preparing(World& world) {
  with_map_users(world);
  die(world, [](const Segment& own) {
    MapWriter writer{Map::open(own, "config")};
    const MapReader reader{Map::open(own, "config")};
    const MapValue read = reader.read("key");
    MapDraft draft = writer.prepare("key", 8);
    kill_self();
  });
}

std::string judge_map(const Segment& segment) {
  const Map map = Map::open_or_create(segment, "config", small_map());
  if (std::string broken = broken_map_invariant(map); !broken.empty()) return broken;
  if (std::string broken = broken_pool_invariant(Pool::open(segment, "config.values")); !broken.empty()) return broken;
  MapWriter writer{map, {.timeout = 0ms}};
  return writer.put("key", "after all") == Status::ok && MapReader{map}.read("key").text() == "after all"
             ? ""
             : "a value is not put";
}

// --- Queues ---------------------------------------------------------------------------------------------------------

constexpr std::uint64_t kSlots = 4;

QueueOptions small_queue() { return {.slots = kSlots, .keys = 4, .block_bytes = 64, .blocks = 8}; }

void with_queue(World& world) {
  make_segment(world);
  world.things.queue = Queue::create(*world.segment, "jobs", small_queue());
}

void with_queue_users(World& world) {
  with_queue(world);
  world.things.producer.emplace(*world.things.queue, ProducerOptions{.timeout = 2ms});
  world.things.consumer.emplace(*world.things.queue);
}

void push_next(World& world) {
  ReservedBlocks reserved = world.things.producer->reserve(1);
  world.tell(reserved.status(), Status::ok, {Status::full, Status::exhausted});
  if (!reserved) return;
  std::memcpy(reserved[0].bytes().data(), &world.things.next_block, sizeof world.things.next_block);
  reserved[0].set_key(1);
  if (reserved.release() == 1) ++world.things.next_block;
  world.tell(reserved.status(), Status::ok, {Status::full, Status::exhausted});
}

// In their order, and each of them once.
void take_all_blocks(World& world) {
  while (TakenBlock block = world.things.consumer->take()) {
    std::uint64_t number = 0;
    std::memcpy(&number, block.bytes().data(), sizeof number);
    if (number != world.things.next_taken++) throw std::runtime_error("a block is lost, or came twice");
    if (!block.done()) throw std::runtime_error("a block was somebody else's");
  }
}

void push_and_take(World& world) {
  for (int i = 0; i < 3; ++i) push_next(world);
  take_all_blocks(world);
}

void push_until_full(World& world) {
  while (world.status == Status::ok) push_next(world);
  if (world.status == Status::full) world.status = Status::ok;
}

void die_with_blocks(World& world) {
  with_queue_users(world);
  for (int i = 0; i < 2; ++i) push_next(world);
  die(world, [](const Segment& own) {
    Consumer consumer{Queue::open(own, "jobs")};
    Producer producer{Queue::open(own, "jobs")};
    const TakenBlock taken = consumer.take();
    const ReservedBlocks reserved = producer.reserve(1);
    kill_self();
  });
}

// What was released and not taken is there still, and of the pool nothing is lost.
std::string judge_queue(const Segment& segment) {
  const Queue queue = Queue::open_or_create(segment, "jobs", small_queue());
  const Pool pool = Pool::open(segment, "jobs.blocks");
  {
    Consumer consumer{queue};
    while (TakenBlock block = consumer.take()) block.done();
  }
  if (std::string broken = broken_pool_invariant(pool); !broken.empty()) return broken;
  PoolUser user{pool};
  std::uint64_t there = 0;
  std::vector<Buffer> all;
  for (; Buffer buffer = user.acquire(); ++there) all.push_back(std::move(buffer));
  return there == pool.count() ? "" : std::to_string(pool.count() - there) + " blocks are lost";
}

// --- Cells ----------------------------------------------------------------------------------------------------------

using Number = Cell<std::uint64_t>;

void with_cell(World& world) {
  make_segment(world);
  world.things.cell.emplace(*world.segment, "speed", std::uint64_t{5});
}

std::string judge_cell(const Segment& segment) {
  Number cell{segment, "speed"};
  cell.store(7);
  return cell.load() == 7 ? "" : "a value is not stored";
}

}  // namespace

std::vector<Operation> map_operations() {
  return judged_by(
      judge_map,
      {{.name = "make_a_map",
        .before = make_segment,
        .act = [](World& world) { Map::create(*world.segment, "config", small_map()); },
        .undo = [](World& world) { Map::remove(*world.segment, "config"); }},
       {.name = "open_a_map",
        .before = with_map,
        .act = [](World& world) { static_cast<void>(Map::open(Segment::open(world.name), "config")); }},
       {.name = "remove_a_map",
        .before = with_map,
        .act =
            [](World& world) {
              if (!Map::remove(*world.segment, "config")) throw Error(Errc::not_found, "there is no map");
            },
        .undo = [](World& world) { static_cast<void>(Map::open_or_create(*world.segment, "config", small_map())); }},
       {.name = "attach_to_a_map_put_read_and_leave",
        .before = with_map,
        .act =
            [](World& world) {
              MapWriter writer{*world.things.map, {.timeout = 25ms}};
              const MapReader reader{*world.things.map};
              world.tell(writer.put("key", "value"), Status::ok);
              world.tell(reader.read("key").status(), Status::ok);
            }},
       {.name = "put_and_read", .before = with_map_users, .act = put_and_read},
       {.name = "put_new_keys", .before = with_map_users, .act = put_new_keys, .undo = erase_new_keys},
       {.name = "put_more_keys_than_there_is_room_for_at_first",
        .before =
            [](World& world) {
              with_map_users(world);
              for (int i = 0; i < 2; ++i) put_new_keys(world);
            },
        .act = put_new_keys,
        .undo = erase_new_keys},
       {.name = "commit_a_transaction", .before = with_map_users, .act = commit_two},
       {.name = "erase_a_key",
        .before = with_map_users,
        .act = [](World& world) { world.tell(world.things.map_writer->erase("key"), Status::ok); },
        .undo = put_and_read},
       {.name = "wait_for_a_change",
        .before = with_map_users,
        .act =
            [](World& world) {
              const MapReader& reader = *world.things.map_reader;
              static_cast<void>(reader.wait_changed(reader.version(), 2ms));
            }},
       {.name = "wait_for_a_change_by_descriptor",
        .before = with_map_users,
        .act =
            [](World& world) {
              const int descriptor = world.things.map_reader->event_fd();
              put_and_read(world);
              if (!becomes_readable(descriptor)) throw std::runtime_error("the descriptor is never readable");
            },
        .undo =
            [](World& world) {
              world.things.map_reader.reset();
              world.things.map_reader.emplace(*world.things.map);
            }},
       {.name = "recover_a_dead_map_writer",
        .before = die_preparing,
        .act = [](World& world) { recover(*world.segment); }},
       {.name = "put_where_a_dead_one_was_at_it", .before = die_preparing, .act = put_and_read},
       {.name = "look_into_a_map", .before = with_map_users, .act = [](World& world) {
          static_cast<void>(inspect(world.name));
        }}});
}

std::vector<Operation> queue_operations() {
  return judged_by(
      judge_queue,
      {{.name = "make_a_queue",
        .before = make_segment,
        .act = [](World& world) { Queue::create(*world.segment, "jobs", small_queue()); },
        .undo = [](World& world) { Queue::remove(*world.segment, "jobs"); }},
       {.name = "open_a_queue",
        .before = with_queue,
        .act = [](World& world) { static_cast<void>(Queue::open(Segment::open(world.name), "jobs")); }},
       {.name = "remove_a_queue",
        .before = with_queue,
        .act =
            [](World& world) {
              if (!Queue::remove(*world.segment, "jobs")) throw Error(Errc::not_found, "there is no queue");
            },
        .undo = [](World& world) { static_cast<void>(Queue::open_or_create(*world.segment, "jobs", small_queue())); }},
       {.name = "attach_to_a_queue_and_leave",
        .before = with_queue,
        .act =
            [](World& world) {
              Producer producer{*world.things.queue, {.timeout = 2ms}};
              Consumer consumer{*world.things.queue};
              world.tell(producer.push(std::as_bytes(std::span{"job"})), Status::ok, {Status::exhausted});
              const bool taken = consumer.take().done();
              if (taken != (world.status == Status::ok)) throw std::runtime_error("not what was pushed is taken");
            }},
       {.name = "push_and_take", .before = with_queue_users, .act = push_and_take},
       {.name = "push_until_it_is_full", .before = with_queue_users, .act = push_until_full, .undo = take_all_blocks},
       {.name = "put_back_and_take_again",
        .before = with_queue_users,
        .act =
            [](World& world) {
              push_next(world);
              if (TakenBlock block = world.things.consumer->take()) block.put_back();
              take_all_blocks(world);
            }},
       {.name = "wait_for_a_block",
        .before = with_queue_users,
        .act =
            [](World& world) {
              world.tell(world.things.consumer->take_for(1, 2ms).status(), Status::timeout, {Status::exhausted});
            }},
       {.name = "wait_for_a_block_by_descriptor",
        .before = with_queue_users,
        .act =
            [](World& world) {
              const int descriptor = world.things.consumer->event_fd();
              take_all_blocks(world);
              push_next(world);
              if (world.status == Status::ok && !becomes_readable(descriptor))
                throw std::runtime_error("the descriptor is never readable");
              take_all_blocks(world);
            },
        .undo =
            [](World& world) {
              take_all_blocks(world);
              world.things.consumer.reset();
              world.things.consumer.emplace(*world.things.queue);
            }},
       {.name = "recover_a_dead_consumer",
        .before = die_with_blocks,
        .act = [](World& world) { recover(*world.segment); },
        .undo = [](World& world) { recover(*world.segment); }},
       {.name = "look_into_a_queue", .before = with_queue_users, .act = [](World& world) {
          static_cast<void>(inspect(world.name));
        }}});
}

std::vector<Operation> cell_operations() {
  return judged_by(judge_cell, {{.name = "make_a_cell",
                                 .before = make_segment,
                                 .act =
                                     [](World& world) {
                                       Number cell{*world.segment, "speed", std::uint64_t{5}};
                                       if (cell.load() != 5) throw std::runtime_error("it has no value");
                                     },
                                 .undo = [](World& world) { Number::remove(*world.segment, "speed"); }},
                                {.name = "open_a_cell",
                                 .before = with_cell,
                                 .act =
                                     [](World& world) {
                                       const Segment own = Segment::open(world.name);
                                       const Number cell{own, "speed"};
                                       const Cell<const std::uint64_t> reader{own, "speed"};
                                       if (reader.load() != 5) throw std::runtime_error("it has another value");
                                     }},
                                {.name = "remove_a_cell",
                                 .before =
                                     [](World& world) {
                                       with_cell(world);
                                       world.things.cell.reset();
                                     },
                                 .act =
                                     [](World& world) {
                                       if (!Number::remove(*world.segment, "speed"))
                                         throw Error(Errc::not_found, "there is no cell");
                                     },
                                 .undo =
                                     [](World& world) {
                                       static_cast<void>(Number{*world.segment, "speed", std::uint64_t{5}});
                                     }},
                                {.name = "store_and_load",
                                 .before = with_cell,
                                 .act =
                                     [](World& world) {
                                       world.things.cell->store(6);
                                       world.things.cell->update([](std::uint64_t& number) { ++number; });
                                       if (world.things.cell->load() != 7)
                                         throw std::runtime_error("it has another value");
                                     }},
                                {.name = "wait_for_a_cell",
                                 .before = with_cell,
                                 .act =
                                     [](World& world) {
                                       const std::uint64_t seen = world.things.cell->version();
                                       if (world.things.cell->wait_changed(seen, 2ms))
                                         throw std::runtime_error("nobody changed it");
                                     }},
                                {.name = "leave_a_cell",
                                 .before = with_cell,
                                 .act = [](World& world) { world.things.cell.reset(); },
                                 .undo = [](World& world) { world.things.cell.emplace(*world.segment, "speed"); }}});
}

}  // namespace sapbuf::test
