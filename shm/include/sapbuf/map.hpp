// A map: values by their keys, replaced while others read them in place.
#pragma once

#include <atomic>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sapbuf/abi.hpp>
#include <sapbuf/detail/kill_point.hpp>
#include <sapbuf/duration.hpp>
#include <sapbuf/layout/map_entry.hpp>
#include <sapbuf/layout/map_slot.hpp>
#include <sapbuf/layout/map_value.hpp>
#include <sapbuf/options.hpp>
#include <sapbuf/pool.hpp>
#include <sapbuf/segment.hpp>
#include <sapbuf/status.hpp>

SAPBUF_BEGIN

class MapEntry;
class MapReader;
class MapValue;
class MapWriter;
class Transaction;

namespace detail {

class MapCore;
struct MapReaderState;
struct MapWriterState;

// The part of a reader that the inlined path touches: private memory. `buffers` is 0 where that path must not be taken:
// forked, closed, full fences.
struct MapReaderHot {
  layout::MapSlot* slot = nullptr;
  layout::Word* words = nullptr;  // of the pool's buffers
  const std::byte* values = nullptr;
  const std::byte* end = nullptr;  // of the buffers that are known to be there
  std::uint64_t stride_bytes = 0;
  layout::ValuePlaces places;
  std::uint64_t tenure = 0;       // what the slot says as long as it is this reader's
  std::uint32_t buffers = 0;      // of these, those that may have a value
  std::uint32_t free_guards = 0;  // a bit for each
  bool closed = false;            // leaves with the last value
};

static_assert(layout::kGuards == 32);
inline constexpr std::uint32_t kOwnGuard = std::uint32_t{1} << 31;  // for looks that the reader takes itself
inline constexpr std::uint32_t kAllGuards = ~kOwnGuard;

MapValue read_slow(MapEntry& entry) noexcept;
void leave_behind_value(MapReaderHot& reader) noexcept;

}  // namespace detail

// A key: 1 to 255 bytes, or as many as the map was made for; a number is its 8 bytes, the lowest first. Refers to what
// it was made from.
class MapKey {
 public:
  MapKey(std::string_view key) noexcept : data_(key.data()), size_(key.size()) {}
  MapKey(const std::string& key) noexcept : MapKey(std::string_view{key}) {}
  MapKey(const char* key) noexcept : MapKey(std::string_view{key}) {}
  MapKey(std::span<const std::byte> key) noexcept
      : data_(reinterpret_cast<const char*>(key.data())), size_(key.size()) {}
  template <std::integral Number>
  requires(!std::same_as<Number, bool>) MapKey(Number key)
  noexcept : number_(static_cast<std::uint64_t>(key)), size_(sizeof number_) {}

  std::string_view bytes() const noexcept {
    return {data_ != nullptr ? data_ : reinterpret_cast<const char*>(&number_), size_};
  }

 private:
  const char* data_ = nullptr;  // null: it is the number
  std::uint64_t number_ = 0;
  std::size_t size_ = 0;
};

struct MapOptions {
  std::uint64_t keys = 1024;  // room for so many at first
  // That the map may grow to; 0: `keys`. Its index has 16 to 32 bytes for each of them, allocated at once.
  std::uint64_t max_keys = 0;
  // The segment's pool whose buffers are the values; empty: the map makes one of its own, of one size, named after it
  // with ".values" behind, which goes with it unless somebody uses it. Of a pool with size classes a value takes no
  // more than it needs.
  std::string pool{};
  // That a value can have. Of another pool: what its largest buffers have, less 32, rounded up to the pool's alignment
  // where that has size classes; this says nothing then.
  std::uint64_t value_bytes = 512;
  std::uint64_t key_bytes = 255;  // that a key can have; entries have 64 bytes for keys of up to 24 bytes, 320 for 255
  // Buffers of its own pool: for the values, those that are being written, and versions that somebody keeps. 0: half as
  // many again as keys, and 64. It grows to the same for `max_keys`, or twice this.
  std::uint64_t values = 0;
};

