#include "writer.hpp"

#include <algorithm>
#include <cstring>

#include <pybind11/stl.h>

#include "bind_participant.hpp"
#include "pool.hpp"
#include "segment.hpp"

namespace sapbuf::python {
namespace {

void copy_to(std::span<std::byte> room, std::span<const std::byte> message) noexcept {
  if (!message.empty()) std::memcpy(room.data(), message.data(), message.size());
}

// The longest beginning of `sizes` that fits a slab as one batch, as the library counts; one message at the least.
std::size_t count_that_fits(std::span<const std::size_t> sizes, std::size_t max_message_bytes,
                            std::size_t alignment) noexcept {
  std::size_t taken = 0;
  std::size_t count = 0;
  const std::size_t most = layout::padded_span(max_message_bytes, alignment);
  for (; count < sizes.size() && sizes[count] <= max_message_bytes; ++count) {
    taken += layout::padded_span(sizes[count], alignment);
    if (taken > most) break;
  }
  return std::max<std::size_t>(count, 1);
}

}  // namespace

OpenWriter::OpenWriter(const Stream& stream, const std::string& name, std::optional<double> timeout)
    : Participant("Writer"),
      timeout_(timeout),
      max_message_bytes_(stream.max_message_bytes()),
      payload_alignment_(stream.options().payload_alignment),
      writer_(stream, {.name = name, .timeout = Deadline::in(timeout).left(), .stop = &stop()}) {}

Reservation OpenWriter::reserve_room(const Call&, std::size_t bytes, std::uint16_t type) {
  std::optional<Reservation> room;
  const Status status = until_done(Deadline::in(timeout_), [&] {
    room.emplace(writer_.reserve(bytes, type));
    return room->status();
  });
  check(status, "cannot write");
  return std::move(*room);
}

void OpenWriter::write(const py::object& message, std::uint16_t type, const py::iterable& attachments) {
  const Input input{message};
  const py::tuple buffers{attachments};
  for (const py::handle buffer : buffers) buffer_of(buffer).check_can_go();
  const Call call{*this};
  Reservation room = reserve_room(call, input.bytes().size(), type);
  copy_to(room.bytes(), input.bytes());
  for (const py::handle buffer : buffers) buffer_of(buffer).attach_to(room);
  room.commit();
}

void OpenWriter::write_batch(std::span<const Input> messages, std::span<const std::size_t> sizes, std::uint16_t type) {
  const Call call{*this};
  std::optional<Batch> batch;
  const Status status = until_done(Deadline::in(timeout_), [&] {
    batch.emplace(writer_.reserve_batch(sizes));
    return batch->status();
  });
  check(status, "cannot write");
  for (const Input& message : messages) copy_to(batch->append(message.bytes().size(), type), message.bytes());
  batch->commit();
}

std::size_t OpenWriter::write_many(const py::iterable& messages, std::uint16_t type) {
  std::vector<Input> inputs;
  std::vector<std::size_t> sizes;
  for (const py::handle message : messages) {
    inputs.emplace_back(message);
    sizes.push_back(inputs.back().bytes().size());
  }
  for (std::size_t begin = 0; begin < inputs.size();) {
    const std::size_t count = count_that_fits(std::span{sizes}.subspan(begin), max_message_bytes_, payload_alignment_);
    write_batch(std::span{inputs}.subspan(begin, count), std::span{sizes}.subspan(begin, count), type);
    begin += count;
  }
  return inputs.size();
}

void OpenWriter::finish() {
  const Call call{*this};
  check(writer_.finish(), "cannot finish");
}

int OpenWriter::event_fd() {
  const Call call{*this};
  return writer_.event_fd();
}

std::unique_ptr<Room> OpenWriter::reserve(std::size_t bytes, std::uint16_t type) {
  const Call call{*this};
  return std::make_unique<Room>(std::static_pointer_cast<OpenWriter>(shared_from_this()),
                                reserve_room(call, bytes, type));
}

Room::~Room() {
  if (!reservation_) return;
  reservation_.reset();
  writer_->settle();
}

void Room::check_open() const {
  writer_->check_not_forked();
  if (!reservation_) raise("Released", "this reservation was committed or aborted");
}

std::span<std::byte> Room::bytes() const {
  check_open();
  return reservation_->bytes();
}

void Room::attach(const py::object& buffer) {
  check_open();
  buffer_of(buffer).attach_to(*reservation_);
}

void Room::end(bool commits, std::size_t bytes) {
  check_open();
  check_not_exported("a reservation that is looked at cannot end");
  if (commits) reservation_->commit(bytes);
  reservation_.reset();
  writer_->settle();
}

void Room::commit(std::optional<std::size_t> bytes) {
  const std::size_t reserved = this->bytes().size();
  if (bytes && *bytes > reserved) raise("InvalidArgument", "more bytes cannot be committed than were reserved");
  end(true, bytes.value_or(reserved));
}

void Room::abort() { end(false, 0); }

py::object Room::enter(const py::object& self) { return self.cast<Room&>().view_.begin(self); }

void Room::leave(bool commits) {
  view_.end();
  if (!reservation_) return;              // the block ended it
  if (!commits && is_exported()) return;  // the exception that ends the block matters more; aborted with the last view
  end(commits, reservation_->bytes().size());
}

void bind_writer(py::module_& module) {
  py::class_<Room>(
      module, "Reservation",
      "Room for a message, in place. Its `with` block has it as a writable memoryview, which ends with the block: the "
      "message is committed there, or aborted by an exception. What was made from the view (slices, arrays) must be "
      "gone by then: StillExported otherwise, and the message is aborted once it is.",
      in_place<Room>())
      .def("attach", &Room::attach, py::arg("buffer"),
           "The buffer goes with the message, which keeps it: `buffer` is released here.")
      .def("commit", &Room::commit, py::arg("size") = py::none(),
           "Publishes the message, or its first `size` bytes. Raises StillExported while it is looked at.")
      .def("abort", &Room::abort, "Gives the room back.")
      .def("__enter__", &Room::enter)
      .def("__exit__", [](Room& room, const py::object& type, const py::object&, const py::object&) {
        room.leave(type.is_none());
      });

  bind_participant<OpenWriter>(module, "Writer",
                               "A participant that writes to a stream: a Stream, or the stream `main` of a Segment. "
                               "One thread at a time may use it.\n\n"
                               "name: for people; the program's name and pid otherwise. timeout: seconds for which a "
                               "call may wait for room in a "
                               "stream that blocks; None: for ever. Ctrl-C ends such a wait.")
      .def(py::init([](const py::object& stream, const std::string& name, std::optional<double> timeout) {
             return std::make_shared<OpenWriter>(stream_of(stream), name, timeout);
           }),
           py::arg("stream"), py::kw_only(), py::arg("name") = "", py::arg("timeout") = py::none())
      .def("write", &OpenWriter::write, py::arg("message"), py::arg("type") = 0, py::kw_only(),
           py::arg("attach") = py::tuple(),
           "Publishes a copy of a bytes-like object. `type`: 0 to 65535, yours to choose. `attach`: buffers of pools "
           "of the same "
           "segment, which the message keeps, and which are released here.\n\nRaises Timeout, Full (streams that "
           "drop), TooLarge, "
           "WouldDeadlock, AlreadyReserved.")
      .def("write_many", &OpenWriter::write_many, py::arg("messages"), py::arg("type") = 0,
           "Publishes copies of bytes-like objects, in order, in batches as large as a slab allows: readers see all of "
           "a batch or "
           "none. Returns how many there were. Raises as write(); the batches before stay published.")
      .def("reserve", &OpenWriter::reserve, py::arg("size"), py::arg("type") = 0,
           "Room for a message of `size` bytes: a Reservation, for a `with` block. One at a time.")
      .def("fileno", &OpenWriter::event_fd,
           "As Reader.fileno(): readable when there may be room, until a call finds none (Full; Timeout of a writer "
           "made with "
           "timeout=0).")
      .def("finish", &OpenWriter::finish,
           "Says that no more comes, and detaches: once all writers have left, and readers have read all, those that "
           "are to "
           "end then (until_finished) do. Raises AlreadyReserved, with nothing said, while a reservation is open.");
}

}  // namespace sapbuf::python
