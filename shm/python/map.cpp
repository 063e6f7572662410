#include "map.hpp"

#include <cstring>

#include <pybind11/stl.h>

#include "bind_participant.hpp"
#include "facility.hpp"

namespace sapbuf::python {
namespace {

constexpr std::size_t kMostKeyBytes = 255;

// None of no number. An array has __index__, too, and raises there what says that it is none.
py::object number_or_none(py::handle key) {
  if (PyIndex_Check(key.ptr()) == 0) return py::none();
  auto number = py::reinterpret_steal<py::object>(PyNumber_Index(key.ptr()));
  if (number) return number;
  if (PyErr_ExceptionMatches(PyExc_TypeError) == 0) throw py::error_already_set();
  PyErr_Clear();
  return py::none();
}

// Those of a negative one are its two's complement.
std::uint64_t bits_of(const py::object& number) {
  int overflow = 0;
  const long long low = PyLong_AsLongLongAndOverflow(number.ptr(), &overflow);
  if (overflow == 0) return static_cast<std::uint64_t>(low);
  if (overflow > 0) {
    const unsigned long long high = PyLong_AsUnsignedLongLong(number.ptr());
    if (PyErr_Occurred() == nullptr) return high;
    PyErr_Clear();
  }
  throw Error(Errc::invalid_argument, "a number that is a key is -2**63 at the least, and below 2**64");
}

// Text is its UTF-8 (text.hpp), a number its 8 bytes, the lowest first.
std::string key_of(py::handle key) {
  if (py::isinstance<py::str>(key)) return key.cast<std::string>();
  if (const py::object number = number_or_none(key); !number.is_none()) {
    const std::uint64_t bits = bits_of(number);
    std::string bytes(sizeof bits, '\0');
    std::memcpy(bytes.data(), &bits, sizeof bits);
    return bytes;
  }
  const Input input{key};
  return {reinterpret_cast<const char*>(input.bytes().data()), input.bytes().size()};
}

// Of a key that is to be there.
std::string new_key_of(py::handle key) {
  std::string bytes = key_of(key);
  if (bytes.empty() || bytes.size() > kMostKeyBytes) {
    throw Error(Errc::invalid_argument,
                "a key has 1 to " + std::to_string(kMostKeyBytes) + " bytes, not " + std::to_string(bytes.size()));
  }
  return bytes;
}

py::object copy_or(const MapValue& value, const py::object& otherwise) {
  if (value.status() == Status::not_found) return otherwise;
  check(value.status(), "cannot read the key");
  return copy_of(value.bytes());
}

// Of a wait that saw no change: what a look at anything says of the reader. Throws if that cannot go on.
bool can_go_on(Status status) {
  switch (status) {
    case Status::closed:
    case Status::forked:
    case Status::declared_dead:
    case Status::corrupt:
      raise(status, "cannot wait for a change");
    default:
      return true;
  }
}

}  // namespace

OpenMapReader::OpenMapReader(const Map& map, const std::string& name)
    : Participant("MapReader"), reader_(map, {.name = name, .stop = &stop()}) {}

std::unique_ptr<ValueInPlace> OpenMapReader::wrap(MapValue value) {
  if (value.status() == Status::not_found) return nullptr;
  check(value.status(), "cannot read the key");
  return std::make_unique<ValueInPlace>(std::static_pointer_cast<OpenMapReader>(shared_from_this()), std::move(value));
}

std::unique_ptr<ValueInPlace> OpenMapReader::read(const py::object& key) {
  const Call call{*this};
  return wrap(reader_.read(key_of(key)));
}

py::object OpenMapReader::get(const py::object& key, const py::object& otherwise) {
  const Call call{*this};
  return copy_or(reader_.read(key_of(key)), otherwise);
}

bool OpenMapReader::contains(const py::object& key) {
  const Call call{*this};
  const MapValue value = reader_.read(key_of(key));
  if (value.status() == Status::not_found) return false;
  check(value.status(), "cannot read the key");
  return true;
}

std::unique_ptr<OpenEntry> OpenMapReader::entry(const py::object& key) {
  const Call call{*this};
  return std::make_unique<OpenEntry>(std::static_pointer_cast<OpenMapReader>(shared_from_this()),
                                     reader_.entry(key_of(key)));
}

template <typename Visit>
void OpenMapReader::visit(const py::object& prefix, Visit visit) {
  const Call call{*this};
  check(reader_.for_each(visit, key_of(prefix)), "cannot go through the map");
}

py::list OpenMapReader::items(const py::object& prefix) {
  py::list items;
  visit(prefix, [&](std::string_view key, const MapValue& value) {
    items.append(py::make_tuple(py::bytes(key.data(), key.size()), copy_of(value.bytes())));
  });
  return items;
}

py::list OpenMapReader::keys(const py::object& prefix) {
  py::list keys;
  visit(prefix, [&](std::string_view key, const MapValue&) { keys.append(py::bytes(key.data(), key.size())); });
  return keys;
}

std::uint64_t OpenMapReader::version() {
  const Call call{*this};
  return reader_.version();
}

bool OpenMapReader::wait_changed(std::uint64_t seen, const Deadline& deadline) {
  const Call call{*this};
  const auto wait = [&](std::chrono::nanoseconds slice) {
    return reader_.wait_changed(seen, whole_milliseconds(slice));
  };
  return wait_in_slices(deadline, wait, [this] { return can_go_on(reader_.read("").status()); });
}

int OpenMapReader::event_fd() {
  const Call call{*this};
  return reader_.event_fd();
}

std::unique_ptr<ValueInPlace> OpenEntry::read() {
  const Participant::Call call{*reader_};
  return reader_->wrap(entry_.read());
}

py::object OpenEntry::get(const py::object& otherwise) {
  const Participant::Call call{*reader_};
  return copy_or(entry_.read(), otherwise);
}

bool OpenEntry::wait_changed(std::uint64_t seen, const Deadline& deadline) {
  const Participant::Call call{*reader_};
  const auto wait = [&](std::chrono::nanoseconds slice) {
    return entry_.wait_changed(seen, whole_milliseconds(slice));
  };
  return reader_->wait_in_slices(deadline, wait, [this] { return can_go_on(entry_.read().status()); });
}

void ValueInPlace::check_open() const {
  reader_->check_not_forked();
  if (is_released()) raise("Released", "this value was released");
}

std::span<std::byte> ValueInPlace::bytes() const {
  check_open();
  // Views of it are read-only, as the memory is.
  return {const_cast<std::byte*>(value_.bytes().data()), value_.bytes().size()};
}

std::uint64_t ValueInPlace::version() const {
  check_open();
  return value_.version();
}

std::uint64_t ValueInPlace::flipped_ns() const {
  check_open();
  return value_.flipped_ns();
}

void ValueInPlace::leave() noexcept {
  left_ = true;
  if (!is_exported()) reader_->let_go(std::move(value_));
}

void ValueInPlace::unexported() noexcept {
  if (left_ && !is_exported()) reader_->let_go(std::move(value_));
}

OpenMapWriter::OpenMapWriter(const Map& map, const std::string& name, std::optional<double> timeout)
    : Participant("MapWriter"),
      timeout_(timeout),
      writer_(map, {.name = name, .timeout = Deadline::in(timeout).left(), .stop = &stop()}) {}

template <typename Attempt>
void OpenMapWriter::run(const char* what, Attempt attempt) {
  const Call call{*this};
  check(until_done(Deadline::in(timeout_), attempt), what);
}

void OpenMapWriter::put(const py::object& key, const py::object& value) {
  const std::string name = new_key_of(key);
  const Input input{value};
  run("cannot put the value", [&] { return writer_.put(name, input.bytes()); });
}

void OpenMapWriter::insert(const py::object& key, const py::object& value) {
  const std::string name = new_key_of(key);
  const Input input{value};
  run("cannot insert the key", [&] { return writer_.insert(name, input.bytes()); });
}

void OpenMapWriter::put_if(const py::object& key, const py::object& value, std::uint64_t version) {
  const Input input{value};
  const std::span<const std::byte> bytes = input.bytes();
  MapDraft draft = prepare(new_key_of(key), bytes.size());
  if (!bytes.empty()) std::memcpy(draft.bytes().data(), bytes.data(), bytes.size());
  check(flip(draft, version), "cannot put the value");
}

void OpenMapWriter::erase(const py::object& key) {
  const std::string name = key_of(key);
  run("cannot erase the key", [&] { return writer_.erase(name); });
}

void OpenMapWriter::update(const py::object& key, const py::function& change) {
  const std::string name = new_key_of(key);
  bool fits = true;
  const auto apply = [&](std::span<const std::byte> old, MapDraft& fresh) {
    const py::gil_scoped_acquire with_gil;
    const Input input{change(copy_of(old))};
    const std::span<const std::byte> bytes = input.bytes();
    const std::span<std::byte> room = fresh.resize(bytes.size());
    fits = room.size() == bytes.size();
    if (!fits) raise(fresh ? Status::too_large : fresh.status(), "cannot update the key");
    if (!bytes.empty()) std::memcpy(room.data(), bytes.data(), bytes.size());
  };
  run("cannot update the key", [&] { return writer_.update(name, apply); });
}

MapDraft OpenMapWriter::prepare(const std::string& key, std::size_t bytes) {
  MapDraft draft;
  run("cannot prepare the value", [&] {
    draft = writer_.prepare(key, bytes);
    return draft.status();
  });
  return draft;
}

Status OpenMapWriter::flip(MapDraft& draft, std::optional<std::uint64_t> version) {
  const Call call{*this};
  return until_done(Deadline::in(timeout_), [&] { return version ? draft.flip_if(*version) : draft.flip(); });
}

Status OpenMapWriter::put_in(Transaction& transaction, const std::string& key, std::span<const std::byte> value) {
  const Call call{*this};
  return until_done(Deadline::in(timeout_), [&] { return transaction.put(key, value); });
}

Status OpenMapWriter::commit(Transaction& transaction) {
  const Call call{*this};
  return until_done(Deadline::in(timeout_), [&] { return transaction.commit(); });
}

void OpenMapWriter::end_use() noexcept {
  --uses_;
  settle();
}

DraftInPlace::DraftInPlace(std::shared_ptr<OpenMapWriter> writer, const std::string& key, std::size_t bytes,
                           std::optional<std::uint64_t> version)
    : writer_(std::move(writer)), draft_(writer_->prepare(key, bytes)), version_(version) {
  writer_->begin_use();
}

DraftInPlace::~DraftInPlace() { end(); }

void DraftInPlace::end() noexcept {
  if (!draft_) return;
  writer_->let_go(std::move(*draft_));
  draft_.reset();
  writer_->end_use();
}

void DraftInPlace::check_open() const {
  writer_->check_not_forked();
  if (!draft_) raise("Released", "this value was put or dropped");
}

std::span<std::byte> DraftInPlace::bytes() const {
  check_open();
  return draft_->bytes();
}

py::object DraftInPlace::enter(const py::object& self) { return self.cast<DraftInPlace&>().view_.begin(self); }

void DraftInPlace::leave(bool flips) {
  view_.end();
  check_open();
  if (!flips && is_exported()) return;  // the exception that ends the block matters more; dropped with the last view
  check_not_exported("a value that is looked at cannot be put");
  const Status status = flips ? writer_->flip(*draft_, version_) : Status::ok;
  end();
  check(status, "cannot put the value");
}

OpenTransaction::OpenTransaction(std::shared_ptr<OpenMapWriter> writer) : writer_(std::move(writer)) {
  const Participant::Call call{*writer_};
  transaction_.emplace(writer_->writer());
  writer_->begin_use();
}

OpenTransaction::~OpenTransaction() { end(); }

void OpenTransaction::end() noexcept {
  if (!transaction_) return;
  writer_->let_go(std::move(*transaction_));
  transaction_.reset();
  writer_->end_use();
}

void OpenTransaction::check_open() const {
  writer_->check_not_forked();
  if (!transaction_) raise("Released", "this transaction was committed or dropped");
}

void OpenTransaction::put(const py::object& key, const py::object& value) {
  check_open();
  const Input input{value};
  check(writer_->put_in(*transaction_, new_key_of(key), input.bytes()), "cannot put the value");
}

void OpenTransaction::commit() {
  check_open();
  const Status status = writer_->commit(*transaction_);
  end();
  check(status, "cannot commit the transaction");
}

void OpenTransaction::drop() { end(); }

namespace {

void bind_map_options(py::module_& module) {
  py::class_<MapOptions>(module, "_MapOptions")
      .def(py::init([](std::uint64_t keys, std::uint64_t max_keys, const std::string& pool, std::uint64_t value_bytes,
                       std::uint64_t key_bytes, std::uint64_t values) {
             return MapOptions{.keys = keys,
                               .max_keys = max_keys,
                               .pool = pool,
                               .value_bytes = value_bytes,
                               .key_bytes = key_bytes,
                               .values = values};
           }),
           py::kw_only(), py::arg("keys") = 1024, py::arg("max_keys") = 0, py::arg("pool") = "",
           py::arg("value_bytes") = 512, py::arg("key_bytes") = 255, py::arg("values") = 0);
}

py::dict map_options_in_words(const Map& map) {
  using namespace py::literals;
  const MapOptions options = map.options();
  return py::dict("keys"_a = options.keys, "max_keys"_a = options.max_keys, "pool"_a = options.pool,
                  "value_bytes"_a = options.value_bytes, "key_bytes"_a = options.key_bytes,
                  "values"_a = options.values);
}

void bind_value(py::module_& module) {
  py::class_<ValueInPlace>(module, "MapValue",
                           "One version of a value, in place and read-only: bytes(value), memoryview(value), "
                           "numpy.frombuffer(value). It stays as it is, however often the key is put meanwhile, until "
                           "the end of its `with` block, or until it is dropped; by then, what looks at it keeps it. A "
                           "reader keeps up to 31 values.",
                           in_place<ValueInPlace>())
      .def_property_readonly("version", &ValueInPlace::version, "Of this key, ever growing.")
      .def_property_readonly("flipped_ns", &ValueInPlace::flipped_ns,
                             "When it became the key's value: nanoseconds since the epoch, true to some milliseconds.")
      .def_property_readonly("is_released", [](const ValueInPlace& value) { return value.is_released(); })
      .def(
          "release", [](ValueInPlace& value) { value.leave(); }, "Lets go of it, once nothing looks at it.")
      .def("__enter__", [](const py::object& self) { return self; })
      .def("__exit__", [](ValueInPlace& value, const py::args&) { value.leave(); });
}

void bind_map_reader(py::module_& module) {
  py::class_<OpenEntry>(module, "MapEntry",
                        "A reader's place for a key, whether the key is there or not: looked up once.")
      .def_property_readonly("key", &OpenEntry::key)
      .def("read", &OpenEntry::read, "The key's MapValue now; None if it is not there.")
      .def("get", &OpenEntry::get, py::arg("default") = py::none(), "A copy of the key's value now, as bytes.")
      .def(
          "wait_changed",
          [](OpenEntry& entry, std::uint64_t seen, std::optional<double> timeout) {
            return entry.wait_changed(seen, Deadline::in(timeout));
          },
          py::arg("seen"), py::arg("timeout") = py::none(),
          "Waits until the key's version is another one than `seen` (0: not there): True; False after `timeout` "
          "seconds.");
  bind_participant<OpenMapReader>(
      module, "MapReader",
      "A participant that reads a map. One thread at a time may use it. Keys are str, bytes, "
      "or int (8 bytes, the lowest first; -2**63 at the least, and below 2**64).")
      .def(py::init([](const Map& map, const std::string& name) { return std::make_shared<OpenMapReader>(map, name); }),
           py::arg("map"), py::kw_only(), py::arg("name") = "")
      .def("read", &OpenMapReader::read, py::arg("key"), "The key's MapValue now; None if it is not there.")
      .def("get", &OpenMapReader::get, py::arg("key"), py::arg("default") = py::none(),
           "A copy of the key's value now, as bytes.")
      .def("__contains__", &OpenMapReader::contains)
      .def("entry", &OpenMapReader::entry, py::arg("key"), "For a key that is read often.")
      .def("items", &OpenMapReader::items, py::arg("prefix") = "",
           "Copies of all keys that begin with `prefix`, and their values: a list of pairs of bytes, in no order. Keys "
           "that "
           "come or go meanwhile are in it or not.")
      .def("keys", &OpenMapReader::keys, py::arg("prefix") = "",
           "All keys that begin with `prefix`, as bytes, in no order.")
      .def("__iter__", [](OpenMapReader& reader) { return py::iter(reader.keys(py::str())); })
      .def_property_readonly("version", &OpenMapReader::version, "Grows with each change of the map.")
      .def(
          "wait_changed",
          [](OpenMapReader& reader, std::uint64_t seen, std::optional<double> timeout) {
            return reader.wait_changed(seen, Deadline::in(timeout));
          },
          py::arg("seen"), py::arg("timeout") = py::none(),
          "Waits until the map's version is another one than `seen`: True; False after `timeout` seconds.")
      .def(
          "fileno", &OpenMapReader::event_fd,
          "As Reader.fileno(): readable when there may be a change, until a wait_changed() finds none (with timeout=0, "
          "say), of the map or of an entry.");
}

void bind_map_writer(py::module_& module) {
  py::class_<DraftInPlace>(
      module, "MapDraft",
      "A value that is being written in place. Its `with` block has it as a writable memoryview, which ends "
      "with the block: it becomes the key's value there, or is dropped by an exception.",
      in_place<DraftInPlace>())
      .def("__enter__", &DraftInPlace::enter)
      .def("__exit__", [](DraftInPlace& draft, const py::object& type, const py::object&, const py::object&) {
        draft.leave(type.is_none());
      });
  py::class_<OpenTransaction>(module, "Transaction",
                              "New values for up to 16 keys: all or none, also if this process is killed. "
                              "Committed at the end of its `with` block, dropped by an exception.")
      .def("put", &OpenTransaction::put, py::arg("key"), py::arg("value"))
      .def("commit", &OpenTransaction::commit, "Raises Full, Timeout: then no key was changed.")
      .def("__len__", &OpenTransaction::size)
      .def("__enter__", [](const py::object& self) { return self; })
      .def("__exit__", [](OpenTransaction& transaction, const py::object& type, const py::object&, const py::object&) {
        type.is_none() ? transaction.commit() : transaction.drop();
      });
  bind_participant<OpenMapWriter>(
      module, "MapWriter",
      "A participant that writes a map. One thread at a time may use it. Keys are str, bytes, or "
      "int; values are bytes-like.\n\ntimeout: seconds for which a call may wait, for a buffer or "
      "for another writer of the same key; None: for ever.")
      .def(py::init([](const Map& map, const std::string& name, std::optional<double> timeout) {
             return std::make_shared<OpenMapWriter>(map, name, timeout);
           }),
           py::arg("map"), py::kw_only(), py::arg("name") = "", py::arg("timeout") = py::none())
      .def("put", &OpenMapWriter::put, py::arg("key"), py::arg("value"),
           "Makes a copy of it the key's value, whether the key was there or not. Raises Full, TooLarge, Exhausted, "
           "Timeout.")
      .def("insert", &OpenMapWriter::insert, py::arg("key"), py::arg("value"), "The same; Exists if the key is there.")
      .def("put_if", &OpenMapWriter::put_if, py::arg("key"), py::arg("value"), py::kw_only(), py::arg("version"),
           "The same if the key's version is this one still (0: not there); VersionChanged otherwise.")
      .def("erase", &OpenMapWriter::erase, py::arg("key"), "Raises NotFound.")
      .def("update", &OpenMapWriter::update, py::arg("key"), py::arg("change"),
           "Makes change(old) the key's value: bytes in, bytes-like out; nobody else changes the key meanwhile. "
           "`change` must "
           "not use this writer; what it raises comes out, and nothing is changed. Raises NotFound.")
      .def(
          "prepare",
          [](const std::shared_ptr<OpenMapWriter>& writer, const py::object& key, std::size_t size,
             std::optional<std::uint64_t> if_version) {
            return std::make_unique<DraftInPlace>(writer, new_key_of(key), size, if_version);
          },
          py::arg("key"), py::arg("size"), py::kw_only(), py::arg("if_version") = py::none(),
          "A value of `size` bytes, to be written in place: a MapDraft, for a `with` block. With `if_version`: as "
          "put_if().")
      .def(
          "transaction",
          [](const std::shared_ptr<OpenMapWriter>& writer) { return std::make_unique<OpenTransaction>(writer); },
          "A Transaction, for a `with` block.");
}

}  // namespace

void bind_map(py::module_& module) {
  bind_map_options(module);
  bind_facility<Map, MapOptions>(
      module, "Map", "A map in a segment: values by keys, replaced while others read them. Pickles as its name.")
      .def("__len__", &Map::size)
      .def("options", &map_options_in_words, "As it was made, in the words that create() takes.")
      .def_property_readonly("max_value_bytes", &Map::max_value_bytes);
  bind_value(module);
  bind_map_reader(module);
  bind_map_writer(module);
}

}  // namespace sapbuf::python