// A shared handle, like Pool. Thread-safe.
class Map {
 public:
  // As Pool::create(), open(), open_or_create() and remove(); Errc::not_found also for a pool that is not there. A pool
  // that a map needs cannot be removed before it.
  static Map create(const Segment& segment, std::string_view name, const MapOptions& options = {});
  static Map open(const Segment& segment, std::string_view name);
  static Map open_or_create(const Segment& segment, std::string_view name, const MapOptions& options = {});
  static bool remove(const Segment& segment, std::string_view name);

  const Segment& segment() const noexcept { return segment_; }
  const std::string& name() const;
  bool created() const;  // true if the call that gave this handle made the map
  MapOptions options() const;
  // What is otherwise than `asked`, in words.
  std::vector<std::string> differences(const MapOptions& asked) const;
  bool is_current() const;     // false once the map was removed, or its segment
  std::uint64_t size() const;  // keys that there are; exact while none is inserted or erased
  std::size_t max_value_bytes() const;
  std::size_t bytes() const;  // of its region, now; its pool has another

  // For the library's own parts.
  const std::shared_ptr<detail::MapCore>& core() const;
  Map(Segment segment, std::shared_ptr<detail::MapCore> core, bool created) noexcept;

 private:
  Segment segment_;
  std::shared_ptr<detail::MapCore> core_;
  bool created_ = false;
};

// One version of a value, in place, or the reason why there is none: not_found. It stays as it is until this goes,
// however often the key is flipped or erased meanwhile. Move-only; its reader's thread's. It may outlive the reader.
class [[nodiscard]] MapValue {
 public:
  MapValue() noexcept = default;
  MapValue(MapValue&& other) noexcept
      : reader_(std::exchange(other.reader_, nullptr)),
        data_(other.data_),
        about_(other.about_),
        length_(std::exchange(other.length_, 0)),
        guard_(other.guard_),
        status_(std::exchange(other.status_, Status::closed)) {}
  MapValue& operator=(MapValue&& other) noexcept {
    if (this != &other) {
      release();
      reader_ = std::exchange(other.reader_, nullptr);
      data_ = other.data_;
      about_ = other.about_;
      length_ = std::exchange(other.length_, 0);
      guard_ = other.guard_;
      status_ = std::exchange(other.status_, Status::closed);
    }
    return *this;
  }
  [[gnu::always_inline]] ~MapValue() { release(); }

  explicit operator bool() const noexcept { return status_ == Status::ok; }
  Status status() const noexcept { return status_; }  // Status::closed once it was released or moved from

  std::span<const std::byte> bytes() const noexcept { return {data_, length_}; }
  std::string_view text() const noexcept { return {reinterpret_cast<const char*>(data_), length_}; }
  // Of this key, ever growing; 0 if there is no value here.
  std::uint64_t version() const noexcept {
    return reader_ == nullptr ? 0 : about_->version.load(std::memory_order_relaxed);
  }
  // When it became the key's value: wall clock, nanoseconds since the epoch, true to some milliseconds.
  std::uint64_t flipped_ns() const noexcept {
    return reader_ == nullptr ? 0 : about_->flipped_ns.load(std::memory_order_relaxed);
  }
  [[gnu::always_inline]] void release() noexcept {
    if (reader_ == nullptr) return;
    // Of one that was taken for dead the guards are another's.
    layout::MapSlot& slot = *reader_->slot;
    if (slot.tenure.load(std::memory_order_relaxed) == reader_->tenure) [[likely]] {
      // pool-free: release, behind the last use.
      slot.guards[guard_].store(0, std::memory_order_release);
    }
    reader_->free_guards |= std::uint32_t{1} << guard_;
    if (reader_->closed) [[unlikely]]
      detail::leave_behind_value(*reader_);
    reader_ = nullptr;
    length_ = 0;
    status_ = Status::closed;
  }

 private:
  friend class MapEntry;
  friend struct detail::MapReaderState;

  MapValue(detail::MapReaderHot& reader, std::uint32_t guard, const std::byte* data, const layout::AboutValue& about,
           std::uint32_t length) noexcept
      : reader_(&reader), data_(data), about_(&about), length_(length), guard_(guard), status_(Status::ok) {}
  explicit MapValue(Status why_not) noexcept : status_(why_not) {}

  detail::MapReaderHot* reader_ = nullptr;
  const std::byte* data_ = nullptr;
  const layout::AboutValue* about_ = nullptr;
  std::uint32_t length_ = 0;
  std::uint32_t guard_ = 0;
  Status status_ = Status::closed;
};

