// Writers and reservations, as Python has them.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include <sapbuf/writer.hpp>

#include "in_place.hpp"
#include "participant.hpp"

namespace sapbuf::python {

class Room;

class OpenWriter final : public Participant {
 public:
  OpenWriter(const Stream& stream, const std::string& name, std::optional<double> timeout);
  ~OpenWriter() override = default;

  void write(const py::object& message, std::uint16_t type, const py::iterable& attachments);
  // In as few batches as they fit in; returns how many there were.
  std::size_t write_many(const py::iterable& messages, std::uint16_t type);
  void finish();
  int event_fd();
  std::unique_ptr<Room> reserve(std::size_t bytes, std::uint16_t type);

  std::uint32_t slot() const noexcept { return writer_.slot(); }

 private:
  void detach() noexcept override { writer_.close(); }
  Reservation reserve_room(const Call& call, std::size_t bytes, std::uint16_t type);
  void write_batch(std::span<const Input> messages, std::span<const std::size_t> sizes, std::uint16_t type);

  const std::optional<double> timeout_;
  const std::size_t max_message_bytes_;
  const std::size_t payload_alignment_;
  Writer writer_;  // stays where it is: reservations refer to it
};

// A reserved message. Ends when it is committed or aborted; dropped, it is aborted.
class Room final : public InPlace {
 public:
  Room(std::shared_ptr<OpenWriter> writer, Reservation reservation)
      : writer_(std::move(writer)), reservation_(std::move(reservation)) {}
  ~Room() override;

  std::span<std::byte> bytes() const override;
  bool is_writable() const noexcept override { return true; }
  void attach(const py::object& buffer);
  void commit(std::optional<std::size_t> bytes);
  void abort();

  static py::object enter(const py::object& self);
  void leave(bool commits);

 private:
  void check_open() const;
  void end(bool commits, std::size_t bytes);

  std::shared_ptr<OpenWriter> writer_;
  std::optional<Reservation> reservation_;
  BlockView view_;
};

void bind_writer(py::module_& module);

}  // namespace sapbuf::python
