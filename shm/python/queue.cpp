#include "queue.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

#include <pybind11/stl.h>

#include "bind_participant.hpp"
#include "facility.hpp"
#include "options.hpp"

namespace sapbuf::python {
namespace {

constexpr std::size_t kMostAtOnce = 32;  // blocks that are reserved in one step

void address(ReservedBlock& block, std::size_t used, std::uint16_t type, std::optional<std::uint64_t> key) noexcept {
  block.resize(used);
  block.set_type(type);
  if (key) block.set_key(*key);
}

void fill(ReservedBlock& block, std::span<const std::byte> data, std::uint16_t type,
          std::optional<std::uint64_t> key) noexcept {
  if (!data.empty()) std::memcpy(block.bytes().data(), data.data(), data.size());
  address(block, data.size(), type, key);
}

void check_taken(const TakenBlocks& blocks) {
  if (blocks.status() != Status::not_found) check(blocks.status(), "cannot take a job");
}

bool is_for_want_of_room(Status status) noexcept { return status == Status::full || status == Status::exhausted; }

}  // namespace

OpenProducer::OpenProducer(const Queue& queue, const std::string& name, std::optional<double> timeout)
    : Participant("Producer"),
      timeout_(timeout),
      block_bytes_(queue.block_bytes()),
      waits_(queue.options().on_full == OnFull::block),
      producer_(queue, {.name = name, .timeout = Deadline::in(timeout).left(), .stop = &stop()}) {}

// `bytes`: of the largest one.
ReservedBlocks OpenProducer::reserve_blocks(std::size_t up_to, std::size_t bytes) {
  if (bytes > block_bytes_) raise(Status::too_large, "cannot reserve a block");
  const Call call{*this};
  const Deadline deadline = Deadline::in(timeout_);
  ReservedBlocks blocks = producer_.reserve(up_to);
  if (blocks.empty() && waits_ && is_for_want_of_room(blocks.status()) && !deadline.is_over()) {
    const auto wait = [&](std::chrono::nanoseconds slice) {
      blocks = producer_.reserve_for(up_to, slice);
      return !blocks.empty() || (blocks.status() != Status::timeout && blocks.status() != Status::stopped);
    };
    wait_in_slices(deadline, wait);
  }
  if (blocks.empty()) raise(blocks.status(), "cannot reserve a block");
  return blocks;
}

// What was not released stays in `blocks`, unless the queue drops it.
void OpenProducer::release(ReservedBlocks& blocks) {
  const Call call{*this};
  std::size_t left = blocks.size();
  const Status status = until_done(Deadline::in(timeout_), [&] {
    left -= blocks.release();
    return left == 0 ? Status::ok : blocks.status();
  });
  if (left != 0) raise(status, "cannot release the block");
}

void OpenProducer::push(const py::object& data, std::uint16_t type, std::optional<std::uint64_t> key) {
  const Input input{data};
  ReservedBlocks blocks = reserve_blocks(1, input.bytes().size());
  fill(blocks[0], input.bytes(), type, key);
  release(blocks);
}

std::size_t OpenProducer::push_many(const py::iterable& data, std::uint16_t type, std::optional<std::uint64_t> key) {
  std::vector<Input> inputs;
  std::size_t largest = 0;
  for (const py::handle one : data) {
    inputs.emplace_back(one);
    largest = std::max(largest, inputs.back().bytes().size());
  }
  for (std::size_t begin = 0; begin < inputs.size();) {
    ReservedBlocks blocks = reserve_blocks(std::min(kMostAtOnce, inputs.size() - begin), largest);
    for (ReservedBlock& block : blocks) fill(block, inputs[begin++].bytes(), type, key);
    release(blocks);
  }
  return inputs.size();
}

std::unique_ptr<Block> OpenProducer::reserve(std::optional<std::size_t> bytes, std::uint16_t type,
                                             std::optional<std::uint64_t> key) {
  const std::size_t used = bytes.value_or(block_bytes_);
  ReservedBlocks blocks = reserve_blocks(1, used);
  address(blocks[0], used, type, key);
  return std::make_unique<Block>(std::static_pointer_cast<OpenProducer>(shared_from_this()), std::move(blocks));
}

void Block::check_open() const {
  producer_->check_not_forked();
  if (blocks_.empty()) raise("Released", "this block was released or dropped");
}

std::span<std::byte> Block::bytes() const {
  check_open();
  return blocks_[0].bytes().first(blocks_[0].size());
}

py::object Block::enter(const py::object& self) { return self.cast<Block&>().view_.begin(self); }

void Block::leave(bool releases) {
  view_.end();
  check_open();
  if (!releases && is_exported()) return;  // the exception that ends the block matters more; dropped with the last view
  check_not_exported("a block that is looked at cannot be released");
  if (releases) {
    producer_->release(blocks_);
  } else {
    producer_->let_go(std::move(blocks_));
  }
}

OpenConsumer::OpenConsumer(const Queue& queue, const std::string& name, std::uint32_t group)
    : Participant("Consumer"),
      sole_group_(queue.options().groups == 1),
      consumer_(queue, {.name = name, .group = group, .stop = &stop()}) {}

std::unique_ptr<Job> OpenConsumer::wrap(TakenBlock block) {
  if (!block) return nullptr;
  return std::make_unique<Job>(std::static_pointer_cast<OpenConsumer>(shared_from_this()), std::move(block));
}

bool OpenConsumer::wait_in_call(const Deadline& deadline) {
  const auto goes_on = [this] {
    check_can_take();
    return true;
  };
  return wait_in_slices(
      deadline, [this](std::chrono::nanoseconds slice) { return consumer_.wait_for(slice); }, goes_on);
}

// Behind a look that found nothing.
void OpenConsumer::check_can_take() { check_taken(consumer_.take(0)); }

std::unique_ptr<Job> OpenConsumer::take_in_call() {
  auto job = wrap(consumer_.take());
  if (job == nullptr) check_can_take();
  return job;
}

py::list OpenConsumer::wrap(TakenBlocks blocks) {
  check_taken(blocks);
  py::list jobs;
  for (TakenBlock& block : blocks) jobs.append(py::cast(wrap(std::move(block))));
  return jobs;
}

std::unique_ptr<Job> OpenConsumer::take_at_once() {
  const Call call{*this};
  return take_in_call();
}

std::unique_ptr<Job> OpenConsumer::take(const Deadline& deadline) {
  const Call call{*this};
  for (;;) {
    if (auto job = take_in_call()) return job;
    if (deadline.is_over() || !wait_in_call(deadline)) return nullptr;
  }
}

py::list OpenConsumer::take_many(std::size_t up_to, const Deadline& deadline) {
  const Call call{*this};
  for (;;) {
    py::list jobs = wrap(consumer_.take(up_to));
    if (!jobs.empty() || up_to == 0 || deadline.is_over() || !wait_in_call(deadline)) return jobs;
  }
}

py::list OpenConsumer::take_dead(std::size_t up_to) {
  const Call call{*this};
  return wrap(consumer_.take_dead(up_to));
}

int OpenProducer::event_fd() {
  const Call call{*this};
  return producer_.event_fd();
}

int OpenConsumer::event_fd() {
  const Call call{*this};
  return consumer_.event_fd();
}

void OpenConsumer::begin_helped_wait() {
  const Call call{*this};
  stop().store(false, std::memory_order_relaxed);
}

bool OpenConsumer::helped_wait() {
  const Call call{*this};
  return wait_once([this] { return consumer_.wait_for(std::chrono::nanoseconds::max()); });
}

void Job::check_open() const {
  consumer_->check_not_forked();
  if (is_ended()) raise("Released", "this job was done, put back or passed on");
}

void Job::check_can_end() const {
  check_open();
  check_not_exported("a job that is looked at cannot end");
}

std::span<std::byte> Job::bytes() const { return block().bytes(); }

const TakenBlock& Job::block() const {
  check_open();
  return block_;
}

bool Job::done() {
  const Participant::Turn turn{*consumer_};
  check_can_end();
  return block_.done();
}

bool Job::put_back(std::optional<double> after) {
  const Participant::Turn turn{*consumer_};
  check_can_end();
  return after ? block_.put_back_after(std::chrono::duration<double>{*after}) : block_.put_back();
}

bool Job::retry() {
  const Participant::Turn turn{*consumer_};
  check_can_end();
  return block_.retry();
}

void Job::pass_to(OpenProducer& producer, const py::object& answer, std::optional<std::uint16_t> type) {
  const Participant::Turn turn{*consumer_};
  check_can_end();
  const Participant::Call call{producer};
  const std::uint16_t its_type = type.value_or(block_.type());
  const Status status = answer.is_none() ? block_.pass_to(producer.producer(), block_.bytes().size(), its_type)
                                         : block_.pass_to(producer.producer(), Input{answer}.bytes(), its_type);
  check(status, "cannot pass the job on");
}

void Job::leave(bool is_done) {
  if (is_ended()) return;
  if (is_done) {
    done();
  } else if (
      !is_exported()) {  // otherwise it is put back with the last view: the exception that ends the block matters more
    put_back(std::nullopt);
  }
}

namespace {

void bind_queue_options(py::module_& module) {
  py::class_<QueueOptions>(module, "_QueueOptions")
      .def(py::init([](const std::string& pool, std::uint64_t slots, std::uint32_t groups, std::uint32_t max_deliveries,
                       const std::string& dead_letters, const std::string& on_full, std::uint64_t block_bytes,
                       std::uint64_t blocks, std::uint64_t keys) {
             return QueueOptions{.pool = pool,
                                 .slots = slots,
                                 .groups = groups,
                                 .max_deliveries = max_deliveries,
                                 .dead_letters = dead_letters,
                                 .keys = keys,
                                 .on_full = on_full_of(on_full),
                                 .block_bytes = block_bytes,
                                 .blocks = blocks};
           }),
           py::kw_only(), py::arg("pool") = "", py::arg("slots") = 1024, py::arg("groups") = 1,
           py::arg("max_deliveries") = 0, py::arg("dead_letters") = "", py::arg("on_full") = "block",
           py::arg("block_bytes") = 4096, py::arg("blocks") = 0, py::arg("keys") = 0);
}

py::dict queue_options_in_words(const Queue& queue) {
  using namespace py::literals;
  const QueueOptions options = queue.options();
  return py::dict("pool"_a = options.pool, "slots"_a = options.slots, "groups"_a = options.groups,
                  "max_deliveries"_a = options.max_deliveries, "dead_letters"_a = options.dead_letters,
                  "on_full"_a = word_of(options.on_full), "block_bytes"_a = options.block_bytes,
                  "blocks"_a = options.blocks, "keys"_a = options.keys);
}

void bind_producer(py::module_& module) {
  py::class_<Block>(
      module, "ReservedBlock",
      "A block that is being written in place. Its `with` block has it as a writable memoryview, which ends with "
      "the block: it is released to the consumers there, or given back by an exception.",
      in_place<Block>())
      .def("__enter__", &Block::enter)
      .def("__exit__", [](Block& block, const py::object& type, const py::object&, const py::object&) {
        block.leave(type.is_none());
      });
  bind_participant<OpenProducer>(
      module, "Producer",
      "A participant that releases blocks to a queue. One thread at a time may use it.\n\ntimeout: "
      "seconds for which a call may wait for room in a queue that blocks; None: for ever.")
      .def(py::init([](const Queue& queue, const std::string& name, std::optional<double> timeout) {
             return std::make_shared<OpenProducer>(queue, name, timeout);
           }),
           py::arg("queue"), py::kw_only(), py::arg("name") = "", py::arg("timeout") = py::none())
      .def(
          "push", &OpenProducer::push, py::arg("data"), py::arg("type") = 0, py::arg("key") = py::none(),
          "A block with a copy of a bytes-like object. From then on it is there, whoever dies. `key`, a number: blocks "
          "of one key are worked on one after the other, in a queue with keys. Raises Timeout, Full, "
          "Exhausted "
          "(queues that drop), TooLarge.")
      .def("push_many", &OpenProducer::push_many, py::arg("data"), py::arg("type") = 0, py::arg("key") = py::none(),
           "A block for each. Returns how many there were.")
      .def("reserve", &OpenProducer::reserve, py::arg("size") = py::none(), py::arg("type") = 0,
           py::arg("key") = py::none(),
           "A block of `size` bytes (None: all that it has), to be written in place: a ReservedBlock, for a `with` "
           "block. Stalls "
           "nobody, however long it is kept.")
      .def(
          "fileno", &OpenProducer::event_fd,
          "As Reader.fileno(): readable when there may be room, until a call finds none (Full, of a producer made with "
          "timeout=0).");
}

void bind_job(py::module_& module) {
  py::class_<Job>(
      module, "Job",
      "A block that a consumer has taken: bytes(job), memoryview(job), numpy.frombuffer(job) look at it in place. It "
      "is "
      "this consumer's until it says what became of it, or dies. At the end of its `with` block it is done, or, by an "
      "exception, put back; dropped, it is put back.",
      in_place<Job>())
      .def_property_readonly("type", [](const Job& job) { return job.block().type(); })
      .def_property_readonly(
          "key", [](const Job& job) { return job.block().key(); }, "None if it has none.")
      .def_property_readonly(
          "deliveries", [](const Job& job) { return job.block().deliveries(); },
          "How often it was taken, this time included.")
      .def_property_readonly(
          "position", [](const Job& job) { return job.block().position(); },
          "Grows with each block that is released: the order of the queue.")
      .def_property_readonly("is_ended", [](const Job& job) { return job.is_ended(); })
      .def("done", &Job::done,
           "It is done with, and gone. False if it was not this consumer's any more. Raises StillExported while it is "
           "looked at.")
      .def("put_back", &Job::put_back, py::arg("after") = py::none(),
           "Another consumer gets it, or this one again, before any newer one; once `after` seconds have gone by.")
      .def("retry", &Job::retry,
           "As put_back(), as if this delivery had not been; a dead letter, as if it had never been delivered.")
      .def("pass_to", &Job::pass_to, py::arg("producer"), py::arg("answer") = py::none(), py::arg("type") = py::none(),
           "Hands it on to the queue of that producer, on the same pool, with `answer` in it if there is one: done "
           "with here, and "
           "there at the same moment. It needs no room there. Raises Stale, OtherSegment, NotAlone, TooLarge.")
      .def("__enter__", [](const py::object& self) { return self; })
      .def("__exit__",
           [](Job& job, const py::object& type, const py::object&, const py::object&) { job.leave(type.is_none()); });
}

void bind_consumer(py::module_& module) {
  bind_participant<OpenConsumer>(module, "Consumer", "What sapbuf.Consumer is made of.")
      .def(py::init([](const Queue& queue, const std::string& name, std::uint32_t group) {
             return std::make_shared<OpenConsumer>(queue, name, group);
           }),
           py::arg("queue"), py::kw_only(), py::arg("name") = "", py::arg("group") = 0)
      .def(
          "take",
          [](OpenConsumer& consumer, std::optional<double> timeout) { return consumer.take(Deadline::in(timeout)); },
          py::arg("timeout") = py::none(), "The next Job; None if none came within `timeout` seconds.")
      .def(
          "take_many",
          [](OpenConsumer& consumer, std::size_t up_to, std::optional<double> timeout) {
            return consumer.take_many(up_to, Deadline::in(timeout));
          },
          py::arg("up_to"), py::arg("timeout") = py::none(),
          "A list of up to so many jobs; empty after `timeout` seconds.")
      .def("fileno", &OpenConsumer::event_fd,
           "As Reader.fileno(): readable when there may be a block, until a call finds none (take(0), say).")
      .def("take_dead", &OpenConsumer::take_dead, py::arg("up_to"),
           "A list of up to so many dead letters that stayed in this queue: done() discards one, retry() hands it out "
           "again.")
      .def("__iter__", [](const py::object& self) { return self; })
      .def("__next__",
           [](OpenConsumer& consumer) {
             if (consumer.is_closed()) throw py::stop_iteration();
             auto job = consumer.take(Deadline::in(std::nullopt));
             if (job == nullptr) throw py::stop_iteration();
             return job;
           })
      .def("_next_at_once", &OpenConsumer::take_at_once)
      .def("_begin_helped_wait", &OpenConsumer::begin_helped_wait)
      .def("_helped_wait", &OpenConsumer::helped_wait)
      .def("_end_helped_wait", &OpenConsumer::end_helped_wait);
}

}  // namespace

void bind_queue(py::module_& module) {
  bind_queue_options(module);
  bind_facility<Queue, QueueOptions>(
      module, "Queue",
      "A queue in a segment: each block goes to one of its consumers, and to another one if that "
      "dies. Pickles as its name.")
      .def("options", &queue_options_in_words, "As it was made, in the words that create() takes.")
      .def_property_readonly("block_bytes", &Queue::block_bytes);
  bind_producer(module);
  bind_job(module);
  bind_consumer(module);
}

}  // namespace sapbuf::python