// A reader's place for a key, whether the key is there or not. Copies are as good. It is its reader's thread's, and
// keeps what the reader needs; once the reader is closed it has no values. One that was moved from is not to be used.
class MapEntry {
 public:
  const std::string& key() const noexcept { return key_; }

  // The key's value now: one that it had at some instant during this call. Without one: not_found, over_budget if this
  // reader keeps 31 values already, overtaken, exhausted if this process has no addresses for the value, or for the
  // map's entries, closed, forked, declared_dead, corrupt. Makes no system call, waits for nobody, and stores to no
  // line that others write. Where the key was erased or is not there yet, each call looks it up.
  [[gnu::always_inline]] MapValue read() noexcept {
    if (entry_ != nullptr) [[likely]] {
      detail::MapReaderHot& reader = *reader_;
      layout::MapSlot& slot = *reader.slot;
      // flip: acquire.
      const layout::Root root{entry_->value.load(std::memory_order_acquire)};
      if (root.index() < reader.buffers && reader.free_guards != 0 &&
          slot.tenure.load(std::memory_order_relaxed) == reader.tenure) [[likely]] {
        const auto guard = static_cast<std::uint32_t>(std::countr_zero(reader.free_guards));
        SAPBUF_KILL_POINT(map_seen);
        slot.guards[guard].store(root.word, std::memory_order_relaxed);
        SAPBUF_KILL_POINT(map_guarded);
        // root (SB): the light fence keeps the look behind the guard; the scan makes the heavy one.
        std::atomic_signal_fence(std::memory_order_seq_cst);
        const layout::BufferWord shared = layout::BufferWord::make(root.incarnation(), layout::BufferState::shared);
        if (reader.words[root.index()].load(std::memory_order_acquire) == shared.word) [[likely]] {
          const std::byte* const buffer = reader.values + root.index() * reader.stride_bytes;
          const std::byte* const data = buffer + reader.places.value_at;
          const auto& about = *reinterpret_cast<const layout::AboutValue*>(buffer + reader.places.about_at);
          const layout::ValueWhere where{about.where.load(std::memory_order_relaxed)};
          if (about.key.load(std::memory_order_relaxed) == life_.word && where.entry() == number_ &&
              where.length() <= reader.places.most_bytes &&
              where.length() <= static_cast<std::size_t>(reader.end - data)) [[likely]] {
            reader.free_guards &= reader.free_guards - 1;
            return MapValue{reader, guard, data, about, where.length()};
          }
        }
        slot.guards[guard].store(0, std::memory_order_release);
      }
    }
    return detail::read_slow(*this);
  }

  // Waits until the key's version is another one than `seen` (0: not there): true. False after the timeout, or once the
  // reader's `stop` says so. A wait runs recovery by itself.
  bool wait_changed(std::uint64_t seen, Milliseconds timeout) noexcept;

 private:
  friend class MapReader;
  friend struct detail::MapReaderState;
  friend MapValue detail::read_slow(MapEntry& entry) noexcept;

  MapEntry(std::shared_ptr<detail::MapReaderHot> reader, std::string key) noexcept
      : reader_(std::move(reader)), key_(std::move(key)) {}

  std::shared_ptr<detail::MapReaderHot> reader_;
  layout::MapEntry* entry_ = nullptr;  // null: not known, or not there
  layout::KeyLife life_{};
  std::uint32_t number_ = 0;
  std::string key_;
};

struct MapReaderOptions {
  std::string name{};  // for people; 63 bytes are kept. Empty: the program's name and pid
  // A wait ends within milliseconds once this becomes true. Must outlive the reader; null: nothing stops a wait.
  const std::atomic<bool>* stop = nullptr;
};

// Reads a map; a participant of it. One thread at a time may use it, its entries and its values. Move-only. It keeps up
// to 31 values at once; the pool's memory is mapped read-only for it.
class MapReader {
 public:
  // Throws as the constructor of PoolUser.
  explicit MapReader(const Map& map, const MapReaderOptions& options = {});
  MapReader(MapReader&&) noexcept = default;
  MapReader& operator=(MapReader&& other) noexcept {
    if (this != &other) {
      close();
      reader_ = std::move(other.reader_);
    }
    return *this;
  }
  ~MapReader() { close(); }

