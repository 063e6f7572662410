#include "reader.hpp"

#include <pybind11/stl.h>

#include "bind_participant.hpp"
#include "options.hpp"
#include "pool.hpp"
#include "segment.hpp"

namespace sapbuf::python {

Anchor::Anchor(const Stream& stream, const std::string& name, const std::set<std::uint64_t>& generations)
    : reader_(stream, {.name = name, .from = From::oldest}) {
  if (stream.options().on_full != OnFull::overwrite) return;  // it holds all from the oldest on
  do {
    range_.reset();
    range_.emplace(reader_.pin());
  } while (!keeps(generations));
}

// False: they come in a later range. Older slabs may be pinned, and ones in between be overwritten: then a range ends there.
bool Anchor::keeps(const std::set<std::uint64_t>& generations) {
  std::set<std::uint64_t> to_come = generations;
  std::uint64_t last = 0;
  for (const Frame& frame : *range_) {
    const std::uint64_t generation = frame.position().generation;
    if (generation == last) continue;
    last = generation;
    if (to_come.erase(generation) != 0 && to_come.empty()) return true;
  }
  if (last == 0 || last >= *generations.begin()) throw Error(Errc::busy, "they cannot be pinned now");
  return false;
}

const Frame* Lease::next() {
  if (left_) return nullptr;
  if (!at_) {
    at_.emplace(range_->begin());
  } else if (*at_ != std::default_sentinel) {
    ++*at_;
  }
  return *at_ == std::default_sentinel ? nullptr : &**at_;
}

void Lease::leave() noexcept {
  left_ = true;
  if (views_ == 0) unpin();
}

void Lease::end_view() noexcept {
  --views_;
  if (left_ && views_ == 0) unpin();
}

void Lease::leave_to_anchor(const Stream& stream, const std::string& name) {
  if (range_ && views_ != 0) anchor_.emplace(stream, name, viewed_);
  left_ = true;
  at_.reset();
  range_.reset();
}

void Lease::unpin() noexcept {
  at_.reset();
  range_.reset();
  anchor_.reset();
}

void Lease::check_usable() const {
  if (epoch_ != fork_epoch())
    raise("Forked", "this frame was inherited through fork and belongs to the parent process");
  if (left_) raise("Released", "the range that this frame is in was left: copy what you keep, with bytes(frame)");
}

std::span<std::byte> PythonFrame::bytes() const {
  lease_->check_usable();
  // Views of it are read-only, as the memory is.
  return {const_cast<std::byte*>(frame_.bytes().data()), frame_.bytes().size()};
}

py::list PythonFrame::attachments() const {
  lease_->check_usable();
  py::list references;
  for (const BufferReference& reference : frame_.attachments()) references.append(reference);
  return references;
}

py::tuple PythonFrame::position() const {
  lease_->check_usable();
  const FramePosition position = frame_.position();
  return py::make_tuple(position.generation, position.offset);
}

OpenReader::OpenReader(const Stream& stream, const std::string& name, const ReaderOptions& options)
    : Participant("Reader"),
      stream_(stream),
      name_(name),
      until_finished_(options.until_finished),
      reader_(stream, {.name = name,
                       .from = options.from,
                       .stop = &stop(),
                       .until_finished = options.until_finished,
                       .durable = options.durable}) {}

void OpenReader::abandon() {
  abandoned_ = true;
  close();
}

void OpenReader::detach() noexcept {
  if (abandoned_) reader_.abandon();  // before its range goes
  if (lease_ != nullptr) std::exchange(lease_, nullptr)->leave();
  reader_.close();
}

void OpenReader::leave() {
  if (lease_ == nullptr) return;
  try {
    lease_->leave_to_anchor(stream_, name_);
  } catch (const Error& error) {
    raise("StillExported",
          std::string{"the reader cannot go on: memoryviews or arrays still look at messages of the range that "
                      "it has to leave, and to keep that takes a participant more. Let them go, or copy what "
                      "you keep with bytes(frame). "} +
              error.what());
  }
  lease_ = nullptr;
}

const Frame* OpenReader::advance() {
  if (lease_ != nullptr) {
    if (const Frame* const frame = lease_->next()) return frame;
    leave();
  }
  lease_ = std::make_shared<Lease>(reader_.pin());
  if (const Frame* const frame = lease_->next()) return frame;
  leave();
  return nullptr;
}

const Frame* OpenReader::advance(const Deadline& deadline) {
  for (;;) {
    if (const Frame* const frame = advance()) return frame;
    if (deadline.is_over() || !wait_in_call(deadline)) return nullptr;
  }
}

bool OpenReader::wait_in_call(const Deadline& deadline) {
  leave();
  return wait_in_slices(
      deadline, [this](std::chrono::nanoseconds slice) { return reader_.wait_for(slice); },
      [this] { return !until_finished_ || !reader_.is_finished(); });
}

int OpenReader::event_fd() {
  const Call call{*this};
  leave();
  return reader_.event_fd();
}

bool OpenReader::is_finished() {
  const Call call{*this};
  leave();
  return reader_.is_finished();
}

std::optional<PythonFrame> OpenReader::next_at_once() {
  const Call call{*this};
  const Frame* const frame = advance();
  return frame == nullptr ? std::nullopt : std::optional{in_place(*frame)};
}

std::optional<PythonFrame> OpenReader::next(const Deadline& deadline) {
  const Call call{*this};
  const Frame* const frame = advance(deadline);
  return frame == nullptr ? std::nullopt : std::optional{in_place(*frame)};
}

bool OpenReader::wait(const Deadline& deadline) {
  const Call call{*this};
  return wait_in_call(deadline);
}

void OpenReader::begin_helped_wait() {
  const Call call{*this};
  leave();
  stop().store(false, std::memory_order_relaxed);
}

bool OpenReader::helped_wait() {
  const Call call{*this};
  return without_gil([this] { return reader_.wait_for(std::chrono::nanoseconds::max()); });
}

std::shared_ptr<Lease> OpenReader::pin() {
  const Call call{*this};
  leave();
  lease_ = std::make_shared<Lease>(reader_.pin());
  return lease_;
}

py::list OpenReader::read_many(const Deadline& deadline, std::optional<std::size_t> limit, bool with_types) {
  const Call call{*this};
  const std::size_t most = limit.value_or(~std::size_t{0});
  py::list messages;
  for (const Frame* frame = most == 0 ? nullptr : advance(deadline); frame != nullptr;
       frame = messages.size() < most ? lease_->next() : nullptr) {
    const py::bytes message = copy_of(frame->bytes());
    if (with_types) {
      messages.append(py::make_tuple(frame->type(), message));
    } else {
      messages.append(message);
    }
  }
  if (lease_ != nullptr) lease_->leave();
  return messages;
}

std::uint64_t OpenReader::skip_to_newest() {
  const Call call{*this};
  leave();
  return reader_.skip_to_newest();
}

namespace {

// `__next__` of T, by this function: null, and no error, at the end. A slot of the type, since a call by way of pybind11 takes
// longer than all that the call does.
template <typename T, std::optional<PythonFrame> next(T&)>
py::custom_type_setup iterates() {
  const auto slot = [](PyObject* self) {
    const auto take = [self]() -> PyObject* {
      std::optional<PythonFrame> frame = next(object_of<T>(self));
      return frame ? py::cast(std::move(*frame)).release().ptr() : nullptr;
    };
    return in_slot(take, nullptr);
  };
  return py::custom_type_setup{[slot](PyHeapTypeObject* type) {
    type->ht_type.tp_iter = &PyObject_SelfIter;
    type->ht_type.tp_iternext = slot;
  }};
}

DurableOptions limits_of(std::uint64_t keep_bytes, std::optional<double> keep_for) {
  DurableOptions limits{.max_bytes = keep_bytes};
  if (keep_for) limits.max_away = std::chrono::duration<double>{*keep_for};
  return limits;
}

std::optional<PythonFrame> next_of_reader(OpenReader& reader) {
  if (reader.is_closed()) return std::nullopt;
  return reader.next(Deadline::in(std::nullopt));
}

std::optional<PythonFrame> next_of_range(Lease& lease) {
  lease.check_usable();
  const Frame* const frame = lease.next();
  if (frame == nullptr) return std::nullopt;
  return std::optional<PythonFrame>{std::in_place, lease.shared_from_this(), *frame};
}

void bind_frame(py::module_& module) {
  py::class_<PythonFrame>(
      module, "Frame",
      "A message, in its place in shared memory: bytes(frame) copies it; memoryview(frame), "
      "numpy.frombuffer(frame) and the like look at it where it is. That is allowed until the reader leaves the "
      "range that it is in: Released afterwards. What looks at it by then keeps the stream's memory as it is, which "
      "takes the reader one participant more, and writers their room, until it goes.",
      in_place<PythonFrame>())
      .def_property_readonly(
          "type", [](const PythonFrame& frame) { return frame.type(); }, "What the writer chose, 0 to 65535.")
      .def_property_readonly(
          "position", &PythonFrame::position,
          "Where it stands in its stream: (generation, offset), which no other message of that stream "
          "has, had or will have.")
      .def_property_readonly("attachments", &PythonFrame::attachments,
                             "References of the buffers that came with the message; PoolUser.adopt() takes them.")
      .def_property_readonly(
          "is_released", [](const PythonFrame& frame) { return frame.is_released(); },
          "Whether the reader left the range that it is in.");
}

void bind_range(py::module_& module) {
  py::class_<Lease, std::shared_ptr<Lease>>(
      module, "Range",
      "What Reader.pin() gave: an iterator of frames. Left at the end of its `with` block, or when the reader goes on.",
      iterates<Lease, &next_of_range>())
      .def("__enter__", [](const py::object& self) { return self; })
      .def("__exit__", [](Lease& lease, const py::args&) { lease.leave(); })
      .def("release", &Lease::leave, "Leaves it. What was not reached comes again.")
      .def_property_readonly("is_released", [](const Lease& lease) { return lease.is_left(); });
}

}  // namespace

void bind_reader(py::module_& module) {
  bind_frame(module);
  bind_range(module);
  bind_participant<OpenReader>(module, "Reader", "What sapbuf.Reader is made of.",
                               iterates<OpenReader, &next_of_reader>())
      .def(py::init([](const py::object& stream, const std::string& name, const std::string& start, bool until_finished,
                       bool durable, std::uint64_t keep_bytes, std::optional<double> keep_for) {
             ReaderOptions options{.from = from_of(start), .until_finished = until_finished};
             if (durable) options.durable = limits_of(keep_bytes, keep_for);
             return std::make_shared<OpenReader>(stream_of(stream), name, options);
           }),
           py::arg("stream"), py::kw_only(), py::arg("name") = "", py::arg("start") = "oldest",
           py::arg("until_finished") = false, py::arg("durable") = false, py::arg("keep_bytes") = 0,
           py::arg("keep_for") = py::none())
      .def(
          "read", [](OpenReader& reader, std::optional<double> timeout) { return reader.next(Deadline::in(timeout)); },
          py::arg("timeout") = py::none(),
          "The next message, as a Frame; None if none came within `timeout` seconds (None: it waits for ever).")
      .def(
          "read_many",
          [](OpenReader& reader, std::optional<double> timeout, std::optional<std::size_t> limit, bool types) {
            return reader.read_many(Deadline::in(timeout), limit, types);
          },
          py::arg("timeout") = py::none(), py::kw_only(), py::arg("limit") = py::none(), py::arg("types") = false,
          "Copies of the messages that are there, as a list of bytes, or, with `types`, of (type, bytes); of `limit` "
          "at most. Waits "
          "for one up to `timeout` seconds; an empty list if none came.")
      .def(
          "wait", [](OpenReader& reader, std::optional<double> timeout) { return reader.wait(Deadline::in(timeout)); },
          py::arg("timeout") = py::none(),
          "Leaves the range, and waits until there is something to read: True; False after `timeout` seconds.")
      .def("pin", &OpenReader::pin,
           "Leaves the range, and pins what can be read: a Range, for a `with` block. Does not wait.")
      .def("abandon", &OpenReader::abandon,
           "As close(). But a durable reader leaves as if its process was killed: what its range handed out counts as "
           "not "
           "read, and comes again to the next one of its name. So does its `with` block, when an exception ends it.")
      .def("skip_to_newest", &OpenReader::skip_to_newest,
           "Leaves out all that is there but the newest message (of each writer, in per-writer order). Returns how "
           "many that were.")
      .def_property_readonly(
          "delivered", [](const OpenReader& reader) { return reader.get().delivered(); },
          "Messages of all ranges that it left.")
      .def_property_readonly(
          "lost", [](const OpenReader& reader) { return reader.get().lost(); },
          "Messages that were overwritten before it came to them.")
      .def_property_readonly(
          "skipped", [](const OpenReader& reader) { return reader.get().skipped(); },
          "Messages that skip_to_newest() left out.")
      .def_property_readonly(
          "missed_before", [](const OpenReader& reader) { return reader.get().missed_before(); },
          "Messages from before it attached that it does not get; None if nobody counted them.")
      .def_property_readonly(
          "missed_any", [](const OpenReader& reader) { return reader.get().missed_any(); },
          "Whether there were some, also where nobody counted them.")
      .def_property_readonly(
          "is_current", [](const OpenReader& reader) { return reader.get().is_current(); },
          "False once the segment was removed, or the reader was closed.")
      .def("fileno", &OpenReader::event_fd,
           "Leaves the range. A descriptor for select, selectors and event loops: readable when there may be something "
           "to "
           "read, until a call finds nothing (read(0), say). The reader's own: it is not to be read from or closed.")
      .def(
          "is_finished", [](OpenReader& reader) { return reader.is_finished(); },
          "Leaves the range. Whether all has been read, and no more comes: a writer said so (Writer.finish()), and "
          "none is "
          "attached any more.")
      .def("_is_at_end", &OpenReader::is_at_end)
      .def("_next_at_once", &OpenReader::next_at_once)
      .def("_begin_helped_wait", &OpenReader::begin_helped_wait)
      .def("_helped_wait", &OpenReader::helped_wait)
      .def("_end_helped_wait", &OpenReader::end_helped_wait);
}

}  // namespace sapbuf::python
