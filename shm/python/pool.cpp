#include "pool.hpp"

#include <array>
#include <bit>
#include <cstring>

#include <pybind11/operators.h>
#include <pybind11/stl.h>

#include "bind_participant.hpp"
#include "facility.hpp"
#include "options.hpp"

namespace sapbuf::python {

OpenPoolUser::OpenPoolUser(const Pool& pool, const std::string& name, std::uint64_t budget)
    : Participant("PoolUser"), user_(pool, {.name = name, .budget = budget, .stop = &stop()}) {}

Buffer OpenPoolUser::try_to_acquire(std::optional<std::uint64_t> bytes) noexcept {
  return bytes ? user_.acquire(*bytes) : user_.acquire();
}

Buffer OpenPoolUser::wait_to_acquire(std::optional<std::uint64_t> bytes, std::chrono::nanoseconds timeout) noexcept {
  return bytes ? user_.acquire_for(*bytes, timeout) : user_.acquire_for(timeout);
}

std::unique_ptr<PoolBuffer> OpenPoolUser::wrap(Buffer buffer, const char* what) {
  check(buffer.status(), what);
  return std::make_unique<PoolBuffer>(std::static_pointer_cast<OpenPoolUser>(shared_from_this()), std::move(buffer));
}

// Each wait begins with an attempt that has the interpreter's lock. It also makes this thread the user's, which another one
// that had its turn may have been: others may release buffers during the wait, but not while that changes.
std::unique_ptr<PoolBuffer> OpenPoolUser::acquire(std::optional<std::uint64_t> bytes, std::optional<double> timeout) {
  const Call call{*this};
  const Deadline deadline = Deadline::in(timeout);
  Buffer buffer = try_to_acquire(bytes);
  if (buffer.status() == Status::exhausted && !deadline.is_over()) {
    const auto begin = [&] {
      buffer = try_to_acquire(bytes);
      return buffer.status() != Status::exhausted;
    };
    const auto wait = [&](std::chrono::nanoseconds slice) {
      buffer = wait_to_acquire(bytes, slice);
      return buffer.status() != Status::timeout && buffer.status() != Status::stopped;
    };
    wait_in_slices(
        deadline, wait, [] { return true; }, begin);
  }
  return wrap(std::move(buffer), "cannot acquire a buffer");
}

int OpenPoolUser::event_fd() {
  const Call call{*this};
  return user_.event_fd();
}

std::unique_ptr<PoolBuffer> OpenPoolUser::adopt(const BufferReference& reference) {
  const Call call{*this};
  return wrap(user_.adopt(reference), "cannot adopt the buffer");
}

void PoolBuffer::check_open() const {
  user_->check_not_forked();
  if (is_released()) raise("Released", "this buffer was released, or went with a message");
}

std::span<std::byte> PoolBuffer::bytes() const {
  check_open();
  return buffer_.bytes();
}

BufferReference PoolBuffer::share() {
  const Participant::Turn turn{*user_};
  check_open();
  const BufferReference reference = buffer_.share();
  if (reference == BufferReference{}) raise(Status::over_budget, "cannot share the buffer");
  return reference;
}

void PoolBuffer::release() {
  if (is_released()) return;
  check_not_exported("a buffer that is looked at cannot be released");
  buffer_.release();
}

void PoolBuffer::leave() noexcept {
  left_ = true;
  if (!is_exported()) buffer_.release();
}

void PoolBuffer::unexported() noexcept {
  if (left_ && !is_exported()) buffer_.release();
}

void PoolBuffer::check_can_go() const {
  check_open();
  check_not_exported("a buffer that is looked at cannot go with a message");
}

void PoolBuffer::attach_to(Reservation& reservation) {
  check_can_go();
  check(reservation.attach(std::move(buffer_)).status(), "cannot attach the buffer");
}

PoolBuffer& buffer_of(py::handle object) {
  if (!py::isinstance<PoolBuffer>(object)) throw py::type_error("a Buffer is needed");
  return object.cast<PoolBuffer&>();
}

namespace {

using ReferenceBytes = std::array<std::byte, sizeof(BufferReference)>;

py::bytes pack(const BufferReference& reference) { return copy_of(std::bit_cast<ReferenceBytes>(reference)); }

BufferReference unpack(const py::object& packed) {
  const Input input{packed};
  if (input.bytes().size() != sizeof(BufferReference)) raise("InvalidArgument", "a reference has 16 bytes");
  ReferenceBytes bytes;
  std::memcpy(bytes.data(), input.bytes().data(), bytes.size());
  return std::bit_cast<BufferReference>(bytes);
}

void bind_reference(py::module_& module) {
  py::class_<BufferReference>(
      module, "BufferReference",
      "Names a buffer for whoever is to have it next, in any process that has the segment: send it by any "
      "means, pickled or as its 16 bytes, bytes(reference). It keeps nothing.")
      .def(py::init(&unpack), py::arg("packed"))
      .def("__bytes__", &pack)
      .def(
          "__eq__", [](const BufferReference& a, const BufferReference& b) { return a == b; }, py::is_operator())
      .def("__hash__", [](const BufferReference& reference) { return py::hash(pack(reference)); })
      .def("__reduce__", [](const py::object& self) {
        return py::make_tuple(py::type::of(self), py::make_tuple(pack(self.cast<const BufferReference&>())));
      });
}

void bind_pool_options(py::module_& module) {
  py::class_<PoolOptions>(module, "_PoolOptions")
      .def(py::init([](std::uint64_t buffer_bytes, std::uint64_t min_bytes, std::uint64_t max_bytes,
                       std::uint64_t count, std::uint64_t max_count, std::uint64_t alignment, const std::string& grow) {
             return PoolOptions{.buffer_bytes = buffer_bytes,
                                .min_bytes = min_bytes,
                                .max_bytes = max_bytes,
                                .count = count,
                                .max_count = max_count,
                                .alignment = alignment,
                                .grow = grow_of(grow)};
           }),
           py::kw_only(), py::arg("buffer_bytes") = 4096, py::arg("min_bytes") = 16, py::arg("max_bytes") = 0,
           py::arg("count") = 64, py::arg("max_count") = 0, py::arg("alignment") = 64, py::arg("grow") = "anyone");
}

py::dict options_in_words(const Pool& pool) {
  using namespace py::literals;
  const PoolOptions options = pool.options();
  return py::dict("buffer_bytes"_a = options.buffer_bytes, "min_bytes"_a = options.min_bytes,
                  "max_bytes"_a = options.max_bytes, "count"_a = options.count, "max_count"_a = options.max_count,
                  "alignment"_a = options.alignment, "grow"_a = std::string{to_string(options.grow)});
}

void bind_buffer(py::module_& module) {
  py::class_<PoolBuffer>(
      module, "Buffer",
      "A buffer of a pool: memoryview(buffer) and numpy.frombuffer(buffer) look at it, and write to it, where it "
      "is. Released at the end of its `with` block, or when it is dropped; by then, what looks at it keeps it.",
      in_place<PoolBuffer>())
      .def("share", &PoolBuffer::share,
           "A BufferReference: others may adopt the buffer while this user holds it. Those who share it agree on who "
           "writes.")
      .def("release", &PoolBuffer::release, "Lets go of it. Raises StillExported while something looks at it.")
      .def_property_readonly("is_released", &PoolBuffer::is_released)
      .def("__enter__", [](const py::object& self) { return self; })
      .def("__exit__", [](PoolBuffer& buffer, const py::args&) { buffer.leave(); });
}

}  // namespace

void bind_pool(py::module_& module) {
  bind_pool_options(module);
  bind_reference(module);
  bind_buffer(module);
  bind_facility<Pool, PoolOptions>(
      module, "Pool",
      "A pool of buffers in a segment: of one size (buffer_bytes), or, with max_bytes, of all sizes "
      "from min_bytes to max_bytes. Pickles as its name.")
      .def("options", &options_in_words, "As it was made, in the words that create() takes.")
      .def_property_readonly("count", &Pool::count, "Buffers that there are now.")
      .def(
          "grow_to", [](const Pool& pool, std::uint64_t count) { without_gil([&] { pool.grow_to(count); }); },
          py::arg("count"), "Lets it grow ahead of need.")
      .def(
          "trim", [](const Pool& pool) { return without_gil([&] { return pool.trim(); }); },
          "Gives the memory of buffers that nobody uses back to the system; returns how many bytes that were.");
  bind_participant<OpenPoolUser>(module, "PoolUser",
                                 "A participant that has buffers of a pool. One thread at a time may use it.\n\nname: "
                                 "for people. budget: buffers that it can "
                                 "hold at once; 0: as many as there are.")
      .def(py::init([](const Pool& pool, const std::string& name, std::uint64_t budget) {
             return std::make_shared<OpenPoolUser>(pool, name, budget);
           }),
           py::arg("pool"), py::kw_only(), py::arg("name") = "", py::arg("budget") = 0)
      .def("acquire", &OpenPoolUser::acquire, py::arg("size") = py::none(), py::kw_only(), py::arg("timeout") = 0.0,
           "A buffer that nobody else has, of `size` bytes or somewhat more (None: of the pool's size); its bytes are "
           "what others "
           "left. Waits for one up to `timeout` seconds (None: for ever). Raises Exhausted, Timeout, OverBudget, "
           "TooLarge.")
      .def("adopt", &OpenPoolUser::adopt, py::arg("reference"),
           "The buffer that somebody shared, or that came with a message. Raises Stale if it was freed.")
      .def("fileno", &OpenPoolUser::event_fd,
           "As Reader.fileno(): readable when there may be a buffer, until acquire() finds none (Exhausted).");
}

}  // namespace sapbuf::python