  // Looks the key up; it need not be there. This, read() and for_each() throw Errc::invalid_argument once the reader
  // was closed or moved from.
  MapEntry entry(const MapKey& key) const;
  // For a key that is read once.
  MapValue read(const MapKey& key) const { return entry(key).read(); }

  // Calls `visit(key, value)` for each key that begins with `prefix`: std::string_view, and MapValue&, which it may
  // move away. Keys that come or go meanwhile are visited or not; all others once, in no order. Status::ok once all
  // were; or why not, as MapEntry::read().
  template <typename Visit>
  Status for_each(Visit visit, std::string_view prefix = {}) const {
    std::string key;
    for (std::uint32_t next = 0;;) {
      MapValue value = read_next(next, prefix, key);
      if (!value) return value.status() == Status::not_found ? Status::ok : value.status();
      visit(std::string_view{key}, value);
    }
  }

  // Grows with each change of the map.
  std::uint64_t version() const noexcept;
  // As MapEntry::wait_changed(), for any change.
  bool wait_changed(std::uint64_t seen, Milliseconds timeout) const noexcept;
  // A descriptor to wait on, as Reader::event_fd(): readable when there may be a change, until a wait_changed() finds none (with
  // a timeout of 0, say); it then is for what that one waited for, this map or an entry. Throws Errc::forked,
  // Errc::resource_exhausted, Errc::invalid_argument once closed.
  int event_fd();

  std::uint32_t slot() const noexcept;  // index in the registry
  // Nothing more is read, also by its entries. It is no participant any more, or, where values are kept, with the last
  // of these.
  void close() noexcept;

 private:
  MapValue read_next(std::uint32_t& next, std::string_view prefix, std::string& key) const;

  std::shared_ptr<detail::MapReaderHot> reader_;
};

struct MapWriterOptions {
  std::string name{};  // for people; 63 bytes are kept. Empty: the program's name and pid
  // How long a call may wait: for a buffer, for another writer of the same key, for room that another one makes.
  Milliseconds timeout = kForever;
  // Such a wait ends within milliseconds once this becomes true, with Status::stopped. Must outlive the writer.
  const std::atomic<bool>* stop = nullptr;
};

// A value that is being written, or the reason why there is none. Move-only; its destructor drops what was not flipped.
// It must not outlive its writer.
class [[nodiscard]] MapDraft {
 public:
  MapDraft() noexcept = default;

  explicit operator bool() const noexcept { return status() == Status::ok; }
  // Status::closed once it was flipped or moved from.
  Status status() const noexcept { return status_ == Status::ok ? buffer_.status() : status_; }

  // In place, as large as it was asked for; what stands in it is what others left.
  std::span<std::byte> bytes() const noexcept { return {data_, buffer_ ? length_ : 0}; }
  // Makes it larger or smaller; what stands in it stays. Without an effect if it would be too large. In a pool with size
  // classes it needs another buffer to get larger, and waits for none: if there is none, this gives no bytes, status() is
  // `exhausted` from then on, and it cannot be flipped. One that gets smaller keeps its buffer.
  std::span<std::byte> resize(std::size_t bytes) noexcept {
    if (bytes <= room_) {
      length_ = bytes;
    } else if (bytes <= most_ && *this) {
      move_to_larger(bytes);
      if (!*this) return {};
    }
    return this->bytes();
  }

  // Makes it the key's value, whether the key was there or not. Status::ok, or: timeout, stopped, full (the map has as
  // many keys as it can), exhausted (this process has no memory now, or no addresses for the value that is there, or
  // for the map's entries), already_reserved (from within update()), closed, forked, declared_dead, corrupt; it is
  // still there then.
  Status flip() noexcept;
  // The same if the key's version is this one still; version_changed otherwise. 0: if the key is not there.
  Status flip_if(std::uint64_t version) noexcept;

 private:
  friend class MapWriter;
  friend class Transaction;
  friend struct detail::MapWriterState;

  explicit MapDraft(Status why_not) noexcept : status_(why_not) {}
  void move_to_larger(std::size_t bytes) noexcept;

