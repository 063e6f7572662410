// Maps, their readers and writers, and values, as Python has them.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include <sapbuf/map.hpp>

#include "in_place.hpp"
#include "participant.hpp"

namespace sapbuf::python {

class ValueInPlace;
class OpenEntry;

class OpenMapReader final : public Participant {
 public:
  OpenMapReader(const Map& map, const std::string& name);

  // None: it is not there.
  std::unique_ptr<ValueInPlace> read(const py::object& key);
  py::object get(const py::object& key, const py::object& otherwise);
  bool contains(const py::object& key);
  std::unique_ptr<OpenEntry> entry(const py::object& key);
  py::list items(const py::object& prefix);
  py::list keys(const py::object& prefix);
  std::uint64_t version();
  bool wait_changed(std::uint64_t seen, const Deadline& deadline);
  int event_fd();

  // For entries.
  std::unique_ptr<ValueInPlace> wrap(MapValue value);
  std::uint32_t slot() const noexcept { return reader_.slot(); }

 private:
  void detach() noexcept override { reader_.close(); }
  template <typename Visit>
  void visit(const py::object& prefix, Visit visit);

  MapReader reader_;
};

// A reader's place for a key.
class OpenEntry {
 public:
  OpenEntry(std::shared_ptr<OpenMapReader> reader, MapEntry entry)
      : reader_(std::move(reader)), entry_(std::move(entry)) {}

  std::unique_ptr<ValueInPlace> read();
  py::object get(const py::object& otherwise);
  bool wait_changed(std::uint64_t seen, const Deadline& deadline);
  py::bytes key() const { return py::bytes(entry_.key()); }

 private:
  std::shared_ptr<OpenMapReader> reader_;
  MapEntry entry_;
};

// One version of a value, which stays as it is until it is released; dropped, it is.
class ValueInPlace final : public InPlace {
 public:
  ValueInPlace(std::shared_ptr<OpenMapReader> reader, MapValue value)
      : reader_(std::move(reader)), value_(std::move(value)) {}
  ~ValueInPlace() override { reader_->let_go(std::move(value_)); }

  std::span<std::byte> bytes() const override;
  std::uint64_t version() const;
  std::uint64_t flipped_ns() const;
  void leave() noexcept;  // releases it once nothing looks at it
  bool is_released() const noexcept { return left_ || !value_; }

 private:
  void check_open() const;
  void unexported() noexcept override;

  std::shared_ptr<OpenMapReader> reader_;
  MapValue value_;
  bool left_ = false;
};

// What is put for several keys, or prepared for one, refers to the library's writer, which therefore detaches behind the
// last of it only.
class OpenMapWriter final : public Participant {
 public:
  OpenMapWriter(const Map& map, const std::string& name, std::optional<double> timeout);

  void put(const py::object& key, const py::object& value);
  void insert(const py::object& key, const py::object& value);
  void put_if(const py::object& key, const py::object& value, std::uint64_t version);
  void erase(const py::object& key);
  void update(const py::object& key, const py::function& change);

  MapDraft prepare(const std::string& key, std::size_t bytes);
  Status flip(MapDraft& draft, std::optional<std::uint64_t> version);
  Status put_in(Transaction& transaction, const std::string& key, std::span<const std::byte> value);
  Status commit(Transaction& transaction);
  MapWriter& writer() noexcept { return writer_; }
  void begin_use() noexcept { ++uses_; }
  void end_use() noexcept;
  std::uint32_t slot() const noexcept { return writer_.slot(); }

 private:
  template <typename Attempt>
  void run(const char* what, Attempt attempt);
  void detach() noexcept override {
    if (uses_ == 0) writer_.close();
  }

  const std::optional<double> timeout_;
  MapWriter writer_;
  std::size_t uses_ = 0;
};

// A value that is being written in place.
class DraftInPlace final : public InPlace {
 public:
  DraftInPlace(std::shared_ptr<OpenMapWriter> writer, const std::string& key, std::size_t bytes,
               std::optional<std::uint64_t> version);
  ~DraftInPlace() override;

  std::span<std::byte> bytes() const override;
  bool is_writable() const noexcept override { return true; }
  static py::object enter(const py::object& self);
  void leave(bool flips);

 private:
  void check_open() const;
  void end() noexcept;

  std::shared_ptr<OpenMapWriter> writer_;
  std::optional<MapDraft> draft_;
  const std::optional<std::uint64_t> version_;
  BlockView view_;
};

// New values for several keys, all or none.
class OpenTransaction {
 public:
  explicit OpenTransaction(std::shared_ptr<OpenMapWriter> writer);
  OpenTransaction(const OpenTransaction&) = delete;
  OpenTransaction& operator=(const OpenTransaction&) = delete;
  ~OpenTransaction();

  void put(const py::object& key, const py::object& value);
  void commit();
  void drop();
  std::size_t size() const noexcept { return transaction_ ? transaction_->size() : 0; }

 private:
  void check_open() const;
  void end() noexcept;

  std::shared_ptr<OpenMapWriter> writer_;
  std::optional<Transaction> transaction_;
};

void bind_map(py::module_& module);

}  // namespace sapbuf::python
