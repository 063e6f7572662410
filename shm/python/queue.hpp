// Queues, producers, consumers and jobs, as Python has them.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include <sapbuf/queue.hpp>

#include "in_place.hpp"
#include "participant.hpp"

namespace sapbuf::python {

class Block;
class Job;

class OpenProducer final : public Participant {
 public:
  OpenProducer(const Queue& queue, const std::string& name, std::optional<double> timeout);

  void push(const py::object& data, std::uint16_t type, std::optional<std::uint64_t> key);
  // Returns how many there were.
  std::size_t push_many(const py::iterable& data, std::uint16_t type, std::optional<std::uint64_t> key);
  std::unique_ptr<Block> reserve(std::optional<std::size_t> bytes, std::uint16_t type,
                                 std::optional<std::uint64_t> key);
  int event_fd();

  void release(ReservedBlocks& blocks);
  Producer& producer() noexcept { return producer_; }
  std::uint32_t slot() const noexcept { return producer_.slot(); }

 private:
  void detach() noexcept override { producer_.close(); }
  ReservedBlocks reserve_blocks(std::size_t up_to, std::size_t bytes);

  const std::optional<double> timeout_;
  const std::size_t block_bytes_;
  const bool waits_;  // where the queue is full
  Producer producer_;
};

// A block that is being written in place; dropped, it goes back to the pool.
class Block final : public InPlace {
 public:
  Block(std::shared_ptr<OpenProducer> producer, ReservedBlocks blocks)
      : producer_(std::move(producer)), blocks_(std::move(blocks)) {}
  ~Block() override { producer_->let_go(std::move(blocks_)); }

  std::span<std::byte> bytes() const override;
  bool is_writable() const noexcept override { return true; }
  static py::object enter(const py::object& self);
  void leave(bool releases);

 private:
  void check_open() const;

  std::shared_ptr<OpenProducer> producer_;
  mutable ReservedBlocks blocks_;  // has no const look at a block
  BlockView view_;
};

class OpenConsumer final : public Participant {
 public:
  OpenConsumer(const Queue& queue, const std::string& name, std::uint32_t group);

  std::unique_ptr<Job> take_at_once();
  // None once the deadline is over or the consumer was closed.
  std::unique_ptr<Job> take(const Deadline& deadline);
  py::list take_many(std::size_t up_to, const Deadline& deadline);
  py::list take_dead(std::size_t up_to);
  int event_fd();

  // As those of OpenReader.
  void begin_helped_wait();
  bool helped_wait();
  void end_helped_wait() noexcept { stop().store(true, std::memory_order_relaxed); }

  bool is_sole_group() const noexcept { return sole_group_; }
  std::uint32_t slot() const noexcept { return consumer_.slot(); }

 private:
  void detach() noexcept override { consumer_.close(); }
  bool wait_in_call(const Deadline& deadline);
  void check_can_take();
  std::unique_ptr<Job> take_in_call();
  std::unique_ptr<Job> wrap(TakenBlock block);
  py::list wrap(TakenBlocks blocks);

  const bool sole_group_;
  Consumer consumer_;
};

// A block that a consumer has taken, until it says what became of it; dropped, it is put back.
class Job final : public InPlace {
 public:
  Job(std::shared_ptr<OpenConsumer> consumer, TakenBlock block)
      : consumer_(std::move(consumer)), block_(std::move(block)) {}
  ~Job() override { consumer_->let_go(std::move(block_)); }

  std::span<std::byte> bytes() const override;
  bool is_writable() const noexcept override { return consumer_->is_sole_group(); }
  bool is_ended() const noexcept { return !block_; }
  const TakenBlock& block() const;

  bool done();
  bool put_back(std::optional<double> after);
  bool retry();
  void pass_to(OpenProducer& producer, const py::object& answer, std::optional<std::uint16_t> type);
  void leave(bool is_done);

 private:
  void check_open() const;
  void check_can_end() const;

  std::shared_ptr<OpenConsumer> consumer_;
  TakenBlock block_;
};

void bind_queue(py::module_& module);

}  // namespace sapbuf::python