  detail::MapWriterState* writer_ = nullptr;
  Buffer buffer_;
  std::string key_;
  std::byte* data_ = nullptr;
  std::size_t length_ = 0;
  std::size_t room_ = 0;  // in its buffer
  std::size_t most_ = 0;  // in the map's largest
  Status status_ = Status::closed;
};

// Writes a map; a participant of it, and a user of its pool. One thread at a time may use it. Move-only.
//
// Writers of different keys do not meet. Who flips a key has it to himself meanwhile; if he is killed, whoever waits
// for it goes on within milliseconds, behind the value before or the new one.
class MapWriter {
 public:
  // Throws as the constructor of PoolUser.
  explicit MapWriter(const Map& map, const MapWriterOptions& options = {});
  MapWriter(MapWriter&&) noexcept;
  MapWriter& operator=(MapWriter&&) noexcept;
  ~MapWriter();

  // Makes these bytes the key's value, whether the key was there or not. As MapDraft::flip(), and: too_large, of key or
  // value; exhausted also if the pool has no buffer.
  Status put(const MapKey& key, std::span<const std::byte> value) noexcept;
  Status put(const MapKey& key, std::string_view value) noexcept { return put(key, std::as_bytes(std::span{value})); }
  // The same if the key is not there; exists otherwise.
  Status insert(const MapKey& key, std::span<const std::byte> value) noexcept;
  Status insert(const MapKey& key, std::string_view value) noexcept {
    return insert(key, std::as_bytes(std::span{value}));
  }
  // A value to be filled in place.
  MapDraft prepare(const MapKey& key, std::size_t bytes) noexcept;
  // not_found if it is not there; otherwise as MapDraft::flip(). Who reads its value keeps that.
  Status erase(const MapKey& key) noexcept;
  // Calls `f(std::span<const std::byte> old, MapDraft& fresh)`, which fills the new value, as large as the old one or
  // resized; nobody else changes the key meanwhile. not_found if it is not there; too_large, of the key; exhausted also
  // if it could not be made larger for want of a buffer: the next call waits for one of that size before it begins;
  // otherwise as MapDraft::flip(). What `f` throws comes out, and nothing was changed. `f` must not use this writer:
  // such calls answer already_reserved.
  template <typename F>
  Status update(const MapKey& key, F f) {
    Update update{*this, key};
    if (update.status != Status::ok) return update.status;
    f(update.old, update.fresh);
    return update.flip();
  }

  std::uint32_t slot() const noexcept;  // index in the registry
  void close() noexcept;

 private:
  friend class Transaction;

  // Has the key's entry claimed.
  struct Update {
    Update(MapWriter& writer, const MapKey& key) noexcept;
    Update(const Update&) = delete;
    Update& operator=(const Update&) = delete;
    ~Update();
    Status flip() noexcept;

    detail::MapWriterState* writer = nullptr;
    std::span<const std::byte> old;
    MapDraft fresh;
    Status status = Status::closed;
  };

  std::unique_ptr<detail::MapWriterState> writer_;
};

// Several keys of a map that get new values together: all of them or none, also if the writer is killed. Who reads
// several of them may see some flipped before the others, but never for good. Must not outlive its writer; its
// thread's.
class Transaction {
 public:
  static constexpr std::size_t kMostKeys = layout::kTransactionKeys;

  explicit Transaction(MapWriter& writer) noexcept : writer_(&writer) {}

  // What the key is to have, whether it is there at commit() or not; of a key that was added before, instead of that.
  // over_budget for more than 16 keys, and as MapWriter::prepare().
  Status put(const MapKey& key, std::span<const std::byte> value);
  Status put(const MapKey& key, std::string_view value) { return put(key, std::as_bytes(std::span{value})); }
  // The same of one that was prepared by the same writer.
  Status add(MapDraft&& draft);
  // Flips them all, and is empty then: ok. Otherwise none was flipped, and no key inserted: timeout, stopped, full
  // (there is no room for a new key), exhausted, as MapDraft::flip(), already_reserved, closed, forked, declared_dead,
  // corrupt.
  Status commit() noexcept;
  std::size_t size() const noexcept { return drafts_.size(); }

 private:
  MapWriter* writer_;
  std::vector<MapDraft> drafts_;
};

SAPBUF_END
